"""Smoothness of the image itself."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

KINDS = ("mean", "nine_point", "sum", "inner_sum")
"""Ways to measure total variation."""


class TotalVariationLoss(nn.Module):
    """Differences of neighbouring pixels, to some power (Mahendran & Vedaldi 2015).

    They sum the power of the gradient's length; here, as in most programs, powers of the
    differences themselves are added, which is the same for an exponent of 2.

    Parameters
    ----------
    kind : {"mean", "nine_point", "sum", "inner_sum"}
        "mean" of |down|ᵝ plus mean of |across|ᵝ, on pixels in [0, 1]. "nine_point" is
        2(↓ + →)/3 + (↘ + ↙)/6 of such means, on an image whose edge is repeated around it, as
        crowsonkb/style-transfer-pytorch (with β = 2). "sum" of |down|ᵝ and |across|ᵝ on a scale
        of 0–255, as neural-style-pt (with β = 1).
    exponent : float
        β, above 0.
    circular : bool
        The image's edges are neighbours, because it shall tile.

    Raises
    ------
    ValueError
        If the kind is unknown, or the exponent not above 0.
    """

    def __init__(
        self, kind: str = "mean", exponent: float = 2.0, *, circular: bool = False
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; not {kind!r}.")
        if not exponent > 0:
            raise ValueError(f"exponent must be above 0; not {exponent!r}.")
        self.kind = kind
        self.exponent = exponent
        self.circular = circular

    def forward(self, image: Tensor) -> Tensor:
        """Measure an image (1, 3, H, W)."""
        if self.kind == "nine_point":
            return self._nine_point(image)
        down, across = self._steps(image)
        if self.kind == "inner_sum" and not self.circular:
            down, across = down[..., :-1], across[:, :, :-1]
        if self.kind in ("sum", "inner_sum"):
            return self._powers(255 * down).sum() + self._powers(255 * across).sum()
        return _mean(self._powers(down)) + _mean(self._powers(across))

    def extra_repr(self) -> str:
        """Say which total variation it is."""
        circular = ", circular" if self.circular else ""
        return f"kind={self.kind!r}, exponent={self.exponent:g}{circular}"

    def _steps(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the differences down and across."""
        if self.circular:
            return image.roll(-1, 2) - image, image.roll(-1, 3) - image
        return image[:, :, 1:] - image[:, :, :-1], image[..., 1:] - image[..., :-1]

    def _nine_point(self, image: Tensor) -> Tensor:
        # The source repeats the edge on all sides. Wrapped, one side has all the neighbours.
        edge, mode = (0, "circular") if self.circular else (1, "replicate")
        wide = functional.pad(image, (edge, 1, edge, 1), mode)
        steps = (
            wide[..., edge + 1 :, edge:-1] - image,
            wide[..., edge:-1, edge + 1 :] - image,
            wide[..., 1:, 1:] - wide[..., :-1, :-1],
            wide[..., 1:, :-1] - wide[..., :-1, 1:],
        )
        down, across, falling, rising = (self._powers(d).mean() for d in steps)
        return 2 * (down + across) / 3 + (falling + rising) / 6

    def _powers(self, steps: Tensor) -> Tensor:
        """Return |d|ᵝ, with a slope of 0 where there is no difference, even if β < 1."""
        sizes = steps.abs()
        if self.exponent >= 1:
            return sizes.pow(self.exponent)
        some = sizes > 0
        return sizes.where(some, 1).pow(self.exponent).where(some, 0)


def _mean(values: Tensor) -> Tensor:
    # An image one pixel high has no neighbours down: nothing to smooth, not NaN.
    return values.sum() / max(1, values.numel())
