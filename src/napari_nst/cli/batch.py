"""Several contents in one command: each makes a picture in a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import click

from napari_nst.cli.outputs import NO_FILE
from napari_nst.cli.request import Request
from napari_nst.cli.terminal import WENT_WRONG, input_errors, say
from napari_nst.engine.distributed import process_count

_WRITABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
_SIGNALLED = 128  # exit statuses from here on
_OF_ONE = ("log", "tensorboard", "animation", "tile_preview")  # outputs of a single run


def is_batch(request: Request, contents: Sequence[Path], may_be_several: bool) -> bool:
    """Whether there are several contents, or the output is a folder."""
    output = request.outputs.output
    is_folder = os.path.isdir(output) or (may_be_several and not output.suffix)
    return output is not NO_FILE and (len(contents) > 1 or (len(contents) == 1 and is_folder))


def run_each(
    request: Request, contents: Sequence[Path], run_one: Callable[[Request, Path], int]
) -> int:
    """Run a job on each content and return the exit status; a content with an error is left out."""
    with input_errors():
        folder = _checked_folder(request, contents)
    status, recipe = 0, request.recipe
    for number, content in enumerate(contents, start=1):
        say(f"{content}, {number} of {len(contents)}:")
        outputs = replace(copy(request.outputs), output=folder / _name_for(content), depths={})
        own = replace(request, outputs=outputs, paths=[], fields=dict(request.fields))
        own.recipe, own.notes = recipe, request.notes if number == 1 else []
        try:
            ended = run_one(own, content)
        except click.UsageError:
            raise
        except click.ClickException as error:
            say(f"left out: {error.format_message()}")
            ended = WENT_WRONG
        if ended >= _SIGNALLED:
            return ended
        status = status or ended
    return status


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
