"""In which tiles a run computes, and how much L-BFGS remembers: as memory allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from napari_nst import launch
from napari_nst.engine.assembly import Assembly
from napari_nst.engine.memory import Footprint, amount, footprint, free_bytes
from napari_nst.engine.objective import Objective
from napari_nst.engine.order import Order
from napari_nst.engine.out_of_memory import SharedOutOfMemory, release, with_less_memory
from napari_nst.engine.processes import ALONE, Processes, present
from napari_nst.engine.scales import Scale
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe
from napari_nst.recipe.computation import LEAST_TILE
from napari_nst.recipe.likeness import MOMENT_LOSSES

SHARE = 0.8
"""Of the memory that is free, what a run plans to take: mostly its forecast is right within 20 %,
but for small pictures, which take little."""

USUAL_TILE, SMALLEST_TILE = 512, 256
"""Pixels. Smaller than the usual one, a tile is chosen only after L-BFGS remembers less; smaller
than the smallest, which its overlaps make 2.6 times as much work, none is chosen."""

LEAST_ROWS = 128
"""Of a picture, for each of several processes; fewer are mostly overlap with those of others."""

LEAST_HISTORY = 5
"""Past steps below which L-BFGS is hardly better than following the gradient."""


class Tiling:
    """How a run fits into the memory of its device.

    Parameters
    ----------
    device : torch.device
        Where the run computes; what it has left now is what there is.
    home : torch.device
        Where its pictures lie; see `home_of`.
    dtype : torch.dtype
        Of the network.
    say_smaller : callable
        Called with the side of the tiles that are taken after memory has run out, in the first
        of several processes.
    is_grey : bool
        Whether the optimiser has one number per pixel instead of three.

    Attributes
    ----------
    free : int
        Bytes, where the pictures lie.
    for_passes : float
        Bytes that a way through the network may take where that is elsewhere; else infinite.
    limit : int
        Longest side of a tile, after memory has run out; 0 before.
    """

    def __init__(
        self,
        device: torch.device,
        home: torch.device,
        dtype: torch.dtype,
        say_smaller: Callable[[int], None],
        *,
        is_grey: bool = False,
    ) -> None:
        self.device = device
        self.dtype = dtype
        self.say_smaller = say_smaller
        self.is_grey = is_grey
        self.processes = present()
        # They have to choose alike, and those of one machine share its memory.
        shared = launch.local_count() if home.type == "cpu" else 1
        self.free = self.processes.least(free_bytes(home) // shared)
        self.for_passes = math.inf if home == device else free_bytes(device) * SHARE
        self.limit = 0

    def at(self, order: Order, scale: Scale) -> tuple[int, Footprint]:
        """Return the tile that a scale is computed in, 0 for the whole, and what that takes.

        Raises
        ------
        NstError
            If the scale does not fit in any tiles.
        """
        found = self._fitting(order, scale)
        if found is None:
            raise NstError(self._refusal(order, scale))
        tile, taken = found
        if self.limit and (not tile or self.limit < tile) and self.limit < max(scale.shape):
            taken = replace(self._footprint(order, scale, self.limit), past_steps=taken.past_steps)
            return self.limit, taken
        return tile, taken

    def plan(self, order: Order) -> list[tuple[Scale, int, Footprint]]:
        """Return the scales of an order, each with its tile and what it takes, as `at` does."""
        # From the last on: where one does not fit it is that which the user has asked for.
        return [(scale, *self.at(order, scale)) for scale in order.scales[::-1]][::-1]

    def past_steps(self, order: Order, scale: Scale) -> int:
        """Return how many past steps L-BFGS remembers at a scale."""
        return self.at(order, scale)[1].past_steps

    def forgotten(self, order: Order) -> list[str]:
        """Say where L-BFGS remembers less than it would."""
        recipe, said = order.recipe, []
        for scale, _, taken in self.plan(order):
            asked = min(recipe.history, scale.steps)
            if taken.past_step and taken.past_steps < asked:
                said.append(
                    f"At {max(scale.shape)} pixels there is memory for {taken.past_steps} of the "
                    f"{asked} past steps that L-BFGS would remember."
                )
        return said

    def settle(self, assembly: Assembly, scale: Scale) -> None:
        """Tell an assembly in which tiles a scale is computed, and by whom."""
        order = assembly.order
        assembly.tile, assembly.processes = self.at(order, scale)[0], self.sharing(order, scale)

    def objective(self, assembly: Assembly, scale: Scale) -> Objective:
        """Return the objective of a scale, in tiles that its targets fit into, too."""
        self.settle(assembly, scale)
        return with_less_memory(
            lambda: assembly.objective_at(scale),
            lambda error: self._halve(assembly, scale, error),
        )

    def lighter(self, assembly: Assembly, scale: Scale, error: BaseException) -> Objective:
        """Return the same objective in smaller tiles; raise the error where there are none."""
        self._halve(assembly, scale, error)
        return self.objective(assembly, scale)

    def _halve(self, assembly: Assembly, scale: Scale, error: BaseException) -> None:
        tile = assembly.tile or max(scale.shape)
        half = 2 ** math.floor(math.log2(tile * 3 / 4))
        # Where others do not know, they wait for what this process was to send them.
        all_know = self.processes.count == 1 or isinstance(error, SharedOutOfMemory)
        if half < LEAST_TILE or not can_be_tiled(assembly.recipe) or not all_know:
            raise error
        release(self.device)
        self.limit = assembly.tile = half
        if not self.processes.rank:
            self.say_smaller(half)

    def _fitting(self, order: Order, scale: Scale) -> tuple[int, Footprint] | None:
        longest, asked = max(scale.shape), order.recipe.tile
        room = self.free * SHARE
        if asked:
            tile = asked if asked < longest else 0
            return tile, self._within(room, self._footprint(order, scale, tile))
        whole = self._footprint(order, scale, 0)
        if self._fits(whole, room):
            return 0, whole
        tile, taken = 0, self._within(room, whole)
        if can_be_tiled(order.recipe):
            for tile in range(longest // 64 * 64, USUAL_TILE - 1, -64):
                taken = self._footprint(order, scale, tile)
                if self._fits(taken, room):
                    return tile, taken
            for tile in (USUAL_TILE, SMALLEST_TILE):
                taken = self._within(room, self._footprint(order, scale, tile))
                if self._fits(taken, room):
                    return tile, taken
        # Some memory is left for others as long as there is a choice.
        return (tile, taken) if self._fits(taken, self.free) else None

    def _fits(self, taken: Footprint, room: float) -> bool:
        return taken.bytes <= room and taken.passes <= self.for_passes

    def sharing(self, order: Order, scale: Scale) -> Processes:
        """Return who divides a scale's picture; this process alone, where that is not worth it."""
        rows = scale.shape[0] // self.processes.count
        return self.processes if can_be_tiled(order.recipe) and rows >= LEAST_ROWS else ALONE

    def _footprint(self, order: Order, scale: Scale, tile: int) -> Footprint:
        return footprint(
            order,
            scale,
            self.dtype,
            tile=tile,
            is_grey=self.is_grey,
            parts=self.sharing(order, scale).count,
        )

    @staticmethod
    def _within(room: float, taken: Footprint) -> Footprint:
        """Return the same with as many past steps as there is room for, a few at least."""
        if not taken.past_step:
            return taken
        others = replace(taken, past_steps=0).bytes
        steps = max(LEAST_HISTORY, int((room - others) // taken.past_step))
        return replace(taken, past_steps=min(taken.past_steps, steps))

    def _refusal(self, order: Order, scale: Scale) -> str:
        recipe, longest = order.recipe, max(scale.shape)
        if can_be_tiled(recipe):
            how = f"even in tiles of {SMALLEST_TILE} pixels"
            other = "optimizer adam, which takes less" if recipe.optimizer == "lbfgs" else ""
            taken = self._within(0, self._footprint(order, scale, SMALLEST_TILE))
        else:
            how = f"and style_loss {recipe.style_loss} cannot be computed in tiles"
            other = f"another style_loss, such as {MOMENT_LOSSES[0]}"
            taken = self._within(0, self._footprint(order, scale, 0))
        size = next(self._sizes_that_fit(order, scale), 0)
        cures = [f"at most {size} pixels" if size else "", other]
        return (
            f"A picture of {longest} pixels needs about {amount(taken.bytes)} of memory on "
            f"{self.device}, {how}, and {amount(self.free)} are free; "
            f"take {', or '.join(filter(None, cures)) or 'another device'}."
        )

    def _sizes_that_fit(self, order: Order, scale: Scale) -> Iterator[int]:
        longest = max(scale.shape)
        for size in range((longest - 1) // 64 * 64, 0, -64):
            factor = size / longest
            height, width = (max(1, round(side * factor)) for side in scale.shape)
            smaller = Scale(max(1, round(scale.longest * factor)), (height, width), scale.steps)
            if self._fitting(order, smaller) is not None:
                yield size


def home_of(order: Order, device: torch.device, dtype: torch.dtype) -> torch.device:
    """Return where the pictures of a run lie: on its device, or on the host if they are too large.

    There the network gets its tiles from, and the optimiser's state is there, too. Host memory is
    larger, if slower; a processor, or a GPU that shares it, has no other.
    """
    if device.type != "cuda" or not can_be_tiled(order.recipe) or present().count > 1:
        return device
    taken = footprint(order, order.scales[-1], dtype, tile=USUAL_TILE)
    least = replace(taken, past_steps=min(taken.past_steps, LEAST_HISTORY))
    fits = least.bytes <= free_bytes(device) * SHARE
    return device if fits else torch.device("cpu")


def can_be_tiled(recipe: Recipe) -> bool:
    """Whether a recipe's losses can be computed tile by tile."""
    return not recipe.has_style or recipe.style_loss in MOMENT_LOSSES
