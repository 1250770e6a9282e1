"""Smoothness across the border of what is free."""

from __future__ import annotations

from torch import Tensor, nn

from napari_nst.engine.run.bands import Bands

WEIGHT = 6.0
"""Of the loss, beside style losses relative to their targets of weight 1.

Steps across the border of holes in gravel, checkers and a grating then are about what they are in
these without a hole; without the loss they are 1.3 to 4 times as large, since so few positions
hardly show in a statistic.
"""


class SeamLoss(nn.Module):
    """Squared differences of neighbouring pixels of which one is free and one is fixed.

    Their sum, averaged over channels and divided by the number of pixels: what these pairs have in
    a total variation of exponent 2.

    Parameters
    ----------
    free : Tensor
        (1, 1, H, W) bool.
    """

    down: Tensor
    across: Tensor

    def __init__(self, free: Tensor) -> None:
        super().__init__()
        self.register_buffer("down", free[:, :, 1:] != free[:, :, :-1], persistent=False)
        self.register_buffer("across", free[..., 1:] != free[..., :-1], persistent=False)

    def forward(self, image: Tensor, bands: Bands | None = None) -> Tensor:
        """Measure an image (1, 3, H, W), or a process's own rows of what it sees of one."""
        bands = bands or Bands.undivided(image.shape[2])
        core, shown = bands.own.core, bands.own.at(bands.own.core)
        last = min(shown.stop, image.shape[2] - 1)  # the row below is another's, or there is none
        below = image[:, :, shown.start + 1 : last + 1] - image[:, :, shown.start : last]
        own = image[:, :, shown]
        down = below.square() * self.down[:, :, core]
        across = (own[..., 1:] - own[..., :-1]).square() * self.across[:, :, core]
        return (down.sum() + across.sum()) / (image[:, :, 0].numel() * bands.height)
