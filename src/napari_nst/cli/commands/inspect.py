"""The commands that inspect layers, an image or a result: explore, features, losses, gram."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from napari_nst.cli.options import FILE, limits_option, plane_options
from napari_nst.cli.outputs import Outputs
from napari_nst.cli.request import Provenance, Request, read_in_range, read_recipe, split
from napari_nst.cli.run import run
from napari_nst.cli.terminal import ProgressBar, input_errors, say
from napari_nst.engine.job import build
from napari_nst.engine.job.job import Job
from napari_nst.errors import NstError
from napari_nst.io.atomic_write import check_writable
from napari_nst.io.image_files.decoded_image import DecodedImage, Pixels
from napari_nst.io.image_files.write_image import depth_for, write_stack
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import (
    EXPLORED_LAYERS,
    EXPLORED_SIZE,
    EXPLORED_STEPS,
    canonical_layer,
)

# Job → the inputs that its losses depend on.
_ROLES = {"stylize": ("content", "style"), "synthesize": ("exemplar",), "reconstruct": ("image",)}

output_option = click.option(
    "-o", "--output", type=FILE, required=True,
    help="File to write. A TIFF gets a page for each map, PNG and JPEG a labelled grid.",
)  # fmt: skip
layer_option = partial(click.option, "--layer", metavar="LAYER")


@click.command()
@click.argument("image", type=FILE)
@output_option
@layer_option(required=True, help="The layer to show, such as relu3_1.")
@click.option("--size", default=0, help="Longest side of IMAGE in pixels; 0 keeps its size.")
@limits_option
@plane_options
@click.option(
    "--preset", "preset_or_file", metavar="NAME|FILE", default="default", show_default=True,
    help="The recipe whose network is used: its weights, pooling, padding and device.",
)  # fmt: skip
def features(
    image: Path, output: Path, layer: str, size: int, preset_or_file: str, **reading: Any
) -> None:
    """Show the features of IMAGE at a layer of the network.

    Each channel of the layer is a map. All maps have one scale: white is the 99.9th percentile of
    all, black is 0; at a convolution, before its ReLU, mid-grey is 0.

    Example:  napari-nst features photo.jpg -o features.png --layer relu3_1 --size 256
    """
    with input_errors():
        recipe = read_recipe(preset_or_file, {})
        pixels = _read(image, output, **reading)

    from napari_nst.engine.inspect import displayable, feature_maps

    with ProgressBar() as bar, input_errors():
        maps = feature_maps(pixels, layer, recipe, size=size, progress=bar.download)
    _write(output, displayable(maps), [str(channel) for channel in range(len(maps))])


@click.command()
@click.argument("picture", type=FILE)
@output_option
@layer_option(help="Only the losses at this layer.  [default: all]")
def losses(picture: Path, output: Path, layer: str | None) -> None:
    """Show which pixels of PICTURE each loss comes from.

    PICTURE is a file that this program wrote; a file of 8 bit differs from the result by its
    rounding. Each loss gets a map with its own scale: white is the 99.9th percentile. The label is
    the weighted loss, which is the sum of the map.

    Example:  napari-nst losses painted.png -o losses.png
    """
    pixels, job = _read_result(picture, output)

    from napari_nst.engine.inspect import displayable, loss_maps

    with ProgressBar() as bar, input_errors():
        maps = loss_maps(job, pixels, layer=layer, progress=bar.download)
    labels = [f"{part} {values.sum(dtype=float):.3g}" for part, values in maps.items()]
    _write(output, [displayable(values) for values in maps.values()], labels)


@click.command()
@click.argument("picture", type=FILE)
@output_option
@layer_option(required=True, help="The layer whose matrices are compared, such as relu3_1.")
def gram(picture: Path, output: Path, layer: str) -> None:
    """Compare the Gram matrices of PICTURE and of its inputs.

    PICTURE is a file that this program wrote. All matrices have one scale and show square roots of
    their entries; channels are sorted by their energy in the style. Labels give the distance of
    each matrix from that of PICTURE: 0 for equal ones.

    Example:  napari-nst gram painted.png -o gram.png --layer relu3_1
    """
    pixels, job = _read_result(picture, output)

    from napari_nst.engine.inspect import gram_view

    with ProgressBar() as bar, input_errors():
        view = gram_view(job, pixels, layer, progress=bar.download)
    labels = [*(f"{name} {distance:.3g}" for name, distance in view.distances.items()), "picture"]
    _write(output, view.shown, labels)


def _read(image: Path, output: Path, limits: str | None = None, **plane: Any) -> DecodedImage:
    """Read an image after checking that the output can be written."""
    check_writable([output], [image])
    read = read_in_range(image, limits, **plane)
    depth_for(output, read.pixels)
    return read


@input_errors()
def _read_result(picture: Path, output: Path) -> tuple[DecodedImage, Job]:
    """Return a picture and the job that made it, with its recorded inputs."""
    pixels = _read(picture, output)
    made = Provenance(picture)
    if made.argument("compare"):
        raise ValueError(f"{picture} holds several pictures. Make the picture that you mean alone.")
    if made.argument("guide") or made.argument("filled_pixels"):
        raise ValueError(
            f"{picture} was made with drawn regions, which its record does not hold. Inspect it "
            "from Python, with napari_nst.loss_maps and gram_view."
        )
    name = made.record["job"]
    if name not in _ROLES:
        raise ValueError(f"{picture} was made by {name}, which this version does not know.")
    images = {role: made.read(role) for role in _ROLES[name]}
    for note in made.changes_in(images):
        say(note)
    # The losses do not depend on the initial image, but a recipe may require one.
    given: dict[str, Any] = {"recipe": made.recipe, "init_image": pixels}
    if name == "stylize":
        sizes = made.argument("pixel_sizes")
        job = build.order_to_stylize(
            images["content"][0], images["style"], pixel_sizes=sizes, **given
        )
    elif name == "synthesize":
        shape = made.argument("shape")
        job = build.order_to_synthesize(images["exemplar"], shape=shape, **given)
    else:
        job = build.order_to_reconstruct(images["image"][0], **given)
    return pixels, job


def _write(output: Path, maps: Pixels | Sequence[Pixels], labels: Sequence[str]) -> None:
    try:
        write_stack(output, maps, labels)
    except ValueError as error:  # the grid of all maps is larger than its format holds
        raise NstError(str(error)) from error
    height, width = maps[0].shape
    count = "1 map" if len(labels) == 1 else f"{len(labels)} maps"
    say(f"wrote {output} ({count} of {width} × {height} pixels).")


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
@limits_option
@plane_options
@click.option("--weights", default=Recipe.weights, show_default=True, help="The network.")
@click.option("--device", default=Recipe.device, show_default=True, help="Where to compute.")
def explore(
    image: Path,
    output: Path,
    layers: str | None,
    limits: str | None,
    page: int | None,
    channel: int | None,
    **fields: Any,
) -> int:
    """Show what each layer of the network keeps of IMAGE.

    Each layer gets a small reconstruction, which shows what the layer keeps as a content layer, and
    a texture, which shows what it adds as a style layer. Ctrl-C writes the pictures so far.

    Example:  napari-nst explore photo.jpg -o layers.png
    """
    with input_errors():
        given = split(layers) if layers is not None else EXPLORED_LAYERS
        names = [canonical_layer(name) for name in given]
        outputs = Outputs(output, comparison={"explore": names})
        request = Request("reconstruct", outputs, fields, limits=limits, page=page, channel=channel)
        pixels = request.read(image=[image])["image"][0]

    from napari_nst.engine.sweep import explore_layers

    return run(request, partial(explore_layers, pixels, layers=names, **fields))
