"""The colours of a finished result: its lightness, with the content's chroma in the style's range.

The last step of NNST (Kolkin et al. 2022), in OKLab (Ottosson 2020).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from napari_nst.engine.images.color_transfer import match_mixture
from napari_nst.engine.images.convert import mixed
from napari_nst.engine.images.masked_image import MaskedImage

LEAST_CHROMA_VARIANCE = 1e-4
"""Smallest variance of the content's chroma that is amplified. NNST adds it to all covariances,
which leaves colours paler than the style's."""

SMOOTHINGS = 5
EDGE = 10.0
"""Chroma is averaged so many times over 3 × 3 pixels, with weights exp(−EDGE |ΔL|)."""

_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
"""From linear sRGB to cone responses, and from their cube roots to L, a, b."""


@torch.no_grad()
def with_style_chroma(
    image: Tensor,
    content: MaskedImage,
    styles: Sequence[MaskedImage],
    shares: Sequence[float],
    *,
    periodic: bool = False,
) -> Tensor:
    """Return an image (1, 3, H, W), RGB in [0, 1], with its own lightness and other chroma.

    The chroma is the content's, which has the image's shape, by a linear map that gives it the mean
    and the covariance of the styles' chroma, each style with its share. It is then averaged over
    neighbouring pixels of similar lightness, and limited to the range of the styles' chroma.

    NNST also limits the lightness to the style's range, and maps the result's own colours where a
    style has hardly any chroma. Here such a style leaves hardly any.
    """
    lightness = oklab(image)[:, :1]
    palettes = [MaskedImage(oklab(style.image)[:, 1:], style.mask) for style in styles]
    chroma = match_mixture(
        oklab(content.image)[:, 1:],
        [(one.image, one.mask, share) for one, share in zip(palettes, shares, strict=True)],
        mask=content.mask,
        least_variance=LEAST_CHROMA_VARIANCE,
    )
    for _ in range(SMOOTHINGS):
        chroma = _smoothed(chroma, lightness, periodic)
    low, high = _range(palettes)
    return from_oklab(torch.cat([lightness, chroma.clamp(low, high)], dim=1)).clamp(0, 1)


def oklab(image: Tensor) -> Tensor:
    """Return L, a, b of OKLab (1, 3, H, W) of an image (1, 3, H, W) in sRGB, [0, 1]."""
    image = image.clamp(0, 1)
    linear = torch.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)
    cones = mixed(linear, torch.tensor(_TO_CONES).to(image))
    return mixed(cones.clamp_min(0) ** (1 / 3), torch.tensor(_TO_LAB).to(image))


def from_oklab(lab: Tensor) -> Tensor:
    """Return the sRGB image of L, a, b, outside [0, 1] where no screen has the colour."""
    to_roots = torch.tensor(_TO_LAB, dtype=torch.float64).inverse().to(lab)
    to_linear = torch.tensor(_TO_CONES, dtype=torch.float64).inverse().to(lab)
    linear = mixed(mixed(lab, to_roots) ** 3, to_linear)
    bright = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, linear * 12.92, bright)


def _smoothed(chroma: Tensor, lightness: Tensor, periodic: bool) -> Tensor:
    """Average chroma over 3 × 3 pixels, with less weight where the lightness differs."""
    height, width = lightness.shape[2:]
    mode = "circular" if periodic else "replicate"
    wide_chroma, wide_lightness = (pad(one, (1, 1, 1, 1), mode) for one in (chroma, lightness))
    total, weights = torch.zeros_like(chroma), torch.zeros_like(lightness)
    for row in range(3):
        for column in range(3):
            window = (..., slice(row, row + height), slice(column, column + width))
            weight = (-EDGE * (wide_lightness[window] - lightness).abs()).exp()
            total += weight * wide_chroma[window]
            weights += weight
    return total / weights


def _range(palettes: Sequence[MaskedImage]) -> tuple[Tensor, Tensor]:
    """Return the least and the largest a and b of all styles, each (1, 2, 1, 1)."""
    lows, highs = [], []
    for palette in palettes:
        pixels = palette.image.flatten(2)
        if palette.mask is not None:
            pixels = pixels[..., palette.mask.flatten() > 0.5]
        lows.append(pixels.amin(dim=2))
        highs.append(pixels.amax(dim=2))
    low, high = torch.stack(lows).amin(dim=0), torch.stack(highs).amax(dim=0)
    return low[..., None, None], high[..., None, None]
