"""The position of results: that of the content, in the slice that was shown."""

from dataclasses import replace

import numpy as np
import pytest

from napari_nst.viewer.layers.position import move_slider, shown_index
from napari_nst.viewer.layers.read import shown_slice


def add_result(model, position, size, panels=0):
    pixels = np.zeros((panels, *size) if panels else size)
    transform = position.transform_at(size, panels)
    return model.add_image(position.data(pixels, panels), rgb=False, name="result", **transform)


def assert_corners_coincide(content, result, position, size, first=()):
    """`first` is the result's axis of panels, if any, which the content has not."""
    for corner in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        in_content = np.array(position.index, float)
        in_content[list(position.axes)] = np.array(corner) * position.shape - 0.5
        in_result = np.zeros(result.ndim)
        offset = result.ndim - content.ndim
        in_result[[axis + offset for axis in position.axes]] = np.array(corner) * size - 0.5
        np.testing.assert_allclose(
            result.data_to_world(in_result)[offset:], content.data_to_world(in_content), atol=1e-9
        )


TRANSFORMS = {
    "scaled": {"scale": (2, 3), "translate": (5, -7)},
    "rotated and sheared": {"scale": (0.5, 0.5), "rotate": 40, "shear": [0.3]},
    "lower shear": {"shear": np.array([[1, 0], [0.4, 1]])},
    "affine": {"scale": (1, 2), "affine": np.array([[1, 0.2, 3], [-0.1, 2, 4], [0, 0, 1]])},
}


@pytest.mark.parametrize("size", [(60, 80), (30, 40), (7, 13), (120, 160)])
@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_outer_edges_coincide_whatever_the_size(model, size, transform):
    content = model.add_image(np.zeros((60, 80)), **transform)
    position = shown_slice(content, model.dims).position
    assert_corners_coincide(content, add_result(model, position, size), position, size)


SLANTED = np.eye(4)
SLANTED[1:3, 1:3] = [[1, 0.3], [-0.2, 2]]
SLANTED[:3, 3] = 4, 5, 6

TURNED = np.eye(3)
TURNED[1:, 1:] = [[0.8, -0.6], [0.6, 0.8]]

STACKS = {
    "plain": {},
    "scaled": {"scale": (10, 2, 3), "translate": (7, 5, -7)},
    "turned in its plane": {"rotate": TURNED, "scale": (4, 0.5, 0.5), "translate": (3, 1, 2)},
    "tilted out of the plane": {"rotate": (20, 0, 0), "scale": (4, 1, 1), "translate": (3, 1, 2)},
    "sheared": {"shear": [0, 0, 0.3], "scale": (4, 1, 1)},
    "affine": {"affine": SLANTED, "scale": (2, 1, 1)},
}


@pytest.mark.parametrize("size", [(60, 80), (15, 20)])
@pytest.mark.parametrize("transform", STACKS.values(), ids=STACKS)
@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_the_result_of_a_slice_stays_in_that_slice(model, transform, size):
    content = model.add_image(np.zeros((5, 60, 80)), **transform)
    move_slider(content, model.dims, 0, 3)
    position = shown_slice(content, model.dims).position
    assert position.index == (3, 0, 0)
    result = add_result(model, position, size)
    assert result.data.shape == (1, *size)
    assert_corners_coincide(content, result, position, size)
    seen = set()
    for at in np.linspace(*model.dims.range[0][:2], 40):
        model.dims.set_point(0, at)
        index = shown_index(content, model.dims)[0]
        assert result._slice.empty == (index != 3)
        seen.add(index)
    assert seen >= {2, 3}


def test_transposed_axes_are_put_back(model):
    content = model.add_image(np.zeros((5, 60, 80)), scale=(10, 2, 3), translate=(1, 2, 3))
    model.dims.order = (1, 2, 0)
    move_slider(content, model.dims, 1, 21)
    position = shown_slice(content, model.dims).position
    assert (position.axes, position.shape, position.index) == ((2, 0), (80, 5), (0, 21, 0))
    size = (40, 10)
    picture = np.random.default_rng(0).random(size)
    assert position.data(picture).shape == (10, 1, 40)
    result = model.add_image(position.data(picture), rgb=False, **position.transform_at(size))
    assert_corners_coincide(content, result, position, size)
    np.testing.assert_array_equal(result._slice.image.raw, picture)  # upright on the screen


def test_a_time_series_of_stacks(model):
    content = model.add_image(
        np.zeros((4, 5, 60, 80)),
        scale=(30, 2, 0.5, 0.5),
        translate=(60, 1, 2, 3),
        units=["s", "um", "um", "um"],
        axis_labels=["t", "z", "y", "x"],
    )
    move_slider(content, model.dims, 0, 2)
    move_slider(content, model.dims, 1, 4)
    position = shown_slice(content, model.dims).position
    result = add_result(model, position, (30, 40))
    assert_corners_coincide(content, result, position, (30, 40))
    assert result.translate[:2].tolist() == [60 + 2 * 30, 1 + 4 * 2]
    assert result.scale.tolist() == [30, 2, 1, 1]
    assert result.units == content.units
    assert result.axis_labels == ("t", "z", "y", "x")


def test_colours_come_last_in_every_order(model):
    content = model.add_image(np.zeros((5, 60, 80)))
    for order, shape in [((0, 1, 2), (1, 7, 9, 3)), ((0, 2, 1), (1, 9, 7, 3))]:
        model.dims.order = order
        position = shown_slice(content, model.dims).position
        assert position.data(np.zeros((7, 9, 3))).shape == shape


@pytest.mark.parametrize("transform", STACKS.values(), ids=STACKS)
@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_several_images_have_an_axis_of_their_own(model, transform):
    content = model.add_image(np.zeros((5, 60, 80)), **transform)
    move_slider(content, model.dims, 0, 3)
    position = shown_slice(content, model.dims).position
    result = add_result(model, position, (30, 40), panels=4)
    assert result.data.shape == (4, 1, 30, 40)
    assert_corners_coincide(content, result, position, (30, 40))
    assert result.axis_labels[0] == "picture"
    assert str(result.units[0]) == "pixel"
    for panel in range(4):
        assert result.data_to_world((panel, 0, 0, 0))[0] == panel


def test_images_along_an_axis_of_the_layer_stay_on_it(model):
    content = model.add_image(np.zeros((5, 3, 60, 80)), scale=(9, 2, 1, 1), translate=(0, 4, 0, 0))
    move_slider(content, model.dims, 0, 2)
    move_slider(content, model.dims, 1, 1)
    position = replace(shown_slice(content, model.dims).position, panel_axis=1)
    pictures = np.random.default_rng(0).random((3, 30, 40))
    data = position.data(pictures, panels=3)
    np.testing.assert_array_equal(data[0], pictures)
    result = model.add_image(data, rgb=False, **position.transform_at((30, 40), panels=3))
    for channel in range(3):
        move_slider(content, model.dims, 1, channel)
        np.testing.assert_array_equal(result._slice.image.raw, pictures[channel])
    # Without panels it is a picture of the slice that was shown.
    assert position.transform_at((30, 40))["translate"][1] == 4 + 2 * 1


def test_sliders_move_in_the_unit_of_the_viewer(model):
    content = model.add_image(np.zeros((5, 60, 80)), units=["um"] * 3, scale=(2, 1, 1))
    model.add_image(np.zeros((50, 4, 4)), units=["nm"] * 3, scale=[500] * 3)
    move_slider(content, model.dims, 0, 3)
    assert model.dims.point[0] == pytest.approx(6000)
    assert shown_index(content, model.dims) == (3, 0, 0)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_an_image_is_read_from_data_as_it_was_put_in(model, order):
    stack = model.add_image(np.zeros((5, 6, 7)))
    model.dims.order = order
    position = shown_slice(stack, model.dims).position
    for shape in (position.shape, (*position.shape, 3)):
        image = np.random.default_rng(0).random(shape)
        found = position.image(position.data(image))
        assert np.shares_memory(found, image)
        np.testing.assert_array_equal(found, image)
