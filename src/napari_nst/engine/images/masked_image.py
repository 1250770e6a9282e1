"""Images that a run looks at, with what counts of them, at whatever size a scale wants."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.job.style_size import Fit, middle


@dataclass(frozen=True, eq=False)
class MaskedImage:
    """An image on the device.

    Attributes
    ----------
    image : Tensor
        (1, 3, H, W), RGB in [0, 1].
    mask : Tensor or None
        (1, 1, H, W) in [0, 1]: how much each pixel counts; None where all count alike.
    """

    image: Tensor
    mask: Tensor | None = None

    @classmethod
    def of(cls, image: InputImage, device: torch.device) -> MaskedImage:
        """Bring a checked image onto the device, its hidden pixels painted over."""
        pixels = to_tensor(image.rgb, device)
        if image.alpha is None:
            return cls(pixels)
        mask = torch.from_numpy(image.alpha.copy())[None, None].to(device)
        # The network looks beyond the border of what is visible, and shall find nothing there.
        visible = mask > 0
        mean = (pixels * visible).sum(dim=(2, 3), keepdim=True) / visible.sum()
        return cls(torch.where(visible, pixels, mean), mask)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.image.shape[-2], self.image.shape[-1]

    def resized(self, shape: tuple[int, int]) -> MaskedImage:
        """Return the image and its mask, resampled to a height and width."""
        mask = None if self.mask is None else resize(self.mask, shape, smooth=False)
        return MaskedImage(resize(self.image, shape), mask)

    def middle(self, shape: tuple[int, int]) -> MaskedImage:
        """Return the middle, at most `shape` large."""
        return self.cut(middle(self.shape, shape))

    def cut(self, window: tuple[slice, slice]) -> MaskedImage:
        """Return some of the rows and columns."""
        rows, columns = window
        mask = None if self.mask is None else self.mask[..., rows, columns]
        return MaskedImage(self.image[..., rows, columns], mask)

    def fitted(self, fit: Fit) -> MaskedImage:
        """Return the subject as a scale wants it."""
        return self.cut(fit.window).resized(fit.shape)

    def covering(self, shape: tuple[int, int]) -> MaskedImage:
        """Return the image scaled to cover `shape` without distortion, and cropped to it."""
        factor = max(shape[0] / self.shape[0], shape[1] / self.shape[1])
        if all(own * factor <= want + 1 for own, want in zip(self.shape, shape, strict=True)):
            return self.resized(shape)  # the same aspect ratio, except for rounding
        height, width = (math.ceil(side * factor - 1e-6) for side in self.shape)
        return self.resized((max(height, shape[0]), max(width, shape[1]))).middle(shape)
