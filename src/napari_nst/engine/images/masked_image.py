"""Images with masks on the device: weighted pixels, and pictures of which some pixels are kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.job.guides import KeepOutside
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.job.schedule import Fit, middle


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """An image (1, 3, H, W), RGB in [0, 1], and the weights (1, 1, H, W) of its pixels, if any."""

    image: Tensor
    mask: Tensor | None = None

    @classmethod
    def of(cls, image: InputImage, device: torch.device) -> MaskedImage:
        """Copy a checked image to the device; transparent pixels get the mean visible colour."""
        pixels = to_tensor(image.rgb, device)
        weights = image.weights
        if weights is None:
            return cls(pixels)
        mask = torch.from_numpy(weights)[None, None].to(device)
        # Receptive fields reach across the border of the visible pixels.
        visible = mask > 0
        mean = (pixels * visible).sum(dim=(2, 3), keepdim=True) / visible.sum()
        return cls(torch.where(visible, pixels, mean), mask)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.shape[-2], self.image.shape[-1]

    def resized(self, shape: tuple[int, int]) -> MaskedImage:
        """Return the image and its mask, resized to a height and width."""
        mask = None if self.mask is None else resize(self.mask, shape, smooth=False)
        return MaskedImage(resize(self.image, shape), mask)

    def crop(self, window: tuple[slice, slice]) -> MaskedImage:
        """Return some of the rows and columns."""
        mask = None if self.mask is None else self.mask[(..., *window)]
        return MaskedImage(self.image[(..., *window)], mask)

    def fitted(self, fit: Fit) -> MaskedImage:
        """Return a style, cropped and resized for a scale."""
        return self.crop(fit.window).resized(fit.shape)

    def covering(self, shape: tuple[int, int]) -> MaskedImage:
        """Return the image resized to cover `shape` without distortion, and cropped to it."""
        factor = max(shape[0] / self.shape[0], shape[1] / self.shape[1])
        if all(own * factor <= want + 1 for own, want in zip(self.shape, shape, strict=True)):
            return self.resized(shape)  # the same aspect ratio, except for rounding
        height, width = (math.ceil(side * factor - 1e-6) for side in self.shape)
        resized = self.resized((max(height, shape[0]), max(width, shape[1])))
        return resized.crop(middle(resized.shape, shape))


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
        """Return the mask of the free pixels and the image of the fixed pixels, at some shape."""
        # A pixel is free if at least half of its area is. Free pixels are left out of the average.
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
