"""What a run will take: memory told from its network, time from two short steps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from napari_nst.engine.device import describe_device
from napari_nst.engine.distributed import Processes
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import least_side, network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.run.targets import RunSetup
from napari_nst.engine.tiling.grid import Grid
from napari_nst.engine.tiling.memory_estimate import Footprint, amount, peak_bytes

SIDES = {"cpu": (256, 512, 768)}
"""Kind of device → pixels of squares as large as the picture that is timed, of which the largest
that a run is long enough for is taken: of a larger one a pixel takes less time. 1024 for others,
which take no longer for a smaller one."""

WORTH, WORTH_MORE = 15, 60
"""How many times as long as two steps of the smallest of these a run is, at least, for them to be
worth the wait, and how many times as long as those of a larger one."""

FORWARD = 0.5
"""Share of the way forward in a step: kernels have no gradient, so the way back is as long."""

Planned = tuple[Scale, int, Footprint]

Key = tuple[object, ...]

_PACES: dict[Key, float] = {}
"""What has been measured by this process: seconds per pixel of a step."""


@dataclass(frozen=True)
class Forecast:
    """What a run will take.

    Attributes
    ----------
    bytes : int
        Memory at its peak, beside what the process has taken before the run.
    seconds : float or None
        From its first step to its last; None for one that is over before it could be measured.
    tile : int
        Longest side in pixels of the tiles of its last scale; 0 where that is computed whole.
    device : str
        Where it computes.
    on_host : bool
        Whether the picture lies in the host's memory because the device's would not hold it.
    on_disk : int
        Bytes of a disk, where the host's memory would not hold the picture either.
    processes : int
        How many divide it at its last scale, of which each takes so much memory.
    """

    bytes: int
    seconds: float | None
    tile: int
    device: str
    on_host: bool = False
    on_disk: int = 0
    processes: int = 1

    def __str__(self) -> str:
        takes = [] if self.seconds is None else [_duration(self.seconds)]
        each = f" in each of {self.processes} processes" if self.processes > 1 else ""
        tiles = f", in tiles of {self.tile} pixels" if self.tile else ""
        where = ", with the picture in the host's memory" if self.on_host else ""
        if self.on_disk:
            where = f", with the picture on disk ({amount(self.on_disk)})"
        takes.append(f"{amount(self.bytes)}{each}")
        return f"About {' and '.join(takes)} on {self.device}{tiles}{where}."

    def facts(self) -> dict[str, Any]:
        """Return the same as data that JSON can hold."""
        return asdict(self)


def forecast(assembly: RunSetup, plan: Sequence[Planned]) -> Forecast:
    """Foretell a run, after two steps on a small picture unless such were measured before.

    Parameters
    ----------
    assembly : Assembly
        Of the run; its tile and its objective have to be made again afterwards.
    plan : sequence of (Scale, int, Footprint)
        Each scale, the tile that it is computed in and what that takes.
    """
    order, network = assembly.order, assembly.network
    work = sum(_work(order, scale, tile, taken.parts) for scale, tile, taken in plan)
    last, tile, _ = plan[-1]
    pace = _pace(assembly, work, tile or max(last.shape))
    seen = max(math.prod(min(one or side, side) for side in scale.shape) for scale, one, _ in plan)
    return Forecast(
        bytes=network.kernel_bytes(seen) + peak_bytes([taken for *_, taken in plan]),
        seconds=None if pace is None else pace * work,
        tile=tile,
        device=describe_device(network.device),
        on_host=assembly.device != network.device,
        on_disk=max(taken.disk for *_, taken in plan),
        processes=plan[-1][2].parts,
    )


def work_of_step(order: Job, scale: Scale, tile: int, parts: int = 1) -> float:
    """Return what a step costs, in pixels that the network sees on the way forth and back.

    Parameters
    ----------
    order : Order
        What the run does.
    scale : Scale
        Where it is.
    tile : int
        Longest side of a tile; 0 for the whole picture.
    parts : int
        How many processes divide it.
    """
    recipe = order.recipe
    if not tile and parts == 1:
        return float(math.prod(scale.shape))
    processes = Processes(0, parts)
    grid = Grid.of(scale.shape, tile, network_layers(recipe), recipe.padding, processes)
    first, *others = (one.rows.length * one.columns.length for one in grid)
    # Of the first tile the second pass has what the first one has computed.
    return first + sum(others) * (1 + FORWARD * recipe.has_style)


def _work(order: Job, scale: Scale, tile: int, parts: int) -> float:
    """Return what a scale costs: its start, its steps, and its targets, which go forth alone."""
    given = [fit.shape for fit in order.fits(scale)]
    if order.content is not None:
        given.append(scale.shape)
    targets = FORWARD * sum(math.prod(shape) for shape in given)
    # A line search looks at one more point, mostly, before the step's own.
    looks = 2 if order.recipe.optimizer == "lbfgs" and order.recipe.line_search else 1
    return (1 + looks * scale.steps) * work_of_step(order, scale, tile, parts) + targets / parts


def _pace(assembly: RunSetup, work: float, most: int) -> float | None:
    """Return the seconds that a pixel of a step takes, None if the run is too short to ask.

    What is timed is no larger than what the run sees at once, which memory has room for.
    """
    sides = SIDES.get(assembly.network.device.type, (1024,))
    larger = [side for side in sides[1:] if work >= WORTH_MORE * 3 * side**2 and side <= most]
    scale = _small(assembly.order, max(larger, default=sides[0]))
    pixels = math.prod(scale.shape)
    key = (*_key(assembly), scale.shape)
    if key not in _PACES:
        if work < WORTH * 3 * pixels:
            return None
        try:
            _PACES[key] = _seconds_of_step(assembly, scale) / pixels
        except ValueError:  # a region that is too small to be seen in so small a picture
            return None
    return _PACES[key]


def _small(order: Job, side: int) -> Scale:
    """Return the last scale, shrunk to a square's pixels, which are soon computed."""
    last = order.scales[-1]
    least = least_side(order.recipe)
    factor = side / math.sqrt(math.prod(last.shape))
    factor = min(1.0, max(factor, least / min(last.shape)))
    height, width = (max(least, round(length * factor)) for length in last.shape)
    return Scale(max(1, round(last.longest * factor)), (height, width), 2)


def _key(assembly: RunSetup) -> Key:
    """Return what a step's time depends on."""
    recipe, network = assembly.recipe, assembly.network
    guides = assembly.order.guides
    return (
        *(
            str(network.device),
            str(assembly.device),
            torch.get_num_threads(),
            network.dtype,
            network.quick,
            tuple(network.layers),
        ),
        *(recipe.pooling, recipe.padding, recipe.style_loss, len(guides.labels) if guides else 0),
    )


def _seconds_of_step(assembly: RunSetup, scale: Scale) -> float:
    """Return what the second of two steps takes; the first has to find its memory and kernels."""
    assembly.tile = 0
    objective = assembly.objective_at(scale)
    image = assembly.first_image(scale.shape)
    for _ in range(2):
        began = time.perf_counter()
        pixels = image.clone().requires_grad_()
        total = torch.stack(list(objective(pixels).values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        total.detach().item()  # a GPU has done it only then
        seconds = time.perf_counter() - began
    return seconds


def _duration(seconds: float) -> str:
    """Write a time that is not known exactly: ``48 s``, ``4 min``, ``2.1 h``."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    if seconds < 99.5 * 60:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
