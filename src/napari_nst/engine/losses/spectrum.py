"""The spectrum of an image: how strong each of its waves is, whatever their positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.losses.base import Exemplar, ImageLoss, StyleLoss
from napari_nst.engine.losses.moments import mean_square

Size = tuple[int, int]


class SpectrumLoss(StyleLoss, ImageLoss):
    """Mean squared difference of an image from the nearest image with the style's spectrum.

    Liu, Gousseau & Xia 2016, "Texture Synthesis Through Convolutional Neural Networks and Spectrum
    Constraints". Of all images x̂ whose Fourier coefficients are those of the style, each times one
    phase for all three channels, the nearest to the image has the phases of Σ F(x)·conj F(style).
    Channels so keep their relations. The loss is mean (x − x̂)², over channels and pixels.

    Pixels are in [0, 1]. The programs subtract the mean colour of photographs first, so that an
    average colour counts as equal to the one opposite; here it does not. An image of another size
    than the style's, where the programs fail, is compared with the style minus its mean colour, in
    the middle of an empty image and scaled to the same variance (Galerne et al. 2011, "Random Phase
    Textures: Theory and Synthesis"); or with the middle of a larger style.

    Parameters
    ----------
    exemplars : sequence of Exemplar
        The styles, whose features (1, 3, H, W) are pixels, and whose masks weight pixels. The
        losses for several styles are averaged by their shares.
    norm : {"mean", "relative"}
        As above, or divided by the styles' variance.
    mask : None
        Refused, because phases belong to the whole image.
    """

    def __init__(
        self, exemplars: Sequence[Exemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm)
        if mask is not None:
            raise ValueError("SpectrumLoss compares whole images; leave mask out.")
        self._exemplars = exemplars
        variance = sum(exemplar.share * _variance(exemplar) for exemplar in exemplars)
        self.energy = (variance or 1.0) if norm == "relative" else 1.0
        self._targets: tuple[Size, list[Tensor]] | None = None  # for the size of the last image

    def forward(self, image: Tensor) -> Tensor:
        """Compare an image (1, 3, H, W) with the styles."""
        size = (image.shape[2], image.shape[3])
        nearest = self._nearest(image.detach(), size)
        shares = [exemplar.share for exemplar in self._exemplars]
        # The nearest image is constant here: to move it has no effect on the distance.
        errors = [
            share * (image - one).square().mean()
            for share, one in zip(shares, nearest, strict=True)
        ]
        return torch.stack(errors).sum() / self.energy

    @torch.no_grad()
    def _nearest(self, image: Tensor, size: Size) -> list[Tensor]:
        """Return, for each style, the nearest image (1, 3, H, W) with its spectrum."""
        if self._targets is None or self._targets[0] != size:
            spectra = [_spectrum(exemplar, size).to(image.device) for exemplar in self._exemplars]
            self._targets = (size, spectra)
        spectrum = torch.fft.rfft2(image)
        found = []
        for target in self._targets[1]:
            product = (spectrum * target.conj()).sum(dim=1, keepdim=True)
            phase = torch.sgn(product)  # product/|product|, or 0
            found.append(torch.fft.irfft2(phase * target, s=size))
        return found


@torch.no_grad()
def _spectrum(exemplar: Exemplar, size: Size) -> Tensor:
    """Return the Fourier transform of a style in an image of some size."""
    image, mask = exemplar.features.detach(), exemplar.mask
    if mask is None and image.shape[2:] == size:
        spectrum: Tensor = torch.fft.rfft2(image)
        return spectrum
    window = _window((image.shape[2], image.shape[3]), mask, size)
    image = image[(..., *window)]
    mask = image.new_ones(1, 1, *image.shape[2:]) if mask is None else mask[(..., *window)]
    centred, mean = _centred(image, mask)
    scale = math.sqrt(math.prod(size) / float(mask.square().sum()))
    spectrum = torch.fft.rfft2(centred * scale, s=size)
    spectrum[..., 0, 0] = mean[..., 0, 0] * math.prod(size)
    return spectrum


def _variance(exemplar: Exemplar) -> float:
    mask = exemplar.mask
    centred, _ = _centred(exemplar.features, mask)
    return mean_square(centred) / (1.0 if mask is None else mean_square(mask))


def _window(shape: Size, mask: Tensor | None, most: Size) -> tuple[slice, slice]:
    """Return the middle of an image of a shape, at most of a size; of a mask its fullest part."""
    height, width = (min(pair) for pair in zip(shape, most, strict=True))
    top, left = (shape[0] - height) // 2, (shape[1] - width) // 2
    if mask is not None:
        means = functional.avg_pool2d(mask, (height, 1), stride=1)
        means = functional.avg_pool2d(means, (1, width), stride=1)[0, 0]
        top, left = divmod(int(means.argmax()), means.shape[1])
    return slice(top, top + height), slice(left, left + width)


def _centred(image: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return an image (1, 3, H, W) minus its mean colour, times its mask; and the mean colour."""
    if mask is None:
        mean = image.mean(dim=(2, 3), keepdim=True)
        return image - mean, mean
    mean = (image * mask).sum(dim=(2, 3), keepdim=True) / mask.sum()
    return (image - mean) * mask, mean
