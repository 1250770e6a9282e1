"""What a run leaves as it is: all of a picture but the pixels that it may change."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.job.guides import KeepOutside


class Composite:
    """A kept picture on the device.

    Parameters
    ----------
    kept : Kept
        What it is.
    device : torch.device
        Where it goes.

    Attributes
    ----------
    alpha : Tensor or None
        The picture's, (1, 1, H, W).
    seamless : bool
        As of the kept picture.
    """

    def __init__(self, keep: KeepOutside, device: torch.device) -> None:
        self.window = (..., *keep.window)
        self.seamless = keep.seamless
        self.free = torch.from_numpy(keep.mask[keep.window].copy())[None, None].to(device)
        self.picture = to_tensor(keep.picture.rgb, device)
        alpha = keep.picture.alpha
        self.alpha = None if alpha is None else torch.from_numpy(alpha)[None, None].to(device)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the picture."""
        return self.picture.shape[-2], self.picture.shape[-1]

    def at(self, image: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return which pixels of a scale are free, and the fixed pixels outside them.

        Parameters
        ----------
        image : Tensor
            (1, 3, H, W), of the window's size: the picture as the run compares it.
        shape : tuple of int
            Of the scale.

        Returns
        -------
        free : Tensor
            (1, 1, H', W') bool: those at least half of which is.
        fixed : Tensor
            (1, 3, H', W'): the mean of the pixels around, without the free ones, which shall leave
            no trace.
        """
        around = 1 - self.free.to(image)
        kept = resize(around, shape, smooth=False)
        fixed = resize(image * around, shape, smooth=False)
        return kept <= 0.5, fixed / kept.clamp_min(1e-3)

    def around(self, image: Tensor) -> Tensor:
        """Return the whole picture with what a run has made of its free pixels, a copy."""
        made = resize(image, (self.free.shape[-2], self.free.shape[-1]))
        whole = self.picture.clone()
        whole[self.window] = torch.where(self.free, made, whole[self.window])
        return whole

    def within(self, picture: Tensor) -> Tensor:
        """Return the window of a whole picture."""
        return picture[self.window]
