"""Relaxed earth mover's distances: each vector near some vector of the style, and the reverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from napari_nst.engine.losses.base import Exemplar, ImageLoss, SampledExemplar
from napari_nst.engine.losses.sampled import SampledStyleLoss, directions, for_search


class RelaxedEMDLoss(SampledStyleLoss):
    """Relaxed earth mover's distance by cosine (Kolkin et al. 2019, "STROTSS", eq. 4).

    With d(x, s) = 1 − cos(x, s) of vectors x of the image and s of the style it is
    max(mean over x of min over s of d, mean over s of min over x of d). The first mean keeps what
    is not of the style out of the image, the second brings all of the style into it. Only the
    larger one has a gradient.

    Parameters
    ----------
    exemplars, norm, mask, samples, style_samples, layers, seed
        As for every `SampledStyleLoss`. All vectors of the styles can be the nearest; in the mean
        over s, they count by the shares of their styles.
    centred : bool
        Subtract the mean from the vectors first, of the image and of the style each its own, as in
        Kolkin et al. 2022, "Neural Neighbor Style Transfer". All features are positive, so without
        it their cosines are near 1.
    """

    searched: Tensor

    def __init__(
        self,
        exemplars: Sequence[Exemplar | SampledExemplar],
        *,
        centred: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(exemplars, **settings)
        self.centred = centred
        self.styles = directions(self.styles, centred=centred)
        searched = for_search(self.styles, exact=self.exact)
        self.register_buffer("searched", searched, persistent=False)

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
        return f"{super().extra_repr()}, centred={self.centred}"


class PaletteLoss(SampledStyleLoss, ImageLoss):
    """Relaxed earth mover's distance of colours (Kolkin et al. 2019, section 2.2).

    As `RelaxedEMDLoss`, with d(x, s) = 1 − cos(x, s) + √(|x − s|²/C) of pixels. The authors'
    program first rotates the colours, which changes neither angles nor distances.

    Parameters
    ----------
    exemplars, norm, mask, samples, style_samples, layers, seed
        As for every `SampledStyleLoss`, of images (1, 3, H, W) in place of features.
    """

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
