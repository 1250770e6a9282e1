"""The seeds of an ensemble, each of them a slice of a stack."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, SupportsIndex

import numpy as np

from napari_nst.engine.job.build import order_to_synthesize
from napari_nst.recipe import CONTROLS
from napari_nst.recipe.suggest import shown
from napari_nst.stacks.places import Place, Places
from napari_nst.stacks.slice_job import SliceInputs, SliceJob
from napari_nst.stacks.source import Axis
from napari_nst.stacks.store import SEED

if TYPE_CHECKING:
    from napari_nst.engine.job.job import Job

MOST = 10_000
"""Seeds of one ensemble."""


def checked_seeds(seeds: int | Sequence[int], first: int) -> tuple[int, ...]:
    """Return the seeds: so many from the first on, or those given."""
    largest = int(CONTROLS["seed"].maximum)
    numbers: tuple[int, ...] = ()
    # True would be 1. Those of NumPy have an index, too.
    with suppress(TypeError):
        if isinstance(seeds, bool):
            pass
        elif isinstance(seeds, SupportsIndex):
            numbers = tuple(range(first, first + min(operator.index(seeds), MOST + 1)))
        else:
            numbers = tuple(operator.index(one) for one in seeds)
    if (
        not 1 <= len(numbers) <= MOST
        or len(set(numbers)) < len(numbers)
        or not 0 <= min(numbers) <= max(numbers) <= largest
    ):
        raise ValueError(
            f"`seeds` must be how many, from 1 to {MOST}, or different seeds from 0 to {largest}, "
            f"such as [3, 17]; not {shown(seeds)}."
        )
    return numbers


@dataclass(frozen=True)
class SeedPlaces(Places):
    """One slice for each seed."""

    seeds: tuple[int, ...] = ()

    @classmethod
    def of(cls, seeds: tuple[int, ...]) -> SeedPlaces:
        """Return the slices of seeds; positions along their axis are seeds, if evenly spaced."""
        steps = set(np.diff(seeds).tolist()) or {1}
        step = steps.pop() if len(steps) == 1 else 0
        axis = Axis(SEED, len(seeds))
        if step > 0:
            axis = Axis(SEED, len(seeds), float(step), float(seeds[0]))
        return cls((axis,), {SEED: range(len(seeds))}, (SEED,), seeds=seeds)

    def label(self, place: Place) -> str:
        """Return the seed in words, such as ``seed=3``."""
        return f"{SEED}={self.seeds[place[0]]}"


@dataclass(frozen=True, eq=False)
class SeedJob(SliceJob):
    """What all seeds have in common; the inputs of each are its seed."""

    shape: tuple[int, int] | None = None  # of the texture

    def order(self, inputs: SliceInputs) -> Job:
        """Return the checked job of a seed."""
        recipe = self.recipe.replace(seed=int(inputs.content))
        return order_to_synthesize(list(self.styles), recipe, self.shape)
