"""Seconds per iteration, the share of the machine's arithmetic that they use, and how cost grows.

Each size is one contest of four: the textbook, our `udacity` recipe (the same objective), our
default recipe, and a large matrix product in the format that ours takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any
from unittest.mock import patch

import torch

from benchmarks import operations
from benchmarks.contest import Setting, our_steps, ours, seconds_by_turns, textbook_steps
from benchmarks.machine import matrix_products, name_of, precision
from benchmarks.rows import NotMeasured, Row
from napari_nst.engine.run import replay
from napari_nst.recipe import Recipe

SETTLED = replay.EAGER + replay.TRIALS
"""Steps after which an objective is replayed, if it ever is."""

RECIPES = {"udacity": "the textbook's recipe", "default": "our default recipe"}
"""Our presets that are timed, and what the table calls them."""


def per_iteration(setting: Setting) -> Iterator[Row]:
    """Seconds per iteration ÷ textbook's, and floating-point rate ÷ a matrix product's."""
    device, dtype = setting.device, precision(setting.device)
    side = 2048 if setting.quick else 4096
    for size in setting.sizes:
        recipes = {name: ours(name, size, device) for name in RECIPES}
        contestants = {
            "textbook": textbook_steps(setting, size),
            **{name: our_steps(recipe) for name, recipe in recipes.items()},
            "product": matrix_products(side, dtype, device),
        }
        seconds = seconds_by_turns(contestants, setting.rounds(size), device)
        fastest = 2 * side**3 / seconds["product"]
        common: dict[str, Any] = {"size": size, "device": str(device), "precision": name_of(dtype)}
        work = {n: operations.of_iteration(r, size, size) for n, r in recipes.items()}
        for name, recipe_text in RECIPES.items():
            yield Row(
                what=f"iteration ÷ textbook's, {recipe_text}",
                ours=seconds[name],
                other=seconds["textbook"],
                at_most=goal_per_iteration(device, dtype),
                limit=work[name] / fastest / seconds["textbook"],
                **common,
            )
        for name, recipe_text in RECIPES.items():
            yield Row(
                what=f"rate of an iteration ÷ of a matrix product, {recipe_text}",
                unit="GFLOP/s",
                ours=work[name] / seconds[name] / 1e9,
                other=fastest / 1e9,
                at_least=0.7,
                limit=1.0,
                **common,
            )


def goal_per_iteration(device: torch.device, dtype: torch.dtype) -> float:
    """Return what share of the textbook's time an iteration may take."""
    if device.type != "cpu":
        return 0.5
    return 0.85 if dtype == torch.float32 else 0.45


def graphs(setting: Setting) -> Iterator[Row]:
    """Seconds per iteration ÷ without CUDA graphs, of pictures so small that launches may count."""
    device = setting.device
    if device.type != "cuda":
        raise NotMeasured("CUDA devices alone have graphs")
    for size in (256, 512):
        recipe = ours("default", size, device)
        contestants = {"with": our_steps(recipe), "without": steps_without_graphs(recipe)}
        for steps in contestants.values():
            list(islice(steps, SETTLED))
        seconds = seconds_by_turns(contestants, setting.rounds(size), device)
        yield Row(
            what="iteration ÷ without CUDA graphs, our default recipe",
            size=size,
            device=str(device),
            precision=name_of(precision(device)),
            ours=seconds["with"],
            other=seconds["without"],
            at_most=1.05,
        )


def steps_without_graphs(recipe: Recipe) -> Iterator[Any]:
    """Run a recipe of one scale as `our_steps` does, but for CUDA graphs."""
    steps = our_steps(recipe)
    with patch.object(replay, "recorder_on", lambda device: None):
        first = next(steps)  # when it is decided
    yield first
    yield from steps


def growth(setting: Setting) -> Iterator[Row]:
    """Cost per pixel at 2048 px ÷ at 512 px: 1 where cost grows as the picture does."""
    device = setting.device
    small, large = (128, 256) if setting.quick else (512, 2048)
    contestants = {str(size): our_steps(ours("default", size, device)) for size in (small, large)}
    seconds = seconds_by_turns(contestants, setting.rounds(large), device)
    yield Row(
        what=f"cost per megapixel at {large} px ÷ at {small} px, our default recipe",
        size=large,
        device=str(device),
        precision=name_of(precision(device)),
        ours=seconds[str(large)] / large**2 * 1e6,
        other=seconds[str(small)] / small**2 * 1e6,
        at_most=1.1,
        limit=1.0,
    )
