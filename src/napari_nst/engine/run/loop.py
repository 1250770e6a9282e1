"""The loop over scales and steps: a generator of Iteration."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from torch import Tensor

from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.objective.objective import Objective, bands_of, summarise
from napari_nst.engine.optim.stepper import ImageOptimizer
from napari_nst.engine.run.banded import BandedImage
from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.shelf import MEMORY, Shelf


@dataclass(frozen=True, eq=False)
class Iteration:
    """One step of a run.

    Attributes
    ----------
    step, steps : int
        Number of this step, from 1, and of all steps over all scales.
    losses : dict of str to float
        ``total``, ``content``, ``style``, ``tv``, and each layer's part such as ``style/relu1_1``.
        Parts are weighted, and add up to the total. They are the losses of this very image, or,
        where a moving average is shown, of the step that went into it last.
    shape : tuple of int
        Height and width of the picture: what this step worked at, or, where a run works on a part
        of a picture alone, all of it.
    seconds : float
        Since the run began.
    seconds_left : float
        Until its end, estimated from the time per pixel so far: a step's cost grows with its area,
        and with what tiles overlap.
    pixels : Tensor
        The image where the run computes, (1, 3, H, W); `image` is what most callers want. Of
        several processes that divide it, the first has all rows, and others their own.
    alpha : Tensor or None
        (1, 1, H, W) in [0, 1], where the content had transparent pixels.
    is_grey : bool
        Whether the three channels are one.
    full_shape : tuple of int
        Height and width of the run's last scale.
    panel, panels : int, tuple of str
        Which of several pictures that are made in turn this is, and what they are called; empty
        for a single one.
    facts : mapping
        What is known of the run; see `record`.
    free : ndarray or None
        (H, W) bool: the pixels that the run may change, where it leaves all others as they are.
    shelf : Shelf
        Where `pixels` lie, and `image` will.
    """

    step: int
    steps: int
    losses: dict[str, float]
    shape: tuple[int, int]
    seconds: float
    seconds_left: float
    pixels: Tensor = field(repr=False)
    alpha: Tensor | None = field(default=None, repr=False)
    is_grey: bool = False
    full_shape: tuple[int, int] = (0, 0)
    panel: int = 0
    panels: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    free: np.ndarray[Any, np.dtype[np.bool_]] | None = field(default=None, repr=False)
    shelf: Shelf = field(default=MEMORY, repr=False)

    @cached_property
    def image(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The image as float32 (H, W, 3), RGB in [0, 1]: a copy that the caller owns.

        It is fetched from the device when first asked for, so that steps which nobody looks at
        cost no transfer.
        """
        return self.shelf.array(self.pixels)

    @cached_property
    def picture(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The image with the channels of the content: (H, W), (H, W, 3), or RGBA (H, W, 4)."""
        if self.is_grey and self.alpha is None:
            return np.ascontiguousarray(self.image[..., 0])
        if self.alpha is None:
            return self.image
        alpha = self.alpha.detach().cpu().numpy()[0, 0, :, :, None]
        return np.concatenate([self.image, alpha], axis=-1)

    def record(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return what made this image: recipe, inputs, weights, machine, versions, losses.

        Parameters
        ----------
        names : sequence of str
            What the inputs are called, in the order in which the caller gave them.

        Returns
        -------
        dict
            Plain data, as JSON can hold it.
        """
        inputs = {role: dict(facts) for role, facts in self.facts.get("inputs", {}).items()}
        for facts, name in zip(inputs.values(), names, strict=False):
            facts["name"] = name
        return {
            **self.facts,
            "inputs": inputs,
            "step": self.step,
            "steps": self.steps,
            "shape": list(self.shape),
            "seconds": round(self.seconds, 3),
            "losses": dict(self.losses),
        }


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
                full_shape=scales[-1].shape, shelf=stepper.shelf,
            )  # fmt: skip
        set_out.append(stepper.end())


def _enlarged(image: BandedImage, scale: Scale, own: Bands, shelf: Shelf, periodic: bool) -> Tensor:
    """Return the rows of an image at a scale that are this process's there."""
    resized = image.resized(scale.shape, own, shelf, periodic=periodic)
    return shelf.filled(resized.shape, lambda rows: resized[:, :, rows].clamp(0, 1))
