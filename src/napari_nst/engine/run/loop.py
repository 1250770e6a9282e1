"""The loop over scales and steps: a generator of Iteration."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.objective.objective import Objective, bands_of, summarise
from napari_nst.engine.optim.stepper import ImageOptimizer
from napari_nst.engine.run.banded import BandedImage
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.shelf import Shelf


def optimize(
    start: Tensor | BandedImage,
    scales: Sequence[Scale],
    objective_at: Callable[[Scale], Objective],
    stepper: ImageOptimizer,
    *,
    periodic: bool = False,
    steered: Callable[[Scale], tuple[Tensor, Objective] | None] | None = None,
    after: Iteration | None = None,
    work_at: Callable[[Scale], float] = lambda scale: math.prod(scale.shape),
) -> Iterator[Iteration]:
    """Improve an image scale after scale and yield every step.

    Parameters
    ----------
    start : Tensor or BandedImage
        Image to start from, (1, 3, H, W) in [0, 1], or what this process has of it.
    scales : sequence of Scale
        Coarse to fine.
    objective_at : callable
        Computes the targets of a scale; called once for each.
    stepper : Stepper
        What makes a step; it carries its own state across scales.
    periodic : bool
        Whether the image tiles, and is carried from scale to scale so.
    steered : callable, optional
        Called before each step; returns the image and the objective to go on with, None where
        nothing has changed.
    after : Iteration, optional
        The last of an earlier run, from which steps and seconds are counted on.
    work_at : callable
        Returns what a step of a scale costs, in any unit; its pixels where left out.

    Yields
    ------
    Iteration
        After each step. Closing the generator ends the run.
    """
    began = time.perf_counter()
    step, before = (after.step, after.seconds) if after else (0, 0.0)
    steps = step + sum(scale.steps for scale in scales)
    done = 0.0
    # From there the next scale sets out; taken out, since a large picture is a large copy.
    set_out = [BandedImage.whole(start) if isinstance(start, Tensor) else start]
    del start
    for index, scale in enumerate(scales):
        work = work_at(scale)
        later = sum(one.steps * work_at(one) for one in scales[index + 1 :])
        objective = objective_at(scale)
        own = bands_of(objective, scale.shape[0])
        image = _enlarged(set_out.pop(), scale, own, stepper.shelf, periodic)
        stepper.begin(image, objective)
        del image, objective  # whose targets the stepper alone may have
        for taken in range(1, scale.steps + 1):
            if steered is not None and (changed := steered(scale)) is not None:
                stepper.begin(*changed)
            losses = summarise(stepper.step())
            step += 1
            done += work
            seconds = time.perf_counter() - began
            left = seconds * (later + work * (scale.steps - taken)) / done
            yield Iteration(
                step, steps, losses, scale.shape, before + seconds, left, stepper.image,
                full_shape=scales[-1].shape,
            )  # fmt: skip
        set_out.append(stepper.end())


def _enlarged(image: BandedImage, scale: Scale, own: Bands, shelf: Shelf, periodic: bool) -> Tensor:
    """Return the rows of an image at a scale that are this process's there."""
    resized = image.resized(scale.shape, own, shelf, periodic=periodic)
    return shelf.filled(resized.shape, lambda rows: resized[:, :, rows].clamp(0, 1))
