"""A job as a widget orders it: what to run, and where its result belongs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_nst.recipe import Recipe
from napari_nst.viewer.placing import Place
from napari_nst.viewer.stream import Progress
from napari_nst.viewer.values import Values

if TYPE_CHECKING:
    from napari_nst.engine.optimize import Iteration


@dataclass(frozen=True)
class Job:
    """What a widget asks for when Run is pressed.

    Attributes
    ----------
    name : str
        Of the layer to come.
    place : Place
        Where it lies.
    values : Values
        What its numbers mean.
    recipe : Recipe
        What to do.
    names : tuple of str
        What the images are called, in the order in which the engine gets them.
    start : callable
        Called in the worker thread; returns the iterations.
    keep_dtype : bool
        Whether the layer's numbers are of the type that `values` come from.
    afterwards : callable, optional
        Called with the layer when the run has ended with a picture.
    """

    name: str
    place: Place
    values: Values
    recipe: Recipe
    names: tuple[str, ...]
    start: Callable[[Progress], Iterator[Iteration]]
    keep_dtype: bool = False
    afterwards: Callable[[Any], None] | None = None
