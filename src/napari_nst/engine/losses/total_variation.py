"""Differences of neighbouring pixels: total variation, and smoothness across a border."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.losses.base import ImageLoss

KINDS = ("mean", "nine_point", "sum", "inner_sum")
"""Ways to measure total variation."""

SEAM_WEIGHT = 6.0
"""Weight of `SeamLoss` beside style losses with norm "relative" and weight 1.

With it, steps across the border of inpainted regions in gravel, checkers and a grating are about as
large as in the same textures without an inpainted region. Without it they are 1.3 to 4 times as
large, because so few positions hardly change a statistic.
"""

BLOCK = 1 << 16
"""About how many pixels `value_and_grad` computes at a time."""


class TotalVariationLoss(ImageLoss):
    """Powers of the differences of neighbouring pixels (Mahendran & Vedaldi 2015).

    Mahendran and Vedaldi sum powers of the gradient's length. Here, as in most programs, powers of
    the differences themselves are summed, which is the same for an exponent of 2.

    Parameters
    ----------
    kind : {"mean", "nine_point", "sum", "inner_sum"}
        "mean": mean of |down|ᵝ plus mean of |across|ᵝ, for pixels in [0, 1]. "nine_point":
        2(↓ + →)/3 + (↘ + ↙)/6 of such means, for an image whose edge is repeated around it, as in
        crowsonkb/style-transfer-pytorch (with β = 2). "sum": sum of |down|ᵝ and |across|ᵝ for
        pixels in 0–255, as in neural-style-pt (with β = 1). "inner_sum": the same sum without the
        last row and the last column, as in pystiche's Li & Wand 2016 (with β = 2).
    exponent : float
        β, above 0, else ValueError. Equal neighbours have no gradient, even if β is below 1.
    circular : bool
        Whether opposite edges are neighbours, for an image that tiles.
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
        # Pixels repeated around the image: before its first and after its last row and column.
        self._before = int(kind == "nine_point" and not circular)
        self._after = int(kind != "inner_sum" or circular)

    def forward(self, image: Tensor) -> Tensor:
        """Measure an image (1, 3, H, W)."""
        return self._of_rows(image[:, :, self._padded_rows(image)], image, starts=True)

    def value_and_grad(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of an image (1, 3, H, W), and its gradient by the image."""
        # In blocks of rows: autograd of `forward` would take memory for ten images.
        image = image.detach()
        value, gradient = image.new_zeros(()), torch.zeros_like(image)
        rows = self._padded_rows(image)
        height = max(1, BLOCK // image.shape[3])
        for top in range(0, len(rows) - 1, height):
            own = rows[top : top + height + 1]  # with the first row of the next block
            block = image.index_select(2, own).requires_grad_()
            with torch.enable_grad():
                part = self._of_rows(block, image, starts=top == 0)
            value += part.detach()
            gradient.index_add_(2, own, torch.autograd.grad(part, block)[0])
        return value, gradient

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"kind={self.kind!r}, exponent={self.exponent:g}, circular={self.circular}"

    def _padded_rows(self, image: Tensor) -> Tensor:
        """Return, for each row of the padded image, its index in the image."""
        height = image.shape[2]
        rows = torch.arange(-self._before, height + self._after, device=image.device)
        return rows % height if self.circular else rows.clamp(0, height - 1)

    def _of_rows(self, rows: Tensor, image: Tensor, *, starts: bool) -> Tensor:
        """Return the contribution of some rows of the padded image, but for their last one."""
        mode = "circular" if self.circular else "replicate"
        padded = functional.pad(rows, (self._before, self._after, 0, 0), mode)
        inside = padded[:, :, self._before if starts else 0 :, self._before :]
        down = self._sum_of_powers(inside[:, :, 1:, :-1] - inside[:, :, :-1, :-1])
        across = self._sum_of_powers(inside[:, :, :-1, 1:] - inside[:, :, :-1, :-1])
        if self.kind in ("sum", "inner_sum"):
            scale: float = 255.0**self.exponent
            return (down + across) * scale
        number, channels, height, width = image.shape
        images = number * channels
        if self.kind == "mean":
            # An image of a single row has no differences down, and their mean is 0.
            pairs_down = max(1, height if self.circular else height - 1) * width
            pairs_across = max(1, width if self.circular else width - 1) * height
            return (down / pairs_down + across / pairs_across) / images
        falling = self._sum_of_powers(padded[:, :, 1:, 1:] - padded[:, :, :-1, :-1])
        rising = self._sum_of_powers(padded[:, :, 1:, :-1] - padded[:, :, :-1, 1:])
        straight = 2 / 3 * (down + across) / (height * width)
        diagonal = (falling + rising) / 6 / ((height + self._before) * (width + self._before))
        return (straight + diagonal) / images

    def _sum_of_powers(self, differences: Tensor) -> Tensor:
        if self.exponent == 2:
            return differences.square().sum()
        sizes = differences.abs()
        if self.exponent >= 1:
            return sizes.pow(self.exponent).sum()
        # The derivative at 0 is infinite; equal neighbours are left out of the gradient.
        equal = differences == 0
        return sizes.masked_fill(equal, 1).pow(self.exponent).masked_fill(equal, 0).sum()


class SeamLoss(ImageLoss):
    """Squared differences of neighbouring pixels of which one is free and the other is fixed.

    Their sum is averaged over channels and divided by the number of pixels. A total variation with
    exponent 2 contains the same pairs of pixels.

    Parameters
    ----------
    free : Tensor
        (1, 1, H, W) bool, True for the pixels that may change.
    """

    down: Tensor
    across: Tensor

    def __init__(self, free: Tensor) -> None:
        super().__init__()
        self.register_buffer("down", free[:, :, 1:] != free[:, :, :-1], persistent=False)
        self.register_buffer("across", free[..., 1:] != free[..., :-1], persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """Measure an image (1, 3, H, W)."""
        down = (image[:, :, 1:] - image[:, :, :-1]).square() * self.down
        across = (image[..., 1:] - image[..., :-1]).square() * self.across
        return (down.sum() + across.sum()) / image[0].numel()
