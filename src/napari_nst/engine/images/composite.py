"""Composites: an image of which a run changes some pixels and keeps all others."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.job.guides import KeepOutside


class Composite:
    """The whole picture and the mask of its free pixels, on the device."""

    def __init__(self, keep: KeepOutside, device: torch.device) -> None:
        self.window = (..., *keep.window)
        self.seamless = keep.seamless
        self.free = torch.from_numpy(keep.mask[keep.window].copy())[None, None].to(device)
        self.picture = to_tensor(keep.picture.rgb, device)
        alpha = keep.picture.alpha
        self.alpha = None if alpha is None else torch.from_numpy(alpha)[None, None].to(device)

    def at(self, image: Tensor, shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """Return the mask of the free pixels and the image of the fixed pixels, at some shape.

        The image (1, 3, H, W) has the window's size and the run's colours. A pixel of the mask
        (1, 1, H', W') is free if at least half of its area is. Free pixels are left out of the
        average when the fixed ones (1, 3, H', W') are resized.
        """
        is_fixed = 1 - self.free.to(image)
        area = resize(is_fixed, shape, smooth=False)
        fixed = resize(image * is_fixed, shape, smooth=False)
        return area <= 0.5, fixed / area.clamp_min(1e-3)

    def around(self, image: Tensor) -> Tensor:
        """Return a copy of the whole picture, with the free pixels of a run's image."""
        resized = resize(image, (self.free.shape[-2], self.free.shape[-1]))
        whole = self.picture.clone()
        whole[self.window] = torch.where(self.free, resized, whole[self.window])
        return whole

    def within(self, picture: Tensor) -> Tensor:
        """Return the window of a whole picture."""
        return picture[self.window]
