"""Losses of the whole image: its spectrum, and the two-point correlation S2 of its bright phase."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


SOFTNESS = 0.25
"""Over which part of the style's standard deviation of lightness a pixel changes its phase."""

REACH = 4
"""Displacements of S2 extend to this fraction of the smaller side: beyond, pairs are few."""

LEAST_PAIRS = 0.5
"""Fewer pairs of pixels inside a mask are a rounding error of the Fourier transform."""

LIGHTNESS = (0.299, 0.587, 0.114)


class TwoPointLoss(StyleLoss, ImageLoss):
    """Squared difference of the two-point correlation S2 of the bright phase from the style's.

    S2 is the probability that two pixels at a displacement are both bright (Torquato 2002, "Random
    Heterogeneous Materials"); `napari_nst.statistics` reports it. There, a pixel is bright or not.
    Here, it is bright to a part in [0, 1], so that there is a gradient: by the logistic function of
    its lightness above the style's threshold by Otsu's method, divided by `SOFTNESS` of the style's
    standard deviation. S2 of the lightness itself would be its autocorrelation, of which the
    spectrum loss has the transform already.

    The loss is the mean of the squared differences over all displacements up to a quarter of the
    sides, weighted by 1 ÷ length², so that each octave of lengths counts alike. Neither image
    repeats: only pairs inside count.

    Parameters
    ----------
    exemplars : sequence of Exemplar
        The styles, whose features (1, 3, H, W) are pixels, and whose masks weight pixels. Each has
        a threshold of its own, and the losses are averaged by their shares.
    norm : {"mean", "relative"}
        As above, or divided by the square of the variance of the styles' phase, which S2 falls by
        from pixels that coincide to those that have nothing to do with each other.
    mask : None
        Refused, as by `SpectrumLoss`.
    """

    def __init__(
        self, exemplars: Sequence[Exemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm)
        if mask is not None:
            raise ValueError("TwoPointLoss compares whole images; leave mask out.")
        self._styles = [(one.share, _Phase.of(one), one.mask) for one in exemplars]
        self._targets: tuple[Size, list[Tensor]] | None = None  # for the size of the last image

    def forward(self, image: Tensor) -> Tensor:
        """Compare an image (1, 3, H, W) with the styles."""
        size = (image.shape[2], image.shape[3])
        if self._targets is None or self._targets[0] != size:
            targets = [
                phase.correlation(phase.pixels, mask, size) for _, phase, mask in self._styles
            ]
            self._targets = (size, targets)
        errors = []
        for (share, phase, _), target in zip(self._styles, self._targets[1], strict=True):
            target = target.to(image.device)
            found = phase.correlation(image, None, (phase.pixels.shape[2], phase.pixels.shape[3]))
            error = torch.where(target.isfinite(), found - target.nan_to_num(), 0).square()
            weight = _octaves(found) * target.isfinite()
            mean = (error * weight).sum() / weight.sum()
            errors.append(share * mean / (phase.energy if self.norm == "relative" else 1.0))
        return torch.stack(errors).sum()


@dataclass(frozen=True, eq=False)
class _Phase:
    """How bright a pixel of a style has to be to belong to its bright phase."""

    pixels: Tensor  # of the style
    threshold: float
    width: float
    energy: float  # the square of the variance of its phase

    @classmethod
    @torch.no_grad()
    def of(cls, exemplar: Exemplar) -> _Phase:
        from skimage.filters import threshold_otsu

        pixels = exemplar.features.detach()
        lightness = _lightness(pixels)
        inside = lightness if exemplar.mask is None else lightness[exemplar.mask > 0]
        values = inside.flatten().cpu().double()
        is_flat = float(values.max() - values.min()) == 0
        threshold = float(values[0]) if is_flat else float(threshold_otsu(values.numpy()))
        width = SOFTNESS * float(values.std(correction=0)) or SOFTNESS
        phase = torch.sigmoid((values - threshold) / width)
        return cls(pixels, threshold, width, float(phase.var(correction=0)) ** 2 or 1.0)

    def correlation(self, image: Tensor, mask: Tensor | None, other: Size) -> Tensor:
        """Return S2 of an image up to a reach; NaN where no two pixels have the displacement."""
        phase = torch.sigmoid((_lightness(image) - self.threshold) / self.width)
        size = (image.shape[2], image.shape[3])
        reach = [max(1, min(pair) // REACH) for pair in zip(size, other, strict=True)]
        mask = phase.new_ones(1, 1, *size) if mask is None else mask.to(phase)
        pairs = _pair_sums(mask, reach)
        found = _pair_sums(phase * mask, reach) / pairs.clamp_min(LEAST_PAIRS)
        return found.masked_fill(pairs < LEAST_PAIRS, math.nan)


def _lightness(image: Tensor) -> Tensor:
    """Return the lightness (1, 1, H, W) of an image (1, 3, H, W)."""
    image = image if image.dtype == torch.float64 else image.float()
    return (image * image.new_tensor(LIGHTNESS).view(1, 3, 1, 1)).sum(dim=1, keepdim=True)


def _pair_sums(values: Tensor, reach: Sequence[int]) -> Tensor:
    """Return sums of products of pixels: displacements down 0 … reach, right −reach … reach."""
    size = [side + most for side, most in zip(values.shape[2:], reach, strict=True)]
    spectrum = torch.fft.rfft2(values, s=size)
    sums: Tensor = torch.fft.irfft2(spectrum.real.square() + spectrum.imag.square(), s=size)
    right = torch.arange(-reach[1], reach[1] + 1, device=values.device) % size[1]
    return sums[..., : reach[0] + 1, :].index_select(3, right)


def _octaves(correlation: Tensor) -> Tensor:
    """Return the weight of each displacement, 1 ÷ length², and 0 for none."""
    down, right = correlation.shape[2], correlation.shape[3] // 2
    squared = torch.arange(down).square()[:, None] + torch.arange(-right, right + 1).square()[None]
    weight = torch.where(squared > 0, 1 / squared.clamp_min(1).double(), 0)
    return weight.to(correlation)


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
