"""Images that a run looks at, with what counts of them, at whatever size a scale wants."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.images.convert import to_tensor
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.job.style_size import Fit, middle
from napari_nst.engine.run.resampling import resized_rows
from napari_nst.engine.run.shelf import MEMORY, Shelf


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

    def resized(
        self, shape: tuple[int, int], rows: slice | None = None, shelf: Shelf = MEMORY
    ) -> MaskedImage:
        """Return the subject resampled to a height and width, or some rows of that."""
        rows, mask = rows or slice(0, shape[0]), self.mask
        if mask is not None:
            mask = resized_rows(mask, shape, rows, shelf, smooth=False)
        return MaskedImage(resized_rows(self.image, shape, rows, shelf), mask)

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

    def covering(
        self, shape: tuple[int, int], rows: slice | None = None, shelf: Shelf = MEMORY
    ) -> MaskedImage:
        """Return the subject scaled to cover `shape` at its own aspect, and cut to it or to rows.

        Parameters
        ----------
        shape : tuple of int
            Height and width.
        rows : slice, optional
            Which of that height; all where left out.
        shelf : Shelf
            Where it lies, if all are wanted.
        """
        rows = rows or slice(0, shape[0])
        factor = max(shape[0] / self.shape[0], shape[1] / self.shape[1])
        if all(own * factor <= want + 1 for own, want in zip(self.shape, shape, strict=True)):
            return self.resized(shape, rows, shelf)  # the same aspect, but for rounding
        height, width = (math.ceil(side * factor - 1e-6) for side in self.shape)
        larger = (max(height, shape[0]), max(width, shape[1]))
        if rows == slice(0, shape[0]):
            return self.resized(larger, shelf=shelf).middle(shape)
        within, columns = middle(larger, shape)
        own = slice(within.start + rows.start, within.start + rows.stop)
        return self.resized(larger, own).cut((slice(None), columns))
