"""What the content is: a layer's shown slice, three channels as RGB, or each channel in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, LineEdit

from napari_nst.viewer.controls.layer_choice import chosen_layer, image_layers, layer_box
from napari_nst.viewer.layers.channels import channel_axes, channel_slices, rgb_slice
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.read import LayerSlice, shown_slice

if TYPE_CHECKING:
    from napari.components import ViewerModel

SLICE, RGB, IN_TURN = "shown slice", "three channels as RGB", "each channel in turn"

SELECTED = "selected layers"


@dataclass(frozen=True)
class Content:
    """What a run shall keep.

    Attributes
    ----------
    pictures : sequence of LayerSlice
        One; or the channels, to be treated in turn.
    in_turn : bool
        Whether they are channels.
    """

    pictures: Sequence[LayerSlice]
    in_turn: bool

    @property
    def name(self) -> str:
        """What to call it."""
        first = self.pictures[0].name
        if not self.in_turn:
            return first
        base, found, _ = first.rpartition(" channel ")
        return base if found else " + ".join(picture.name for picture in self.pictures)

    @property
    def intensity(self) -> Intensity:
        """How the numbers of a result are meant."""
        every = [picture.intensity for picture in self.pictures]
        if len({intensity.limits for intensity in every}) == 1:
            return every[0]
        # Layers that are shown through other limits each have nothing in common but black to white.
        return Intensity((0.0, 1.0), np.dtype(np.float32), is_grey=True)


class ContentChoice:
    """The controls that say which layer, and which of its channels.

    Attributes
    ----------
    layer : ComboBox
        The layer.
    content_as : ComboBox
        What to make of it.
    channel_axis : ComboBox
        Where the channels are: along an axis of the layer, or layers of their own.
    rgb_channels : LineEdit
        Which three, counted from 0.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.layer = layer_box(viewer, "content", "The layer whose shapes are kept.")
        self.content_as = ComboBox(
            name="content_as",
            label="Content as",
            choices=(SLICE, RGB, IN_TURN),
            tooltip="What to take: the slice that is shown, three channels as red, green and blue, "
            "or each channel as a grey picture of its own, with a style for all or one for each.",
        )
        self.channel_axis = ComboBox(
            name="channel_axis",
            label="Channels",
            choices=self._axes,
            tooltip="Where the channels are: along one of the content's axes, or in the grey "
            "layers that are selected in the layer list, from the bottom up.",
        )
        self.rgb_channels = LineEdit(
            name="rgb_channels",
            label="RGB channels",
            value="0, 1, 2",
            tooltip="Which channels to take for red, green and blue, counted from 0.",
        )
        self.layer.changed.connect(self._offer_axes)
        for chooser in (self.content_as, self.channel_axis):
            chooser.changed.connect(self._enable_what_matters)
        self._offer_axes()
        self._enable_what_matters()

    @property
    def takes_slice(self) -> bool:
        """Whether the content is what a layer shows, and nothing put together."""
        return bool(self.content_as.value == SLICE)

    def read(self, size: int) -> Content:
        """Pick what is chosen, at least `size` pixels long where there is as much.

        Raises
        ------
        ValueError
            If nothing is chosen, or it has no such channels.
        """
        kind = self.content_as.value
        if kind == SLICE:
            layer = chosen_layer(self.layer, "content")
            return Content([shown_slice(layer, self._viewer.dims, size)], in_turn=False)
        channels = self._channels(size)
        if kind == RGB:
            chosen = [channels[at] for at in self._three(len(channels))]
            return Content([rgb_slice(chosen)], in_turn=False)
        return Content(channels, in_turn=True)

    def where_channels_are(self) -> str:
        """Say which axis or layers are taken for channels; "" where none are.

        Raises
        ------
        ValueError
            If the layer has no such axis.
        """
        if self.content_as.value == SLICE:
            return ""
        if self.channel_axis.value == SELECTED:
            return SELECTED
        where = self._channels(size=0)[0].where
        return f"channels along {self.channel_axis.value}{', ' if where else ''}{where}"

    def _axes(self, _: Any = None) -> list[str]:
        layer = self.layer.value
        return [SELECTED, *(channel_axes(layer, self._viewer.dims) if layer else ())]

    def _offer_axes(self) -> None:
        """Offer the axes of a newly chosen layer, and take one where there is one."""
        self.channel_axis.reset_choices()
        self.channel_axis.value = (self._axes()[1:] or [SELECTED])[0]

    def _channels(self, size: int) -> list[LayerSlice]:
        dims = self._viewer.dims
        if self.channel_axis.value != SELECTED:
            layer = chosen_layer(self.layer, "content")
            return channel_slices(layer, dims, self.channel_axis.value, size)
        selected = [
            layer
            for layer in image_layers(self._viewer)
            if layer in self._viewer.layers.selection and not layer.rgb
        ]
        if len(selected) < 2:
            raise ValueError(
                f"content is the channels of {SELECTED}, but {len(selected)} grey image "
                f"layer{'s are' if len(selected) != 1 else ' is'} selected; select them in the "
                "layer list."
            )
        return [shown_slice(layer, dims, size) for layer in selected]

    def _three(self, count: int) -> list[int]:
        text = self.rgb_channels.value
        try:
            numbers = [int(part) for part in text.replace(",", " ").split()]
        except ValueError:
            numbers = []
        if len(numbers) != 3 or not all(0 <= number < count for number in numbers):
            raise ValueError(
                f"rgb_channels must be three of the channels 0 to {count - 1}, such as 0, 1, 1; "
                f"not {text!r}."
            )
        return numbers

    def _enable_what_matters(self) -> None:
        kind = self.content_as.value
        self.channel_axis.enabled = kind != SLICE
        self.rgb_channels.enabled = kind == RGB
        self.layer.enabled = kind == SLICE or self.channel_axis.value != SELECTED
