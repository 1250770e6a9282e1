"""An estimate of what a run takes: memory from a model, time from two steps on a small image."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from napari_nst.engine.device import describe_device
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import least_side
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.run.phases import Setups, same_objective
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.tiling.budget import Plan, work_of_step
from napari_nst.engine.tiling.memory_estimate import memory_text

SIDE = {"cpu": 256}
"""Kind of device → side of a square with as many pixels as the image that is timed; 1024 on GPUs,
which need no less time for a smaller image."""

WORTH = 15
"""A run is timed if it takes at least so many times as long as the timing."""


@dataclass(frozen=True)
class Estimate:
    """What a run takes."""

    bytes: int  # memory at its peak, beyond what the process had before the run
    seconds: float | None  # of all steps; None for a run too short to be timed
    tile: int  # longest side in pixels of the tiles at the last scale; 0 for the whole image
    device: str
    on_host: bool = False  # whether the image is stored on the host, for lack of memory on a GPU
    processes: int = 1  # that share the tiles of the last scale
    rates: tuple[float, ...] = ()  # seconds per pixel of each phase's steps, if timed

    def __str__(self) -> str:
        takes = [] if self.seconds is None else [duration_text(self.seconds)]
        each = f" in each of {self.processes} processes" if self.processes > 1 else ""
        tiles = f", in tiles of {self.tile} pixels" if self.tile else ""
        where = ", with the image in the host's memory" if self.on_host else ""
        takes.append(f"{memory_text(self.bytes)}{each}")
        return f"About {' and '.join(takes)} on {self.device}{tiles}{where}."

    def metadata(self) -> dict[str, Any]:
        """Return the estimate as data that JSON can hold."""
        fields = asdict(self)
        rates = list(fields.pop("rates"))
        return fields | ({"rates": rates} if len(rates) > 1 else {})


def estimate_run(
    job: Job, plans: Sequence[Plan], setups: Setups, first: RunSetup, processes: int = 1
) -> Estimate:
    """Estimate a run, given the plan of each scale, and the setup of the first one."""
    each = [_work(job, scale, p.tile) for scale, p in zip(job.scales, plans, strict=True)]
    rates = _rates(job, setups, first, sum(each))
    scales = list(zip(job.scales, plans, each, strict=True))
    largest = max(
        math.prod(min(plan.tile or side, side) for side in scale.shape) for scale, plan, _ in scales
    )
    seconds = sum(work * rates[scale.phase] for scale, _, work in scales) if rates else 0.0
    return Estimate(
        bytes=first.network.kernel_bytes(largest) + max(plan.memory.bytes for plan in plans),
        seconds=seconds / processes if rates else None,
        tile=plans[-1].tile,
        device=describe_device(first.network.device),
        on_host=first.device != first.network.device,
        processes=processes,
        rates=tuple(rates.get(phase, 0.0) for phase in range(max(rates) + 1)) if rates else (),
    )


def _rates(job: Job, setups: Setups, first: RunSetup, work: float) -> dict[int, float]:
    """Return the seconds per pixel of a step of each phase; nothing for a run too short to time."""
    phases = {scale.phase: scale for scale in job.scales}
    rates: dict[int, float] = {}
    for phase, scale in phases.items():
        own = job.in_phase(scale)
        same = (one for one in rates if same_objective(job.in_phase(phases[one]), own))
        if (timed := next(same, None)) is not None:
            rates[phase] = rates[timed]
            continue
        setup = setups.at(job, scale, first) if rates else first
        rate = _time_step(setup, scale, work / len(phases))
        if rate is None:
            return {}
        rates[phase] = rate
    return rates


def _work(job: Job, scale: Scale, tile: int) -> float:
    """Return the cost of a scale in pixels: its start, its steps, and its targets."""
    job = job.in_phase(scale)
    targets = [fit.shape for fit in job.fits(scale)] + [scale.shape] * (job.content is not None)
    # A line search evaluates, in most cases, one more point than the step's own.
    evaluations = 2 if job.recipe.optimizer == "lbfgs" and job.recipe.line_search else 1
    steps = 1 + evaluations * scale.steps
    return steps * work_of_step(job, scale, tile) + sum(map(math.prod, targets)) / 2


def _time_step(setup: RunSetup, last: Scale, work: float) -> float | None:
    """Return the seconds per pixel of a step of a phase, given its last scale and its work.

    None if the phase is too short to be timed.
    """
    # Each run is timed, because the run before may have been timed on a busy machine.
    scale = _small_scale(setup.job, last, SIDE.get(setup.network.device.type, 1024))
    pixels = math.prod(scale.shape)
    if work < WORTH * 3 * pixels:
        return None
    try:
        return _seconds_of_step(setup, scale) / pixels
    except ValueError:  # a region is too small in so small an image
        return None


def _small_scale(job: Job, last: Scale, side: int) -> Scale:
    """Return a scale, shrunk to the pixels of a square."""
    least = least_side(job.recipe)
    factor = side / math.sqrt(math.prod(last.shape))
    factor = min(1.0, max(factor, least / min(last.shape)))
    height, width = (max(least, round(length * factor)) for length in last.shape)
    return Scale(max(1, round(last.longest * factor)), (height, width), 2)


def _seconds_of_step(setup: RunSetup, scale: Scale) -> float:
    """Return the time of the second of two steps; the first allocates memory and kernels."""
    objective = setup.objective(scale)
    image = setup.initial_image(scale.shape)
    for _ in range(2):
        began = time.perf_counter()
        objective.value_and_grad(image)
        seconds = time.perf_counter() - began
    return seconds


def duration_text(seconds: float) -> str:
    """Write an estimate of time: ``48 s``, ``4 min``, ``2.1 h``."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 99.5 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
