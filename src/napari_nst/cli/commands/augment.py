"""The command that makes training data."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from napari_nst.augmentation import CHANGES, PRESET, VARIANTS
from napari_nst.cli.options import FILE, job_command
from napari_nst.cli.request import Request, split
from napari_nst.cli.run import run_several
from napari_nst.cli.terminal import ProgressBar, input_errors
from napari_nst.engine.distributed import process_count


@job_command(
    "stylize",
    "augment",
    usual_preset=PRESET,
    defaults=CHANGES,
    without=(
        "output", "depth", "init_image", "limits", "page", "channel", "log", "tensorboard",
        "animation", "animation_every", "save_every", "like", "style_weight", "seed",
    ),
)  # fmt: skip
@click.argument("images", type=FILE)
@click.argument("labels", type=FILE)
@click.option(
    "--style", "styles", type=FILE, multiple=True, required=True, metavar="STYLE",
    help="An image, or a folder of images; give it once for each. All take turns.",
)  # fmt: skip
@click.option(
    "-o", "--output", type=FILE, required=True, metavar="FOLDER",
    help="The folder for images/, labels/ and variants.csv. What is there already is not made "
    "again.",
)  # fmt: skip
@click.option(
    "-n", "--variants", type=click.IntRange(min=1), default=VARIANTS, show_default=True,
    metavar="N", help="Number of variants of each image.",
)  # fmt: skip
@click.option(
    "--style-weight", "style_weights", metavar="NUMBER|LOW,HIGH",
    help="The smallest and the largest weight of the style, between which that of each variant is "
    "drawn. More changes the look more, and moves edges.  [default: 1,4]",
)  # fmt: skip
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True,
    help="Seed of all that is drawn. An image keeps its variants when others are added.",
)  # fmt: skip
@click.option(
    "--originals/--no-originals", default=True, show_default=True,
    help="Copy the images themselves, too.",
)  # fmt: skip
def augment(
    request: Request,
    images: Path,
    labels: Path,
    styles: Sequence[Path],
    output: Path,
    style_weights: str | None,
    **options: Any,
) -> int:
    """Make variants of IMAGES in other styles, with the same LABELS, as training data.

    IMAGES and LABELS are folders with files of equal names, apart from their endings, or two files.
    Each variant has the size, the type and the range of values of its image; its labels are a copy
    of their file. The table variants.csv says how far edges have moved in each. Ctrl-C ends the
    run, and the same command goes on.

    Example:  napari-nst augment cells/ masks/ --style looks/ -o training/ -n 8
    """
    with input_errors():
        if process_count() > 1:
            raise ValueError("Variants are made by one process. Start it without torchrun.")
        if style_weights is not None:
            options["style_weights"] = _numbers(style_weights)
        if request.preset_or_file is None:
            request.preset_or_file = PRESET
            request.fields = {**CHANGES, **request.fields}
        recipe = request.recipe
    from napari_nst.augmentation.api import augment as begin

    _, status = run_several(
        request,
        partial(begin, images, labels, list(styles), output, recipe, **options),
        ProgressBar.file_step,
        lambda run: f"{run.done} of {run.count} variants are in {run.path}.",
    )
    return status


def _numbers(text: str) -> tuple[float, ...] | str:
    """Return the numbers in a text; another text as it is, which is refused."""
    try:
        numbers = tuple(float(one) for one in split(text))
    except ValueError:
        return text
    return numbers * 2 if len(numbers) == 1 else numbers
