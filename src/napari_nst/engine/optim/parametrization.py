"""The image as free numbers: what an optimiser may change, and the image that they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_nst.engine.run.shelf import Shelf


class Parametrization:
    """Free numbers ⇄ image, without colour noise where the image is grey.

    Parameters
    ----------
    image_range : {"clip", "free", "tanh"}
        ``clip`` cuts the pixels off at black and white after each step; ``free`` lets them go
        beyond, as most published programs do while they run; ``tanh`` makes pixels
        (tanh x + 1)/2 of free numbers x.
    grey : bool
        One free number per pixel, repeated for the three channels.
    """

    steepest = 0.999
    """Farthest that a pixel of a starting image may lie from mid-grey, of 1, for its tanh's sake:
    beyond it the free numbers are so large that their slope is nothing."""

    def __init__(self, image_range: str = "clip", *, grey: bool = False) -> None:
        self.image_range = image_range
        self.grey = grey

    def numbers(self, image: Tensor) -> Tensor:
        """Return the free numbers of an image (1, 3, H, W) in [0, 1]: (1, 3 or 1, H, W)."""
        if self.grey:
            image = image.mean(dim=1, keepdim=True)
        if self.image_range != "tanh":
            return image
        return torch.atanh((image * 2 - 1).clamp(-self.steepest, self.steepest))

    def image(self, numbers: Tensor) -> Tensor:
        """Return the image (1, 3, H, W) that free numbers stand for; differentiable."""
        if self.image_range == "tanh":
            numbers = (numbers.tanh() + 1) / 2
        return numbers.expand(-1, 3, -1, -1) if self.grey else numbers

    def back(self, numbers: Tensor, by_image: Tensor) -> Tensor:
        """Return the gradient by free numbers, given that by the image that they stand for."""
        with torch.enable_grad():
            leaf = numbers.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(self.image(leaf), leaf, by_image)
        return gradient

    def keep_in_range(self, numbers: Tensor, unit: float) -> None:
        """Cut free numbers off in place where the range says so; white is `unit`."""
        if self.image_range == "clip":
            numbers.clamp_(0, unit)


@dataclass(frozen=True)
class WholeCanvas:
    """A canvas for all pixels of a run, whatever takes to hold them.

    Attributes
    ----------
    canvas : Canvas
        For some of them, or all.
    unit : float
        What a white pixel is to the optimiser.
    shelf : Shelf
        Where images and numbers lie.
    """

    canvas: Parametrization
    unit: float
    shelf: Shelf

    def numbers(self, image: Tensor) -> Tensor:
        """Return the optimiser's numbers of an image (1, 3, H, W), contiguous, a copy."""
        numbers = self.shelf.filled(
            (1, 1 if self.canvas.grey else 3, *image.shape[2:]),
            lambda rows: self.canvas.numbers(image[:, :, rows]) * self.unit,
        )
        return numbers.detach().contiguous()

    def image(self, numbers: Tensor) -> Tensor:
        """Return the image (1, 3, H, W) that numbers stand for, a copy."""
        given = numbers.detach()
        return self.shelf.filled(
            (1, 3, *numbers.shape[2:]),
            lambda rows: self.canvas.image(given[:, :, rows] / self.unit),
        )

    def seen(self, numbers: Tensor) -> Tensor:
        """Return the same, where possible without a copy."""
        given = numbers.detach()
        return self.shelf.filled(
            (1, 3, *numbers.shape[2:]),
            lambda rows: self.canvas.image(self._of_canvas(given[:, :, rows])),
        )

    def back(self, numbers: Tensor, by_image: Tensor) -> Tensor:
        """Return the gradient by the canvas's numbers, contiguous, given that by their image."""
        given = numbers.detach()
        gradient = self.shelf.filled(
            tuple(numbers.shape),
            lambda rows: self.canvas.back(self._of_canvas(given[:, :, rows]), by_image[:, :, rows]),
        )
        return gradient.contiguous()

    def _of_canvas(self, numbers: Tensor) -> Tensor:
        return numbers if self.unit == 1 else numbers / self.unit
