"""The commands that run a job: stylize, synthesize, reconstruct, sweep."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_nst.cli.batch import is_batch, run_each
from napari_nst.cli.ensemble import ensemble_options, run_ensemble, take_ensemble_options
from napari_nst.cli.options import FILE, job_command, stack_options
from napari_nst.cli.request import Request, read_style
from napari_nst.cli.run import run
from napari_nst.cli.stack import is_stack, run_stack, take_stack_options
from napari_nst.cli.terminal import input_errors
from napari_nst.engine.job.build import (
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.input_image import relative_pixels
from napari_nst.recipe import CONTROLS
from napari_nst.recipe.fields import Control
from napari_nst.recipe.grid import SMALL, parse_values, swept

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

content_argument = click.argument("content", type=FILE, required=False, metavar="CONTENT")
style_argument = click.argument("style", type=FILE, nargs=-1, metavar="STYLE...")
layers_option = click.option(
    "--layers", metavar="LAYER,…",
    help="The layers of --compare, such as conv1_1,relu4_2.  [default: the first convolution of "
    "each block]",
)  # fmt: skip


@job_command("stylize")
@content_argument
@style_argument
@click.option(
    "--style", "style_files", type=FILE, multiple=True, metavar="STYLE",
    help="A style; give it once for each. All arguments are contents then. Several contents need a "
    "folder as --output, and each picture gets the name of its content.",
)  # fmt: skip
@click.option(
    "--each-style", is_flag=True,
    help="Make a picture in each STYLE instead of blending them; --output is a folder.",
)  # fmt: skip
@click.option(
    "--pixel-size", "pixel_sizes", multiple=True, metavar="LENGTH,…",
    help="Length of a pixel's side in CONTENT, then in each STYLE, in one unit, such as 0.5,0.25; "
    "implies --style-sizing physical. Sizes in the files are ignored.",
)  # fmt: skip
@click.option(
    "--guide", type=FILE, metavar="LABELS",
    help="Labels of CONTENT's pixels, a PNG or TIFF of integers: each region above 0 takes "
    "the style of its label, 0 takes none.",
)  # fmt: skip
@click.option(
    "--style-guide", "style_guides", type=FILE, multiple=True, metavar="LABELS",
    help="Labels of a STYLE's pixels; give it once for each STYLE. Without it, a single STYLE "
    "serves every label, and the first of several serves label 1, and so on.",
)  # fmt: skip
@click.option(
    "--keep-unlabelled", is_flag=True,
    help="Leave pixels of label 0 exactly as they are; implies --size 0.",
)  # fmt: skip
@stack_options
def stylize(
    request: Request,
    content: Path | None,
    style: Sequence[Path],
    style_files: Sequence[Path],
    each_style: bool,
    **options: Any,
) -> int:
    """Paint CONTENT in the style of another image, or of several.

    Files are PNG, JPEG, TIFF, WebP, GIF, BMP or AVIF; a STYLE can also be a style target, which
    'napari-nst target' makes of many images. The result has the channels of CONTENT: grey
    stays grey, and alpha is kept. Ctrl-C writes the image of the last step.

    Example:  napari-nst stylize photo.jpg painting.jpg -o painted.png

    Several contents:  napari-nst stylize *.png --style painting.jpg -o painted/

    A stack:  napari-nst stylize cells.ome.tif painting.jpg -o painted.zarr --slices 0:10
    """
    of_stack = take_stack_options(request, options)
    with input_errors():
        if options["pixel_sizes"]:
            request.imply("pixel-size", "style_sizing", "physical")
        if options["keep_unlabelled"]:
            request.imply("keep-unlabelled", "size", 0)
    contents = [path for path in (content, *(style if style_files else ())) if path]
    styles = style_files or style
    if is_stack(request):
        with input_errors():
            of_stack["pixel_sizes"] = _sizes(options.pop("pixel_sizes"))
        options["each_style"] = each_style
        return run_stack(request, "stylize_stack", contents, styles, of_stack, options)
    if not each_style and not is_batch(request, contents, bool(style_files)):
        return _stylize(request, content, styles, **options)
    with input_errors():
        if options["guide"]:
            raise ValueError("--guide is for a single content. Leave it out, or give a file.")
        relative_pixels(_sizes(options["pixel_sizes"]) or None, 1 if each_style else len(styles))
        for path in styles:
            read_style(path, request.limits, request.page, request.channel)
    return run_each(
        request, contents, styles, each_style,
        lambda own, path, group: _stylize(own, path, group, **options),
    )  # fmt: skip


def _stylize(
    request: Request,
    content: Path | None,
    style: Sequence[Path],
    pixel_sizes: Sequence[str],
    guide: Path | None,
    style_guides: Sequence[Path],
    keep_unlabelled: bool,
) -> int:
    """Stylize one content."""
    with input_errors():
        images = request.read(labels=[guide, *style_guides], content=[content], style=style)
        sizes = _sizes(pixel_sizes)
        if not (sizes or content or style):  # recorded sizes belong to recorded files
            sizes = request.recorded("pixel_sizes")
        labels = request.read_labels(guide, images["content"], "guide", "guide")
        of_styles = [
            request.read_labels(path, images["style"][index : index + 1])
            for index, path in enumerate(style_guides)
        ]
        job = order_to_stylize(
            images["content"][0], images["style"], request.recipe, request.start,
            sizes or None, labels, of_styles or None, keep_unlabelled,
        )  # fmt: skip
        request.outputs.check_size(job.full_shape)

    from napari_nst.engine import api

    return run(request, partial(api.start, job))


def _sizes(given: Sequence[str]) -> tuple[float, ...]:
    found: tuple[float, ...] = Control("", kind=tuple).parse("pixel_sizes", ",".join(given))
    return found


@job_command("synthesize")
@click.argument("exemplar", type=FILE, nargs=-1, metavar="EXEMPLAR...")
@click.option(
    "--shape", nargs=2, type=int, metavar="H W",
    help="Height and width of the texture; --size is the size of EXEMPLAR.  "
    "[default: as large as EXEMPLAR at --size]",
)  # fmt: skip
@click.option(
    "--into", type=FILE, metavar="IMAGE",
    help="Fill a region of IMAGE with the texture, seamlessly; without EXEMPLAR, with the texture "
    "around the region. All other pixels stay exactly as they are.",
)  # fmt: skip
@click.option(
    "--region", type=FILE, metavar="LABELS",
    help="Which pixels of --into to fill: those above 0 in a PNG or TIFF of integers.",
)  # fmt: skip
@click.option(
    "--exemplar-region", type=FILE, metavar="LABELS",
    help="Which pixels of EXEMPLAR to take the texture from, given like --region.",
)  # fmt: skip
@click.option(
    "--seamless", is_flag=True,
    help="Make a texture that tiles without a seam; implies --padding circular.",
)  # fmt: skip
@click.option(
    "--tile-preview", type=FILE, help="Also write the texture tiled 3 × 3, to look for seams."
)
@click.option(
    "--compare", type=click.Choice(["layers", "cumulative"]),
    help="Write a texture of each layer alone, or of each layer with all before it: a TIFF gets a "
    "page for each, PNG and JPEG a grid.",
)  # fmt: skip
@layers_option
@ensemble_options
def synthesize(
    request: Request,
    exemplar: Sequence[Path],
    shape: tuple[int, int] | None,
    into: Path | None,
    region: Path | None,
    exemplar_region: Path | None,
    seamless: bool,
    tile_preview: Path | None,
    compare: str | None,
    layers: str | None,
    **options: Any,
) -> int:
    """Make more of a texture: a new image with the statistics of EXEMPLAR, or fill a region.

    Several exemplars are blended. Files are as for stylize. Ctrl-C writes the image of the last
    step.

    Example:  napari-nst synthesize bricks.jpg -o wall.png --shape 512 1024

    Several seeds:  napari-nst synthesize bricks.jpg -o walls.zarr --seeds 8 --table walls.csv
    """
    of_seeds = take_ensemble_options(request, options)
    with input_errors():
        if seamless:
            request.imply("seamless", "padding", "circular")
    if is_stack(request):
        others = {
            "into": into, "region": region, "exemplar_region": exemplar_region,
            "tile_preview": tile_preview, "compare": compare, "layers": layers,
        }  # fmt: skip
        return run_ensemble(request, exemplar, shape, of_seeds, others)
    with input_errors():
        request.outputs.tile_preview = tile_preview
        compared = request.compare(compare, layers, varied="style_layers")
        roles: dict[str, Sequence[Path]] = {"exemplar": exemplar}
        if into or request.has_recorded("into"):
            roles = {"into": [into] if into else [], **roles}
        images = request.read(labels=[region, exemplar_region], **roles)
        if compared and "into" in images:
            raise ValueError("--compare does not go with --into. Leave out one of them.")
        into_image = images.get("into", [])
        to_fill = request.read_labels(region, into_image, "region", "filled_pixels")
        to_take = request.read_labels(
            exemplar_region, images["exemplar"], "exemplar-region", "exemplar_pixels"
        )
        shape = shape or request.recorded("shape")
        if not compared:
            job = order_to_synthesize(
                images["exemplar"] or None, request.recipe, shape, request.start,
                into_image[0] if into_image else None, to_fill, to_take,
            )  # fmt: skip
            request.outputs.check_size(job.full_shape)

    from napari_nst.engine import api
    from napari_nst.engine.compare import compare_textures

    start: Callable[..., Iterator[Iteration]]
    if compared:
        start = partial(
            compare_textures, images["exemplar"], request.recipe, shape=shape,
            layers=compared["layers"], cumulative=compared["compare"] == "cumulative",
        )  # fmt: skip
    else:
        start = partial(api.start, job)
    return run(request, start)


@job_command("reconstruct")
@click.argument("image", type=FILE, required=False, metavar="IMAGE")
@click.option(
    "--layer", metavar="LAYER",
    help="The layer to invert; implies --content-layers with this layer alone.",
)  # fmt: skip
@click.option(
    "--compare", is_flag=True,
    help="Invert one layer after another: a TIFF gets a page for each, PNG and JPEG a grid.",
)  # fmt: skip
@layers_option
@stack_options
def reconstruct(
    request: Request, image: Path | None, layer: str | None, compare: bool, layers: str | None,
    **options: Any,
) -> int:  # fmt: skip
    """Show what a layer keeps of IMAGE: find another image with the same features.

    Files are as for stylize. Ctrl-C writes the image of the last step.

    Example:  napari-nst reconstruct photo.jpg -o kept.png --layer relu4_2
    """
    of_stack = take_stack_options(request, options)
    with input_errors():
        if layer:
            request.imply("layer", "content_layers", layer)
    if is_stack(request):
        others, given = {"compare": compare, "layers": layers}, [image] if image else []
        return run_stack(request, "reconstruct_stack", given, [], of_stack, others)
    with input_errors():
        compared = request.compare("layers" if compare else None, layers, varied="content_layers")
        pixels = request.read(image=[image])["image"][0]
        if not compared:
            job = order_to_reconstruct(pixels, request.recipe, request.start)
            request.outputs.check_size(job.full_shape)

    from napari_nst.engine import api
    from napari_nst.engine.compare import compare_reconstructions

    start: Callable[..., Iterator[Iteration]]
    if compared:
        start = partial(compare_reconstructions, pixels, request.recipe, layers=compared["layers"])
    else:
        start = partial(api.start, job)
    return run(request, start)


@job_command(
    "stylize",
    "sweep",
    defaults=SMALL,
    without=("depth", "animation", "animation_every", "save_every"),
)
@content_argument
@style_argument
@click.option(
    "--vary", multiple=True, metavar="FIELD=VALUE,…",
    help="A field of the recipe and its values, such as style_weight=2,4,8; semicolons separate "
    "sets of layers. Give it once or twice: the rows, then the columns of the grid.",
)  # fmt: skip
def sweep(
    request: Request, content: Path | None, style: Sequence[Path], vary: Sequence[str]
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
            raise ValueError(
                "--vary is missing. Give it a field and values, such as style_weight=2,4,8."
            )
        if not request.like:
            request.fields = {**SMALL, **request.fields}
        request.outputs.comparison = {"sweep": axes}
        swept(request.recipe, axes)
        images = request.read(content=[content], style=style)

    from napari_nst.engine import api
    from napari_nst.engine.sweep import sweep as engine_sweep

    def start(**watched: Any) -> Iterator[Iteration]:
        paint = partial(
            api.stylize, images["content"][0], images["style"], init_image=request.start, **watched
        )
        return engine_sweep(paint, request.recipe, axes)

    return run(request, start)


def _axes(request: Request, vary: Sequence[str]) -> dict[str, list[Any]]:
    axes: dict[str, list[Any]] = {}
    for text in vary:
        field, equals, values = text.partition("=")
        name = field.strip().replace("-", "_")
        if not equals:
            raise ValueError(
                f"--vary must be a field and values, such as style_weight=2,4,8; not {text!r}."
            )
        if name in axes:
            raise ValueError(f"--vary names {name} twice. Give all its values at once.")
        axes[name] = parse_values(name, values)
        if name in CONTROLS and name in request.fields:
            flag = name.replace("_", "-")
            raise ValueError(
                f"--vary {name} and --{flag} contradict each other. Leave out one of them."
            )
    return axes
