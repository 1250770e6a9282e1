"""Channels of a layer, or layers that are channels."""

import numpy as np
import pytest

from napari_nst.viewer.layers.channels import channel_axes, channel_slices, rgb_slice
from napari_nst.viewer.layers.read import shown_slice


@pytest.fixture
def cells(model):
    """Three channels of five slices, each value saying where it is."""
    values = 100 * np.arange(5)[:, None] + 10 * np.arange(3)
    data = np.broadcast_to(values[..., None, None], (5, 3, 20, 30)).astype(np.float32)
    layer = model.add_image(
        data, name="cells", contrast_limits=(0, 500), axis_labels=["z", "c", "y", "x"]
    )
    model.dims.set_point((0, 1), (4, 1))
    return layer


def test_short_axes_that_are_not_shown_may_be_channels(model, cells):
    assert channel_axes(cells, model.dims) == {"z": 0, "c": 1}
    assert list(channel_axes(cells)) == ["z", "c"]
    model.dims.order = (2, 3, 0, 1)
    assert channel_axes(cells, model.dims) == {}  # y and x are 20 and 30 long


def test_long_axes_single_slices_and_colours_are_no_channels(model):
    deep = model.add_image(np.zeros((17, 1, 16, 8, 8)))
    assert channel_axes(deep, model.dims) == {"axis 2": 2}
    assert channel_axes(model.add_image(np.zeros((8, 8))), model.dims) == {}
    assert channel_axes(model.add_image(np.zeros((4, 8, 8, 3)), rgb=True), model.dims) == {}


def test_axes_of_one_name_are_told_apart(model):
    layer = model.add_image(np.zeros((2, 3, 8, 8)), axis_labels=["c", "c", "y", "x"])
    assert channel_axes(layer, model.dims) == {"axis 0": 0, "axis 1": 1}
    assert len(channel_slices(layer, model.dims, "axis 1")) == 3


@pytest.mark.parametrize("axis", [1, "c"])
def test_each_channel_is_read_at_the_shown_slice(model, cells, axis):
    channels = channel_slices(cells, model.dims, axis)
    assert [channel.name for channel in channels] == [f"cells channel {i}" for i in range(3)]
    for index, channel in enumerate(channels):
        np.testing.assert_allclose(channel.read(), np.full((20, 30), (400 + 10 * index) / 500))
        assert channel.where == "slice 5 of 5 along z"
        assert channel.position.panel_axis == 1


def test_three_channels_are_rgb(model, cells):
    channels = channel_slices(cells, model.dims, "c")
    picture = rgb_slice([channels[2], channels[0], channels[1]])
    assert picture.name == "cells channels 2, 0, 1"
    assert picture.where == "slice 5 of 5 along z"
    pixels = picture.read()
    assert pixels.shape == (20, 30, 3)
    np.testing.assert_allclose(pixels[0, 0], np.array([420, 400, 410]) / 500)
    assert picture.intensity.restore(pixels).dtype == np.uint8
    # The position is that of the shown slice, whichever channel it is.
    transform = picture.position.transform_at((20, 30))
    result = model.add_image(picture.position.data(pixels), rgb=True, **transform)
    assert result.data.shape == (1, 1, 20, 30, 3)
    assert not result._slice.empty


def test_three_layers_are_rgb_each_through_its_own_limits(model):
    layers = [
        model.add_image(np.full((8, 9), 50, np.uint16), name=name, contrast_limits=(0, high))
        for name, high in [("dapi", 50), ("gfp", 100), ("rfp", 200)]
    ]
    picture = rgb_slice([shown_slice(layer, model.dims) for layer in layers])
    assert picture.name == "dapi + gfp + rfp"
    np.testing.assert_allclose(picture.read()[0, 0], [1, 0.5, 0.25])
    assert picture.intensity.restore(picture.read(), keep_dtype=True).dtype == np.uint16


def test_an_axis_that_is_none_of_channels_is_refused(model, cells):
    for axis in ("t", 3, -1):
        with pytest.raises(ValueError, match=r"'cells' has no axis .* of channels; .*: z, c\."):
            channel_slices(cells, model.dims, axis)
    flat = model.add_image(np.zeros((8, 8)), name="flat")
    with pytest.raises(ValueError, match="those it may have: none"):
        channel_slices(flat, model.dims, 0)


def test_rgb_of_other_than_three_grey_pictures_is_refused(model, cells):
    channels = channel_slices(cells, model.dims, "c")
    with pytest.raises(ValueError, match="three channels, for red, green and blue; not 2"):
        rgb_slice(channels[:2])
    photo = shown_slice(model.add_image(np.zeros((20, 30, 3)), rgb=True, name="photo"), model.dims)
    with pytest.raises(ValueError, match="'photo' is RGB already"):
        rgb_slice([*channels[:2], photo])


def test_pyramids_whose_levels_differ_are_refused_when_they_are_read(model):
    def pyramid(*sizes):
        levels = [np.zeros((size, size)) for size in sizes]
        layer = model.add_image(levels, multiscale=True, contrast_limits=(0, 1))
        return shown_slice(layer, model.dims, 40)

    picture = rgb_slice([pyramid(100, 50), pyramid(100, 50), pyramid(100, 40)])
    with pytest.raises(ValueError, match="Channels must be of one size"):
        picture.read()
