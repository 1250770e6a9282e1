"""One run again and again with other settings, as pictures in a grid: sweeps, layers explored."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from napari_nst.engine.api import reconstruct, synthesize
from napari_nst.engine.compare import Panel, in_turn
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.weights import Progress
from napari_nst.recipe import Recipe, preset
from napari_nst.recipe.grid import Cell, Grid
from napari_nst.recipe.layer_names import (
    EXPLORED_LAYERS,
    EXPLORED_SIZE,
    EXPLORED_STEPS,
    canonical_layer,
)
from napari_nst.recipe.sweep_axes import Axes, swept, value_words

Begin = Callable[[Recipe], Iterator[Iteration]]
"""Begins a job with a recipe, such as ``lambda recipe: stylize(content, style, recipe)``."""

_ONE_ROW = 5
"""How many pictures of a single axis stand beside each other before a second row begins."""

_AGAINST_GRAIN = 20.0
"""Weight of total variation for layers explored: what a deep layer does not see is as free as its
start, and so few steps would leave it as coloured grain over what the layer does see."""


def sweep(run: Begin, recipe: Recipe, axes: Axes) -> Iterator[Iteration]:
    """Run a job with every combination of a few values of one or two controls.

    Parameters
    ----------
    run : callable
        Takes a recipe and calls `stylize`, `synthesize` or `reconstruct` with it. It is called for
        each recipe before this returns, so that all input is checked, and again in its turn. A
        `Steering` that it hands to all of them can end the sweep within an iteration.
    recipe : Recipe
        What all pictures have in common: small and with few steps, ``preset(size=128, steps=40)``.
    axes : mapping of str to sequence
        One or two fields of `Recipe` and the values of each, such as
        ``{"style_weight": [2, 8], "size": [96, 128]}``; 64 pictures at the most. The first goes
        down the rows of the grid, the second along each.

    Returns
    -------
    iterator of Iteration
        Of all pictures in turn, row by row: `Iteration.panel` says which of `Iteration.panels` it
        belongs to. Their sizes may differ. In `Iteration.facts`, ``recipe`` is the one of this
        picture, ``arguments["sweep"]`` the axes, and ``grid`` where each picture stands and with
        which settings, as `napari_nst.recipe.grid.Grid.from_dict` reads it.

    Raises
    ------
    TypeError, ValueError
        If a field or a value cannot be used, there are too many, or as `run` raises.
    NstError
        While iterating, as from `run`.

    Examples
    --------
    >>> begin = lambda recipe: nst.stylize(content, style, recipe)  # doctest: +SKIP
    >>> for it in nst.sweep(begin, nst.preset(size=128, steps=40), {"style_weight": [2, 8]}):
    ...     print(it.panels[it.panel], it.step)  # doctest: +SKIP
    """
    recipes = swept(recipe, axes)
    for one in recipes:
        run(one)  # checks its input, and holds it: kept, it would be in memory once for each
    settings = [{name: one.to_dict()[name] for name in axes} for one in recipes]
    grid = _table(settings)
    values = {name: _unique([one[name] for one in settings]) for name in axes}
    panels = [
        Panel(cell.label, one.steps, _begun(run, one, {"sweep": values}))
        for cell, one in zip(grid.cells, recipes, strict=True)
    ]
    return in_turn(panels, {"grid": grid.to_dict()})


def explore_layers(
    image: ArrayLike,
    *,
    layers: Sequence[str] = EXPLORED_LAYERS,
    size: int = EXPLORED_SIZE,
    steps: int = EXPLORED_STEPS,
    progress: Progress | None = None,
    steering: Steering | None = None,
    **fields: Any,
) -> Iterator[Iteration]:
    """Show what each layer of the network knows of an image: a reconstruction and a texture of it.

    For each layer alone, as `compare_reconstructions` and `compare_textures` make them, but small
    and short. Textures of single layers, not cumulative ones as in Gatys et al. 2015, fig. 2: they
    show what the weight of that very layer adds. Total variation counts more than in either, so
    that few steps from noise show more than noise.

    Parameters
    ----------
    image : array-like
        As `stylize` takes it.
    layers : sequence of str
        Which, in the order in which to show them.
    size, steps : int
        Longest side in pixels, and iterations, of each picture.
    progress : callable, optional
        As for `stylize`.
    steering : Steering, optional
        As for `compare_reconstructions`.
    **fields
        Of `Recipe`, for both kinds of pictures, such as ``weights``, ``pooling`` or ``device``.

    Returns
    -------
    iterator of Iteration
        As from `sweep`: two pictures for each layer, the reconstruction first. The settings of one
        are the ``content_layers`` or the ``style_layers`` that it was made with.

    Raises
    ------
    TypeError, ValueError, NstError
        As `reconstruct` and `synthesize`; also if no layer is named, or one twice.
    """
    names = [canonical_layer(layer) for layer in layers]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"layers must name each once, and at least one; not {list(layers)}.")
    fields = {"tv_weight": _AGAINST_GRAIN, **fields, "size": size, "steps": steps}
    kept = preset("reconstruction", **fields)
    look = preset("texture", **{"min_size": 0, **fields})

    watched: dict[str, Any] = {"progress": progress, "steering": steering}

    def begin(settings: Mapping[str, Any]) -> Iterator[Iteration]:
        if "content_layers" in settings:
            return reconstruct(image, kept.replace(**settings), **watched)
        return synthesize(image, look.replace(**settings), **watched)

    grid = _by_block(names)
    explored = {"explore": names}
    panels = []
    for cell in grid.cells:
        begin(cell.settings)
        panels.append(Panel(cell.label, steps, _begun(begin, cell.settings, explored)))
    return in_turn(panels, {"grid": grid.to_dict()})


def _begun(
    run: Callable[[Any], Iterator[Iteration]], settings: Any, said: Mapping[str, Any]
) -> Iterator[Iteration]:
    """Begin a run when its turn comes, and add to its record what the whole was called with."""
    for step in run(settings):
        arguments = {**step.facts.get("arguments", {}), **said}
        yield replace(step, facts={**step.facts, "arguments": arguments})


def _table(settings: Sequence[Mapping[str, Any]]) -> Grid:
    """Return the grid of a sweep: a table of two fields, or one field's values in rows."""
    words = [[f"{name} {value_words(value)}" for name, value in own.items()] for own in settings]
    labels = [" · ".join(both) for both in words]
    if len(words[0]) == 1:
        alone = [
            Cell(label, caption=label, settings=own)
            for label, own in zip(labels, settings, strict=True)
        ]
        count = len(alone)
        return Grid.wrapped(alone, count if count <= _ONE_ROW else math.ceil(math.sqrt(count)))
    rows, columns = (_unique(headings) for headings in zip(*words, strict=True))
    cells = [
        Cell(label, rows.index(down), columns.index(along), settings=own)
        for label, (down, along), own in zip(labels, words, settings, strict=True)
    ]
    return Grid(tuple(rows), tuple(columns), tuple(cells))


def _by_block(layers: Sequence[str]) -> Grid:
    """Return a grid with a row for each block of the network, reconstructions left of textures."""
    blocks: dict[str, list[str]] = {}
    for layer in layers:
        block = next(letter for letter in layer if letter.isdigit())
        blocks.setdefault(block, []).append(layer)
    side = max(map(len, blocks.values()))
    cells = []
    for row, members in enumerate(blocks.values()):
        for column, layer in enumerate(members):
            for kind, field, shift in (
                ("reconstruction", "content_layers", 0),
                ("texture", "style_layers", side),
            ):
                own = {field: {layer: 1.0}}
                cells.append(Cell(f"{layer} {kind}", row, column + shift, layer, own))
    blank = ("",) * (side - 1)
    headings = ("content: image from one layer", *blank, "style: texture of one layer", *blank)
    return Grid(("",) * len(blocks), headings, tuple(cells))


def _unique(values: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
