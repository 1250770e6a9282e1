"""The command that measures a texture beside its exemplar."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from napari_nst.cli.options import FILE, limits_option, plane_options
from napari_nst.cli.request import parse_limits, read_in_range, read_recipe, split
from napari_nst.cli.terminal import ProgressBar, input_errors, say
from napari_nst.io.atomic_write import check_writable
from napari_nst.io.image_files.decoded_image import DecodedImage
from napari_nst.io.image_files.read_volume import DecodedVolume, decode_volume


@click.command()
@click.argument("image", type=FILE)
@click.option("--exemplar", type=FILE, help="The texture that IMAGE is compared with.")
@click.option("-o", "--output", type=FILE, help="Write the table as CSV.")
@click.option("--curves", type=FILE, help="Write all curves as CSV, a line for each point.")
@click.option("--plot", type=FILE, help="Draw all curves as PNG, JPEG or TIFF.")
@click.option("--mask", type=FILE, help="Labels: only pixels of IMAGE above 0 count.")
@click.option("--exemplar-mask", type=FILE, help="The same for the exemplar.")
@click.option(
    "--threshold", metavar="otsu|half|NUMBER", default="otsu", show_default=True,
    help="Where the bright phase begins: otsu finds it in the exemplar; half takes the brighter "
    "half of the pixels of each image; a number is a lightness from 0 to 1.",
)  # fmt: skip
@click.option(
    "--phase", type=click.Choice(["bright", "dark"]), default="bright", show_default=True,
    help="The phase that is measured.",
)  # fmt: skip
@click.option(
    "--scale", metavar="NUMBER,…",
    help="The side of a pixel, or its sides along each axis (depth, height, width).  [default: "
    "that in the file, else 1 pixel]",
)  # fmt: skip
@click.option("--unit", default="µm", show_default=True, help="The unit of --scale.")
@click.option(
    "--gram/--no-gram", default=True, show_default=True,
    help="Compare Gram matrices at layers that the recipe does not optimise. This alone needs the "
    "pretrained network.",
)  # fmt: skip
@click.option(
    "--copies", is_flag=True,
    help="Find the largest square that was copied from the exemplar, and whether coarse structures "
    "are at the same places. It takes seconds for 256 pixels, minutes for 512.",
)  # fmt: skip
@limits_option
@plane_options
@click.option(
    "--preset", "recipe", metavar="NAME|FILE", default="texture", show_default=True,
    help="The recipe that IMAGE was made with, for --gram.",
)  # fmt: skip
def statistics(
    image: Path,
    exemplar: Path | None,
    output: Path | None,
    curves: Path | None,
    plot: Path | None,
    recipe: str,
    scale: str | None,
    threshold: str,
    limits: str | None,
    page: int | None,
    channel: int | None,
    **options: Any,
) -> None:
    """Measure the texture of IMAGE beside its exemplar.

    A TIFF of several pages is a volume, unless --page chooses one. The table has the two-point
    correlation S2, lineal path and chord lengths of a phase, its fraction and its boundary, the
    power spectrum, the grey histogram and Gram matrices. `between crops` is how far crops of the
    exemplar are apart; a ratio to it of about 1 or less says that the textures are alike.

    Example:  napari-nst statistics texture.png --exemplar photo.png -o table.csv --plot plot.png
    """
    inputs = [path for path in (image, exemplar) if path]
    with input_errors():
        check_writable([path for path in (output, curves, plot) if path], inputs)
        images: list[Any] = [_read(path, limits, page, channel) for path in inputs]
        given: dict[str, Any] = {
            **options,
            "recipe": read_recipe(recipe, {}),
            "threshold": _number(threshold),
            "scale": None if scale is None else _numbers(scale),
        }

    from napari_nst.texture_statistics.compare import statistics as measured

    with ProgressBar() as bar, input_errors():
        found = measured(*images, progress=bar.download, **given)
    click.echo(repr(found))
    if output:
        found.to_csv(output)
    if curves:
        found.curves_to_csv(curves)
    if plot:
        from napari_nst.texture_statistics.draw import save_plot

        save_plot(found, plot)
    written = [str(path) for path in (output, curves, plot) if path]
    if written:
        say(f"wrote {', '.join(written)}.")


def _read(
    path: Path, limits: str | None, page: int | None, channel: int | None
) -> DecodedImage | DecodedVolume:
    """Read an image, or all pages of a file as a volume."""
    volume = decode_volume(path) if page is None and channel is None else None
    if volume is None:
        return read_in_range(path, limits, page, channel)
    if limits == "auto":
        return replace(volume, limits=DecodedImage(volume.pixels).extremes())
    return volume if limits is None else replace(volume, limits=parse_limits(limits))


def _number(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def _numbers(text: str) -> list[float] | float | str:
    """Return one number or several; another text as it is, which the engine refuses."""
    try:
        numbers = [float(one) for one in split(text)]
    except ValueError:
        return text
    return numbers[0] if len(numbers) == 1 else numbers
