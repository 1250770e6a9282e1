"""The command ``resume``: go on with a run whose process was killed."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import click
import numpy as np

from napari_nst.cli.options import FILE, save_every_option
from napari_nst.cli.outputs import Outputs
from napari_nst.cli.request import Request
from napari_nst.cli.run import run
from napari_nst.cli.terminal import input_errors, say
from napari_nst.engine.checkpoint.codec import RunState
from napari_nst.engine.checkpoint.saved_runs import (
    SavedRun,
    discard,
    interrupted_runs,
    is_own,
    read_about,
    read_state,
    read_summary,
)
from napari_nst.engine.distributed import process_count
from napari_nst.io.image_files.decoded_image import Pixels


@click.command()
@click.argument("file", type=FILE, required=False)
@click.option(
    "-o", "--output", type=FILE,
    help="PNG, JPEG or TIFF to write.  [default: the output of the interrupted command; a run of "
    "the viewer, and a FILE from elsewhere, need one]",
)  # fmt: skip
@click.option("--list", "lists", is_flag=True, help="Only list the interrupted runs.")
@click.option("--discard", "discards", is_flag=True, help="Delete the state instead.")
def resume(
    file: Path | None, output: Path | None, lists: bool, discards: bool, save_every: float
) -> int:
    """Go on with a run whose process was killed.

    FILE is the state that the run saved; by default, the last one that was saved on this machine.
    The command writes the files that the interrupted command would have written. It appends to its
    log, and its animation has the steps from now on. A state remains until its run is resumed or
    discarded.

    Example:  napari-nst resume
    """
    with input_errors():
        if lists and (file or output or discards):
            raise ValueError("--list only lists the runs. Leave out FILE, --output and --discard.")
        if lists:
            _print_list()
            return 0
        if process_count() > 1:
            raise ValueError("Only one process can resume a run. Leave out torchrun.")
        path = file or _last().path
        if discards:
            discard(path)
            say(f"deleted {path}.")
            return 0
        found = read_summary(path)
        request = _request(found, output)
        request.save_every = save_every

    from napari_nst.engine import api

    return run(request, partial(api.resume, path))


resume.params.append(save_every_option)


def _print_list() -> None:
    found = interrupted_runs(say)
    if not found:
        say("there is no interrupted run on this machine.")
    for one in found:
        began = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.began))
        click.echo(f"{began}  step {one.step} of {one.steps}  {one.title}  ({one.program})")
        click.secho(f"    {one.path}", dim=True)


def _last() -> SavedRun:
    found = interrupted_runs()
    if not found:
        raise ValueError("There is no interrupted run on this machine. Give the FILE of a state.")
    return found[0]


def _request(found: SavedRun, output: Path | None) -> Request:
    """Return the request of a resumed run, after checking that its files can be written."""
    about, state = read_about(found.path), read_state(found.path)
    try:
        inputs = [Path(path) for path in about.get("inputs", ())]
        # A file from elsewhere may name any file of this machine.
        recorded = about.get("outputs") if is_own(found.path) else None
        outputs = Outputs.from_data(recorded, found.step) if recorded else None
    except (TypeError, LookupError, AttributeError) as error:
        raise ValueError(f"{found.path} names no file to write. Give --output.") from error
    if output is not None:
        outputs = outputs or Outputs(output, resumed_at=found.step)
        outputs.output, outputs.depths = output, {}
        outputs.check_picture(_source(state), state.job.content is not None)
    elif outputs is None:
        where = "in the viewer" if found.program == "viewer" else "elsewhere"
        raise ValueError(
            f"{found.path} is the state of a run that was started {where}. Give --output."
        )
    outputs.check_files(state.job.recipe, inputs, [found.path])
    request = Request(state.job.name, outputs, {}, paths=inputs)
    request.notes.append(f"resuming {found.label}.")
    if outputs.animation:
        request.notes.append(f"the animation begins with step {found.step}.")
    return request


def _source(state: RunState) -> Pixels:
    """Return one pixel with the dtype and channels of the run's main image."""
    image = state.job.main_image
    dtype = np.dtype(str(image.metadata.get("dtype", "uint8")))
    if image.is_grey:
        return np.zeros((1, 1), dtype)
    return np.zeros((1, 1, 3 if image.alpha is None else 4), dtype)
