"""The commands that make many small pictures to choose from: sweep, explore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_nst.cli.options import FILE, job_command, own_option
from napari_nst.cli.outputs import Outputs
from napari_nst.cli.request import Request, split
from napari_nst.cli.run import run
from napari_nst.cli.terminal import input_errors
from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.grid import SMALL, parse_values, swept
from napari_nst.recipe.layer_names import (
    EXPLORED_LAYERS,
    EXPLORED_SIZE,
    EXPLORED_STEPS,
    canonical_layer,
)

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration


@job_command("stylize", "sweep", defaults=SMALL, without=("depth", "animation", "animation_every"))
@click.argument("content", type=FILE, required=False, metavar="CONTENT")
@click.argument("style", type=FILE, nargs=-1, metavar="STYLE...")
@own_option(
    "--vary", multiple=True, metavar="FIELD=VALUE,…",
    help="A field of the recipe and its values, such as style_weight=2,4,8; semicolons separate "
    "sets of layers. Give it once or twice: the rows, then the columns of the grid.",
)  # fmt: skip
def sweep(
    request: Request, content: Path | None, style: tuple[Path, ...], vary: Sequence[str]
) -> int:
    """Stylize CONTENT with every combination of a few settings.

    At most 64 small pictures are made. A PNG or JPEG gets a labelled grid, a TIFF a page for each
    picture. Files are as for stylize. Ctrl-C writes the pictures so far.

    Example:  napari-nst sweep photo.jpg painting.jpg -o grid.png --vary style_weight=2,8,32
    --vary size=96,192
    """
    with input_errors():
        axes = _axes(request, vary) or request.recorded("sweep")
        if not axes:
            raise ValueError("--vary says what to sweep, such as style_weight=2,4,8; give it.")
        if not request.like:
            request.fields = {**SMALL, **request.fields}
        request.outputs.comparison = {"sweep": axes}
        swept(request.recipe, axes)
        (image,), styles = request.read(content=[content] if content else [], style=style)

    from napari_nst.engine import sweep as sweeps
    from napari_nst.engine.api import stylize

    def start(**watched: Any) -> Iterator[Iteration]:
        paint = partial(stylize, image, styles, init_image=request.start, **watched)
        return sweeps.sweep(paint, request.recipe, axes)

    return run(request, start)


@click.command()
@click.argument("image", type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True,
    help="File to write: PNG and JPEG get a labelled grid, a TIFF a page for each picture.",
)  # fmt: skip
@click.option(
    "--layers", metavar="LAYER,…",
    help="The layers, such as relu1_1,relu4_2.  [default: the 16 ReLU layers and the pools]",
)  # fmt: skip
@click.option(
    "--size", default=EXPLORED_SIZE, show_default=True, help="Longest side of each in pixels."
)
@click.option("--steps", default=EXPLORED_STEPS, show_default=True, help="Iterations of each.")
@click.option("--weights", default=Recipe.weights, show_default=True, help="The network.")
@click.option("--device", default=Recipe.device, show_default=True, help="Where to compute.")
def explore(image: Path, output: Path, layers: str | None, **fields: Any) -> int:
    """Show what each layer of the network keeps of IMAGE.

    Each layer gets a small reconstruction, which shows what the layer keeps as a content layer, and
    a texture, which shows what it adds as a style layer. Ctrl-C writes the pictures so far.

    Example:  napari-nst explore photo.jpg -o layers.png
    """
    with input_errors():
        given = split(layers) if layers is not None else EXPLORED_LAYERS
        names = [canonical_layer(name) for name in given]
        outputs = Outputs(output, comparison={"explore": names})
        request = Request("reconstruct", outputs, fields)
        ((pixels,),) = request.read(image=[image])

    from napari_nst.engine.sweep import explore_layers

    return run(request, partial(explore_layers, pixels, layers=names, **fields))


def _axes(request: Request, vary: Sequence[str]) -> dict[str, list[Any]]:
    axes: dict[str, list[Any]] = {}
    for text in vary:
        field, equals, values = text.partition("=")
        name = field.strip().replace("-", "_")
        if not equals:
            raise ValueError(f"--vary must be such as style_weight=2,4,8; not {text!r}.")
        if name in axes:
            raise ValueError(f"--vary names {name} twice; give all its values at once.")
        axes[name] = parse_values(name, values)
        if name in CONTROLS and name in request.fields:
            flag = name.replace("_", "-")
            raise ValueError(f"--vary {name} and --{flag} contradict; leave out one of them.")
    return axes
