"""What losses need of a style, taken from a style target."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from napari_nst.engine.job.style_target import Statistic, StyleTarget
from napari_nst.engine.losses import MeasuredExemplar, Moments, SampledExemplar
from napari_nst.engine.losses.sampled import spread
from napari_nst.engine.objective.from_recipe import RotatedStyle


class MeasuredStyle(RotatedStyle):
    """The statistics of a style target at one size, on a device; it has no pixels to mask."""

    def __init__(
        self, target: StyleTarget, size: int, device: torch.device, *, exact: bool, rotated: bool
    ) -> None:
        if rotated:
            unturned = MeasuredStyle(target, size, device, exact=exact, rotated=False)
        super().__init__([unturned if rotated else self])
        self._target, self._size, self._device = target, size, device
        self._exact, self._rotated = exact, rotated

    def exemplar(self, layer: str, share: float, mask: Tensor | None) -> MeasuredExemplar:
        """Return the moments at a layer."""
        of_layer = Statistic(((layer, 1.0),))
        mean, second = (self._array(of_layer, kind)[None] for kind in of_layer.kinds)
        return MeasuredExemplar(Moments(1.0, mean, second), share)

    def sampled(
        self, layers: Mapping[str, float], share: float, mask: Tensor | None, number: int, seed: int
    ) -> SampledExemplar:
        """Return vectors of layers, joined if there are several, at most so many."""
        statistic = Statistic(tuple(layers.items()), number, self._rotated)
        vectors = self._array(statistic, "vectors")
        ranks = spread(len(vectors), number, torch.Generator().manual_seed(seed))
        vectors = vectors[ranks.to(vectors.device)] if len(ranks) < len(vectors) else vectors
        return SampledExemplar(vectors, share, self._exact)

    def _array(self, statistic: Statistic, kind: str) -> Tensor:
        found = self._target.nearest(self._size, statistic.name, kind)
        return torch.from_numpy(found).to(self._device, torch.float32)
