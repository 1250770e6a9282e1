"""Losses, pictures and the recipe of a run as TensorBoard event files."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import textwrap
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from napari_nst.errors import NstError
from napari_nst.io.atomic_write import check_writable

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

PREVIEWS = 20  # pictures that a run writes


def check_tensorboard(folder: Path) -> None:
    """Raise before a long run if TensorBoard is missing or the folder cannot be written."""
    if importlib.util.find_spec("tensorboard") is None:
        raise NstError(
            "--tensorboard needs one more library. Install it: "
            'pip install "napari-nst[tensorboard]".'
        )
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise NotADirectoryError(f"{existing} is a file. Give --tensorboard a folder.")
    check_writable([existing / "events.out.tfevents"])


def preview_steps(steps: int) -> frozenset[int]:
    """Return the steps, from 1 to the last, that write a picture: evenly spaced in their log."""
    count, chosen = min(PREVIEWS, steps), [0]
    for index in range(count):
        even = round(steps ** (index / max(count - 1, 1)))
        chosen.append(max(chosen[-1] + 1, even))
    return frozenset(chosen[1:])


class EventWriter:
    """Writes every step of a run; each of several pictures is a run of its own in TensorBoard."""

    def __init__(self, folder: Path, resumed_at: int = 0) -> None:
        self._folder = folder
        self._resumed_at = resumed_at  # the first step of a resumed run; 0: a new run
        self._writer: _EventFile | None = None
        self._panel = 0
        self._step = 0  # of the current picture
        self._previews: frozenset[int] = frozenset()
        self._unwritten: Iteration | None = None  # the last iteration, unless it wrote a picture

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close(add_last=kind is None)

    def step(self, iteration: Iteration) -> None:
        """Write the losses of a step, and the pictures of some steps."""
        if self._writer is None or self._panel != iteration.panel:
            self._close()
            self._writer = self._open(iteration)
            self._step, self._panel = max(self._resumed_at, 1) - 1, iteration.panel
        self._unwritten = None  # if the disk is full now, the last picture is not tried
        self._step += 1
        for name, loss in iteration.losses.items():
            self._writer.add("scalar", self._step, f"loss/{name}", loss)
        self._writer.add("scalar", self._step, "progress/longest side", max(iteration.shape))
        self._writer.add("scalar", self._step, "progress/seconds", iteration.seconds)
        self._unwritten = iteration
        if self._step in self._previews:
            self._add_picture(self._writer, iteration)

    def _open(self, iteration: Iteration) -> _EventFile:
        folder, recipe = self._folder, iteration.facts["recipe"]
        if iteration.panels:
            folder /= iteration.panels[iteration.panel].replace(" ", "-")
        self._previews = preview_steps(recipe["steps"])
        writer = _EventFile(folder)
        if self._resumed_at:
            writer.forget_from(self._resumed_at)
        # Markdown shows indented text as code.
        writer.add("text", 0, "recipe", textwrap.indent(json.dumps(recipe, indent=2), "    "))
        return writer

    def _close(self, add_last: bool = True) -> None:
        if self._writer is not None:
            try:
                if add_last and self._unwritten is not None:
                    self._add_picture(self._writer, self._unwritten)
            finally:
                self._writer.close()

    def _add_picture(self, writer: _EventFile, iteration: Iteration) -> None:
        picture = iteration.picture
        axes = "HW" if picture.ndim == 2 else "HWC"
        writer.add("image", self._step, "picture", picture, dataformats=axes)
        self._unwritten = None


class _EventFile:
    """A new event file; torch's `SummaryWriter` writes in a thread, whose errors are lost."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
        # Not buffered, so that no data is left to be written when a disk is full.
        self._records = RecordWriter((folder / name).open("xb", buffering=0))
        self._event = Event
        self._folder = folder
        self._write(file_version="brain.Event:2")

    def add(self, kind: str, step: int, *values: Any, **options: Any) -> None:
        """Write the summary of a kind that torch makes of some values."""
        from torch.utils.tensorboard import summary

        self._write(step=step, summary=getattr(summary, kind)(*values, **options))

    def forget_from(self, step: int) -> None:
        """Tell TensorBoard to ignore this step and later ones in other files of the folder."""
        from tensorboard.compat.proto.event_pb2 import SessionLog

        self._write(step=step, session_log=SessionLog(status=SessionLog.START))

    def close(self) -> None:
        """Close the file."""
        self._records.close()

    def _write(self, **parts: Any) -> None:
        try:
            self._records.write(self._event(wall_time=time.time(), **parts).SerializeToString())
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(self._folder)) from error
