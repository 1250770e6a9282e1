"""The command that measures the style of many images into one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click

from napari_nst.batch.files import listed_files
from napari_nst.cli.options import FILE, job_command
from napari_nst.cli.outputs import NO_FILE
from napari_nst.cli.request import Request, read_in_range
from napari_nst.cli.terminal import ProgressBar, input_errors, say
from napari_nst.engine.distributed import process_count
from napari_nst.engine.job.input_image import InputImage, read_input
from napari_nst.engine.job.style_target import SUFFIX, StyleTarget
from napari_nst.io.atomic_write import check_writable


@job_command(
    "stylize",
    "target",
    without=(
        "output", "depth", "init_image", "log", "tensorboard", "animation", "animation_every",
        "save_every", "like", "steps", "content_weight", "tv_weight",
    ),
)  # fmt: skip
@click.argument("images", type=FILE, nargs=-1, metavar="IMAGES...")
@click.option(
    "-o", "--output", type=FILE, default=NO_FILE, metavar="FILE",
    help="The file of the style target; its name gets the ending .safetensors.  [required]",
)  # fmt: skip
def target(request: Request, images: Sequence[Path], output: Path) -> int:
    """Measure the style of IMAGES, files or folders, into one file that takes the place of a STYLE.

    Give the recipe of the results: --size is their size, and --style-blend are the weights of
    IMAGES. One image after the other is read.

    Example:  napari-nst target slides/ -o stain.safetensors

    Then:  napari-nst stylize photo.jpg stain.safetensors -o painted.png
    """
    with input_errors():
        request.outputs.output = output
        request.check_given({"images": images})
        if process_count() > 1:
            raise ValueError("A style target is made by one process. Start it without torchrun.")
        files = _Files(listed_files(images, "images"), request)
        if output.suffix.lower() != SUFFIX:
            output = output.with_name(output.name + SUFFIX)
        check_writable([output], files.paths)
        recipe = request.recipe
    for note in request.notes:
        if not note.startswith("the preset "):  # a target may be of any job with a style
            say(note)
    with ProgressBar() as bar, input_errors():
        made = StyleTarget.from_images(files, recipe, progress=bar.image)
        path = made.save(output)
    sizes = ", ".join(map(str, made.sizes))
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    count = f"{len(files)} image{'' if len(files) == 1 else 's'}"
    say(f"wrote {path}: the style of {count} for results of {sizes} pixels, {size}.")
    return 0


class _Files(Sequence[InputImage]):
    """The images of files, which are read when they are asked for."""

    def __init__(self, paths: Sequence[Path], request: Request) -> None:
        self.paths, self._request = paths, request

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> InputImage:  # type: ignore[override]
        path, request = self.paths[index], self._request
        pixels = read_in_range(path, request.limits, request.page, request.channel)
        image = read_input(pixels, f"images {index + 1}")
        return replace(image, metadata=image.metadata | {"name": str(path)})
