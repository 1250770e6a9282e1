"""Several contents in one command: each makes a picture in a folder, and a row in a table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from napari_nst.cli.outputs import NO_FILE
from napari_nst.cli.request import Provenance, Request, pixels_hash, read_in_range
from napari_nst.cli.terminal import INTERRUPTED, WENT_WRONG, input_errors, say, sentence
from napari_nst.engine.distributed import process_count
from napari_nst.io.record import holds_result
from napari_nst.io.table import write_table

_WRITABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_SIGNALLED = 128  # exit statuses from here on
SUMMARY = "summary.csv"
"""The table in the folder of the pictures."""

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
    run_one: Callable[[Request, Path], int],
) -> int:
    """Run a job on each content and return the exit status; a content with an error is left out.

    A picture that is there already, with the same recipe and inputs, is not made again. The table
    `SUMMARY` in the folder is written after each content.
    """
    with input_errors():
        folder = _checked_folder(request, contents)
        wanted = [_hash(request, path) for path in styles]
    status, recipe, rows = 0, request.recipe, []
    for number, content in enumerate(contents, start=1):
        say(f"{content}, {number} of {len(contents)}:")
        output = folder / _name_for(content)
        outputs = replace(copy(request.outputs), output=output, depths={})
        own = replace(request, outputs=outputs, paths=[], fields=dict(request.fields))
        own.recipe, own.notes = recipe, request.notes if number == 1 else []
        ended, what, error = 0, "written", ""
        try:
            if _is_there(own, content, wanted):
                say(f"{output} is there already.")
                what = "there already"
            else:
                ended = run_one(own, content)
        except click.UsageError:
            raise
        except click.ClickException as problem:
            error = problem.format_message()
            say(f"left out: {error}")
            ended = WENT_WRONG
        if ended:
            what = "stopped" if ended >= INTERRUPTED else "left out"
        rows.append(_row(content, output, what, error))
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
    return pixels_hash(read_in_range(path, request.limits, request.page, request.channel))


def _row(content: Path, output: Path, what: str, error: str) -> dict[str, Any]:
    """Return the row of a content: what happened, and the numbers of its picture's record."""
    record: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        record = {} if what == "left out" else Provenance(output).record
    losses = record.get("losses", {})
    return {
        "content": str(content),
        "output": str(output) if record else "",
        "status": what,
        "step": record.get("step", ""),
        "steps": record.get("steps", ""),
        "seconds": record.get("seconds", ""),
        **{f"{name}_loss": losses.get(name, "") for name in ("total", "content", "style", "tv")},
        "error": error,
    }


def _checked_folder(request: Request, contents: Sequence[Path]) -> Path:
    """Return the folder to write into, which is made if it is missing; raise for other outputs."""
    folder = request.outputs.output
    if folder.suffix and not os.path.isdir(folder):
        raise ValueError(
            f"--output must be a folder for several contents, such as out/; not {folder}."
        )
    for name in _OF_ONE:
        if getattr(request.outputs, name) is not None:
            flag = name.replace("_", "-")
            raise ValueError(f"--{flag} is for a single content. Leave out --{flag}.")
    if process_count() > 1:
        raise ValueError("Several processes compute one content. Leave out torchrun, or contents.")
    names = Counter(map(_name_for, contents))
    for name, count in names.items():
        if count > 1:
            raise ValueError(f"{count} contents would be written to {folder / name}. Rename them.")
    _ = request.recipe  # its errors are those of all contents
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _name_for(content: Path) -> str:
    return content.name if content.suffix.lower() in _WRITABLE else f"{content.stem}.png"
