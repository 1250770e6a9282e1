"""Wasserstein distances: of fitted normal distributions, and along random directions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from napari_nst.engine.losses.base import (
    AnyExemplar,
    Exemplar,
    MomentLoss,
    StyleLoss,
    blended_moments,
    selected_positions,
)
from napari_nst.engine.losses.moments import (
    Moments,
    covariance_matrix,
    full_precision,
    mean_square,
    refuse_other_size,
)

LEAST_VARIANCE = 1e-4
"""Added to every variance, as in crowsonkb/style-transfer-pytorch, commit e7e2c71.

The covariance of few positions is singular and has no inverse root.
"""

ROUNDING, HARMLESS = 5e-6, 7e-5
"""Rounding errors of a covariance, as a share of the second moment's trace, and errors that the
square root bears, as a share of the covariance's Frobenius norm.

A covariance is a small difference of large matrices; for one colour it is rounding errors only, up
to 1.5e-6 of the trace in float32 and 3.7e-6 in bfloat16. In 12 steps of the square root, an
eigenvalue below 0 grows by 2.25¹², and overflows. Photographs and paintings are not affected.
"""

STEPS = 12
"""Of the square root, as in crowsonkb/style-transfer-pytorch, whose weights were tuned with it.

In float32, roots are exact for eigenvalues above 1e-3 of the matrix's Frobenius norm. Roots of
smaller eigenvalues are too small, by 11 % at 1e-4 and by 87 % at 1e-6, and the inverse roots stay
below 1.5¹² divided by the norm's root. Covariances of features need this damping, because their
smallest eigenvalues are rounding errors.
"""


class WassersteinLoss(MomentLoss):
    """Squared 2-Wasserstein distance between normal distributions, per channel.

    With mean μ and covariance Σ of the image's features and μₛ, Σₛ of the styles', it is
    mean (μ − μₛ)² + tr(Σₛ + Σ − 2 (√Σₛ Σ √Σₛ)^½)/C (Gelbrich 1990; used as a style loss by
    crowsonkb/style-transfer-pytorch). As in that program, roots are computed by a fixed number of
    Newton–Schulz steps, so the loss of the style's own features is small but not 0.

    Parameters
    ----------
    exemplars, mask
        As for every `MomentLoss`. The styles' means and raw second moments are averaged by their
        shares, like those of one image made of all styles.
    norm : {"mean", "relative"}
        The formula above, or that divided by the styles' mean square, mean μₛ² + tr Σₛ/C.
    """

    mean: Tensor
    covariance: Tensor
    root: Tensor

    def __init__(
        self, exemplars: Sequence[AnyExemplar], *, norm: str = "mean", mask: Tensor | None = None
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        mean, second = blended_moments(exemplars)
        covariance = _regular(covariance_matrix(mean, second), second)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("covariance", covariance, persistent=False)
        self.register_buffer("root", square_root(covariance)[0], persistent=False)
        # The features of a black image have no energy; then "relative" is the same as "mean".
        self.energy = (float(_mean_diagonal(second)) or 1.0) if norm == "relative" else 1.0

    def compare(self, moments: Moments) -> Tensor:
        """Compare the moments of features, computed with the mask, with the styles'."""
        covariance = _regular(moments.covariance, moments.second_moment)
        channels = covariance.shape[-1]
        shared = trace_of_square_root(self.root @ covariance @ self.root) / channels
        of_means = (moments.mean - self.mean).square().mean()
        of_covariances = _mean_diagonal(self.covariance + covariance) - 2 * shared
        return (of_means + of_covariances).squeeze() / self.energy


def _regular(covariance: Tensor, second: Tensor) -> Tensor:
    """Return a covariance with a root: its smallest eigenvalues raised."""
    with torch.no_grad():
        errors = ROUNDING * second.diagonal(dim1=-2, dim2=-1).sum(dim=-1)
        borne = HARMLESS * torch.linalg.matrix_norm(covariance)
        least: Tensor = (errors - borne).clamp_min(LEAST_VARIANCE)[..., None, None]
    identity = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
    return covariance + least * identity


def _mean_diagonal(matrices: Tensor) -> Tensor:
    return matrices.diagonal(dim1=-2, dim2=-1).mean(dim=-1)


def square_root(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return the square root and its inverse of a positive definite matrix (…, C, C)."""
    # The coupled Newton–Schulz iteration (Higham 2008, "Functions of Matrices", chapter 6). It
    # converges because the matrix is first divided by its Frobenius norm.
    norm = torch.linalg.matrix_norm(matrix, keepdim=True)
    three = 3 * torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    root, inverse = matrix / norm, three / 3
    for _ in range(STEPS):
        factor = (three - inverse @ root) / 2
        root, inverse = root @ factor, factor @ inverse
    return root * norm.sqrt(), inverse / norm.sqrt()


class _TraceOfSquareRoot(torch.autograd.Function):
    # The iteration computes the inverse that the gradient needs, so the backward pass needs no
    # further product and saves a thirtieth of what autograd through 12 steps would save. On
    # Tübingen and Starry Night the loss fell as fast as with autograd through every step.

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> Tensor:
        root, inverse = square_root(matrix)
        ctx.save_for_backward(inverse)
        return root.diagonal(dim1=-2, dim2=-1).sum(dim=-1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (inverse,) = ctx.saved_tensors
        by_matrix: Tensor = gradient[..., None, None] * inverse.mT / 2
        return by_matrix


def trace_of_square_root(matrix: Tensor) -> Tensor:
    """Return tr √A of positive definite matrices (…, C, C) as (…); its gradient is (√A)⁻¹/2."""
    trace: Tensor = _TraceOfSquareRoot.apply(matrix)
    return trace


class SlicedWassersteinLoss(StyleLoss):
    """Mean squared difference of sorted projections of features onto random directions.

    Heitz et al. 2021, "A Sliced Wasserstein Loss for Neural Texture Synthesis". It is 0 for every
    direction only if the distributions are the same; equal moments are not enough. The paper draws
    new directions for every evaluation. Here the caller draws them with `redraw`, because a line
    search has to evaluate the same function several times.

    Parameters
    ----------
    exemplars : sequence of Exemplar
        The styles. The sorted projections of several styles are averaged by their shares, which is
        the Wasserstein barycentre along each direction.
    mask : Tensor, optional
        (1, 1, H, W). Of the image as of the styles, positions with a mask above 0.5 count;
        ValueError if there are none.
    norm : {"mean", "relative"}
        Mean over directions and positions, or that divided by the styles' mean square.
    projections : int
        Number of directions; 0 means one per channel, as in the paper.
    seed : int
        Seed of the directions, which are the same on every device.
    """

    styles: Tensor
    selected: Tensor | None
    random_state: Tensor
    directions: Tensor
    ordered: Tensor

    def __init__(
        self,
        exemplars: Sequence[Exemplar],
        *,
        norm: str = "mean",
        mask: Tensor | None = None,
        projections: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        styles = self._style_vectors(exemplars)
        self.shares = [exemplar.share for exemplar in exemplars]
        self.sizes = [style.shape[1] for style in styles]
        self.projections = projections
        self.seed = seed
        squares = sum(
            share * mean_square(style) for share, style in zip(self.shares, styles, strict=True)
        )
        self.energy = (squares or 1.0) if norm == "relative" else 1.0
        self.register_buffer("styles", torch.cat(styles, dim=1), persistent=False)
        self.register_buffer("directions", None, persistent=False)
        self.register_buffer("ordered", None, persistent=False)
        # Random numbers of the CPU are the same everywhere; every GPU has its own.
        self._generator = torch.Generator().manual_seed(seed)
        self.redraw()

    @torch.no_grad()
    def redraw(self, state: Tensor | None = None) -> None:
        """Draw the directions of all evaluations until the next call, or again those of a state."""
        if state is not None:
            self._generator.set_state(state)
        self.random_state = self._generator.get_state()  # from which the directions are drawn
        directions = random_directions(self.projections, len(self.styles), self._generator)
        self.directions = directions.to(self.styles)
        projected = torch.split(self.directions @ self.styles, self.sizes, dim=1)
        self.ordered = torch.cat([sorted_rows(style) for style in projected], dim=1)

    def forward(self, features: Tensor) -> Tensor:
        """Compare features (1, C, H, W) with the styles' along the current directions."""
        if self.mask is not None:
            refuse_other_size(self.mask, features.shape[2:])
        vectors = self._vectors(features)  # first: `SlicedRowsLoss` may shorten the directions
        projected = self.directions @ vectors
        return (projected - self._target(projected.detach())).square().mean() / self.energy

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{super().extra_repr()}, projections={self.projections}, seed={self.seed}"

    def _style_vectors(self, exemplars: Sequence[Exemplar]) -> list[Tensor]:
        """Return the vectors (entries, number) of each style whose projections are sorted."""
        self.register_buffer("selected", selected_positions(self.mask), persistent=False)
        return [_vectors(e.features.detach(), selected_positions(e.mask)) for e in exemplars]

    def _vectors(self, features: Tensor) -> Tensor:
        """Return the vectors (entries, number) of the image's features (1, C, H, W)."""
        return _vectors(features, self.selected)

    @torch.no_grad()
    def _target(self, projected: Tensor) -> Tensor:
        """Return, for each projection (P, M), the styles' projection with the same rank."""
        styles = torch.split(self.ordered, self.sizes, dim=1)
        resampled = [_at_quantiles(style, projected.shape[1]) for style in styles]
        weighted = [share * one for share, one in zip(self.shares, resampled, strict=True)]
        ordered = torch.stack(weighted).sum(dim=0)
        return torch.empty_like(projected).scatter_(1, order_of(projected), ordered)


class SlicedRowsLoss(SlicedWassersteinLoss):
    """`SlicedWassersteinLoss` of columns of feature maps: each row of the image is an entry.

    Yin & Chua 2023, "Long Range Constraints for Neural Texture Synthesis Using Sliced Wasserstein
    Loss": a vector is one column of one channel, from top to bottom, so that structures of the
    image's size count, such as the rows of a wall. It forgets how channels and columns belong
    together, so it is added to `SlicedWassersteinLoss`.

    The program needs images of equal height. Here, the columns of a taller image are divided into
    pieces of equal height that cover them, and those of an irregular mask into pieces inside it,
    as tall as half of its columns allow.

    Parameters
    ----------
    exemplars, norm, mask, projections, seed
        As for `SlicedWassersteinLoss`; 0 projections means one per row.
    """

    @torch.no_grad()
    def redraw(self, state: Tensor | None = None) -> None:
        """Draw the directions of all evaluations until the next call, or again those of a state."""
        super().redraw(state)
        # How many numbers were drawn depends on the height; the next ones must not.
        self._generator.set_state(self.random_state)
        self._generator.manual_seed(int(torch.randint(2**62, (), generator=self._generator)))

    def _style_vectors(self, exemplars: Sequence[Exemplar]) -> list[Tensor]:
        selected_positions(self.mask)  # raises for a mask that is too small
        heights = [_typical_height(_inside(e.features, e.mask)) for e in exemplars]
        if self.mask is not None:
            heights.append(_typical_height(_inside(self.mask, self.mask)))
        self._exemplars = exemplars
        self._height = min(heights)
        self._pieces: tuple[torch.Size, Tensor] | None = None  # of the last features
        return self._pieces_of_styles()

    def _pieces_of_styles(self) -> list[Tensor]:
        found = []
        for exemplar in self._exemplars:
            indices = _pieces(_inside(exemplar.features, exemplar.mask), self._height)
            found.append(_columns(exemplar.features.detach(), indices))
        return found

    def _vectors(self, features: Tensor) -> Tensor:
        size = features.shape[2:]
        if size[0] < self._height:  # without a mask, the image's height is not known before
            self._height = size[0]
            styles = self._pieces_of_styles()
            self.sizes = [style.shape[1] for style in styles]
            self.styles = torch.cat(styles, dim=1)
            self.redraw(self.random_state)
        if self._pieces is None or self._pieces[0] != size:
            self._pieces = (size, _pieces(_inside(features, self.mask), self._height))
        return _columns(features, self._pieces[1])


def random_directions(number: int, entries: int, generator: torch.Generator) -> Tensor:
    """Draw directions (number, entries) on the CPU; 0 draws one for each entry."""
    return functional.normalize(torch.randn(number or entries, entries, generator=generator), dim=1)


def _at_quantiles(ordered: Tensor, number: int) -> Tensor:
    """Interpolate the n sorted values of each row, quantiles (j + ½)/n, at (i + ½)/number."""
    # The paper repeats values instead, and so needs sizes that divide each other.
    if ordered.shape[1] == number:
        return ordered
    return functional.interpolate(ordered[None], size=number, mode="linear")[0]


def sorted_rows(rows: Tensor) -> Tensor:
    """Return each row in ascending order."""
    # On CPUs, NumPy's vectorised sorting takes a fiftieth of torch's time, with indices a seventh.
    if rows.device.type == "cpu":
        return torch.from_numpy(np.sort(rows.numpy(), axis=1))
    return rows.sort(dim=1).values


def order_of(rows: Tensor) -> Tensor:
    """Return the indices that sort each row."""
    if rows.device.type == "cpu":
        return torch.from_numpy(np.argsort(rows.numpy(), axis=1))
    return rows.argsort(dim=1)


def _vectors(features: Tensor, selected: Tensor | None) -> Tensor:
    """Return the positions of features (1, C, H, W) that count, as (C, M)."""
    vectors = full_precision(features)[0].flatten(1)
    return vectors if selected is None else vectors.index_select(1, selected)


def _inside(features: Tensor, mask: Tensor | None) -> np.ndarray[Any, Any]:
    """Return at which positions (H, W) of features a mask is above 0.5."""
    if mask is None:
        return np.ones(features.shape[2:], bool)
    return (mask[0, 0] > 0.5).cpu().numpy()


def _runs(column: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return start and stop (runs, 2) of each run of True."""
    changes = np.diff(np.concatenate([[False], column, [False]]).astype(np.int8))
    return np.flatnonzero(changes).reshape(-1, 2)


def _typical_height(inside: np.ndarray[Any, Any]) -> int:
    """Return the median over columns of the longest run inside; of a rectangle its height."""
    longest = [np.diff(_runs(column)).max(initial=0) for column in inside.T if column.any()]
    return int(np.median(longest))


def _pieces(inside: np.ndarray[Any, Any], height: int) -> Tensor:
    """Return the indices (pieces, height) of the positions of vertical pieces that are inside."""
    tops = []
    for x, column in enumerate(inside.T):
        for start, stop in _runs(column):
            number = -(-(stop - start) // height) if stop - start >= height else 0
            tops += [(y, x) for y in np.linspace(start, stop - height, number).round()]
    rows, columns = torch.tensor(tops, dtype=torch.long).T
    indices: Tensor = (rows[:, None] + torch.arange(height)) * inside.shape[1] + columns[:, None]
    return indices


def _columns(features: Tensor, indices: Tensor) -> Tensor:
    """Return features (1, C, H, W) at the indices (pieces, height), as (height, C·pieces)."""
    flat = full_precision(features)[0].flatten(1)
    return flat[:, indices.to(flat.device)].permute(2, 0, 1).flatten(1)
