"""What a run may take of memory and of a disk, and in which tiles a scale fits there."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from napari_nst.engine.job.job import Job
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.tiling.memory_estimate import Footprint
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import MOMENT_LOSSES

SHARE = 0.8
"""Of the memory that is free, what a run plans to take: mostly its forecast is right within 20 %,
but for small pictures, which take little. Of a disk, too."""

CACHE = 0.5
"""Of the memory that is free, what the system has to keep files in, where the picture lies in them:
they are read again and again."""

USUAL_TILE, SMALLEST_TILE = 512, 256
"""Pixels. Smaller than the usual one, a tile is chosen only after L-BFGS remembers less; smaller
than the smallest, which its overlaps make 2.6 times as much work, none is chosen."""

LEAST_HISTORY = 5
"""Past steps below which L-BFGS is hardly better than following the gradient."""


class Needs(Protocol):
    """Tells what a scale of an order takes."""

    def __call__(self, order: Job, scale: Scale, tile: int, *, on_disk: bool = False) -> Footprint:
        """Return it for tiles of a side, or, with 0, for the whole."""


@dataclass(frozen=True)
class Capacity:
    """What there is for a run.

    Attributes
    ----------
    needs : callable
        Tells what a scale takes.
    free : int
        Bytes of memory, where the pictures lie.
    for_passes : float
        Bytes that a way through the network may take where that is elsewhere; else infinite.
    folder : Path or None
        On the disk where pictures lie that memory would not hold; None where they may not.
    disk : int
        Bytes that are free there.
    """

    needs: Needs
    free: int
    for_passes: float = math.inf
    folder: Path | None = None
    disk: int = 0

    def fitting(self, order: Job, scale: Scale) -> tuple[int, Footprint] | None:
        """Return the tile that a scale is computed in and what that takes; None if nothing fits."""
        found = self._in_memory(order, scale)
        if found is not None and self._holds(found[1], self.free):
            return found
        return self._on_disk(order, scale) or found

    def least(self, order: Job, scale: Scale, *, on_disk: bool = False) -> tuple[int, Footprint]:
        """Return the tile with which a scale takes the least, 0 for none, and how much that is."""
        tile = SMALLEST_TILE if can_be_tiled(order.recipe) else 0
        return tile, _within(0, self.needs(order, scale, tile, on_disk=on_disk))

    def may_lie_on_disk(self, order: Job) -> bool:
        """Whether all that is as large as an order's picture can lie on disk, if need be."""
        recipe = order.recipe
        # Torch's line search, and what lies around a region, have copies in memory.
        searches = recipe.optimizer == "lbfgs" and recipe.line_search
        has_copies = searches or order.keep_outside is not None
        return self.folder is not None and can_be_tiled(recipe) and not has_copies

    def _in_memory(self, order: Job, scale: Scale) -> tuple[int, Footprint] | None:
        longest, asked = max(scale.shape), order.recipe.tile
        room = self.free * SHARE
        if asked:
            tile = asked if asked < longest else 0
            return tile, _within(room, self.needs(order, scale, tile))
        whole = self.needs(order, scale, 0)
        if self._holds(whole, room):
            return 0, whole
        tile, taken = 0, _within(room, whole)
        if can_be_tiled(order.recipe):
            for tile in range(longest // 64 * 64, USUAL_TILE - 1, -64):
                taken = self.needs(order, scale, tile)
                if self._holds(taken, room):
                    return tile, taken
            for tile in (USUAL_TILE, SMALLEST_TILE):
                taken = _within(room, self.needs(order, scale, tile))
                if self._holds(taken, room):
                    return tile, taken
        # Some memory is left for others as long as there is a choice.
        return (tile, taken) if self._holds(taken, self.free) else None

    def _on_disk(self, order: Job, scale: Scale) -> tuple[int, Footprint] | None:
        longest, asked = max(scale.shape), order.recipe.tile
        room = self.free * CACHE
        if not self.may_lie_on_disk(order):
            return None
        if not asked and not self._holds(self.least(order, scale, on_disk=True)[1], room):
            return None
        tiles = [asked] if asked else range((longest - 1) // 64 * 64, SMALLEST_TILE - 1, -64)
        for tile in tiles:
            on_disk = self.needs(order, scale, tile, on_disk=True)
            taken = _within(self.disk * SHARE, on_disk)
            if tile < longest and self._holds(taken, room):
                return tile, taken
        return None

    def _holds(self, taken: Footprint, room: float) -> bool:
        has_room = taken.bytes <= room and taken.passes <= self.for_passes
        return has_room and taken.disk <= self.disk * SHARE


def can_be_tiled(recipe: Recipe) -> bool:
    """Whether a recipe's losses can be computed tile by tile."""
    return not recipe.has_style or recipe.style_loss in MOMENT_LOSSES


def _within(room: float, taken: Footprint) -> Footprint:
    """Return the same with as many past steps as there is room for, a few at least."""
    if not taken.past_step:
        return taken
    others = replace(taken, past_steps=0)
    left = room - (others.disk if taken.is_on_disk else others.bytes)
    steps = max(LEAST_HISTORY, int(left // taken.past_step))
    return replace(taken, past_steps=min(taken.past_steps, steps))
