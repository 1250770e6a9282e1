"""Sums over positions, of features and of the products of their channels, and the way back.

Style losses do nearly all their work here, in every iteration. So where the hardware multiplies
bfloat16, features that come in it are multiplied as they are: neither way has copies in float32.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from napari_nst.engine.device import multiplies_bfloat16
from napari_nst.engine.losses.statistics import full_precision, refuse_other_size

FEWEST_CHANNELS = 64
"""Of fewer, products take no time, and libraries may compute them in other ways than large ones."""


def sums_over_positions(features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Return Σ w f and Σ w f fᵀ over the positions of features, with gradients by the features.

    Parameters
    ----------
    features : Tensor
        (N, C, H, W), fastest where channels are last in memory.
    mask : Tensor, optional
        (1, 1, H, W) in [0, 1], the weight w of each position; without it, 1.

    Returns
    -------
    first, second : Tensor
        (N, C) and (N, C, C); float32, or float64 of float64. Differentiable once.

    Raises
    ------
    ValueError
        If the mask has another size than the features.
    """
    if mask is not None:
        refuse_other_size(mask, features)
        mask = mask.to(features.device)
    sums: tuple[Tensor, Tensor] = _Sums.apply(features, mask)
    return sums


def gradient_by_features(
    features: Tensor, mask: Tensor | None, by_first: Tensor | None, by_second: Tensor
) -> Tensor:
    """Return the gradient by features of what has these gradients by their sums.

    w (a + (B + Bᵀ) f) at each position. In bfloat16 that is one product of bfloat16, with the
    matrix rounded to it, too. This puts gradients by pixels off by 0.3 % (photographs, all losses),
    where the network's own rounding puts them off by 5–11 %.

    Parameters
    ----------
    features, mask
        As for `sums_over_positions`.
    by_first, by_second : Tensor
        a (N, C), or None for 0, and B (N, C, C).

    Returns
    -------
    Tensor
        (N, C, H, W), channels last, in the number format of the features.
    """
    vectors = _vectors(features)
    if not _multiplies(features):
        vectors = full_precision(vectors)
    matrix = (by_second + by_second.mT).to(vectors.dtype)
    if by_first is None:
        gradient = vectors @ matrix
    else:
        gradient = torch.baddbmm(by_first[:, None].to(vectors.dtype), vectors, matrix)
    if mask is not None:
        gradient *= mask.reshape(-1, 1).to(gradient)
    number, channels, height, width = features.shape
    gradient = gradient.view(number, height, width, channels).to(features.dtype)
    return gradient.permute(0, 3, 1, 2)


class _Sums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(features, mask)
        ctx.set_materialize_grads(False)  # a Gram matrix leaves the means alone
        sums = [_sums(vectors, mask) for vectors in _vectors(features)]
        return torch.stack([first for first, _ in sums]), torch.stack(
            [second for _, second in sums]
        )

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, by_first: Tensor | None, by_second: Tensor | None
    ) -> tuple[Tensor | None, None]:
        features, mask = ctx.saved_tensors
        if by_second is None:
            if by_first is None:
                return None, None
            by_second = by_first.new_zeros(1).expand(*by_first.shape, by_first.shape[-1])
        return gradient_by_features(features, mask, by_first, by_second), None


def _sums(vectors: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Sum over positions of one image's features (M, C)."""
    many = vectors.shape[1] >= FEWEST_CHANNELS
    if mask is None and many and vectors.is_cpu and _multiplies(vectors):
        ones = vectors.new_ones(1, len(vectors))
        return _product(ones, vectors)[0], _product(vectors.mT, vectors)
    vectors = full_precision(vectors)
    if mask is None:
        return vectors.sum(dim=0), vectors.mT @ vectors
    weighted = vectors * mask.reshape(-1, 1).to(vectors.dtype)
    return weighted.sum(dim=0), weighted.mT @ vectors


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Return the product of two matrices of bfloat16 in float32.

    Processors add up products of bfloat16 in float32, but torch rounds what they come to. What is
    lost is the same product less the rounded one, and two of bfloat16 take less time than one of
    float32. The result is off by 3e-6.
    """
    rounded = left @ right
    return rounded.float() + torch.addmm(rounded, left, right, beta=-1)


def _vectors(features: Tensor) -> Tensor:
    """Return features (N, C, H, W) as H·W vectors (N, H·W, C); a view where channels are last."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def _multiplies(features: Tensor) -> bool:
    """Whether features are in bfloat16, and where they are it is multiplied by the hardware."""
    return features.dtype == torch.bfloat16 and multiplies_bfloat16(features.device)
