"""The commands of the three jobs: stylize, synthesize, reconstruct."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from napari_nst.cli.options import FILE, job_command, own_option
from napari_nst.cli.request import Request, split
from napari_nst.cli.run import run
from napari_nst.cli.terminal import input_errors
from napari_nst.recipe.layer_names import COMPARED_LAYERS

layers_option = own_option(
    "--layers", metavar="LAYER,…",
    help="The layers of --compare, such as conv1_1,relu4_2.  [default: the first convolution of "
    "each block]",
)  # fmt: skip


@job_command("stylize")
@click.argument("content", type=FILE, required=False, metavar="CONTENT")
@click.argument("style", type=FILE, nargs=-1, metavar="STYLE...")
@own_option(
    "--pixel-size", "pixel_sizes", multiple=True, metavar="LENGTH,…",
    help="Length of a pixel's side in CONTENT, then in each STYLE, in one unit, such as 0.5,0.25; "
    "implies --style-sizing physical. Sizes in the files are ignored.",
)  # fmt: skip
@own_option(
    "--guide", type=FILE, metavar="LABELS",
    help="Labels of CONTENT's pixels, a PNG or TIFF of integers: each region above 0 takes "
    "the style of its label, 0 takes none.",
)  # fmt: skip
@own_option(
    "--style-guide", "style_guides", type=FILE, multiple=True, metavar="LABELS",
    help="Labels of a STYLE's pixels; give it once for each STYLE. Without it, a single STYLE "
    "serves every label, and the first of several serves label 1, and so on.",
)  # fmt: skip
@own_option(
    "--keep-unlabelled", is_flag=True,
    help="Leave pixels of label 0 exactly as they are; implies --size 0.",
)  # fmt: skip
def stylize(
    request: Request,
    content: Path | None,
    style: tuple[Path, ...],
    pixel_sizes: Sequence[str],
    guide: Path | None,
    style_guides: tuple[Path, ...],
    keep_unlabelled: bool,
) -> int:
    """Paint CONTENT in the style of another image, or of several.

    Files are PNG, JPEG or TIFF, of 8 or 16 bit or float. The result has the channels of CONTENT:
    grey stays grey, and alpha is kept. Ctrl-C writes the image of the last step.

    Example:  napari-nst stylize photo.jpg painting.jpg -o painted.png
    """
    with input_errors():
        if pixel_sizes:
            request.imply("pixel-size", "style_sizing", "physical")
        if keep_unlabelled:
            request.imply("keep-unlabelled", "size", 0)
        request.labels = [path for path in (guide, *style_guides) if path]
        (image,), styles = request.read(content=[content] if content else [], style=style)
        sizes = _floats("pixel-size", pixel_sizes)
        if sizes is None and not (content or style):  # recorded sizes belong to recorded files
            sizes = request.recorded("pixel_sizes")
        labels = request.read_labels(guide, "guide", "guide")
        of_styles = [request.read_labels(path, "style-guide", "") for path in style_guides]

    from napari_nst.engine.api import stylize as engine_stylize

    start = partial(
        engine_stylize, image, styles, request.recipe,
        init_image=request.start, pixel_sizes=sizes, guide=labels,
        style_guides=of_styles or None, keep_unlabelled=keep_unlabelled,
    )  # fmt: skip
    return run(request, start)


@job_command("synthesize")
@click.argument("exemplar", type=FILE, nargs=-1, metavar="EXEMPLAR...")
@own_option(
    "--shape", nargs=2, type=int, metavar="H W",
    help="Height and width of the texture; --size is the size of EXEMPLAR.  "
    "[default: as large as EXEMPLAR at --size]",
)  # fmt: skip
@own_option(
    "--into", type=FILE, metavar="IMAGE",
    help="Fill a region of IMAGE with the texture, seamlessly; without EXEMPLAR, with the texture "
    "around the region. All other pixels stay exactly as they are.",
)  # fmt: skip
@own_option(
    "--region", type=FILE, metavar="LABELS",
    help="Which pixels of --into to fill: those above 0 in a PNG or TIFF of integers.",
)  # fmt: skip
@own_option(
    "--exemplar-region", type=FILE, metavar="LABELS",
    help="Which pixels of EXEMPLAR to take the texture from, given like --region.",
)  # fmt: skip
@own_option(
    "--seamless", is_flag=True,
    help="Make a texture that tiles without a seam; implies --padding circular.",
)  # fmt: skip
@own_option(
    "--tile-preview", type=FILE, section="Files",
    help="Also write the texture tiled 3 × 3, to look for seams.",
)  # fmt: skip
@own_option(
    "--compare", type=click.Choice(["layers", "cumulative"]),
    help="Write a texture of each layer alone, or of each layer with all before it: a TIFF gets a "
    "page for each, PNG and JPEG a grid.",
)  # fmt: skip
@layers_option
def synthesize(
    request: Request,
    exemplar: tuple[Path, ...],
    shape: tuple[int, int] | None,
    into: Path | None,
    region: Path | None,
    exemplar_region: Path | None,
    seamless: bool,
    tile_preview: Path | None,
    compare: str | None,
    layers: str | None,
) -> int:
    """Make more of a texture: a new image with the statistics of EXEMPLAR, or fill a region.

    Several exemplars are blended. Files are as for stylize. Ctrl-C writes the image of the last
    step.

    Example:  napari-nst synthesize bricks.jpg -o wall.png --shape 512 1024
    """
    with input_errors():
        if seamless:
            request.imply("seamless", "padding", "circular")
        request.outputs.tile_preview = tile_preview
        compared = request.compare(compare, layers, varied="style_layers")
        request.labels = [path for path in (region, exemplar_region) if path]
        exemplars, image = request.read_texture(exemplar, into)
        if compared and image is not None:
            raise ValueError("--compare does not go with --into; leave out one of them.")
        to_fill = request.read_labels(region, "region", "filled_pixels")
        to_take = request.read_labels(exemplar_region, "exemplar-region", "exemplar_pixels")
        shape = shape or request.recorded("shape")

    from napari_nst.engine import api
    from napari_nst.engine import compare as comparisons

    if compared:
        assert exemplars is not None  # only --into goes without
        start = partial(
            comparisons.compare_textures, exemplars, request.recipe,
            layers=compared.setdefault("layers", list(COMPARED_LAYERS)),
            cumulative=compared["compare"] == "cumulative", shape=shape,
        )  # fmt: skip
    else:
        start = partial(
            api.synthesize, exemplars, request.recipe,
            shape=shape, into=image, region=to_fill, exemplar_region=to_take,
            init_image=request.start,
        )  # fmt: skip
    return run(request, start)


@job_command("reconstruct")
@click.argument("image", type=FILE, required=False, metavar="IMAGE")
@own_option(
    "--layer", metavar="LAYER",
    help="The layer to invert; implies --content-layers with this layer alone.",
)  # fmt: skip
@own_option(
    "--compare", is_flag=True,
    help="Invert one layer after another: a TIFF gets a page for each, PNG and JPEG a grid.",
)  # fmt: skip
@layers_option
def reconstruct(
    request: Request, image: Path | None, layer: str | None, compare: bool, layers: str | None
) -> int:
    """Show what a layer keeps of IMAGE: find another image with the same features.

    Files are as for stylize. Ctrl-C writes the image of the last step.

    Example:  napari-nst reconstruct photo.jpg -o kept.png --layer relu4_2
    """
    with input_errors():
        if layer:
            request.imply("layer", "content_layers", layer)
        compared = request.compare("layers" if compare else None, layers, varied="content_layers")
        ((pixels,),) = request.read(image=[image] if image else [])

    from napari_nst.engine import api
    from napari_nst.engine import compare as comparisons

    if compared:
        start = partial(
            comparisons.compare_reconstructions, pixels, request.recipe,
            layers=compared.setdefault("layers", list(COMPARED_LAYERS)),
        )  # fmt: skip
    else:
        start = partial(api.reconstruct, pixels, request.recipe, init_image=request.start)
    return run(request, start)


def _floats(option: str, texts: Sequence[str]) -> list[float] | None:
    """Read numbers that are given one by one or with commas between them."""
    parts = split(",".join(texts))
    try:
        return [float(part) for part in parts] or None
    except ValueError:
        raise ValueError(
            f"--{option} must be numbers such as 0.5,0.25; not {', '.join(parts)}."
        ) from None
