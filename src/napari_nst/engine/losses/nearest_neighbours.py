"""Nearest neighbours: each vector of the image approaches one vector of the style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from napari_nst.engine.losses.base import Exemplar, SampledExemplar
from napari_nst.engine.losses.sampled import SampledStyleLoss, Shape, directions, for_search

QUERIES = 2048
"""How many vectors are searched at a time: with 4,096 vectors of the style, 34 MB."""

COARSE = 4
"""Every fourth row and column of joined layers has a target of its own, as in NNST."""


class NearestNeighbourLoss(SampledStyleLoss):
    """Cosine distance of each vector from its target in the style (Kolkin et al. 2022, "NNST").

    mean of 1 − cos(x, s(x)), where s(x) is the vector of the style nearest to x by centred cosine.
    Targets are chosen again in each evaluation, or once, of another image than the one that is
    optimised. Joined layers then have one for every fourth row and column, read there; the authors'
    program shrinks all layers to that size.

    Parameters
    ----------
    exemplars, norm, mask, samples, style_samples, layers, seed
        As for every `SampledStyleLoss`; shares of styles have no effect.
    centred : bool
        Compare by centred cosine, too.
    targets : {"step", "scale"}
        When targets are chosen: in each evaluation, or once, by `choose`. An evaluation before that
        chooses its own.
    """

    searched: Tensor

    def __init__(
        self,
        exemplars: Sequence[Exemplar | SampledExemplar],
        *,
        centred: bool = True,
        targets: str = "step",
        **settings: Any,
    ) -> None:
        super().__init__(exemplars, **settings)
        self.centred = centred
        self.fixed = targets == "scale"
        self.targets: Tensor | None = None
        searched = directions(self.styles, centred=True)
        self.styles = searched if centred else directions(self.styles, centred=False)
        searched = for_search(searched, exact=self.exact)
        self.register_buffer("searched", searched, persistent=False)

    def candidates(self, size: Shape) -> Tensor:
        """Return the positions that can be drawn: fewer, if they have targets."""
        found = super().candidates(size)
        if not self.fixed or len(self.layers) == 1:
            return found
        coarse = (found // size[1] % COARSE == 0) & (found % size[1] % COARSE == 0)
        return found[coarse] if bool(coarse.any()) else found

    @torch.no_grad()
    def choose(self, vectors: Tensor) -> None:
        """Choose targets by vectors (N, C) at all `candidates`."""
        own = directions(vectors, centred=True)
        self.targets = torch.cat([self._nearest(some) for some in torch.split(own, QUERIES)])

    def compare(self, vectors: Tensor) -> Tensor:
        """Compare vectors (K, C) of the image with their targets."""
        own = directions(vectors, centred=self.centred)
        if self.targets is None:
            nearest = self._nearest(directions(vectors.detach(), centred=True))
        else:
            nearest = self.targets[self.ranks(len(self.targets)).to(self.targets.device)].long()
        return 1 - (own * self.styles[nearest]).sum() / len(own)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"{super().extra_repr()}, centred={self.centred}, fixed={self.fixed}"

    @torch.no_grad()
    def _nearest(self, own: Tensor) -> Tensor:
        return (own.to(self.searched.dtype) @ self.searched.mT).max(dim=1).indices
