"""Seconds per iteration, the share of the machine's arithmetic that they use, and how cost grows.

At each size, steps of four programs alternate: the textbook, our `udacity` recipe (the same
objective), our default recipe, and a large matrix product in the number format of our recipes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from benchmarks import operations
from benchmarks.machine import matrix_products, name_of, precision
from benchmarks.rows import Row
from benchmarks.setting import Setting, alternating_seconds, our_steps, ours, textbook_steps

RECIPES = {"udacity": "the textbook's recipe", "default": "our default recipe"}
"""Preset → its name in the table."""


def per_iteration(setting: Setting) -> Iterator[Row]:
    """Seconds per iteration ÷ textbook's, and floating-point rate ÷ a matrix product's."""
    device, dtype = setting.device, precision(setting.device)
    side = 2048 if setting.quick else 4096
    for size in setting.sizes:
        recipes = {name: ours(name, size, device) for name in RECIPES}
        programs = {
            "textbook": textbook_steps(setting, size),
            **{name: our_steps(recipe) for name, recipe in recipes.items()},
            "product": matrix_products(side, dtype, device),
        }
        seconds = alternating_seconds(programs, setting.rounds(size), device)
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


def growth(setting: Setting) -> Iterator[Row]:
    """Cost per pixel at 2048 px ÷ at 512 px: 1 if cost is proportional to the number of pixels."""
    device = setting.device
    small, large = (128, 256) if setting.quick else (512, 2048)
    programs = {str(size): our_steps(ours("default", size, device)) for size in (small, large)}
    seconds = alternating_seconds(programs, setting.rounds(large), device)
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
