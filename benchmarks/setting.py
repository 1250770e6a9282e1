"""Device, sizes and sample images of a benchmark, and the timing of alternating steps."""

from __future__ import annotations

import statistics
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

import napari_nst as nst
from benchmarks import textbook
from benchmarks.machine import wait_for
from napari_nst.engine.images.convert import resize, to_array, to_tensor
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.weights import PretrainedVGG, load
from napari_nst.recipe import Recipe
from napari_nst.viewer.samples import content_and_style


@dataclass(frozen=True)
class Setting:
    """The device and the image sizes of a benchmark."""

    device: torch.device
    sizes: tuple[int, ...] = (256, 512, 1024)  # sides of the square images, in pixels
    quick: bool = False  # a short trial

    def rounds(self, size: int) -> int:
        """Return the number of timed steps: fewer for large images."""
        return 3 if self.quick else max(3, min(9, 2500 // size))


@cache
def weights() -> PretrainedVGG:
    """Return the pretrained network that all programs use."""
    return load(nst.preset("default").weights)


@cache
def images(size: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return the sample portrait and painting as float32 (size, size, 3), RGB in [0, 1]."""
    (content, *_), (style, *_) = content_and_style()
    sized = [
        to_array(resize(to_tensor(as_rgb(one, "image"), torch.device("cpu")), (size, size)))
        for one in (content, style)
    ]
    return sized[0], sized[1]


def tensors(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return `images` as tensors (1, 3, size, size)."""
    content, style = (to_tensor(image, device) for image in images(size))
    return content, style


def ours(preset: str, size: int, device: torch.device) -> Recipe:
    """Return a preset at one scale and in one phase, with the default pretrained network."""
    flavour = nst.preset("default").weights
    return nst.preset(preset, size=size, min_size=0, phases=(), weights=flavour, device=str(device))


def our_steps(recipe: Recipe) -> Iterator[Any]:
    """Run a recipe on `images` of its size, one step at each `next`."""
    return nst.stylize(*images(recipe.size), recipe)


def textbook_steps(setting: Setting, size: int) -> Iterator[Any]:
    """Run the textbook loop on `images`, one step at each `next`."""
    content, style = tensors(size, setting.device)
    network = textbook.Network(weights(), setting.device)
    yield from textbook.descend(textbook.udacity_objective(network, content, style), content)


def alternating_seconds(
    programs: Mapping[str, Iterator[Any]], rounds: int, device: torch.device
) -> dict[str, float]:
    """Time steps of several programs, alternating, and return the median seconds of each.

    The first step of each program, which includes its preparation, is not counted. All programs are
    closed.
    """
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with ExitStack() as endings:
        for program in programs.values():
            if isinstance(program, Generator):
                endings.enter_context(closing(program))
        for _ in range(1 + rounds):
            for name, program in programs.items():
                wait_for(device)
                began = time.perf_counter()
                next(program)
                wait_for(device)
                seconds[name].append(time.perf_counter() - began)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}
