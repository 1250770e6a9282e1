"""The controls that choose the slices of a layer: the shown one, all, or a range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, LineEdit
from magicgui.widgets.bases import ValueWidget
from napari.components import Dims, ViewerModel
from napari.layers import Image

from napari_nst.viewer.controls.form import CountBox, NumberBox, Section
from napari_nst.viewer.controls.layer_box import LayerBox, chosen_layer
from napari_nst.viewer.layers.channels import channel_axes
from napari_nst.viewer.layers.position import axis_name, shown_axes, shown_index

STACK = "Several slices"
"""The title of the section."""

THIS, ALL, RANGE = "this slice", "all slices", "a range"
CALM = 200.0
"""Weight of the temporal loss at first; see docs/stacks.md."""


@dataclass(frozen=True)
class SliceAxes:
    """The chosen slices of a layer, by the numbers of its axes."""

    axis: int  # that is gone through
    slices: Mapping[int, int | str]  # axis → an index, or a range of the one that is gone through
    temporal: float
    workers: int
    out: str | None


class SliceChoice:
    """Says which slices of a layer a run is for."""

    def __init__(self, viewer: ViewerModel, layer: LayerBox, *, moves: bool = True) -> None:
        # `moves`: whether a result can follow the motion of the one before.
        self._viewer, self._layer = viewer, layer
        self._section: Section | None = None
        self.slices = ComboBox(
            name="slices",
            label="Slices",
            choices=(THIS, ALL, RANGE),
            tooltip="Take the slice that is shown, or go through all slices along an axis, or a "
            "range of them. The result fills in as they are finished.",
        )
        self.along = ComboBox(
            name="along", label="Along", choices=self._axes, tooltip="The axis to go through."
        )
        self.slice_range = LineEdit(
            name="slice_range",
            label="Range",
            value="0:10",
            tooltip="The first slice and the one after the last, counted from 0 as beside the "
            "slider, such as 0:10; 0:10:2 takes each second one.",
        )
        self.temporal = CheckBox(
            name="temporal",
            text="Follow the motion",
            tooltip="Move the result before along with the content, by optical flow, and keep it "
            "where the flow is certain: for time series.",
        )
        self.temporal_weight = NumberBox(
            name="temporal_weight",
            label="Motion weight",
            value=CALM,
            min=0.0,
            max=1e6,
            step=50.0,
            tooltip="How much the result before is kept. More is calmer.",
        )
        self.workers = CountBox(
            name="workers",
            label="Workers",
            value=1,
            min=1,
            max=256,
            tooltip="Processes that compute at the same time: the slices are divided into as many "
            "runs of neighbours. With several, slices appear when they are finished, and each "
            "process needs as much memory as one. For several GPUs, or many CPU cores.",
        )
        self.out = LineEdit(
            name="out",
            label="Result folder",
            tooltip="A folder whose name ends in .zarr, into which finished slices are written; "
            "with the same settings, a run goes on with the missing ones. Empty: a folder for "
            "temporary files.",
        )
        motion: list[ValueWidget[Any]] = [self.temporal, self.temporal_weight] if moves else []
        self.controls: list[ValueWidget[Any]] = [
            self.slices, self.along, self.slice_range, *motion, self.workers, self.out,
        ]  # fmt: skip
        for chooser in (layer, self.slices, self.temporal):
            chooser.changed.connect(self.update)
        self.update()

    @property
    def is_stack(self) -> bool:
        """Whether a run goes through several slices."""
        return self.slices.value != THIS and bool(self.axes())

    def axes(self) -> dict[str, int]:
        """Return name → number of the layer's axes that are not shown and have several entries."""
        layer = self._layer.value
        if not isinstance(layer, Image):
            return {}
        dims = self._viewer.dims
        shown, lengths = shown_axes(layer, dims), layer.level_shapes[0]
        found = [a for a in range(layer.ndim) if a not in shown and lengths[a] > 1]
        names = [axis_name(layer, dims, axis) for axis in found]
        return {
            name if names.count(name) == 1 else f"axis {axis}": axis
            for name, axis in zip(names, found, strict=True)
        }

    def chosen(self, dims: Dims, channel_axis: int | None = None) -> SliceAxes:
        """Return the slices to go through, all but those of an axis of channels."""
        layer = chosen_layer(self._layer)
        axis = self.axes().get(str(self.along.value))
        if axis is None or axis == channel_axis:
            named = ", ".join(name for name, one in self.axes().items() if one != channel_axis)
            raise ValueError(
                f"Along names no axis of slices of layer {layer.name!r}. It has {named or 'none'}."
            )
        index = shown_index(layer, dims)
        shown = shown_axes(layer, dims)
        slices: dict[int, int | str] = {
            one: index[one] for one in range(layer.ndim) if one not in (*shown, axis, channel_axis)
        }
        slices[axis] = ":" if self.slices.value == ALL else str(self.slice_range.value).strip()
        if not slices[axis]:
            raise ValueError("Range is empty. Write the first slice and the last, such as 0:10.")
        weight = float(self.temporal_weight.value) if self.temporal.value else 0.0
        out = str(self.out.value).strip() or None
        return SliceAxes(axis, slices, weight, self.workers.value, out)

    def offer(self, section: Section) -> None:
        """Show the section of these controls while the layer has several slices."""
        self._section = section
        self.update()

    def update(self, *_: Any) -> None:
        """Offer the axes of the layer, and enable the controls that have a meaning."""
        axes = self.axes()
        chosen = self.along.value
        with self.along.changed.blocked():
            self.along.reset_choices()
            if chosen in axes:
                self.along.value = chosen
        if self._section is not None:
            self._section.native.setVisible(bool(axes))
        is_stack = bool(axes) and self.slices.value != THIS
        self.slices.enabled = bool(axes)
        for control in (self.along, self.temporal, self.workers, self.out):
            control.enabled = is_stack
        self.slice_range.enabled = is_stack and self.slices.value == RANGE
        self.temporal_weight.enabled = is_stack and self.temporal.value

    def _axes(self, _: Any = None) -> list[str]:
        layer = self._layer.value
        channels = channel_axes(layer, self._viewer.dims) if isinstance(layer, Image) else {}
        # The axes that may be channels come last, so that the first one is depth or time.
        return sorted(self.axes(), key=lambda name: name in channels)
