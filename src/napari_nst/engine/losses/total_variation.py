"""Smoothness of the image itself."""

from __future__ import annotations

from torch import Tensor, nn

from napari_nst.engine.cancel import Pulse, go_on
from napari_nst.engine.losses.differences import (
    Differences,
    Window,
    neighbours,
    sum_of_powers,
    weighted,
    within,
)
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.shelf import MEMORY, Shelf

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
    pulse : callable, optional
        Called again and again while it is computed; what it raises ends that.
    shelf : Shelf, optional
        Where its gradient lies.

    Raises
    ------
    ValueError
        If the kind is unknown, or the exponent not above 0.
    """

    def __init__(
        self,
        kind: str = "mean",
        exponent: float = 2.0,
        *,
        circular: bool = False,
        pulse: Pulse = go_on,
        shelf: Shelf = MEMORY,
    ) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}; not {kind!r}.")
        if not exponent > 0:
            raise ValueError(f"exponent must be above 0; not {exponent!r}.")
        self.kind = kind
        self.exponent = exponent
        self.circular = circular
        self.pulse = pulse
        self.shelf = shelf

    def forward(self, image: Tensor, bands: Bands | None = None) -> Tensor:
        """Measure an image (1, 3, H, W), or a process's own rows of what it sees of one."""
        shape = (bands.height if bands else image.shape[-2], image.shape[-1])
        differences = self._nine_point(shape) if self.kind == "nine_point" else self._two(shape)
        if bands is not None:
            differences = within(differences, bands.own)
        channels = image.shape[0] * image.shape[1]
        sums = self.kind in ("sum", "inner_sum")
        whole = sum_of_powers(image, differences, self.exponent, self.pulse, self.shelf)
        return whole * 255**self.exponent if sums else whole / channels

    def extra_repr(self) -> str:
        """Say which total variation it is."""
        circular = ", circular" if self.circular else ""
        return f"kind={self.kind!r}, exponent={self.exponent:g}{circular}"

    def _two(self, shape: tuple[int, int]) -> list[Differences]:
        """Return the differences down and across, their means' factors with them."""
        height, width = shape
        inner = self.kind == "inner_sum" and not self.circular
        down = neighbours((height, width - inner), 1, 0, circular=self.circular)
        across = neighbours((height - inner, width), 0, 1, circular=self.circular)
        return [*down, *across] if self.kind != "mean" else [*_mean(down), *_mean(across)]

    def _nine_point(self, shape: tuple[int, int]) -> list[Differences]:
        height, width = shape
        down = neighbours(shape, 1, 0, circular=self.circular)
        across = neighbours(shape, 0, 1, circular=self.circular)
        diagonal = [
            *neighbours(shape, 1, 1, circular=self.circular),
            *neighbours(shape, 1, -1, circular=self.circular),
        ]
        diagonals = height * width
        if not self.circular:
            # The source repeats the edge on all sides, along which diagonals become differences
            # across and down: of both kinds, at both ends.
            diagonals = (height + 1) * (width + 1)
            diagonal += 2 * [*_at_ends(across, 0, height), *_at_ends(down, 1, width)]
        return [
            *weighted([*down, *across], 2 / 3 / (height * width)),
            *weighted(diagonal, 1 / 6 / diagonals),
        ]


def _mean(differences: list[Differences]) -> list[Differences]:
    # An image one pixel high has no neighbours down: nothing to smooth, not NaN.
    count = sum(some.count for some in differences)
    return weighted(differences, 1 / max(1, count))


def _at_ends(differences: list[Differences], axis: int, length: int) -> list[Differences]:
    """Return the differences in the first and in the last row (axis 0) or column (axis 1)."""
    ends = slice(0, 1), slice(length - 1, length)

    def only(window: Window, end: slice) -> Window:
        return (end, window[1]) if axis == 0 else (window[0], end)

    return [
        Differences(only(some.near, end), only(some.far, end))
        for some in differences
        for end in ends
    ]
