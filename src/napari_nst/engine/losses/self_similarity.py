"""Self-similarity: how alike the positions of an image are to each other."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from napari_nst.engine.losses.moments import refuse_other_size
from napari_nst.engine.losses.sampled import ONE_LAYER, Sampled, directions

LEAST_SUM = 1e-3
"""Least sum of a column of distances: where all positions are alike, it is a rounding error."""


class SelfSimilarityLoss(Sampled):
    """Difference of the cosine distances between positions from those of the content.

    Kolkin et al. 2019, "STROTSS", eq. 8: features may change freely as long as positions that are
    alike in the content stay alike. D is the matrix of d(x, y) = 1 − cos(x, y) between vectors at
    the same random positions of the image and of the content.

    Parameters
    ----------
    target : Tensor, or mapping of str to Tensor
        The features of the content, (1, C, H, W): of one layer, or of all `layers` by name.
    norm : {"relative", "mean"}
        "relative" divides each column of both matrices by its sum, and is the mean over columns of
        the sums of |D − D′|, from 0 to 2, as in the authors' program, whatever the number of
        positions. "mean" is the mean of |D − D′| without the division.
    mask : Tensor, optional
        (1, 1, H, W); positions with a mask above 0.5 count.
    samples, layers, seed
        As for every `SampledStyleLoss`.
    """

    def __init__(
        self,
        target: Tensor | Mapping[str, Tensor],
        *,
        norm: str = "relative",
        mask: Tensor | None = None,
        samples: int = 1024,
        layers: Mapping[str, float] = ONE_LAYER,
        seed: int = 0,
    ) -> None:
        super().__init__(norm, mask)
        self._start_drawing(samples, layers, seed)
        self.aim(target)
        if mask is not None:
            refuse_other_size(mask, next(iter(self._targets.values())).shape[2:])

    def aim(self, target: Tensor | Mapping[str, Tensor]) -> None:
        """Take another target of the same size."""
        given = {next(iter(self.layers)): target} if isinstance(target, Tensor) else target
        self._targets = {layer: given[layer].detach() for layer in self.layers}
        self._expected: Tensor | None = None

    def redraw(self, state: Tensor | None = None) -> None:
        """Draw the positions of all evaluations until the next call, or again those of a state."""
        super().redraw(state)
        self._expected = None

    def compare(self, vectors: Tensor) -> Tensor:
        """Compare vectors (K, C) of the image at the current positions with the content's."""
        if self._expected is None:
            self._expected = self._distances_in_content().to(vectors)
        differences = (self._distances(vectors) - self._expected).abs()
        return differences.sum() / len(vectors) if self.norm == "relative" else differences.mean()

    @torch.no_grad()
    def _distances_in_content(self) -> Tensor:
        first = next(iter(self._targets.values()))
        readings = self.readings((first.shape[2], first.shape[3]))
        vectors = [reading.of(self._targets[layer]) for layer, reading in readings.items()]
        return self._distances(self.joined(vectors))

    def _distances(self, vectors: Tensor) -> Tensor:
        own = directions(vectors, centred=False)
        distances = 1 - own @ own.mT
        if self.norm == "mean":
            return distances
        return distances / distances.sum(dim=0).clamp_min(LEAST_SUM)
