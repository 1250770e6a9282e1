"""The commands that look into a picture: features, losses, gram."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from napari_nst.cli.like import Made
from napari_nst.cli.options import FILE
from napari_nst.cli.request import read_recipe
from napari_nst.cli.terminal import about_input, say
from napari_nst.io import atomic_write as outputs

if TYPE_CHECKING:
    from napari_nst.engine.job.job import Job
    from napari_nst.io.read_image import Pixels

_ROLES = {
    "stylize": ("content", "style"),
    "synthesize": ("exemplar",),
    "reconstruct": ("image",),
}
"""Job → the inputs that its losses are about."""

output_option = click.option(
    "-o", "--output", type=FILE, required=True,
    help="File to write: a TIFF gets a page for each, PNG and JPEG a labelled grid.",
)  # fmt: skip


def layer_option(help_text: str, *, required: bool = True) -> Callable[..., click.Command]:
    """Return the option that names a layer of VGG-19."""
    option: Callable[..., click.Command] = click.option(
        "--layer", metavar="LAYER", required=required, help=help_text
    )
    return option


@click.command()
@click.argument("image", type=FILE)
@output_option
@layer_option("The layer to show, such as relu3_1.")
@click.option("--size", default=0, help="Longest side that IMAGE is resampled to; 0: as it is.")
@click.option(
    "--preset", "preset_or_file", metavar="NAME|FILE", default="default", show_default=True,
    help="The recipe whose network is taken: its weights, pooling, padding and device.",
)  # fmt: skip
def features(image: Path, output: Path, layer: str, size: int, preset_or_file: str) -> None:
    """Show what a layer of the network sees in IMAGE.

    Each of the layer's channels is a map. All are on one scale: white is the 99.9th percentile
    over all of them, black is 0; before a rectifier, mid-grey is 0 and black is below it.

    Such as:  napari-nst features photo.jpg -o features.png --layer relu3_1 --size 256
    """
    with about_input():
        recipe = read_recipe(preset_or_file, {})
        pixels = _read(image, output)

    from napari_nst.cli.progress import Bars
    from napari_nst.engine.inspect.feature_maps import feature_maps
    from napari_nst.engine.job.input_image import displayable

    with Bars() as bars, about_input():
        maps = feature_maps(pixels, layer, recipe, size=size, progress=bars.download)
    _write(output, displayable(maps), [str(channel) for channel in range(len(maps))])


@click.command()
@click.argument("picture", type=FILE)
@output_option
@layer_option("Only the losses at this layer.  [default: all]", required=False)
def losses(picture: Path, output: Path, layer: str | None) -> None:
    """Show where each loss of PICTURE comes from.

    PICTURE is one that this program wrote, and says of what it was made; a file of 8 bit is off
    by its rounding. Each loss gets a map, on a scale of its own: white is its 99.9th percentile.
    The label is the weighted loss, which is the map's sum.

    Such as:  napari-nst losses painted.png -o losses.png
    """
    with about_input():
        pixels = _read(picture, output)
        order = _order_of(Made.read(picture), pixels)

    from napari_nst.cli.progress import Bars
    from napari_nst.engine.inspect.feature_maps import loss_maps
    from napari_nst.engine.job.input_image import displayable

    with Bars() as bars, about_input():
        maps = loss_maps(order, pixels, layer=layer, progress=bars.download)
    labels = [f"{part} {values.sum(dtype=float):.3g}" for part, values in maps.items()]
    _write(output, [displayable(values) for values in maps.values()], labels)


@click.command()
@click.argument("picture", type=FILE)
@output_option
@layer_option("The layer whose matrices are compared, such as relu3_1.")
def gram(picture: Path, output: Path, layer: str) -> None:
    """Compare the Gram matrices of PICTURE and of what it was made of.

    PICTURE is one that this program wrote. The matrices are on one scale, square roots of their
    entries, the channels in the order of their energy in the style. The labels say how far each
    is from that of PICTURE: 0 for the same.

    Such as:  napari-nst gram painted.png -o gram.png --layer relu3_1
    """
    with about_input():
        pixels = _read(picture, output)
        order = _order_of(Made.read(picture), pixels)

    from napari_nst.cli.progress import Bars
    from napari_nst.engine.inspect.gram import gram_view

    with Bars() as bars, about_input():
        view = gram_view(order, pixels, layer, progress=bars.download)
    labels = [*(f"{name} {distance:.3g}" for name, distance in view.distances.items()), "picture"]
    _write(output, view.shown, labels)


def _read(image: Path, output: Path) -> Pixels:
    """Return the pixels of an image, once its output is found possible."""
    from napari_nst.io.read_image import depth_for, read_image

    outputs.check_writable([output], [image])
    pixels = read_image(image)
    depth_for(output, pixels)
    return pixels


def _order_of(made: Made, picture: Pixels) -> Job:
    """Return the order that a picture was made by."""
    from napari_nst.engine.job import build as orders
    from napari_nst.io.read_image import read_image

    if made.argument("compare"):
        raise ValueError(f"{made.path} holds several pictures; make the one that you mean alone.")
    if made.argument("guide") or made.argument("filled_pixels"):
        raise ValueError(
            f"{made.path} was made with regions that were drawn, which its record does not hold; "
            "look into it from Python, with napari_nst.loss_maps and gram_view."
        )
    job, recipe = made.record["job"], made.recipe
    if job not in _ROLES:
        raise ValueError(f"{made.path} was made by {job}, which this version does not know.")
    files = {role: made.inputs(role) for role in _ROLES[job]}
    images = {role: [read_image(path) for path in paths] for role, paths in files.items()}
    changed = [path for role in files for path in made.changed(role, files[role], images[role])]
    if changed:
        say(f"not as it was when {made.path} was made: {', '.join(map(str, changed))}.")
    # What a run starts from makes no difference to its losses, but a recipe may ask for an image.
    if job == "stylize":
        return orders.order_to_stylize(
            images["content"][0], images["style"], recipe,
            init_image=picture, pixel_sizes=made.argument("pixel_sizes"),
        )  # fmt: skip
    if job == "synthesize":
        return orders.order_to_synthesize(
            images["exemplar"], recipe, shape=made.argument("shape"), init_image=picture
        )
    return orders.order_to_reconstruct(images["image"][0], recipe, init_image=picture)


def _write(output: Path, maps: Pixels | list[Pixels], labels: list[str]) -> None:
    from napari_nst.io.read_image import write_stack

    write_stack(output, maps, labels)
    height, width = maps[0].shape
    count = f"{len(labels)} map{'s' if len(labels) > 1 else ''}"
    say(f"wrote {output} ({count} of {width} × {height} pixels).")
