"""Square roots of matrices without eigenvectors: products alone, fast on every device."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

STEPS = 12
"""As crowsonkb/style-transfer-pytorch, whose weights are tuned with it.

Exact, in float32, for eigenvalues above 1e-3 of the matrix's Frobenius norm. The roots of lesser
ones fall short, by 11 % at 1e-4 and 87 % at 1e-6, and those of the inverse stay below 1.5¹² over
the norm's root: a damping that covariances of features need, of full rank by rounding errors only.
"""


def square_root(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the square root and its inverse of a positive definite matrix (…, C, C).

    The coupled Newton–Schulz iteration (Higham 2008, "Functions of Matrices", chapter 6), which
    converges because the matrix is divided by its Frobenius norm first.
    """
    norm = torch.linalg.matrix_norm(matrix, keepdim=True)
    three = 3 * torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    root, inverse = matrix / norm, three / 3
    for _ in range(STEPS):
        factor = (three - inverse @ root) / 2
        root, inverse = root @ factor, factor @ inverse
    return root * norm.sqrt(), inverse / norm.sqrt()


class _TraceOfSquareRoot(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        root, inverse = square_root(matrix)
        ctx.save_for_backward(inverse)
        return root.diagonal(dim1=-2, dim2=-1).sum(dim=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        towards_matrix: Tensor = gradient[..., None, None] * inverse.mT / 2
        return towards_matrix


def trace_of_square_root(matrix: Tensor) -> Tensor:
    """Return tr √A of positive definite matrices (…, C, C) as (…).

    Its gradient, (√A)⁻¹/2, comes with the iteration and is exact where the root is, so that alone
    is kept for the way back: a thirtieth of what 12 steps would keep, and no product more. On
    Tübingen and Starry Night a run with it went down as one that differentiated every step.
    """
    trace: Tensor = _TraceOfSquareRoot.apply(matrix)
    return trace
