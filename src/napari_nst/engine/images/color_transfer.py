"""Colour transfer: recolour the style like the content, or transfer the luminance alone.

Masks select pixels above 0.5. Nothing here has a gradient. Statistics are computed in float64 on
the CPU, because a run needs them once and Apple's GPUs have no float64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

LUMINANCE_WEIGHTS = (0.299, 0.587, 0.114)
"""Y of R, G, B in YIQ (Rec. 601)."""

LEAST_VARIANCE = 1e-5
"""Smallest variance that is amplified to the reference's; a smaller one is noise.

Gatys et al.'s program of 2017 adds this number to the covariances. Here it is a lower limit: added,
it would change the smallest variance of colour photographs, 8e-5, by an eighth.
"""

_LEAST_REFERENCE_VARIANCE = 1e-12
"""Gives a grey reference a Cholesky factor; the standard deviation 1e-6 is invisible."""


@torch.no_grad()
def match_colors(
    image: Tensor,
    reference: Tensor,
    method: str,
    *,
    mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
) -> Tensor:
    """Give all pixels of an image (a style) the colours of a reference, as Gatys et al. 2017."""
    # "cholesky", "pca" and "symmetric" are linear maps x ↦ A(x − μₛ) + μ_c with A Σₛ Aᵀ = Σ_c. They
    # differ by a rotation of the colours, and "symmetric" changes colours least. "histogram" gives
    # each channel the reference's distribution.
    sample = _pixels(image, mask)
    target = _pixels(reference, reference_mask)
    pixels = _pixels(image)
    if method == "histogram":
        channels = zip(pixels, sample, target, strict=True)
        matched = torch.stack([_match_histogram(*channel) for channel in channels])
    else:
        matched = _match_moments(pixels, sample, target, method)
    return _as_image(matched, image).clamp(0, 1)


@torch.no_grad()
def luminance(image: Tensor) -> Tensor:
    """Return the luminance (1, 1, H, W) of an image (1, 3, H, W): Y of YIQ, in [0, 1]."""
    # Not a matrix product, which some GPUs would round to ten bits.
    weights = image.new_tensor(LUMINANCE_WEIGHTS).view(1, 3, 1, 1)
    return (image * weights).sum(dim=1, keepdim=True)


@torch.no_grad()
def with_luminance(content: Tensor, y: Tensor) -> Tensor:
    """Return the content with the luminance y (1, 1, H, W) and its own I and Q, unless clipped."""
    # A number added to all three channels changes Y alone.
    return (content + (y - luminance(content))).clamp(0, 1)


@torch.no_grad()
def match_luminance(
    style_y: Tensor,
    content_y: Tensor,
    *,
    mask: Tensor | None = None,
    reference_mask: Tensor | None = None,
) -> Tensor:
    """Return (y − μₛ) σ_c/σₛ + μ_c, the first step of Gatys et al. 2017's luminance transfer."""
    sample = _pixels(style_y, mask)
    target = _pixels(content_y, reference_mask)
    # All three linear methods are the same for one channel.
    return _as_image(_match_moments(_pixels(style_y), sample, target, "symmetric"), style_y)


@torch.no_grad()
def match_mixture(
    image: Tensor,
    references: Sequence[tuple[Tensor, Tensor | None, float]],
    *,
    mask: Tensor | None,
    least_variance: float,
) -> Tensor:
    """Give all pixels of an image (1, C, H, W) the mean and covariance of a mixture of references.

    Each reference has pixels, a mask, and its share of the mixture; the shares add up to 1.
    """
    found = [
        (*_moments(_pixels(pixels, of_these), _LEAST_REFERENCE_VARIANCE), share)
        for pixels, of_these, share in references
    ]
    mean = torch.stack([share * one for one, _, share in found]).sum(dim=0)
    covariance = torch.stack(
        [share * (own + (one - mean) @ (one - mean).mT) for one, own, share in found]
    ).sum(dim=0)
    own_mean, own_covariance = _moments(_pixels(image, mask), least_variance)
    matched = _pca(own_covariance, covariance) @ (_pixels(image) - own_mean) + mean
    return _as_image(matched, image)


def _pixels(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the pixels that a mask selects, (C, N), float64, on the CPU."""
    pixels = image[0].flatten(1).cpu().double()
    return pixels if mask is None else pixels[:, mask.flatten().cpu() > 0.5]


def _as_image(pixels: Tensor, like: Tensor) -> Tensor:
    """Return pixels (C, N) in the shape and on the device of another image, float32."""
    return pixels.float().reshape(like.shape).to(like.device)


def _match_moments(pixels: Tensor, sample: Tensor, target: Tensor, method: str) -> Tensor:
    """Map pixels (C, N) by the map that gives a sample (C, M) a target's mean and covariance."""
    mean, covariance = _moments(sample, LEAST_VARIANCE)
    target_mean, target_covariance = _moments(target, _LEAST_REFERENCE_VARIANCE)
    return _LINEAR_MAPS[method](covariance, target_covariance) @ (pixels - mean) + target_mean


def _moments(sample: Tensor, least_variance: float) -> tuple[Tensor, Tensor]:
    """Return a sample's mean (C, 1) and covariance (C, C), with eigenvalues of at least a limit."""
    mean = sample.mean(dim=1, keepdim=True)
    covariance = (sample - mean) @ (sample - mean).mT / sample.shape[1]
    return mean, _of_eigenvalues(covariance, lambda d: d.clamp_min(least_variance))


def _of_eigenvalues(matrix: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a function of a symmetric matrix: E f(D) Eᵀ."""
    eigenvalues, vectors = torch.linalg.eigh(matrix)
    result: Tensor = (vectors * function(eigenvalues)) @ vectors.mT
    return result


def _root(matrix: Tensor) -> Tensor:
    # Rounding may make an eigenvalue negative.
    return _of_eigenvalues(matrix, lambda d: d.clamp_min(0).sqrt())


def _inverse_root(matrix: Tensor) -> Tensor:
    return _of_eigenvalues(matrix, torch.rsqrt)


def _cholesky(source: Tensor, target: Tensor) -> Tensor:
    """L_c Lₛ⁻¹: triangular, so that it depends on the order of the channels."""
    lower, target_lower = torch.linalg.cholesky(source), torch.linalg.cholesky(target)
    quotient: Tensor = torch.linalg.solve_triangular(lower, target_lower, upper=False, left=False)
    return quotient


def _pca(source: Tensor, target: Tensor) -> Tensor:
    """Σ_c^½ Σₛ^−½ (Hertzmann et al. 2001, "Image Analogies")."""
    return _root(target) @ _inverse_root(source)


def _symmetric(source: Tensor, target: Tensor) -> Tensor:
    """Σₛ^−½ (Σₛ^½ Σ_c Σₛ^½)^½ Σₛ^−½: the Monge–Kantorovich map (Pitié & Kokaram 2007)."""
    root, inverse_root = _root(source), _inverse_root(source)
    return inverse_root @ _root(root @ target @ root) @ inverse_root


def _match_histogram(values: Tensor, sample: Tensor, target: Tensor) -> Tensor:
    """Map values (N,) by the map that gives a sample (M,) the quantiles of a target (K,)."""
    # The i-th smallest of M values is the (i + ½)/M quantile (Hazen), which exists for one value
    # too. Equal values get the middle of their quantiles. NumPy: torch interpolates no tables.
    levels, counts = np.unique(sample.numpy(), return_counts=True)
    quantiles = (counts.cumsum() - counts / 2) / len(sample)
    positions = (np.arange(len(target)) + 0.5) / len(target)
    matched = np.interp(quantiles, positions, np.sort(target.numpy()))
    # Sorted first: looking up millions of unsorted values took 15 times as long.
    unique, index = np.unique(values.numpy(), return_inverse=True)
    return torch.from_numpy(np.interp(unique, levels, matched)[index])


_LINEAR_MAPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cholesky": _cholesky,
    "pca": _pca,
    "symmetric": _symmetric,
}

COLOR_METHODS = (*_LINEAR_MAPS, "histogram")
"""Values of `match_colors`' `method`."""
