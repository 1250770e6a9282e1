"""The command that makes a solid texture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from napari_nst.cli.options import FILE, job_command
from napari_nst.cli.request import Request
from napari_nst.cli.run import run
from napari_nst.cli.terminal import input_errors
from napari_nst.engine.distributed import process_count
from napari_nst.engine.job.solid import (
    AXES,
    SHAPE,
    SLICES,
    order_to_synthesize_solid,
)
from napari_nst.io.image_files.decoded_image import DecodedImage
from napari_nst.io.image_files.write_image import check_volume_file


@job_command(
    "synthesize_solid",
    "solid",
    without=("init_image", "tensorboard", "animation", "animation_every", "save_every"),
)
@click.argument("exemplar", type=FILE, nargs=-1, metavar="EXEMPLAR...")
@click.option(
    "--shape", nargs=3, type=int, metavar="D H W",
    help="Depth, height and width of the volume in voxels, which are as large as pixels of "
    "EXEMPLAR at --size.  [default: 64 64 64]",
)  # fmt: skip
@click.option(
    "--axis", "axes", multiple=True, type=click.Choice(["depth", "height", "width"]),
    help="The axis that slices with the texture of an EXEMPLAR are perpendicular to; give it once "
    "for each EXEMPLAR.  [default: of one EXEMPLAR all; the first of two depth, the second both "
    "others; of three depth, height, width]",
)  # fmt: skip
@click.option(
    "--seamless", is_flag=True,
    help="Make a volume that tiles without a seam; implies --padding circular.",
)  # fmt: skip
@click.option(
    "--slices", type=int, metavar="N",
    help="Number of slices perpendicular to each axis that are compared at each step. More is "
    f"steadier and slower.  [default: {SLICES}]",
)  # fmt: skip
def solid(
    request: Request,
    exemplar: Sequence[Path],
    shape: tuple[int, int, int] | None,
    axes: Sequence[str],
    seamless: bool,
    slices: int | None,
) -> int:
    """Make a volume, a TIFF, whose slices along all axes have the texture of EXEMPLAR.

    Two or three EXEMPLARs have the textures of slices of different directions: the first is that of
    the slices perpendicular to the depth. Ctrl-C writes the volume of the last step.

    Example:  napari-nst solid gravel.png -o solid.tif --shape 64 64 64 --seamless
    """
    request.save_every = 0.0
    with input_errors():
        if seamless:
            request.imply("seamless", "padding", "circular")
        if process_count() > 1:
            raise ValueError("A volume is computed by one process. Start it without torchrun.")
        images = request.read(exemplar=exemplar)["exemplar"]
        if not axes:  # only axes without an exemplar say more than the order of the exemplars
            recorded = request.recorded("exemplar_of_axis") or AXES
            axes = list(recorded) if len(recorded) < len(AXES) else ()
        job = order_to_synthesize_solid(
            _along(axes, images),
            shape or request.recorded("shape") or SHAPE,
            request.recipe,
            slices if slices is not None else request.recorded("slices") or SLICES,
        )
        outputs = request.outputs
        depth = outputs.depths[outputs.output]
        if outputs.depth is None and not job.is_grey:
            depth = outputs.depths[outputs.output] = 8  # ImageJ has no other volumes of colours
        check_volume_file(outputs.output, is_grey=job.is_grey, depth=depth)
        outputs.calibration = job.calibration

    from napari_nst.engine.solid.run import start

    return run(request, partial(start, job))


def _along(axes: Sequence[str], images: Sequence[DecodedImage]) -> list[DecodedImage | None]:
    """Return exemplars as `synthesize_solid` takes them."""
    if not axes:
        return list(images)
    if len(axes) != len(images) or len(set(axes)) < len(axes):
        raise ValueError(
            f"`axes` must name a different axis for each EXEMPLAR, of which there are "
            f"{len(images)}; not {', '.join(axes)}."
        )
    found = dict(zip(axes, images, strict=True))
    return [found.get(axis) for axis in AXES]
