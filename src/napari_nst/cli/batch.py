"""Several contents in one command: each makes a picture in a folder, and a row in a table."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import click

from napari_nst.batch.files import SUMMARY, check_names, make_folder, result_name, summary_row
from napari_nst.cli.outputs import NO_FILE
from napari_nst.cli.request import Request, pixels_hash, read_style
from napari_nst.cli.terminal import INTERRUPTED, WENT_WRONG, input_errors, say, sentence
from napari_nst.engine.distributed import process_count
from napari_nst.io.record import holds_result
from napari_nst.io.table import write_table

_SIGNALLED = 128  # exit statuses from here on
_OF_ONE = ("log", "tensorboard", "animation", "tile_preview")  # outputs of a single run


def is_batch(request: Request, contents: Sequence[Path], may_be_several: bool) -> bool:
    """Whether there are several contents, or the output is a folder."""
    output = request.outputs.output
    is_folder = os.path.isdir(output) or (may_be_several and not output.suffix)
    return output is not NO_FILE and (len(contents) > 1 or (len(contents) == 1 and is_folder))


def run_each(
    request: Request,
    contents: Sequence[Path],
    styles: Sequence[Path],
    each_style: bool,
    run_one: Callable[[Request, Path, Sequence[Path]], int],
) -> int:
    """Run a job on each content and return the exit status; a content with an error is left out.

    The styles are blended, or each of them makes a picture of its own. A picture that is there
    already, with the same recipe and inputs, is not made again. The table `SUMMARY` in the folder
    is written after each picture.
    """
    with input_errors():
        groups = [[one] for one in styles] if each_style else [styles]
        folder = request.outputs.output
        pictures = [
            (content, group, folder / result_name(content, group[0] if each_style else None))
            for content in contents
            for group in groups
        ]
        _check_outputs(request, [output for _, _, output in pictures], [*contents, *styles])
        wanted = {path: _hash(request, path) for path in styles}
        make_folder(folder)
    status, recipe, rows = 0, request.recipe, []
    for number, (content, group, output) in enumerate(pictures, start=1):
        say(f"{output if each_style else content}, {number} of {len(pictures)}:")
        outputs = replace(copy(request.outputs), output=output, depths={})
        own = replace(request, outputs=outputs, paths=[], fields=dict(request.fields))
        own.recipe, own.notes = recipe, request.notes if number == 1 else []
        ended, what, error = 0, "written", ""
        try:
            if _is_there(own, content, [wanted[one] for one in group]):
                say(f"{output} is there already.")
                what = "there already"
            else:
                ended = run_one(own, content, group)
        except click.UsageError:
            raise
        except click.ClickException as problem:
            error = problem.format_message()
            say(f"left out: {error}")
            ended = WENT_WRONG
        if ended:
            what = "stopped" if ended >= INTERRUPTED else "left out"
        rows.append(summary_row(content, group, output, what, error))
        try:
            write_table(folder / SUMMARY, rows)
        except OSError as problem:  # the pictures are worth more
            say(sentence(problem))
        if ended >= _SIGNALLED:
            return ended
        status = status or ended
    return status


def _is_there(request: Request, content: Path, styles: Sequence[str]) -> bool:
    """Whether the output was made of the same content and styles, with the same recipe."""
    try:
        hashes = {"content": [_hash(request, content)], "style": styles}
    except (OSError, ValueError):
        return False  # the run says what is wrong
    return holds_result(request.outputs.output, request.job, request.recipe, hashes)


def _hash(request: Request, path: Path) -> str:
    """Return what a record holds of an input's pixels."""
    return pixels_hash(read_style(path, request.limits, request.page, request.channel))


def _check_outputs(request: Request, outputs: Sequence[Path], inputs: Sequence[Path]) -> None:
    """Raise for outputs that several contents cannot have."""
    folder = request.outputs.output
    if folder is NO_FILE or not outputs:
        raise ValueError("--each-style needs contents, and a folder as --output. Give both.")
    if folder.suffix and not os.path.isdir(folder):
        raise ValueError(
            f"--output must be a folder for several pictures, such as out/; not {folder}."
        )
    for name in _OF_ONE:
        if getattr(request.outputs, name) is not None:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} is for a single content. Leave out --{flag}.")
    if process_count() > 1:
        raise ValueError("Several processes compute one content. Leave out torchrun, or contents.")
    check_names(outputs, inputs)
    _ = request.recipe  # its errors are those of all contents
