"""How much memory a run takes, told from its network and its recipe, and how much there is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from napari_nst.engine.device import has_amx
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import layer_weights, network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.tiling.feature_bytes import freed_bytes, held_bytes, up_to_deepest, width
from napari_nst.engine.tiling.spans import receptive_field
from napari_nst.recipe import Recipe

# Fitted to peaks of runs of the default recipe on processors with and without AMX, of 384 to 2048
# pixels, whole and in tiles, with L-BFGS and Adam.

LEFT = 0.5
"""How much of what the C library keeps is still there, in pieces of no use, at the next scale."""

IMAGES = 14
"""Float32 copies of the image's numbers: pixels, gradients, the best so far, the one shown, …"""

ON_DISK = 12
"""Of these, what is written to disk where the picture lies there."""

SHOWN = 2
"""Of these, what the first of several processes has of rows that are not its own: the picture that
it shows, and what others send of it."""

UNDER_WAY = 400_000_000
"""Bytes of memory for what is computed a part at a time where the picture lies on disk."""

OF_ANY_RUN, WITH_AMX, OF_ANOTHER_SHAPE = 140_000_000, 65_000_000, 50_000_000
"""Bytes that torch's libraries take when they first compute, more of them where the processor has
AMX, and for tiles of another shape."""

OWN_GROUP, GROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
"""Where Linux says which control group a process is in, and what groups may take."""


@dataclass(frozen=True)
class Footprint:
    """The bytes that a run takes at a scale, besides network and inputs.

    Attributes
    ----------
    picture : int
        What is as large as the picture: image, gradient, the optimiser's state, targets.
    passes : int
        The way through the network and back: of a tile, or of the whole picture.
    past_step : int
        Each past step that L-BFGS remembers; 0 for Adam.
    past_steps : int
        How many of them.
    parts : int
        How many processes divide the picture; all numbers are what the first of them takes.
    beside : int or None
        Where the picture lies on disk, and past steps with it, what of a run's images is in memory
        all the same; else None.
    freed : int
        What of `passes` is memory that the C library keeps after them.
    """

    picture: int
    passes: int
    past_step: int
    past_steps: int
    parts: int = 1
    beside: int | None = None
    freed: int = 0

    @property
    def bytes(self) -> int:
        """All of it that is in memory."""
        libraries = OF_ANY_RUN + WITH_AMX * has_amx()
        images = self._large if self.beside is None else self.beside
        return libraries + self.passes + images

    @property
    def disk(self) -> int:
        """All of it that is on disk."""
        return 0 if self.beside is None else self._large

    @property
    def is_on_disk(self) -> bool:
        """Whether the picture lies there."""
        return self.beside is not None

    @property
    def _large(self) -> int:
        return self.picture + self.past_step * self.past_steps


def footprint(
    order: Job,
    scale: Scale,
    dtype: torch.dtype,
    *,
    tile: int = 0,
    is_grey: bool = False,
    parts: int = 1,
    on_disk: bool = False,
) -> Footprint:
    """Return what a scale of a run takes.

    Parameters
    ----------
    order : Order
        What the run does.
    scale : Scale
        Where it is.
    dtype : torch.dtype
        Of the network.
    tile : int
        Longest side of a tile; 0 for the whole picture at once.
    is_grey : bool
        Whether the optimiser has one number per pixel instead of three.
    parts : int
        How many processes divide the rows of the picture.
    on_disk : bool
        Whether it lies on disk.
    """
    recipe, pixels = order.recipe, math.prod(scale.shape)
    own = math.ceil(pixels / parts)
    numbers = own * (1 if is_grey else 3)
    styles = [math.prod(fit.shape) for fit in order.fits(scale)]
    images = numbers * ((ON_DISK if on_disk else IMAGES) + 2 * bool(recipe.ema))
    images += 3 * own * (order.content is not None)
    images += 3 * SHOWN * (pixels - own)
    content = own * width(layer_weights(recipe, "content"))
    # Mostly a style is added up; else the features of all styles are there at once.
    are_seen = not (tile or parts > 1 or order.needs_only_moments)
    of_styles = sum(styles) * width(layer_weights(recipe, "style")) if are_seen else 0.0
    seen = _seen(scale.shape, tile, recipe, parts)
    held, freed = held_bytes(recipe, dtype, seen), freed_bytes(dtype, seen)
    # Those in the middle overlap on two sides, those at a border on one.
    shapes = math.prod(2 if tile and math.ceil(side / tile) > 2 else 1 for side in scale.shape)
    beside = 12 * sum(styles) + (shapes - 1) * OF_ANOTHER_SHAPE
    # What `ContentLoss` squares at once, to know its target's energy.
    squares = content / 8 * 4
    return Footprint(
        picture=round(4 * images + content * dtype.itemsize + (0 if on_disk else beside)),
        passes=round(max(held + freed, of_styles * dtype.itemsize)),
        past_step=_past_step(recipe) * numbers,
        past_steps=min(recipe.history, scale.steps),
        parts=parts,
        beside=round(beside + squares + UNDER_WAY) if on_disk else None,
        freed=round(freed),
    )


def peak_bytes(scales: Sequence[Footprint]) -> int:
    """Return the most that a run has in memory at any of its scales, which come in turn."""
    left = [0, *(round(LEFT * scale.freed) for scale in scales)]
    return max(scale.bytes + before for scale, before in zip(scales, left, strict=False))


def free_bytes(device: torch.device) -> int:
    """Return how much memory a device has left for this process."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + cached)
    return round(min(psutil.virtual_memory().available, _left_of_limit()))


def _seen(shape: tuple[int, int], tile: int, recipe: Recipe, parts: int) -> int:
    """Return how many pixels the network sees of the largest tile, its overlaps included."""
    overlap = receptive_field(up_to_deepest(network_layers(recipe))[-1])
    own = (math.ceil(shape[0] / parts), shape[1])
    return math.prod(
        min(side, math.ceil(length / math.ceil(length / (tile or length))) + 2 * overlap)
        for side, length in zip(shape, own, strict=True)
    )


def _past_step(recipe: Recipe) -> int:
    """Return how many bytes of each number L-BFGS keeps of a past step."""
    if recipe.optimizer != "lbfgs":
        return 0
    return 8 if recipe.line_search else 4  # in float32 or bfloat16, a step and a gradient's change


def _left_of_limit() -> float:
    """Return what a container's or a batch job's limit leaves; infinite where there is none."""
    try:
        _, _, own = OWN_GROUP.read_text(encoding="ascii").partition("0::/")
        group = GROUPS / own.splitlines()[0]
        limit = (group / "memory.max").read_text(encoding="ascii").strip()
        used = int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, IndexError, ValueError):
        return math.inf  # another system, or an older Linux
    return math.inf if limit == "max" else max(0, int(limit) - used)


def amount(count: float) -> str:
    """Write an amount of memory that is not known exactly: ``810 MB``, ``2.1 GB``."""
    return f"{count / 1e9:.1f} GB" if count >= 0.995e9 else f"{max(10, round(count / 1e7) * 10)} MB"
