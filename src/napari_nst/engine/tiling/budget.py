"""In which tiles a run computes, and how many past steps L-BFGS stores, as memory allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from napari_nst.engine.distributed import (
    ALONE,
    Processes,
    SharedOutOfMemory,
    present,
    processes_on_this_machine,
)
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import layer_weights, network_layers
from napari_nst.engine.job.own_loss import layers_of_own
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.tiling.grid import make_grid
from napari_nst.engine.tiling.memory_estimate import (
    MemoryEstimate,
    estimate_memory,
    free_memory,
    memory_text,
)
from napari_nst.engine.torch_errors import release, with_less_memory
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import MIN_TILE, SAMPLED_LOSSES, TILED_LOSSES

SHARE = 0.8
"""Share of the free memory that a run plans to take: the estimate is usually right to 20 %."""

USUAL_TILE, SMALLEST_TILE = 512, 256
"""Pixels. Tiles smaller than the usual one are chosen only after L-BFGS stores fewer steps. With
the smallest, the halos make the work 2.6 times as much."""

LEAST_HISTORY = 5
"""With fewer past steps, L-BFGS is hardly better than gradient descent."""

LEAST_ROWS = 128
"""Rows of the image for each of several processes; fewer are mostly halo."""


@dataclass(frozen=True)
class Plan:
    """How a scale is computed."""

    tile: int  # longest side of a tile's core in pixels; 0 for the whole image
    memory: MemoryEstimate


class TilePlanner:
    """Chooses tiles that fit into the memory that is free when it is made.

    `device` computes. The images of a run that are too large for a GPU's memory are stored on the
    host, as `image_device` says. `tell` gets a sentence when a run goes on in smaller tiles.
    """

    def __init__(
        self, job: Job, device: torch.device, dtype: torch.dtype, tell: Callable[[str], None]
    ) -> None:
        self.device, self.dtype, self.tell = device, dtype, tell
        self.processes = present()
        self.limit = 0  # longest side of a tile, after memory has run out
        self.image_device = device
        phases = {scale.phase: (job.in_phase(scale), scale) for scale in job.scales}.values()
        is_tiled = all(can_be_tiled(phase) for phase, _ in phases)
        if device.type == "cuda" and is_tiled and self.processes.count == 1:
            usual = [self._reduced(self._plan(*phase, USUAL_TILE), 0) for phase in phases]
            if max(plan.memory.bytes for plan in usual) > free_memory(device) * SHARE:
                self.image_device = torch.device("cpu")
        sharing = processes_on_this_machine() if self.image_device.type == "cpu" else 1
        # All processes must choose alike.
        self.free = self.processes.least(free_memory(self.image_device) // sharing)
        on_host = self.image_device != device
        self.free_for_passes = free_memory(device) * SHARE if on_host else math.inf

    def plan(self, job: Job, scale: Scale) -> Plan:
        """Return how a scale is computed; raises NstError if it does not fit in any tiles."""
        job = job.in_phase(scale)
        found = self._fitting(job, scale)
        if found is None:
            raise NstError(self._refusal(job, scale))
        is_limited = self.limit and (not found.tile or self.limit < found.tile)
        if is_limited and self.limit < max(scale.shape):
            limited = self._plan(job, scale, self.limit)
            memory = replace(limited.memory, history=found.memory.history)
            return replace(limited, memory=memory)
        return found

    def plans(self, job: Job) -> list[Plan]:
        """Return the plan of each scale of a job."""
        # The last scale first: if it does not fit, its size is the one that the user asked for.
        return [self.plan(job, scale) for scale in job.scales[::-1]][::-1]

    def short_histories(self, job: Job) -> list[str]:
        """Return a sentence for each scale at which L-BFGS stores fewer steps than it would."""
        sentences = []
        for scale, plan in zip(job.scales, self.plans(job), strict=True):
            wanted = min(job.in_phase(scale).recipe.history, scale.steps)
            if plan.memory.past_step and plan.memory.history < wanted:
                sentences.append(
                    f"At {max(scale.shape)} pixels there is memory for {plan.memory.history} "
                    f"of the {wanted} past steps that L-BFGS would store."
                )
        return sentences

    def sharing(self, job: Job, scale: Scale) -> Processes:
        """Return the processes that share the tiles of a scale; only this one for few rows."""
        rows = scale.shape[0] // self.processes.count
        is_tiled = can_be_tiled(job.in_phase(scale))
        return self.processes if is_tiled and rows >= LEAST_ROWS else ALONE

    def smaller(self, job: Job, scale: Scale, tile: int, error: BaseException) -> int:
        """Return a smaller tile after memory has run out; raise the error if there is none."""
        tile = tile or max(scale.shape)
        half = 1 << math.floor(math.log2(tile * 3 / 4))
        # Processes that do not know of the error would wait for this one for ever.
        all_know = self.processes.count == 1 or isinstance(error, SharedOutOfMemory)
        if half < MIN_TILE or not can_be_tiled(job.in_phase(scale)) or not all_know:
            raise error
        release(self.device)
        self.limit = half
        if not self.processes.rank:
            self.tell(f"Out of memory; the run goes on in tiles of {half} pixels.")
        return half

    def state(self) -> dict[str, int]:
        """Return what the plans depend on."""
        return {"limit": self.limit, "free": self.free}

    def load_state(self, state: Mapping[str, int], job: Job) -> bool:
        """Plan as in a state, so that the results are the same; False if memory does not allow."""
        own, self.free, self.limit = self.free, state["free"], state["limit"]
        fits = max(plan.memory.bytes for plan in self.plans(job)) <= own
        if not fits:
            self.free = own
        return fits

    def _fitting(self, job: Job, scale: Scale) -> Plan | None:
        longest, asked, available = max(scale.shape), job.recipe.tile, self.free * SHARE
        if asked:
            return self._reduced(self._plan(job, scale, asked), available)
        plan = self._plan(job, scale, 0)
        if self._fits(plan, available):
            return plan
        plan = self._reduced(plan, available)
        if can_be_tiled(job):
            for tile in range((longest - 1) // 64 * 64, USUAL_TILE - 1, -64):
                plan = self._plan(job, scale, tile)
                if self._fits(plan, available):
                    return plan
            for tile in (USUAL_TILE, SMALLEST_TILE):
                plan = self._reduced(self._plan(job, scale, tile), available)
                if self._fits(plan, available):
                    return plan
        # Without a choice, a run may take all memory.
        return plan if self._fits(plan, self.free) else None

    def _fits(self, plan: Plan, available: float) -> bool:
        return plan.memory.bytes <= available and plan.memory.passes <= self.free_for_passes

    def _plan(self, job: Job, scale: Scale, tile: int) -> Plan:
        """Return the plan for a tile; one as large as the image means no tiles."""
        tile = tile if tile < max(scale.shape) else 0
        return Plan(tile, estimate_memory(job, scale, self.dtype, tile=tile))

    @staticmethod
    def _reduced(plan: Plan, available: float) -> Plan:
        """Return a plan with as many past steps as memory permits, at least `LEAST_HISTORY`."""
        memory = plan.memory
        if not memory.past_step:
            return plan
        left = available - replace(memory, history=0).bytes
        steps = max(LEAST_HISTORY, int(left // memory.past_step))
        return replace(plan, memory=replace(memory, history=min(memory.history, steps)))

    def _refusal(self, job: Job, scale: Scale) -> str:
        recipe, longest = job.recipe, max(scale.shape)
        is_tiled = can_be_tiled(job)
        least = self._reduced(self._plan(job, scale, SMALLEST_TILE if is_tiled else 0), 0)
        if is_tiled:
            how = f", even in tiles of {least.tile} pixels" if least.tile else ""
            is_lbfgs = recipe.optimizer == "lbfgs"
            other = "set `optimizer='adam'`, which takes less" if is_lbfgs else ""
        elif layers_of_own(job.own_losses):
            how, other = ", and `losses` of layers are not computed in tiles", ""
        else:
            losses = ", ".join(_in_one_piece(recipe))
            how = f", and the `style_loss` {losses} cannot be computed in tiles"
            other = f"choose another `style_loss`, such as {TILED_LOSSES[0]}"
        size = next(self._sizes_that_fit(job, scale), 0)
        cures = filter(None, [f"choose a `size` of {size} or less" if size else "", other])
        needed = memory_text(least.memory.bytes)
        cure = ", or ".join(cures) or "choose another `device`"
        return (
            f"An image of {longest} pixels needs about {needed} of memory on "
            f"{self.device}{how}, and {memory_text(self.free)} are free. "
            f"{cure[0].upper()}{cure[1:]}."
        )

    def _sizes_that_fit(self, job: Job, scale: Scale) -> Iterator[int]:
        longest = max(scale.shape)
        for size in range((longest - 1) // 64 * 64, 0, -64):
            factor = size / longest
            height, width = (max(1, round(side * factor)) for side in scale.shape)
            smaller = Scale(max(1, round(scale.longest * factor)), (height, width), scale.steps)
            if self._fitting(job, smaller) is not None:
                yield size


class AdaptiveObjective:
    """An objective that is computed in smaller tiles after memory has run out.

    `make` returns the objective for a tile, `smaller` returns a smaller tile or raises the error.
    """

    def __init__(
        self,
        make: Callable[[int], Objective],
        tile: int,
        smaller: Callable[[int, BaseException], int],
    ) -> None:
        self._make = make
        self._smaller = smaller
        self.tile = tile
        self._objective = with_less_memory(lambda: make(self.tile), self._take_less)
        self._first_state = self._objective.state()

    def begin_again(self) -> None:
        """Draw the random numbers of the first evaluations again, as a new objective does."""
        self._objective.load_state(self._first_state)

    def value_and_grad(self, image: Tensor) -> tuple[dict[str, float], Tensor]:
        """Return the weighted parts and the gradient of their sum by an image (1, 3, H, W)."""
        return with_less_memory(lambda: self._objective.value_and_grad(image), self._make_again)

    def with_fixed(self, image: Tensor) -> Tensor:
        """Return an image with the pixels in place that must not change."""
        return self._objective.with_fixed(image)

    def redraw(self) -> bool:
        """Draw random directions of losses again; return whether there are any."""
        return self._objective.redraw()

    def state(self) -> dict[str, Any]:
        """Return what the next evaluations depend on, besides the tile."""
        return self._objective.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of an equal objective in tiles of the same size."""
        self._objective.load_state(state)

    def _take_less(self, error: BaseException) -> None:
        self.tile = self._smaller(self.tile, error)

    def _make_again(self, error: BaseException) -> None:
        self._take_less(error)
        state = self._objective.state()
        del self._objective  # before the next one takes memory
        self._objective = with_less_memory(lambda: self._make(self.tile), self._take_less)
        self._objective.load_state(state)


def can_be_tiled(job: Job) -> bool:
    """Whether the losses of a job, of one phase, can be computed in tiles."""
    return not (_in_one_piece(job.recipe) or layers_of_own(job.own_losses))


def _in_one_piece(recipe: Recipe) -> list[str]:
    """Return the style losses of a recipe that cannot be computed in tiles."""
    losses = [term.style_loss for term in recipe.with_terms() if layer_weights(term, "style")]
    return [loss for loss in dict.fromkeys(losses) if loss not in TILED_LOSSES]


def work_of_step(job: Job, scale: Scale, tile: int) -> float:
    """Return the cost of a step, in pixels that the network reads forward and backward."""
    job = job.in_phase(scale)
    if not tile:
        return float(math.prod(scale.shape))
    grid = make_grid(scale.shape, tile, network_layers(job.recipe), job.recipe.padding)
    first, *others = (one.pixels for one in grid)
    # The first pass over a style is a forward pass, half of a step. The first tile needs only one.
    has_two_passes = any(
        layer_weights(term, "style")
        or (term.content_loss in SAMPLED_LOSSES and layer_weights(term, "content"))
        for term in job.recipe.with_terms()
    )
    return first + sum(others) * (1.5 if has_two_passes else 1.0)
