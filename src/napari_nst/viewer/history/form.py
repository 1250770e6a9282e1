"""The part of a form that says what of a run to keep."""

from __future__ import annotations

from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Label, PushButton, SpinBox
from magicgui.widgets.bases import ValueWidget
from qtpy.QtWidgets import QSizePolicy

from napari_nst.io.history import DEFAULT_MEGABYTES
from napari_nst.viewer.history.layers import IterationLayers

LOG, EVEN, OFF = "log-spaced", "evenly", "off"


class HistoryForm:
    """Its controls.

    Attributes
    ----------
    controls : list of ValueWidget
        For a section of the form.
    """

    def __init__(self) -> None:
        self.keep = ComboBox(
            name="keep_history", label="Keep", choices=(LOG, EVEN, OFF),
            tooltip="Which iterations of the next run to keep: log-spaced, all at first, where "
            "most changes, then fewer; evenly, every n-th; or none.",
        )  # fmt: skip
        self.every = SpinBox(
            name="history_every", label="Every n-th", min=1, max=1000, value=1,
            tooltip="How many iterations lie between two that are kept evenly.",
        )  # fmt: skip
        self.budget = SpinBox(
            name="history_budget", label="Memory, MB", min=1, max=1_000_000, step=50,
            value=round(DEFAULT_MEGABYTES),
            tooltip="How much memory the pictures may take, in millions of bytes; when they take "
            "more, every second is dropped.",
        )  # fmt: skip
        self.each_as_layer = CheckBox(
            name="iteration_layers", text="Each iteration as a layer of its own",
            tooltip=f"For runs of at most {IterationLayers.MOST} steps.",
        )  # fmt: skip
        self.kept = Label(
            name="history_kept", label="Kept", tooltip="How much the history of this run holds.",
        )  # fmt: skip
        self.kept.native.setWordWrap(True)
        # Left to itself, a long name of a file would widen the dock.
        self.kept.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.show_stack = PushButton(
            name="show_history", text="Show as stack",
            tooltip="Show the history as a layer with a slider for the iterations.",
        )  # fmt: skip
        self.export_as = PushButton(
            name="export_history", text="Export…",
            tooltip="Write the history as an MP4, a GIF or a TIFF stack.",
        )  # fmt: skip
        self.controls: list[ValueWidget[Any]] = [
            self.keep, self.every, self.budget, self.each_as_layer, self.kept, self.show_stack,
            self.export_as,
        ]  # fmt: skip
