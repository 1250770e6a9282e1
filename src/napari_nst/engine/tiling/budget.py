"""In which tiles a run computes, and how much L-BFGS remembers: as memory allows."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch

from napari_nst.engine import launch
from napari_nst.engine.distributed import ALONE, Processes, present
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.run.errors import SharedOutOfMemory, release, with_less_memory
from napari_nst.engine.run.shelf import MEMORY, Disk, Shelf, free_on_disk
from napari_nst.engine.run.targets import RunSetup
from napari_nst.engine.tiling.capacity import (
    LEAST_HISTORY,
    SHARE,
    USUAL_TILE,
    Capacity,
    can_be_tiled,
)
from napari_nst.engine.tiling.memory_estimate import Footprint, footprint, free_bytes
from napari_nst.engine.tiling.refusal import refusal
from napari_nst.errors import NstError
from napari_nst.recipe.sections import MIN_TILE

LEAST_ROWS = 128
"""Of a picture, for each of several processes; fewer are mostly overlap with those of others."""


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
    folder : Path, optional
        On the disk where pictures lie that memory would not hold; they are refused where left out.

    Attributes
    ----------
    free : int
        Bytes of memory, where the pictures lie.
    capacity : Capacity
        These, and the disk.
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
        folder: Path | None = None,
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
        # Processes that divide a picture have each its rows in memory.
        is_host = home.type == "cpu" and self.processes.count == 1
        self.capacity = Capacity(self._footprint, self.free, self.for_passes)
        if folder is not None and is_host:
            self.capacity = replace(self.capacity, folder=folder, disk=free_on_disk(folder))
        self.limit = 0

    def at(self, order: Job, scale: Scale) -> tuple[int, Footprint]:
        """Return the tile that a scale is computed in, 0 for the whole, and what that takes.

        Raises
        ------
        NstError
            If the scale does not fit in any tiles.
        """
        found = self.capacity.fitting(order, scale)
        if found is None:
            raise NstError(refusal(self.capacity, self.device, order, scale))
        tile, taken = found
        if self.limit and (not tile or self.limit < tile) and self.limit < max(scale.shape):
            smaller = self._footprint(order, scale, self.limit, on_disk=taken.is_on_disk)
            return self.limit, replace(smaller, past_steps=taken.past_steps)
        return tile, taken

    def plan(self, order: Job) -> list[tuple[Scale, int, Footprint]]:
        """Return the scales of an order, each with its tile and what it takes, as `at` does."""
        # From the last on: where one does not fit it is that which the user has asked for.
        return [(scale, *self.at(order, scale)) for scale in order.scales[::-1]][::-1]

    def shelf(self, order: Job, scale: Scale) -> Shelf:
        """Return where a scale's picture lies."""
        folder = self.capacity.folder
        return Disk(folder) if folder and self.at(order, scale)[1].is_on_disk else MEMORY

    def past_steps(self, order: Job, scale: Scale) -> int:
        """Return how many past steps L-BFGS remembers at a scale."""
        return self.at(order, scale)[1].past_steps

    def forgotten(self, order: Job) -> list[str]:
        """Say where L-BFGS remembers less than it would."""
        recipe, said = order.recipe, []
        for scale, _, taken in self.plan(order):
            asked = min(recipe.history, scale.steps)
            if taken.past_step and taken.past_steps < asked:
                room = "room on disk" if taken.is_on_disk else "memory"
                said.append(
                    f"At {max(scale.shape)} pixels there is {room} for {taken.past_steps} of the "
                    f"{asked} past steps that L-BFGS would remember."
                )
        return said

    def settle(self, assembly: RunSetup, scale: Scale) -> None:
        """Tell an assembly in which tiles a scale is computed, by whom, and where it lies."""
        order = assembly.order
        assembly.tile, assembly.processes = self.at(order, scale)[0], self.sharing(order, scale)
        assembly.shelf = self.shelf(order, scale)

    def objective(self, assembly: RunSetup, scale: Scale) -> Objective:
        """Return the objective of a scale, in tiles that its targets fit into, too."""
        self.settle(assembly, scale)
        return with_less_memory(
            lambda: assembly.objective_at(scale),
            lambda error: self._halve(assembly, scale, error),
        )

    def lighter(self, assembly: RunSetup, scale: Scale, error: BaseException) -> Objective:
        """Return the same objective in smaller tiles; raise the error where there are none."""
        self._halve(assembly, scale, error)
        return self.objective(assembly, scale)

    def _halve(self, assembly: RunSetup, scale: Scale, error: BaseException) -> None:
        tile = assembly.tile or max(scale.shape)
        half = 2 ** math.floor(math.log2(tile * 3 / 4))
        # Where others do not know, they wait for what this process was to send them.
        all_know = self.processes.count == 1 or isinstance(error, SharedOutOfMemory)
        if half < MIN_TILE or not can_be_tiled(assembly.recipe) or not all_know:
            raise error
        release(self.device)
        self.limit = assembly.tile = half
        if not self.processes.rank:
            self.say_smaller(half)

    def sharing(self, order: Job, scale: Scale) -> Processes:
        """Return who divides a scale's picture; this process alone, where that is not worth it."""
        rows = scale.shape[0] // self.processes.count
        return self.processes if can_be_tiled(order.recipe) and rows >= LEAST_ROWS else ALONE

    def _footprint(
        self, order: Job, scale: Scale, tile: int, *, on_disk: bool = False
    ) -> Footprint:
        return footprint(
            order,
            scale,
            self.dtype,
            tile=tile,
            is_grey=self.is_grey,
            parts=self.sharing(order, scale).count,
            on_disk=on_disk,
        )


def home_of(order: Job, device: torch.device, dtype: torch.dtype) -> torch.device:
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
