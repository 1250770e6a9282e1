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
    from napari_nst.io.history import FrameStack
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


class Exporter:
    """Writes one file at a time in a thread; `complain` is called with errors."""

    def __init__(self, complain: Callable[[Exception], None]) -> None:
        self._complain = complain
        self.message = ""  # progress of the file that is being written

    @property
    def busy(self) -> bool:
        """Whether a file is being written."""
        return bool(self.message)

    def start(self, path: Path, stack: FrameStack, request: RunRequest, text: str) -> None:
        """Write the images of a run, and `text`; a notification tells the user when it is done.

        A TIFF file keeps the intensities of grey images; other formats store them as displayed,
        through the contrast limits. Raises `ValueError` while another file is being written.
        """
        if self.busy:
            raise ValueError("Another file is being written; wait until it is done.")
        display = request.intensity.display(stack.originals[0], request.keep_dtype)
        if "contrast_limits" in display and FORMATS[path.suffix.lower()] != "TIFF":
            stack = stack.converted(partial(_displayed, limits=display["contrast_limits"]))
        self.message = f"Writing {path.name} …"

        def write(is_closing: IsClosing) -> str:
            def report(_: str, done: int, total: int) -> None:
                if is_closing():
                    raise Cancelled("The window was closed.")
                self.message = f"Writing {path.name}, {done} of {total} …"

            try:
                facts = write_animation(path, stack, text=text, progress=report)
            except Cancelled:
                return ""
            except RuntimeError as error:
                raise NstError(f"{path.name} could not be written: {error}") from error
            return f"Wrote {path.name}: {facts}."

        run_in_background(
            write, returned=_notify, failed=self._complain, finished=self._on_finished
        )

    def _on_finished(self) -> None:
        self.message = ""


def _notify(message: str) -> None:
    if message:
        show_info(message)


def _displayed(pixels: Pixels, limits: tuple[float, float]) -> Pixels:
    return to_uint8(to_unit(pixels, limits, "history"))
