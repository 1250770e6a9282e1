"""Relaxed earth mover's distances: each vector near some vector of the style, and the reverse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from napari_nst.engine.losses.base import Exemplar, ImageLoss, SampledExemplar, StyleLoss
from napari_nst.engine.losses.sampled import (
    ONE_LAYER,
    Sampled,
    directions,
    for_search,
    pooled,
)


class RelaxedEMDLoss(Sampled, StyleLoss):
    """Relaxed earth mover's distance by cosine (Kolkin et al. 2019, "STROTSS", eq. 4).

    With d(x, s) = 1 − cos(x, s) of vectors x of the image and s of the style it is
    max(mean over x of min over s of d, mean over s of min over x of d). The first mean keeps what
    is not of the style out of the image, the second brings all of the style into it. Only the
    larger one has a gradient.

    Parameters
    ----------
    exemplars : sequence of Exemplar or SampledExemplar
        The styles. All their vectors can be the nearest; in the mean over s, they count by shares.
    norm : {"relative", "mean"}
        Both are the same, because a cosine has no scale.
    mask : Tensor, optional
        (1, 1, H, W). Of the image as of the styles, positions with a mask above 0.5 count.
    centred : bool
        Subtract the mean from the vectors first, of the image and of the style each its own, as in
        Kolkin et al. 2022, "Neural Neighbor Style Transfer". All features are positive, so without
        it their cosines are near 1.
    samples, style_samples : int
        The largest numbers of vectors of the image, drawn at each `redraw`, and of each style.
    layers : mapping of str to float
        The layers that are joined, with their factors; one by default.
    seed : int
        Of the random positions.
    """

    norms: ClassVar = ("relative", "mean")
    styles: Tensor
    searched: Tensor
    weights: Tensor

    def __init__(
        self,
        exemplars: Sequence[Exemplar | SampledExemplar],
        *,
        norm: str = "relative",
        mask: Tensor | None = None,
        centred: bool = True,
        samples: int = 1024,
        style_samples: int = 4096,
        layers: Mapping[str, float] = ONE_LAYER,
        seed: int = 0,
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        self.layers, self.centred = layers, centred
        pool, weights = pooled(exemplars, style_samples, seed)
        styles = directions(pool.vectors, centred=centred)
        self.register_buffer("styles", styles, persistent=False)
        self.register_buffer("weights", weights, persistent=False)
        searched = for_search(styles, exact=pool.exact)
        self.register_buffer("searched", searched, persistent=False)
        self._seeded(samples, seed)

    def compare(self, vectors: Tensor) -> Tensor:
        """Compare vectors (K, C) of the image with the styles'."""
        own = directions(vectors, centred=self.centred)
        with torch.no_grad():
            similarities = own.to(self.searched.dtype) @ self.searched.mT
            rows, columns, weights = farther_pairs(similarities, self.weights)
            # The sum over pairs, as one product with a sum of targets for each vector.
            chosen = self.styles[columns] * weights[:, None]
            targets = torch.zeros_like(own).index_add_(0, rows, chosen)
        return 1 - (own * targets).sum()

    def extra_repr(self) -> str:
        """Return the settings."""
        sizes = f"samples={self.samples}, style_samples={len(self.styles)}"
        return f"{super().extra_repr()}, centred={self.centred}, {sizes}"


class PaletteLoss(Sampled, StyleLoss, ImageLoss):
    """Relaxed earth mover's distance of colours (Kolkin et al. 2019, section 2.2).

    As `RelaxedEMDLoss`, with d(x, s) = 1 − cos(x, s) + √(|x − s|²/C) of pixels. The authors'
    program first rotates the colours, which changes neither angles nor distances.

    Parameters
    ----------
    exemplars, norm, mask, samples, style_samples, layers, seed
        As for `RelaxedEMDLoss`, of images (1, 3, H, W) in place of features.
    """

    norms: ClassVar = ("relative", "mean")
    styles: Tensor
    weights: Tensor

    def __init__(
        self,
        exemplars: Sequence[Exemplar | SampledExemplar],
        *,
        norm: str = "relative",
        mask: Tensor | None = None,
        samples: int = 1024,
        style_samples: int = 4096,
        layers: Mapping[str, float] = ONE_LAYER,
        seed: int = 0,
    ) -> None:
        super().__init__(exemplars, norm=norm, mask=mask)
        self.layers = layers
        pool, weights = pooled(exemplars, style_samples, seed)
        self.register_buffer("styles", pool.vectors, persistent=False)
        self.register_buffer("weights", weights, persistent=False)
        self._seeded(samples, seed)

    def compare(self, vectors: Tensor) -> Tensor:
        """Compare vectors (K, C) of the image with the styles'."""
        styles = self.styles.to(vectors)
        with torch.no_grad():
            cosines = directions(vectors, centred=False) @ directions(styles, centred=False).mT
            away = torch.cdist(vectors, styles) / vectors.shape[1] ** 0.5
            rows, columns, weights = farther_pairs(cosines - away, self.weights)
        own, other = vectors[rows], styles[columns]
        cosines = (directions(own, centred=False) * directions(other, centred=False)).sum(dim=1)
        # The root has no gradient at 0; the bound is that of the authors' program.
        squares = (own - other).square().sum(dim=1).clamp_min(1e-5)
        return (weights * (1 - cosines + (squares / vectors.shape[1]).sqrt())).sum()


def farther_pairs(similarities: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows, columns and weights of the pairs of a relaxed earth mover's distance.

    Either each row of (K, n) with the most similar column, or each column with the most similar
    row, whichever are less similar on average; `weights` (n,) are those of the columns.
    """
    rows = torch.arange(len(similarities), device=similarities.device)
    of_rows = similarities.amax(dim=1).float().mean()
    of_columns = (similarities.amax(dim=0) * weights).sum()
    if of_rows < of_columns:
        return rows, similarities.max(dim=1).indices, weights.new_full(rows.shape, 1 / len(rows))
    # Torch takes many times as long for the index of a maximum over rows as over columns.
    nearest = similarities.mT.contiguous().max(dim=1).indices
    return nearest, torch.arange(len(weights), device=rows.device), weights
