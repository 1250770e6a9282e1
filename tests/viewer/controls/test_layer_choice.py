"""Several styles, several channels, and sizes in micrometres, in the Style Transfer widget."""

import numpy as np
import pytest

pytestmark = pytest.mark.window

CHANNELS = np.linspace(0, 1, 4 * 40 * 50).reshape(4, 40, 50).astype(np.float32)


@pytest.fixture
def stained(viewer):
    """A layer with an axis of four channels."""
    return viewer.add_image(
        CHANNELS, name="stained", axis_labels=["c", "y", "x"], contrast_limits=(0, 1)
    )


@pytest.fixture
def as_layers(viewer):
    """The same channels as four grey layers, of which the first three are selected."""
    layers = [
        viewer.add_image(one, name=f"dye {index}", contrast_limits=(0, index + 1))
        for index, one in enumerate(CHANNELS)
    ]
    viewer.layers.selection = set(layers[:3])
    return layers


def test_more_styles_are_blended(viewer, widget, optimiser, finish):
    state = optimiser(steps=3)
    viewer.add_image(np.ones((30, 30)), name="white", contrast_limits=(0, 1))
    assert widget.more_styles.value == []
    widget.more_styles.value = [viewer.layers["white"]]
    widget.style_blend.value = "0.7, 0.3"
    result = finish(widget)
    first, second = state.got["style"]
    assert (first.shape, second.shape) == ((50, 50, 3), (30, 30))
    assert state.recipe.style_blend == (0.7, 0.3)
    assert result.name == "cells × starry + white"


def test_channels_are_offered_where_there_are_any(viewer, widget, stained):
    assert list(widget.channel_axis.choices) == ["selected layers"], "RGB has no axis of channels"
    widget.content.value = stained
    assert list(widget.channel_axis.choices) == ["selected layers", "c"]
    assert widget.channel_axis.value == "c"
    for kind, axis, three in [
        ("shown slice", False, False),
        ("three channels as RGB", True, True),
        ("each channel in turn", True, False),
    ]:
        widget.content_as.value = kind
        assert (widget.channel_axis.enabled, widget.rgb_channels.enabled) == (axis, three)


def test_three_channels_are_one_rgb_content(widget, stained, optimiser, finish):
    state = optimiser(steps=3)
    widget.content.value, widget.content_as.value = stained, "three channels as RGB"
    widget.rgb_channels.value = "3 1 0"
    result = finish(widget)
    expected = np.stack([CHANNELS[3], CHANNELS[1], CHANNELS[0]], axis=-1)
    np.testing.assert_allclose(state.got["content"], expected, atol=1e-6)
    assert result.rgb
    assert result.name == "stained channels 3, 1, 0 × starry"


def test_where_the_channels_are_is_said(viewer, widget):
    stack = np.zeros((5, 4, 40, 50))
    layer = viewer.add_image(stack, name="stack", axis_labels=["z", "c", "y", "x"])
    widget.content.value = layer
    viewer.dims.set_point(0, 3)
    viewer.dims.set_point(1, 2)
    assert widget.where.text() == "Content: slice 4 of 5 along z, 3 of 4 along c"
    widget.content_as.value, widget.channel_axis.value = "each channel in turn", "c"
    assert widget.where.text() == "Content: channels along c, slice 4 of 5 along z"


@pytest.mark.parametrize("text", ["0, 1", "0, 1, 4", "red green blue", "-1 0 1"])
def test_three_channels_must_be_there(widget, stained, text):
    widget.content.value, widget.content_as.value = stained, "three channels as RGB"
    widget.rgb_channels.value = text
    widget.start()
    assert not widget.running
    assert "RGB channels must be three of the channels 0 to 3" in widget.status_text


def test_each_channel_in_turn_makes_a_stack(viewer, widget, stained, optimiser, finish):
    state = optimiser(steps=8)
    widget.content.value, widget.content_as.value = stained, "each channel in turn"
    result = finish(widget)
    assert state.job == "stylize_channels"
    assert state.is_steered, "so that Stop ends it within an iteration"
    np.testing.assert_allclose(np.stack(state.got["contents"]), CHANNELS, atol=1e-6)
    assert len(state.got["styles"]) == 1
    assert state.got["labels"] == [f"stained channel {index}" for index in range(4)]
    assert result.data.shape == (4, 48, 64)
    assert result.name == "stained × starry"
    assert not result.rgb


def test_selected_layers_are_channels(viewer, widget, as_layers, optimiser, finish):
    state = optimiser(steps=6)
    widget.content_as.value = "each channel in turn"
    assert not widget.content.enabled, "the content is not the layer that is chosen there"
    assert widget.where.text() == "Content: selected layers"
    widget.more_styles.value = [as_layers[3], as_layers[0]]
    result = finish(widget)
    assert state.got["labels"] == ["dye 0", "dye 1", "dye 2"]
    assert len(state.got["styles"]) == 3
    assert result.data.shape == (3, 48, 64)
    assert tuple(result.contrast_limits) == (0, 1), "their own limits differ"


def test_a_chosen_axis_of_channels_stays(viewer, widget, messages):
    stack = viewer.add_image(
        np.zeros((3, 4, 40, 50), np.float32), name="stack", axis_labels=["t", "c", "y", "x"]
    )
    widget.content.value, widget.content_as.value = stack, "each channel in turn"
    assert widget.channel_axis.value == "t"
    widget.channel_axis.value = "c"
    viewer.layers.remove(stack)
    viewer.layers.append(stack)
    assert widget.channel_axis.value == "c"
    viewer.dims.order = (0, 2, 1, 3)  # displays c
    viewer.add_image(np.zeros((9, 9)), name="other")
    assert widget.channel_axis.value == "c", "not the layers that are selected"
    widget.start()
    assert not widget.running
    assert "has no axis 'c'" in messages()[-1]


def test_physical_sizes_reach_the_engine_in_one_unit(viewer, widget, optimiser, finish):
    state = optimiser(steps=3)
    cells, starry = viewer.layers["cells"], viewer.layers["starry"]
    cells.scale, cells.units = (0.5, 0.5), ("um", "um")
    starry.scale, starry.units = (250, 250), ("nm", "nm")
    finish(widget)
    assert state.got["pixel_sizes"] is None, "nobody asked"
    widget.style_sizing.value = "physical"
    finish(widget)
    assert state.got["pixel_sizes"] == pytest.approx([0.5, 0.25])


def test_physical_sizes_that_are_not_known_are_asked_for(viewer, widget, messages):
    cells = viewer.layers["cells"]
    cells.scale, cells.units = (0.5, 0.5), ("um", "um")
    widget.style_sizing.value = "physical"
    widget.start()
    assert not widget.running
    assert "needs pixel sizes in one unit in layers 'cells', 'starry'" in widget.status_text
    assert "Size style by to fit" in widget.status_text
    assert len(messages()) == 1
