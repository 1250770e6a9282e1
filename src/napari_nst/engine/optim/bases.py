"""Linear bases of images: what an optimizer may change in place of the pixels themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from napari_nst.engine.images.convert import mixed
from napari_nst.recipe import Recipe

Shape = tuple[int, int]

BANDS = 5
"""Bands of a Laplacian pyramid besides the coarsest image, as in STROTSS (Kolkin et al. 2019)."""

COLOUR_ROOT = ((0.26, 0.09, 0.02), (0.27, 0.00, -0.05), (0.27, -0.09, 0.03))
"""A square root of the covariance of R, G and B over ImageNet's photographs, R to B downwards: its
columns are grey, orange–blue and green–magenta, each as long as its standard deviation. From lucid,
the program of Olah et al. 2017, "Feature Visualization"."""


class Pixels:
    """The pixels of an image (1, C, H, W): the coefficients are the image itself."""

    def __init__(self, shape: Shape) -> None:
        self.shapes: Sequence[Shape] = [shape]
        """The shapes of the images that the coefficients consist of."""

    def image(self, coefficients: Tensor) -> Tensor:
        """Return the image of some coefficients."""
        return coefficients

    def coefficients(self, image: Tensor) -> Tensor:
        """Return coefficients of an image."""
        return image

    def gradient(self, by_image: Tensor) -> Tensor:
        """Return the gradient by the coefficients, given that by the image."""
        return by_image


class DecorrelatedColours(Pixels):
    """Colours of pixels in coordinates that are uncorrelated in photographs (Olah et al. 2017).

    A step of equal length in each coordinate changes mostly the lightness, whereas equal steps of
    red, green and blue leave coloured grain. The matrix is scaled so that three independent steps
    of 1 change a channel by 1 in the mean square, as steps of pixels do; lucid scales it by its
    longest column.
    """

    def __init__(self, shape: Shape, like: Tensor) -> None:
        super().__init__(shape)
        root = torch.tensor(COLOUR_ROOT, dtype=torch.float64)
        root /= root.square().sum(dim=1).mean().sqrt()
        self._colours = root.to(like)
        self._inverse = root.inverse().to(like)

    def image(self, coefficients: Tensor) -> Tensor:
        """Return the image of some coefficients."""
        return mixed(coefficients, self._colours)

    def coefficients(self, image: Tensor) -> Tensor:
        """Return the coefficients of an image."""
        return mixed(image, self._inverse)

    def gradient(self, by_image: Tensor) -> Tensor:
        """Return the gradient by the coefficients, given that by the image."""
        return mixed(by_image, self._colours.mT)


class LaplacianBands(Pixels):
    """A sum of bands, each half as large as the one before and enlarged bilinearly.

    A step changes large areas together, not each pixel by itself, as in STROTSS (Kolkin et al.
    2019) and NNST (Kolkin et al. 2022). The coefficients (1, C, N) are the bands one after another,
    the finest first.

    Those programs decompose an image into its Laplacian pyramid. Here all of it is in the finest
    band at the start, and so is what `clip` cuts off: the image is the same, and no step of an
    optimizer depends on how it is shared out, because the image is a linear function of the bands.

    With `periodic`, bands continue beyond each border at the opposite one.
    """

    def __init__(self, shape: Shape, like: Tensor, *, periodic: bool = False) -> None:
        super().__init__(shape)
        shapes = [shape]
        for _ in range(BANDS):
            height, width = shapes[-1]
            shapes.append(((height + 1) // 2, (width + 1) // 2))
        self.shapes = shapes
        # Products of matrices rather than `interpolate`, whose gradient is not deterministic on
        # GPUs, and which knows no periodic border.
        self._enlargers = [
            (
                _interpolation(fine[0], coarse[0], periodic).to(like),
                _interpolation(fine[1], coarse[1], periodic).to(like),
            )
            for fine, coarse in pairwise(shapes)
        ]

    def image(self, coefficients: Tensor) -> Tensor:
        """Return the image of some coefficients."""
        *finer, image = split(coefficients, self.shapes)
        for band, (rows, columns) in zip(finer[::-1], self._enlargers[::-1], strict=True):
            image = band + rows @ image @ columns.mT
        return image

    def coefficients(self, image: Tensor) -> Tensor:
        """Return coefficients of an image, all of them in the finest band."""
        pixels = image.flatten(2)
        rest = sum(height * width for height, width in self.shapes[1:])
        return torch.cat([pixels, pixels.new_zeros(*pixels.shape[:2], rest)], dim=2)

    def gradient(self, by_image: Tensor) -> Tensor:
        """Return the gradient by the coefficients, given that by the image."""
        bands = [by_image]
        for rows, columns in self._enlargers:
            bands.append(rows.mT @ bands[-1] @ columns)
        return joined(bands)


def basis_of(recipe: Recipe, shape: Shape, like: Tensor, *, grey: bool) -> Pixels:
    """Return the basis that a recipe names, for images of a shape in the format of a tensor."""
    if recipe.parametrization == "laplacian":
        return LaplacianBands(shape, like, periodic=recipe.padding == "circular")
    if recipe.parametrization == "decorrelated" and not grey:
        return DecorrelatedColours(shape, like)
    return Pixels(shape)


def split(coefficients: Tensor, shapes: Sequence[Shape]) -> list[Tensor]:
    """Return the images (1, C, h, w) that coefficients consist of, as views."""
    if len(shapes) == 1:
        return [coefficients]
    parts = torch.split(coefficients, [height * width for height, width in shapes], dim=2)
    return [part.view(*part.shape[:2], *shape) for part, shape in zip(parts, shapes, strict=True)]


def joined(images: Sequence[Tensor]) -> Tensor:
    """Return the coefficients that consist of some images, the reverse of `split`."""
    if len(images) == 1:
        return images[0]
    return torch.cat([image.flatten(2) for image in images], dim=2)


def correlated(noise: Tensor) -> Tensor:
    """Return independent noise (1, 3, H, W) with the correlations of photographs' channels.

    Each channel keeps its variance.
    """
    root = torch.tensor(COLOUR_ROOT, dtype=torch.float64)
    return mixed(noise, (root / root.square().sum(dim=1, keepdim=True).sqrt()).to(noise))


def _interpolation(fine: int, coarse: int, periodic: bool) -> Tensor:
    """Return the matrix (fine, coarse) that interpolates linearly between the middles of pixels."""
    places = (torch.arange(fine, dtype=torch.float64) + 0.5) * coarse / fine - 0.5
    if not periodic:
        places = places.clamp(0, coarse - 1)
    distances = (places[:, None] - torch.arange(coarse)).abs()
    if periodic:
        distances = torch.minimum(distances, coarse - distances)
    weights = (1 - distances).clamp_min(0)
    return weights / weights.sum(dim=1, keepdim=True)
