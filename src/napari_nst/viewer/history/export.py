"""Writing a history to an animation or a TIFF stack, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_nst.errors import Cancelled, NstError
from napari_nst.io.animation import FORMATS, write_animation
from napari_nst.viewer.layers.intensity import to_uint8, to_unit
from napari_nst.viewer.run.worker import IsClosing, run_in_background

if TYPE_CHECKING:
    from napari_nst.io.frame_stack import FrameStack
    from napari_nst.viewer.run.request import RunRequest

Pixels = np.ndarray[Any, Any]

_SUFFIXES = {"MP4 (*.mp4)": ".mp4", "GIF (*.gif)": ".gif", "TIFF stack (*.tif *.tiff)": ".tif"}
_SUGGESTED = ".mp4"


def ask_for_path(parent: QWidget, name: str) -> Path | None:
    """Ask the user where to write a history; None if the dialog was cancelled.

    Raises `ValueError` if the file exists and the dialog has not asked whether to replace it.
    """
    suggested = name.replace("/", "-") + _SUGGESTED
    answer, chosen = QFileDialog.getSaveFileName(
        parent, "Export the history", suggested, ";;".join(_SUFFIXES)
    )
    if not answer:
        return None
    typed, suffix = Path(answer), _SUFFIXES.get(chosen, _SUGGESTED)
    if typed.suffix.lower() == _SUGGESTED:
        # Qt's own dialog does not change the suffix when the user chooses another format.
        path = typed.with_suffix(suffix)
    elif typed.suffix.lower() in FORMATS:
        path = typed
    else:
        path = typed.with_name(typed.name + suffix)
    if path != typed and path.exists():
        raise ValueError(f"{path.name} exists; type that name with its suffix to replace it.")
    return path


class Export:
    """Writes one file; `message` is the progress, then the result, or "" if it was cancelled.

    A TIFF file keeps the intensities of a grey stack; other formats store the display, through the
    contrast limits. `text` is stored in the file.
    """

    def __init__(self, path: Path, stack: FrameStack, request: RunRequest, text: str) -> None:
        self.path = path
        self.message = f"Writing {path.name} …"
        self._is_closing: IsClosing = lambda: False
        display = request.intensity.display(stack.originals[0], request.keep_dtype)
        if "contrast_limits" in display and FORMATS[path.suffix.lower()] != "TIFF":
            stack = stack.converted(partial(_displayed, limits=display["contrast_limits"]))
        self._stack: FrameStack | None = stack
        self._text = text

    def work(self, is_closing: IsClosing) -> None:
        """Write the file, in a thread, and release the images."""
        self._is_closing = is_closing
        stack, self._stack = self._stack, None
        if stack is None:
            return
        try:
            facts = write_animation(self.path, stack, text=self._text, progress=self._report)
        except Cancelled:
            self.message = ""
            return
        except RuntimeError as error:
            raise NstError(f"{self.path.name} could not be written: {error}") from error
        self.message = f"Wrote {self.path.name}: {facts}."

    def _report(self, _: str, done: int, total: int) -> None:
        if self._is_closing():
            raise Cancelled("The window was closed.")
        self.message = f"Writing {self.path.name}, {done} of {total} …"


class Exporter:
    """Writes one file at a time in a thread; `complain` is called with errors."""

    def __init__(self, complain: Callable[[Exception], None]) -> None:
        self._complain = complain
        self._export: Export | None = None

    @property
    def busy(self) -> bool:
        """Whether a file is being written."""
        return self._export is not None

    @property
    def message(self) -> str:
        """The progress of the file that is being written, or ""."""
        return self._export.message if self._export else ""

    def check_idle(self) -> None:
        """Raise `ValueError` while a file is being written."""
        if self._export is not None:
            raise ValueError(f"{self._export.path.name} is being written; wait until it is done.")

    def start(self, export: Export) -> None:
        """Write a file; a notification tells the user when it is done."""
        self._export = export
        run_in_background(export.work, failed=self._on_failed, finished=self._on_finished)

    def _on_failed(self, error: Exception) -> None:
        if self._export is not None:
            self._export.message = ""
        self._complain(error)

    def _on_finished(self) -> None:
        export, self._export = self._export, None
        if export is not None and export.message:
            show_info(export.message)


def _displayed(pixels: Pixels, limits: tuple[float, float]) -> Pixels:
    return to_uint8(to_unit(pixels, limits, "history"))
