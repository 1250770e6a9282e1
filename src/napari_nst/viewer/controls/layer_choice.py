"""Controls that choose the content and its channels, or layers of the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import ref

import numpy as np
from magicgui.widgets import ComboBox, LineEdit
from napari.components import ViewerModel

from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import COMPARED_LAYERS, canonical_layer
from napari_nst.viewer.controls.form import LongText
from napari_nst.viewer.controls.layer_box import LayerBox, chosen_layer, image_layers
from napari_nst.viewer.layers.channels import channel_axes, channel_slices, rgb_slice
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.read import LayerSlice, shown_slice

SLICE, RGB, IN_TURN = "shown slice", "three channels as RGB", "each channel in turn"
SELECTED = "selected layers"


def compared_layers_text() -> LongText:
    """Return the control that names the network's layers to compare."""
    return LongText(
        name="compared_layers",
        label="Compared layers",
        value=", ".join(COMPARED_LAYERS),
        tooltip="One image for each of these layers, from conv1_1 to pool5; the slider below the "
        "canvas goes through them.",
    )


def compared_layers(control: LongText, recipe: Recipe) -> list[str]:
    """Return the layers that `compared_layers_text` names."""
    names = [canonical_layer(part) for part in control.value.replace(",", " ").split()]
    if not names:
        raise ValueError("Compared layers is empty; name at least one layer, such as relu4_2.")
    if recipe.init == "image":
        raise ValueError(
            "Start from is 'image', from which compared layers cannot start; choose 'noise'."
        )
    return names


@dataclass(frozen=True)
class Content:
    """The content of a run: one slice, or one for each channel if they are treated in turn."""

    pictures: Sequence[LayerSlice]
    in_turn: bool

    @property
    def name(self) -> str:
        """The name for results: without the channel's number, or that of all layers."""
        first = self.pictures[0].name
        if not self.in_turn:
            return first
        base, found, _ = first.rpartition(" channel ")
        return base if found else " + ".join(picture.name for picture in self.pictures)

    @property
    def intensity(self) -> Intensity:
        """How the values of a result are to be shown."""
        every = [picture.intensity for picture in self.pictures]
        if len({intensity.limits for intensity in every}) == 1:
            return every[0]
        # Layers with different contrast limits share only the range from black to white.
        return Intensity((0.0, 1.0), np.dtype(np.float32), is_grey=True)


class ContentChoice:
    """The controls that choose the content layer and its channels."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self._axes_of: Callable[[], Any] = lambda: None  # the layer whose axes were offered
        self.layer = LayerBox(
            viewer, "content", "The layer whose shapes are kept.", has_partner=True
        )
        self.content_as = ComboBox(
            name="content_as",
            label="Content as",
            choices=(SLICE, RGB, IN_TURN),
            tooltip="Take the shown slice, three channels as red, green and blue, or each channel "
            "as a grey image of its own, with one style for all or one for each.",
        )
        self.channel_axis = ComboBox(
            name="channel_axis",
            label="Channels",
            choices=self._axes,
            tooltip="Channels are along one of the content's axes, or are the grey layers that are "
            "selected in the layer list, from the bottom up.",
        )
        self.rgb_channels = LineEdit(
            name="rgb_channels",
            label="RGB channels",
            value="0, 1, 2",
            tooltip="Channels for red, green and blue, counted from 0.",
        )
        self.layer.changed.connect(self._offer_axes)
        for chooser in (self.content_as, self.channel_axis):
            chooser.changed.connect(self._enable_controls)
        self._offer_axes()
        self._enable_controls()

    @property
    def takes_slice(self) -> bool:
        """Whether the content is the shown slice of a layer."""
        return bool(self.content_as.value == SLICE)

    def read(self, size: int) -> Content:
        """Return the chosen content, at least `size` pixels long if the layer is."""
        kind = self.content_as.value
        if kind == SLICE:
            layer = chosen_layer(self.layer)
            return Content([shown_slice(layer, self._viewer.dims, size)], in_turn=False)
        channels = self._channels(size)
        if kind == RGB:
            chosen = [channels[number] for number in self._rgb_numbers(len(channels))]
            return Content([rgb_slice(chosen)], in_turn=False)
        return Content(channels, in_turn=True)

    def channels_of_stack(self) -> tuple[int | None, tuple[int, ...] | None]:
        """Return the axis of channels, if they are used, and the three that are colours."""
        if self.takes_slice:
            return None, None
        if self.channel_axis.value == SELECTED:
            raise ValueError(
                f"Channels is {SELECTED!r}, which is for a single slice; choose an axis instead."
            )
        channels = self._channels(size=0)
        axis = channels[0].position.panel_axis
        if self.content_as.value != RGB:
            return axis, None
        return axis, tuple(self._rgb_numbers(len(channels)))

    def where_channels_are(self) -> str:
        """Return the axis or the layers of the channels, "" if the content is a slice."""
        if self.takes_slice:
            return ""
        if self.channel_axis.value == SELECTED:
            return SELECTED
        where = self._channels(size=0)[0].where
        return f"channels along {self.channel_axis.value}{', ' if where else ''}{where}"

    def _axes(self, box: Any = None) -> list[str]:
        layer = self.layer.value
        found = [SELECTED, *(channel_axes(layer, self._viewer.dims) if layer else ())]
        # The chosen axis stays while it is displayed, and while the layer is removed.
        chosen = box.get_value() if box is not None else None
        return found if chosen is None or chosen in found else [*found, chosen]

    def _offer_axes(self) -> None:
        """Offer the axes of a newly chosen layer, and choose its first axis of channels."""
        layer = self.layer.value
        if layer is None or self._axes_of() == layer:
            return
        self._axes_of = ref(getattr(layer, "__wrapped__", layer))
        axes = self._axes()
        self.channel_axis.choices = axes
        self.channel_axis.value = (axes[1:] or [SELECTED])[0]
        self.channel_axis.choices = self._axes

    def _channels(self, size: int) -> list[LayerSlice]:
        dims = self._viewer.dims
        if self.channel_axis.value != SELECTED:
            layer = chosen_layer(self.layer)
            return channel_slices(layer, dims, self.channel_axis.value, size)
        selection = self._viewer.layers.selection
        grey = [x for x in image_layers(self._viewer) if x in selection and not x.rgb]
        if len(grey) < 2:
            raise ValueError(
                f"Channels is '{SELECTED}'; select at least two grey image layers in the layer "
                "list."
            )
        return [shown_slice(layer, dims, size) for layer in grey]

    def _rgb_numbers(self, count: int) -> list[int]:
        text = self.rgb_channels.value
        try:
            numbers = [int(part) for part in text.replace(",", " ").split()]
        except ValueError:
            numbers = []
        if len(numbers) != 3 or not all(0 <= number < count for number in numbers):
            raise ValueError(
                f"RGB channels must be three of the channels 0 to {count - 1}, such as 0, 1, 1; "
                f"not {text!r}."
            )
        return numbers

    def _enable_controls(self) -> None:
        kind = self.content_as.value
        self.channel_axis.enabled = kind != SLICE
        self.rgb_channels.enabled = kind == RGB
        self.layer.enabled = kind == SLICE or self.channel_axis.value != SELECTED
