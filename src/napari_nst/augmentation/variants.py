"""Which style, weight and seed each variant of an image has."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from napari_nst.augmentation.pairs import Pair
from napari_nst.engine.job.input_image import InputImage
from napari_nst.recipe import Recipe
from napari_nst.recipe.suggest import shown

MOST = 10_000
"""Variants of one image."""

LARGEST_SEED = 2**31 - 1
"""That of a recipe."""


@dataclass(frozen=True, eq=False)
class Variant:
    """One picture to make."""

    name: str  # of its files, without their endings
    style_name: str
    style: InputImage
    recipe: Recipe  # with its style weight and its seed


@dataclass(frozen=True)
class Plan:
    """How the variants of every image are drawn, from a seed and the name of the image alone.

    An image thus keeps its variants when other images are added, and when more are made.
    """

    recipe: Recipe
    styles: Sequence[tuple[str, InputImage]]
    count: int
    weights: tuple[float, float]
    seed: int

    def names(self, pair: Pair) -> list[str]:
        """Return the names of the variants of an image."""
        # Their digits must not depend on the count: the names stay when more are made.
        return [f"{pair.name}_{number:02}" for number in range(1, self.count + 1)]

    def variants(self, pair: Pair) -> Iterator[Variant]:
        """Yield the variants of an image; styles take turns in an order of its own."""
        own = self.seed, zlib.crc32(pair.name.encode())
        order = np.random.default_rng(own).permutation(len(self.styles))
        low, high = np.log(self.weights)
        for number, name in enumerate(self.names(pair)):
            random = np.random.default_rng((*own, number))
            style_name, style = self.styles[order[number % len(order)]]
            # Evenly among logarithms: twice the weight is as large a change anywhere.
            weight = float(f"{math.exp(random.uniform(low, high)):.4g}")
            seed = int(random.integers(LARGEST_SEED, endpoint=True))
            recipe = self.recipe.replace(style_weight=weight, seed=seed)
            yield Variant(name, style_name, style, recipe)


def checked_weights(given: Any) -> tuple[float, float]:
    """Return the smallest and the largest style weight; one number is both."""
    several = given if isinstance(given, (tuple, list)) else (given, given)
    numbers = [float(one) if isinstance(one, Real) else math.nan for one in several]
    if len(numbers) == 2 and 0 < numbers[0] <= numbers[1] < math.inf:
        return numbers[0], numbers[1]
    raise ValueError(
        "`style_weights` must be the smallest and the largest weight, such as (1, 4), both above "
        f"0; not {given!r}."
    )


def checked_count(name: str, given: Any, least: int, most: int) -> int:
    """Return a whole number between two."""
    is_whole = isinstance(given, (int, np.integer)) and not isinstance(given, bool)
    if not is_whole or not least <= given <= most:
        raise ValueError(
            f"`{name}` must be a whole number from {least} to {most}; not {shown(given)}."
        )
    return int(given)
