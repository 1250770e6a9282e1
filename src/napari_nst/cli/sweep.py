"""The commands that make many small pictures to choose from: sweep, explore."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_nst.cli.options import FILE, JOB, job_command
from napari_nst.cli.outputs import Results
from napari_nst.cli.request import Request
from napari_nst.cli.run import run
from napari_nst.cli.sections import SectionOption
from napari_nst.cli.terminal import about_input
from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.layer_names import (
    EXPLORED_LAYERS,
    EXPLORED_SIZE,
    EXPLORED_STEPS,
    canonical_layer,
)
from napari_nst.recipe.sweep_axes import SMALL, parse_values, swept

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering
    from napari_nst.engine.vgg.weights import Progress


@job_command(
    "stylize",
    "sweep",
    defaults=SMALL,
    without=("depth", "animation", "animation_every"),
)
@click.argument("content", type=FILE, required=False, metavar="CONTENT")
@click.argument("style", type=FILE, nargs=-1, metavar="STYLE...")
@click.option(
    "--vary", cls=SectionOption, section=JOB, multiple=True, metavar="FIELD=VALUE,…",
    help="A field of the recipe and its values, such as style_weight=2,4,8; layers with semicolons "
    "between. Give it once, or twice: the first goes down the rows of the grid, the second along.",
)  # fmt: skip
def sweep(
    request: Request, content: Path | None, style: tuple[Path, ...], vary: Sequence[str]
) -> int:
    """Stylize CONTENT with every combination of a few settings.

    The pictures are small and soon done, and at most 64. A PNG or JPEG gets them as one labelled
    grid, a TIFF a page for each. Files are as for stylize. Ctrl-C writes the pictures so far.

    Such as:  napari-nst sweep photo.jpg painting.jpg -o grid.png --vary style_weight=2,8,32
    --vary size=96,192
    """
    with about_input():
        axes = _axes(request, vary) or request.recorded("sweep")
        if not axes:
            raise ValueError("--vary says what to sweep, such as style_weight=2,4,8; give it.")
        if not request.like:
            request.fields = {**SMALL, **request.fields}
        request.results.comparison = {"sweep": axes}
        swept(request.recipe, axes)
        (image,), styles = request.read(content=[content] if content else [], style=style)

    from napari_nst.engine import api as jobs
    from napari_nst.engine import sweep as sweeps

    def begin(progress: Progress, steering: Steering) -> Iterator[Iteration]:
        def paint(recipe: Recipe) -> Iterator[Iteration]:
            return jobs.stylize(
                image, styles, recipe,
                init_image=request.start, progress=progress, steering=steering,
            )  # fmt: skip

        return sweeps.sweep(paint, request.recipe, axes)

    return run(request, begin)


@click.command()
@click.argument("image", type=FILE)
@click.option(
    "-o", "--output", type=FILE, required=True,
    help="File to write: PNG and JPEG get a labelled grid, a TIFF a page for each picture.",
)  # fmt: skip
@click.option(
    "--layers", metavar="LAYER,…",
    help="Which, such as relu1_1,relu4_2.  [default: each of the 16 after its rectifier, and the "
    "pools]",
)  # fmt: skip
@click.option(
    "--size", default=EXPLORED_SIZE, show_default=True, help="Longest side of each in pixels."
)
@click.option("--steps", default=EXPLORED_STEPS, show_default=True, help="Iterations of each.")
@click.option("--weights", default=Recipe.weights, show_default=True, help="The network.")
@click.option("--device", default=Recipe.device, show_default=True, help="Where to compute.")
def explore(image: Path, output: Path, layers: str | None, **fields: Any) -> int:
    """Show what each layer of the network knows of IMAGE.

    For each layer alone there is a small reconstruction, which is what it keeps as a content
    layer, and a texture, which is what it adds as a style layer. Ctrl-C writes the pictures so far.

    Such as:  napari-nst explore photo.jpg -o layers.png
    """
    with about_input():
        given = layers.replace(",", " ").split() if layers is not None else EXPLORED_LAYERS
        names = [canonical_layer(name) for name in given]
        results = Results(output, depth=None, log=None, tensorboard=None)
        results.comparison = {"explore": names}
        request = Request(
            job="reconstruct", command=click.get_current_context(), fields=fields,
            preset_or_file=None, like=None, convert=False, init_image=None, results=results,
        )  # fmt: skip
        ((subject,),) = request.read(image=[image])

    from napari_nst.engine import sweep as sweeps

    return run(
        request,
        lambda progress, steering: sweeps.explore_layers(
            subject, layers=names, progress=progress, steering=steering, **fields
        ),
    )


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
