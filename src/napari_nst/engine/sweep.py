"""One run repeated with other settings, as images in a grid: sweeps, and all layers explored."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from napari_nst.engine.compare import Panel, alone_at, checked_layers, in_turn, panels_of
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import order_to_reconstruct, order_to_synthesize
from napari_nst.engine.job.input_image import ImageLike, Known, read_input, reading_once
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.weights import Progress
from napari_nst.recipe import Recipe, preset
from napari_nst.recipe.grid import Axes, Cell, Grid, swept, value_words
from napari_nst.recipe.layer_names import EXPLORED_LAYERS, EXPLORED_SIZE, EXPLORED_STEPS

Begin = Callable[[Recipe], Iterator[Iteration]]
"""Starts a run with a recipe, such as ``lambda recipe: stylize(content, style, recipe)``."""

_LONGEST_ROW = 5
"""How many images of a single axis are placed in one row, before they are wrapped into rows."""

_LONGEST_WORDS = 60
"""Characters of a value in a heading; longer ones would spread the pictures far apart."""

_EXPLORED_TV_WEIGHT = 20.0
"""Weight of total variation for explored layers. A deep layer hardly constrains fine detail, and
without it the few steps would leave the noise of the initial image."""


def sweep(run: Begin, recipe: Recipe, axes: Axes) -> Iterator[Iteration]:
    """Run a job with every combination of some values of one or two fields of a recipe.

    Parameters
    ----------
    run : callable
        Takes a recipe and calls `stylize`, `synthesize` or `reconstruct` with it. It is called for
        each recipe before this function returns, which checks all arguments, and again when it is
        the image's turn. An array that it hands over more than once is read the first time only. A
        `Steering` that it passes to all of them can stop the whole sweep.
    recipe : Recipe
        The other settings: best a small size and few steps, ``preset(size=128, steps=40)``.
    axes : mapping of str to sequence
        One or two fields of `Recipe` and the values of each, such as
        ``{"style_weight": [2, 8], "size": [96, 128]}``; at most 64 images. The first field changes
        from row to row of the grid, the second within each row.

    Returns
    -------
    iterator of Iteration
        Of all images in turn, row by row; `Iteration.panel` is the index of an image in
        `Iteration.panels`. Their sizes may differ. In `Iteration.facts`, ``recipe`` is that of the
        image, ``arguments["sweep"]`` has the axes, and ``grid`` the place and the settings of each
        image, for `napari_nst.recipe.grid.Grid.from_dict`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `run`; also if a field or a value cannot be used, or there are too many.

    Examples
    --------
    >>> begin = lambda recipe: nst.stylize(content, style, recipe)  # doctest: +SKIP
    >>> for it in nst.sweep(begin, nst.preset(size=128, steps=40), {"style_weight": [2, 8]}):
    ...     print(it.panels[it.panel], it.step)  # doctest: +SKIP
    """
    recipes = swept(recipe, axes)
    inputs: Known = {}

    def begin(recipe: Recipe) -> Iterator[Iteration]:
        with reading_once(inputs):
            return run(recipe)

    for one in recipes:
        begin(one)  # checks the arguments; not kept, because it holds the guides in memory
    settings = [{name: one.to_dict()[name] for name in axes} for one in recipes]
    grid = _table(settings)
    panels = [
        Panel(cell.label, one.steps, partial(begin, one))
        for cell, one in zip(grid.cells, recipes, strict=True)
    ]
    values = {name: _unique([one[name] for one in settings]) for name in axes}
    return in_turn(panels, {"grid": grid.to_dict()}, {"sweep": values})


def explore_layers(
    image: ImageLike,
    *,
    layers: Sequence[str] = EXPLORED_LAYERS,
    size: int = EXPLORED_SIZE,
    steps: int = EXPLORED_STEPS,
    progress: Progress | None = None,
    steering: Steering | None = None,
    **fields: Any,
) -> Iterator[Iteration]:
    """Show what each layer of the network represents of an image: a reconstruction and a texture.

    Both are made from each layer alone, like those of `compare_reconstructions` and
    `compare_textures`, but small and with few steps. The textures are not cumulative as in Gatys et
    al. 2015, figure 2: they show the contribution of a single layer.

    Parameters
    ----------
    image : array-like
        As the content of `stylize`.
    layers : sequence of str
        The layers, in the order in which they are shown.
    size, steps : int
        Longest side in pixels, and iterations, of each image.
    progress, steering
        As for `compare_reconstructions`. Errors are those of `reconstruct` and `synthesize`.
    **fields
        Fields of `Recipe` for all images, such as ``weights``, ``pooling`` or ``device``.

    Returns
    -------
    iterator of Iteration
        As from `sweep`: two images for each layer, the reconstruction first. The settings of an
        image are its ``content_layers`` or its ``style_layers``.
    """
    names = checked_layers(layers)
    fields = {"tv_weight": _EXPLORED_TV_WEIGHT, **fields, "size": size, "steps": steps}
    reconstruction = preset("reconstruction", **fields)
    texture = preset("texture", **{"min_size": 0, **fields})
    pixels, grid = read_input(image, "image"), _by_block(names)
    jobs = {
        cell.label: order_to_reconstruct(pixels, alone_at(reconstruction, **cell.settings))
        if "content_layers" in cell.settings
        else order_to_synthesize(pixels, alone_at(texture, **cell.settings))
        for cell in grid.cells
    }
    facts = {"grid": grid.to_dict()}
    return in_turn(panels_of(jobs, progress, steering), facts, {"explore": names})


def _table(settings: Sequence[Mapping[str, Any]]) -> Grid:
    """Return the grid of a sweep: a table of two fields, or the values of one field in rows."""
    values = {name: _unique([own[name] for own in settings]) for name in settings[0]}
    words = [[_heading(name, own[name], values[name]) for name in own] for own in settings]
    labels = [" · ".join(both) for both in words]
    if len(words[0]) == 1:
        both = zip(labels, settings, strict=True)
        cells = [Cell(label, caption=label, settings=own) for label, own in both]
        count = len(cells)
        return Grid.wrapped(cells, count if count <= _LONGEST_ROW else math.ceil(math.sqrt(count)))
    rows, columns = (_unique(headings) for headings in zip(*words, strict=True))
    cells = [
        Cell(label, rows.index(down), columns.index(along), settings=own)
        for label, (down, along), own in zip(labels, words, settings, strict=True)
    ]
    return Grid(tuple(rows), tuple(columns), tuple(cells))


def _heading(name: str, value: Any, among: Sequence[Any]) -> str:
    """Return a field and its value; which of all values it is if its text is long, such as JSON."""
    words = value_words(value) or "none"
    if len(words) > _LONGEST_WORDS:
        words = f"{among.index(value) + 1} of {len(among)}"
    return f"{name} {words}"


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
    return [value for index, value in enumerate(values) if value not in values[:index]]
