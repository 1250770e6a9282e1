"""A history into a file, in a worker thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_nst.errors import Cancelled, NstError
from napari_nst.io.animation import KINDS, write_animation
from napari_nst.viewer.layers.intensity import to_uint8, to_unit
from napari_nst.viewer.run.work import start_work

if TYPE_CHECKING:
    from napari_nst.io.frame_stack import FrameStack
    from napari_nst.viewer.run.request import RunRequest

Pixels = np.ndarray[Any, Any]

_ENDINGS = {"MP4 (*.mp4)": ".mp4", "GIF (*.gif)": ".gif", "TIFF stack (*.tif *.tiff)": ".tif"}
_SUGGESTED = ".mp4"


def ask_for_path(parent: QWidget, name: str) -> Path | None:
    """Ask the user where to write a history; None if they would rather not.

    Raises
    ------
    ValueError
        If a file would be replaced that the dialog has not asked about.
    """
    suggested = name.replace("/", "-") + _SUGGESTED
    path, chosen = QFileDialog.getSaveFileName(
        parent, "Export the history", suggested, ";;".join(_ENDINGS)
    )
    if not path:
        return None
    asked = Path(path)
    named = _with_ending(asked, _ENDINGS.get(chosen, _SUGGESTED))
    if named != asked and named.exists():
        raise ValueError(f"{named.name} exists; give that name with its ending to replace it.")
    return named


def _with_ending(path: Path, ending: str) -> Path:
    """Return a name with the ending of the format that was chosen, unless it has another.

    Qt's own dialog leaves the name that was suggested as it is when another format is chosen.
    """
    if path.suffix.lower() == _SUGGESTED:
        return path.with_suffix(ending)
    return path if path.suffix.lower() in KINDS else path.with_name(path.name + ending)


class Export:
    """Writes a file, seen from both threads.

    Parameters
    ----------
    path : Path
        As for `write_animation`.
    stack : FrameStack
        In numbers like the job's layer. A TIFF keeps those of grey; else they are written as they
        are shown, through the contrast limits.
    request : RunRequest
        Whose history it is.
    text : str
        Stored in the file.

    Attributes
    ----------
    message : str
        How far it is, or in the end what it has written; "" where it was cancelled.
    """

    def __init__(self, path: Path, stack: FrameStack, request: RunRequest, text: str) -> None:
        self.path = path
        self.message = f"Writing {path.name} …"
        self.quit_requested: Callable[[], bool] = lambda: False
        limits = request.intensity.display(stack.originals[0], request.keep_dtype).get(
            "contrast_limits"
        )
        if limits is not None and KINDS[path.suffix.lower()] != "TIFF":
            stack = stack.converted(partial(_as_shown, limits=limits))
        self._stack: FrameStack | None = stack
        self._text = text

    def work(self) -> Iterator[None]:
        """Write; a generator, of which napari keeps nothing when it is over."""
        stack, self._stack = self._stack, None
        if stack is None:
            return
        try:
            facts = write_animation(self.path, stack, text=self._text, progress=self._report)
        except Cancelled:
            self.message = ""
            return
        except RuntimeError as error:
            # napari's worker swallows RuntimeErrors without a word, and stays busy for ever.
            raise NstError(f"{self.path.name} could not be written: {error}") from error
        self.message = f"Wrote {self.path.name}: {facts}."
        yield

    def _report(self, _: str, done: int, total: int) -> None:
        if self.quit_requested():
            raise Cancelled("The window was closed.")
        self.message = f"Writing {self.path.name}, {done} of {total} …"


class Exporter:
    """Lets one export after the other go on beside the window.

    Parameters
    ----------
    complain : callable
        Called with what went wrong.
    """

    def __init__(self, complain: Callable[[Exception], None]) -> None:
        self._complain = complain
        self._export: Export | None = None

    @property
    def busy(self) -> bool:
        """Whether a file is being written."""
        return self._export is not None

    @property
    def message(self) -> str:
        """How far it is; "" where nothing is written."""
        return self._export.message if self._export else ""

    def check_idle(self) -> None:
        """Raise `ValueError` while a file is being written."""
        if self._export is not None:
            raise ValueError(f"{self._export.path.name} is being written; wait until it is there.")

    def start(self, export: Export) -> None:
        """Write a file; a notification says when it is done."""
        self._export = export
        start_work(export, self._on_failed, self._on_finished)

    def _on_failed(self, error: Exception) -> None:
        if self._export is not None:
            self._export.message = ""
        self._complain(error)

    def _on_finished(self) -> None:
        export, self._export = self._export, None
        if export is not None and export.message:
            show_info(export.message)


def _as_shown(pixels: Pixels, limits: tuple[float, float]) -> Pixels:
    return to_uint8(to_unit(pixels, limits, "history"))
