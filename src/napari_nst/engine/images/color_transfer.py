"""Colours: paint in the content's, by recolouring the style first or by painting luminance alone.

Images are float32 (1, 3, H, W), RGB in [0, 1]; masks (1, 1, H, W) in [0, 1], and what is above one
half counts. Nothing here has a gradient. Colours are matched in float64 on the processor, because
a run does it once and Apple's GPUs have no float64.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

LUMINANCE_WEIGHTS = (0.299, 0.587, 0.114)
"""Y of R, G, B: Rec. 601, as in NTSC's YIQ."""

LEAST_VARIANCE = 1e-5
"""A variance below this is taken for noise and is not spread further, in squares of [0, 1].

What Gatys et al.'s program of 2017 adds to the covariances. A standard deviation of 0.8 steps of
8 bits: eight times the variance of their rounding, and an eighth of the least along any direction
of scikit-image's colour photographs (8e-5). It is a floor here, because added to those 8e-5 it
would cost a ninth of the variance; as a floor it leaves them exact.
"""

_LEAST_REFERENCE_VARIANCE = 1e-12
"""Lets a grey reference have a Cholesky factor; the spread that it adds is below what is seen."""


@torch.no_grad()
def match_colors(
    image: Tensor,
    reference: Tensor,
    method: str,
    *,
    mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
) -> Tensor:
    """Give an image the colours of another: a style those of the content (Gatys et al. 2017).

    "cholesky", "pca" and "symmetric" are linear, x ↦ A(x − μₛ) + μ_c with A Σₛ Aᵀ = Σ_c: mean and
    covariance become the reference's. They differ by a rotation of the colours, and "symmetric"
    moves them least. "histogram" makes each channel's distribution the reference's.

    Parameters
    ----------
    image, reference : Tensor
        (1, 3, H, W), RGB in [0, 1], each of any size.
    method : str
        One of `COLOR_METHODS`.
    mask, reference_mask : Tensor or None
        (1, 1, H, W) in [0, 1], as large as the image that each is for. Pixels above 0.5 count in
        its statistics; all of `image` is transformed.

    Returns
    -------
    Tensor
        As large as `image` and on its device, float32, clipped to [0, 1].

    Raises
    ------
    ValueError
        If `method` is unknown, or a mask selects nothing or has another size than its image.
    """
    if method not in COLOR_METHODS:
        raise ValueError(f"method must be one of {', '.join(COLOR_METHODS)}, not {method!r}")
    sample = _pixels(image, mask, "mask")
    target = _pixels(reference, reference_mask, "reference_mask")
    pixels = _pixels(image)
    if method == "histogram":
        channels = zip(pixels, sample, target, strict=True)
        matched = torch.stack([_match_histogram(*channel) for channel in channels])
    else:
        matched = _match_moments(pixels, sample, target, method)
    return _like(image, matched).clamp(0, 1)


@torch.no_grad()
def luminance(image: Tensor) -> Tensor:
    """Return the luminance (1, 1, H, W) of an image (1, 3, H, W): Y of YIQ, in [0, 1]."""
    # Not a matrix product, which some GPUs would round to ten bits.
    weights = image.new_tensor(LUMINANCE_WEIGHTS).view(1, 3, 1, 1)
    return (image * weights).sum(dim=1, keepdim=True)


@torch.no_grad()
def with_luminance(content: Tensor, y: Tensor) -> Tensor:
    """Return the content with another luminance and its own I and Q of YIQ.

    The end of Gatys et al. 2017's luminance-only transfer.

    Parameters
    ----------
    content : Tensor
        (1, 3, H, W), RGB in [0, 1].
    y : Tensor
        (1, 1, H, W), as large as the content.

    Returns
    -------
    Tensor
        (1, 3, H, W), clipped to [0, 1]: where that bites, I and Q do change.

    Raises
    ------
    ValueError
        If `y` has another shape.
    """
    of_content = luminance(content)
    if y.shape != of_content.shape:
        raise ValueError(f"y must have shape {tuple(of_content.shape)}, not {tuple(y.shape)}")
    # I and Q are sums of differences between channels: what is added to all three leaves them.
    return (content + (y - of_content)).clamp(0, 1)


@torch.no_grad()
def match_luminance(
    style_y: Tensor,
    content_y: Tensor,
    *,
    mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
) -> Tensor:
    """Give the style's luminance the content's mean and spread: (y − μₛ) σ_c/σₛ + μ_c.

    The beginning of Gatys et al. 2017's luminance-only transfer.

    Parameters
    ----------
    style_y, content_y : Tensor
        (1, 1, H, W) in [0, 1], each of any size.
    mask, reference_mask : Tensor or None
        As `match_colors` has them, for the style and for the content.

    Returns
    -------
    Tensor
        As large as `style_y` and on its device, float32. Not clipped, so that mean and spread are
        exact: it may leave [0, 1].

    Raises
    ------
    ValueError
        If a mask selects nothing or has another size than its image.
    """
    sample = _pixels(style_y, mask, "mask")
    target = _pixels(content_y, reference_mask, "reference_mask")
    # For one channel, all three linear methods are this one.
    return _like(style_y, _match_moments(_pixels(style_y), sample, target, "symmetric"))


def _pixels(image: Tensor, mask: Tensor | None = None, name: str = "") -> Tensor:
    """Return an image's pixels that a mask selects, (C, N), float64, on the processor."""
    pixels = image[0].flatten(1).cpu().double()
    if mask is None:
        return pixels
    expected = (1, 1, *image.shape[2:])
    if mask.shape != expected:
        raise ValueError(f"{name} must have shape {expected}, not {tuple(mask.shape)}")
    selected = pixels[:, mask.flatten().cpu() > 0.5]
    if not selected.numel():
        raise ValueError(f"{name} must select a pixel, but none is above 0.5")
    return selected


def _like(image: Tensor, pixels: Tensor) -> Tensor:
    """Return pixels (C, N) as an image of another's shape, on its device, float32."""
    return pixels.float().reshape(image.shape).to(image.device)


def _match_moments(pixels: Tensor, sample: Tensor, target: Tensor, method: str) -> Tensor:
    """Map pixels (C, N) by what gives a sample (C, M) the mean and covariance of a target."""
    mean, covariance = _moments(sample, LEAST_VARIANCE)
    target_mean, target_covariance = _moments(target, _LEAST_REFERENCE_VARIANCE)
    return _LINEAR_MAPS[method](covariance, target_covariance) @ (pixels - mean) + target_mean


def _moments(sample: Tensor, least_variance: float) -> tuple[Tensor, Tensor]:
    """Return a sample's mean (C, 1) and covariance (C, C), with a floor along every direction."""
    mean = sample.mean(dim=1, keepdim=True)
    covariance = (sample - mean) @ (sample - mean).mT / sample.shape[1]
    return mean, _with_eigenvalues(covariance, lambda d: d.clamp_min(least_variance))


def _with_eigenvalues(matrix: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a function of a symmetric matrix: E f(D) Eᵀ."""
    eigenvalues, vectors = torch.linalg.eigh(matrix)
    result: Tensor = (vectors * function(eigenvalues)) @ vectors.mT
    return result


def _root(matrix: Tensor) -> Tensor:
    return _with_eigenvalues(matrix, lambda d: d.clamp_min(0).sqrt())  # rounding may go below 0


def _inverse_root(matrix: Tensor) -> Tensor:
    return _with_eigenvalues(matrix, torch.rsqrt)


def _cholesky(source: Tensor, target: Tensor) -> Tensor:
    """L_c Lₛ⁻¹: triangular, so that it depends on the order of the channels."""
    lower, target_lower = torch.linalg.cholesky(source), torch.linalg.cholesky(target)
    quotient: Tensor = torch.linalg.solve_triangular(lower, target_lower, upper=False, left=False)
    return quotient


def _pca(source: Tensor, target: Tensor) -> Tensor:
    """Σ_c^½ Σₛ^−½ (Hertzmann et al. 2001, "Image Analogies")."""
    return _root(target) @ _inverse_root(source)


def _symmetric(source: Tensor, target: Tensor) -> Tensor:
    """Σₛ^−½ (Σₛ^½ Σ_c Σₛ^½)^½ Σₛ^−½: Monge's and Kantorovich's (Pitié & Kokaram 2007)."""
    root, inverse_root = _root(source), _inverse_root(source)
    return inverse_root @ _root(root @ target @ root) @ inverse_root


def _match_histogram(values: Tensor, sample: Tensor, target: Tensor) -> Tensor:
    """Map values (N,) by what gives a sample (M,) the quantiles of a target (K,).

    The i-th smallest of M values is the (i + ½)/M quantile (Hazen's), which one value has too.
    Equal values stay equal: they go to the quantile in the middle of theirs. Values that are not
    in the sample, those outside a mask, go between what their neighbours in it go to.
    """
    # NumPy, because torch interpolates no tables.
    levels, counts = np.unique(sample.numpy(), return_counts=True)
    quantiles = (counts.cumsum() - counts / 2) / len(sample)
    positions = (np.arange(len(target)) + 0.5) / len(target)
    matched = np.interp(quantiles, positions, np.sort(target.numpy()))
    # Looked up in order: at random, millions of values in as long a table took 15 times as long.
    wanted, places = np.unique(values.numpy(), return_inverse=True)
    return torch.from_numpy(np.interp(wanted, levels, matched)[places])


_LINEAR_MAPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cholesky": _cholesky,
    "pca": _pca,
    "symmetric": _symmetric,
}

COLOR_METHODS = (*_LINEAR_MAPS, "histogram")
"""What `match_colors` takes for `method`."""
