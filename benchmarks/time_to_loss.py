"""The time until an image has the final loss of the textbook loop.

Three programs minimise the objective of our default recipe: the textbook loop with its own learning
rate for 300 steps, the same loop with a tuned rate, and our default recipe over its scales. The
loops log their own loss. Our run keeps every image with its time; the loop's objective, in float32
at full size, evaluates these images afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import napari_nst as nst
from benchmarks import textbook
from benchmarks.machine import name_of, precision, wait_for
from benchmarks.rows import NotMeasured, Row
from benchmarks.setting import Setting, images, tensors, weights
from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.recipe import Recipe


@dataclass(frozen=True)
class Snapshot:
    """An image of a run, float32 (H, W, 3) in [0, 1], and its time in seconds."""

    seconds: float
    image: NDArray[np.float32]


def to_textbook_loss(setting: Setting) -> Iterator[Row]:
    """Time to the textbook's final loss ÷ its time, at its own learning rate and at a tuned one."""
    size, steps = (96, 12) if setting.quick else (384, 300)
    # Later phases have other losses than those that the textbook minimises.
    recipe = nst.preset("default", size=size, phases=(), device=str(setting.device))
    if setting.quick:
        recipe = recipe.replace(steps=20)
    losses, seconds = textbook_run(setting, recipe, textbook.LEARNING_RATE, steps)
    goal = losses[-1]
    tuned_losses, tuned_seconds = textbook_run(
        setting, recipe, textbook.TUNED_LEARNING_RATE, steps, until=goal
    )
    snapshots = our_run(recipe)
    found, best = first_below(
        goal, snapshots, plain_objective(setting, recipe), size, setting.device
    )
    reached = tuned_losses[-1] <= goal
    yield _row(setting, size, goal, textbook.LEARNING_RATE, seconds[-1], found, best, 1 / 6)
    yield _row(
        setting, size, goal, textbook.TUNED_LEARNING_RATE, tuned_seconds[-1] if reached else None,
        found, best, 0.4,
    )  # fmt: skip


def _row(
    setting: Setting, size: int, goal: float, rate: float, textbooks: float | None,
    found: Snapshot | None, best: float, at_most: float,
) -> Row:  # fmt: skip
    row = Row(
        what=f"time to loss {goal:.3f} ÷ textbook's at rate {rate:g}, our default recipe",
        size=size,
        device=str(setting.device),
        precision=name_of(precision(setting.device)),
        at_most=at_most,
    )
    if found is None:
        return replace(row, remark=f"our lowest loss was {best:.3f}")
    if textbooks is None:
        return replace(row, remark="the textbook loop did not reach this loss at this rate")
    return replace(row, ours=found.seconds, other=textbooks)


def textbook_run(
    setting: Setting, recipe: Recipe, rate: float, steps: int, until: float = -np.inf
) -> tuple[list[float], list[float]]:
    """Run the textbook loop on a recipe's objective; return losses and seconds step by step.

    Time starts before the targets are computed. A step reports the loss of the image that it starts
    from, and the seconds are those at which this image was complete.
    """
    network = textbook.Network(weights(), setting.device, recipe.padding)
    content, style = tensors(recipe.size, setting.device)
    wait_for(setting.device)
    began = time.perf_counter()
    objective = textbook.default_objective(network, content, style, recipe)
    losses: list[float] = []
    seconds = [0.0]
    for loss, _ in textbook.descend(objective, content, rate):
        losses.append(loss)
        if loss <= until or len(losses) > steps:
            return losses, seconds
        seconds.append(time.perf_counter() - began)
    raise NotMeasured("the textbook loop ended")  # it never does


def plain_objective(setting: Setting, recipe: Recipe) -> textbook.Objective:
    """Return the objective in plain float32."""
    network = textbook.Network(weights(), setting.device, recipe.padding)
    return textbook.default_objective(network, *tensors(recipe.size, setting.device), recipe)


def our_run(recipe: Recipe) -> list[Snapshot]:
    """Run a recipe to its end and keep every image; only its own seconds count."""
    return [Snapshot(it.seconds, it.image) for it in nst.stylize(*images(recipe.size), recipe)]


def first_below(
    goal: float,
    snapshots: list[Snapshot],
    objective: textbook.Objective,
    size: int,
    device: torch.device,
) -> tuple[Snapshot | None, float]:
    """Return the first snapshot whose loss at full size reaches the goal, and the best loss seen.

    For a coarser scale, only its last image is evaluated, enlarged.
    """
    best = np.inf
    for now, later in zip(snapshots, [*snapshots[1:], None], strict=True):
        is_last = later is None or later.image.shape != now.image.shape
        if max(now.image.shape) < size and not is_last:
            continue
        pixels: Tensor = resize(to_tensor(now.image, device), (size, size)).clamp(0, 1)
        with torch.no_grad():
            loss = float(objective(pixels))
        best = min(best, loss)
        if loss <= goal:
            return now, best
    return None, best
