"""The commands of the three jobs: stylize, synthesize, reconstruct."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_nst.cli.options import FILE, FILES, JOB, job_command
from napari_nst.cli.request import Request
from napari_nst.cli.run import run
from napari_nst.cli.sections import SectionOption
from napari_nst.cli.terminal import about_input
from napari_nst.recipe.layer_names import COMPARED_LAYERS

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering
    from napari_nst.engine.vgg.weights import Progress


own_option = partial(click.option, cls=SectionOption, section=JOB)
layers_option = own_option(
    "--layers",
    metavar="LAYER,…",
    help="What --compare goes through, such as conv1_1,relu4_2.  [default: the first convolution "
    "of each block]",
)


@job_command("stylize")
@click.argument("content", type=FILE, required=False, metavar="CONTENT")
@click.argument("style", type=FILE, nargs=-1, metavar="STYLE...")
@own_option(
    "--pixel-size", "pixel_sizes", multiple=True, metavar="LENGTH,…",
    help="Length of a pixel's side in CONTENT, then in each STYLE, in one unit, such as 0.5,0.25: "
    "--style-sizing physical. Alike where left out, whatever the files say.",
)  # fmt: skip
@own_option(
    "--guide", type=FILE, metavar="LABELS",
    help="Labels of CONTENT's pixels, a PNG or TIFF of whole numbers: each region above 0 takes "
    "the style of its label, 0 takes none.",
)  # fmt: skip
@own_option(
    "--style-guide", "style_guides", type=FILE, multiple=True, metavar="LABELS",
    help="The same of each STYLE, once for each. Without, an only STYLE serves every label, and of "
    "several the first serves label 1, and so on.",
)  # fmt: skip
@own_option(
    "--keep-unlabelled", is_flag=True,
    help="Leave pixels of label 0 exactly as they are: --size 0.",
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

    Such as:  napari-nst stylize photo.jpg painting.jpg -o painted.png
    """
    with about_input():
        if pixel_sizes:
            request.imply("pixel-size", "style_sizing", "physical")
        if keep_unlabelled:
            request.imply("keep-unlabelled", "size", 0)
        request.labels = [path for path in (guide, *style_guides) if path]
        (image,), styles = request.read(content=[content] if content else [], style=style)
        sizes = _numbers("pixel_size", pixel_sizes)
        if sizes is None and not (content or style):  # those recorded are of the files recorded
            sizes = request.recorded("pixel_sizes")
        labels = request.read_labels(guide, "guide", "guide")
        of_styles = [request.read_labels(path, "style-guide", "") for path in style_guides]

    from napari_nst.engine import api as jobs

    return run(
        request,
        lambda progress, steering: jobs.stylize(
            image, styles, request.recipe,
            init_image=request.start, pixel_sizes=sizes, guide=labels,
            style_guides=of_styles or None, keep_unlabelled=keep_unlabelled, progress=progress,
            steering=steering,
        ),
    )  # fmt: skip


@job_command("synthesize")
@click.argument("exemplar", type=FILE, nargs=-1, metavar="EXEMPLAR...")
@own_option(
    "--shape",
    nargs=2,
    type=int,
    metavar="H W",
    help="Height and width of the texture, of any size; --size is that of EXEMPLAR.  "
    "[default: as large as EXEMPLAR at --size]",
)
@own_option(
    "--into", type=FILE, metavar="IMAGE",
    help="Fill a region of IMAGE with the texture, seamlessly; without EXEMPLAR, with that of what "
    "is around. All else stays exactly as it is.",
)  # fmt: skip
@own_option(
    "--region", type=FILE, metavar="LABELS",
    help="Which pixels of --into to fill: those above 0 in a PNG or TIFF of whole numbers.",
)  # fmt: skip
@own_option(
    "--exemplar-region", type=FILE, metavar="LABELS",
    help="The same of EXEMPLAR: the pixels whose texture is taken, instead of all.",
)  # fmt: skip
@own_option("--seamless", is_flag=True, help="Make it tile without a seam: --padding circular.")
@own_option(
    "--tile-preview",
    type=FILE,
    section=FILES,
    help="Also write the texture three times beside and below itself, to look for seams.",
)
@own_option(
    "--compare",
    type=click.Choice(["layers", "cumulative"]),
    help="Write a texture of each layer alone, or of each with those before it: a TIFF gets a page "
    "for each, PNG and JPEG a grid.",
)
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

    Such as:  napari-nst synthesize bricks.jpg -o wall.png --shape 512 1024
    """
    with about_input():
        if seamless:
            request.imply("seamless", "padding", "circular")
        request.results.tile_preview = tile_preview
        compared = request.compare(compare, layers, varied="style_layers")
        request.labels = [path for path in (region, exemplar_region) if path]
        exemplars, image = request.read_texture(exemplar, into)
        if compared and image is not None:
            raise ValueError("--compare does not go with --into; leave out one of them.")
        to_fill = request.read_labels(region, "region", "filled_pixels")
        to_take = request.read_labels(exemplar_region, "exemplar-region", "exemplar_pixels")
        shape = shape or request.recorded("shape")

    from napari_nst.engine import api as jobs
    from napari_nst.engine import compare as series

    def begin(progress: Progress, steering: Steering) -> Iterator[Iteration]:
        if not compared:
            return jobs.synthesize(
                exemplars, request.recipe,
                shape=shape, into=image, region=to_fill, exemplar_region=to_take,
                init_image=request.start, progress=progress, steering=steering,
            )  # fmt: skip
        assert exemplars is not None
        compared.setdefault("layers", list(COMPARED_LAYERS))
        is_cumulative = compared["compare"] == "cumulative"
        return series.compare_textures(
            exemplars, request.recipe,
            layers=compared["layers"], cumulative=is_cumulative, shape=shape,
            progress=progress, steering=steering,
        )  # fmt: skip

    return run(request, begin)


@job_command("reconstruct")
@click.argument("image", type=FILE, required=False, metavar="IMAGE")
@own_option(
    "--layer",
    metavar="LAYER",
    help="The layer to invert: --content-layers of this one alone.",
)
@own_option(
    "--compare",
    is_flag=True,
    help="Invert one layer after another: a TIFF gets a page for each, PNG and JPEG a grid.",
)
@layers_option
def reconstruct(
    request: Request, image: Path | None, layer: str | None, compare: bool, layers: str | None
) -> int:
    """Show what a layer keeps of IMAGE: find another with the same features.

    Files are as for stylize. Ctrl-C writes the image of the last step.

    Such as:  napari-nst reconstruct photo.jpg -o kept.png --layer relu4_2
    """
    with about_input():
        if layer:
            request.imply("layer", "content_layers", layer)
        compared = request.compare("layers" if compare else None, layers, varied="content_layers")
        ((subject,),) = request.read(image=[image] if image else [])

    from napari_nst.engine import api as jobs
    from napari_nst.engine import compare as series

    def begin(progress: Progress, steering: Steering) -> Iterator[Iteration]:
        if not compared:
            return jobs.reconstruct(
                subject, request.recipe,
                init_image=request.start, progress=progress, steering=steering,
            )  # fmt: skip
        compared.setdefault("layers", list(COMPARED_LAYERS))
        return series.compare_reconstructions(
            subject, request.recipe,
            layers=compared["layers"], progress=progress, steering=steering,
        )  # fmt: skip

    return run(request, begin)


def _numbers(name: str, texts: Sequence[str]) -> list[float] | None:
    """Read numbers that may come one by one or with commas between them."""
    parts = ",".join(texts).replace(",", " ").split()
    try:
        return [float(part) for part in parts] or None
    except ValueError:
        raise ValueError(
            f"{name} must be numbers such as 0.5,0.25; not {', '.join(parts)}."
        ) from None
