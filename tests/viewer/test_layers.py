"""Layers as images: what each kind of layer shows, and where it lies."""

import dask.array
import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nst.viewer.layers import picture_of


@pytest.fixture
def model():
    """A viewer without a window; layers need no more."""
    return ViewerModel()


def read(model, layer, size=0):
    return picture_of(layer, model.dims, size).read()


def test_rgb_is_divided_by_its_types_range(model):
    pixels = np.array([[[0, 128, 255], [1, 2, 3]]], np.uint8)
    np.testing.assert_allclose(read(model, model.add_image(pixels, rgb=True)), pixels / 255, 1e-6)
    wide = pixels.astype(np.uint16) * 257
    np.testing.assert_allclose(read(model, model.add_image(wide, rgb=True)), pixels / 255, 1e-6)


def test_alpha_is_left_out(model):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4), np.uint8)
    assert read(model, model.add_image(pixels, rgb=True)).shape == (5, 6, 3)


def test_float_rgb_beyond_its_range_is_clipped_as_the_screen_does(model):
    layer = model.add_image(np.full((4, 4, 3), 1.5), rgb=True)
    assert (read(model, layer) == 1).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64])
def test_grey_goes_through_the_shown_contrast_limits(model, dtype):
    pixels = np.array([[0, 20], [70, 120]], dtype)
    layer = model.add_image(pixels, contrast_limits=(20, 120))
    expected = np.repeat(np.array([[0, 0], [0.5, 1]])[..., None], 3, axis=-1)
    np.testing.assert_allclose(read(model, layer), expected, atol=1e-6)


def test_a_boolean_layer_is_black_and_white(model):
    layer = model.add_image(np.eye(4, dtype=bool))
    np.testing.assert_array_equal(read(model, layer)[..., 0], np.eye(4))


def test_single_missing_pixels_are_drawn_dark(model):
    pixels = np.ones((4, 4))
    pixels[1, 2] = np.nan
    shown = read(model, model.add_image(pixels, contrast_limits=(0, 1)))
    assert shown[1, 2].tolist() == [0, 0, 0]
    assert shown[0, 0].tolist() == [1, 1, 1]


def test_of_a_stack_the_shown_slice_is_read(model):
    stack = np.arange(5 * 7 * 8, dtype=np.uint16).reshape(5, 7, 8)
    layer = model.add_image(stack, contrast_limits=(0, 279), scale=(10, 2, 3))
    model.dims.set_point(0, 30)
    np.testing.assert_allclose(read(model, layer)[..., 1], stack[3] / 279, atol=1e-6)


def test_of_a_stack_of_rgb_the_shown_slice_is_read(model):
    stack = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), np.uint8)
    layer = model.add_image(stack, rgb=True)
    model.dims.set_point(0, 2)
    np.testing.assert_allclose(read(model, layer), stack[2] / 255, atol=1e-6)


def test_axes_are_taken_in_the_order_shown(model):
    stack = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    layer = model.add_image(stack, contrast_limits=(0, 59), scale=(2, 3, 4), units=["um"] * 3)
    model.dims.order = (1, 2, 0)
    model.dims.set_point(1, 3 * 2)
    picture = picture_of(layer, model.dims)
    np.testing.assert_allclose(picture.read()[..., 0], stack[:, 2].T / 59, atol=1e-6)
    assert picture.geometry.shape == (5, 3)
    assert picture.geometry.transform["scale"].tolist() == [4, 2]


def test_a_flat_layer_beside_a_stack_is_read_whole(model):
    model.add_image(np.zeros((9, 30, 30)))
    flat = model.add_image(np.random.default_rng(0).random((30, 40, 3)), rgb=True)
    model.dims.set_point(0, 5)
    np.testing.assert_allclose(read(model, flat), flat.data, atol=1e-6)


def test_a_lazy_layer_is_read_only_when_it_is_asked_for(model):
    read_blocks = []

    def block(block_info=None):
        read_blocks.append(block_info)
        return np.full((1, 8, 8), 7, np.uint8)

    lazy = dask.array.map_blocks(block, chunks=((1,) * 6, (8,), (8,)), dtype=np.uint8)
    layer = model.add_image(lazy, contrast_limits=(0, 14))
    read_blocks.clear()
    picture = picture_of(layer, model.dims)
    assert read_blocks == []
    assert (picture.read() == 0.5).all()
    assert len(read_blocks) == 1


def test_of_a_pyramid_the_smallest_level_that_suffices_is_read(model):
    levels = [np.full((n, 2 * n), n, np.float32) for n in (200, 100, 50)]
    layer = model.add_image(levels, multiscale=True, contrast_limits=(0, 200))
    assert read(model, layer, size=200).shape == (100, 200, 3)
    assert read(model, layer, size=201).shape == (200, 400, 3)
    assert read(model, layer, size=0).shape == (200, 400, 3)
    assert read(model, layer, size=5000).shape == (200, 400, 3)
    assert picture_of(layer, model.dims, 50).geometry.shape == (200, 400)


@pytest.mark.parametrize("size", [(30, 40), (7, 13), (120, 160)])
@pytest.mark.parametrize(
    "transform",
    [
        {"scale": (2, 3), "translate": (5, -7)},
        {"scale": (0.5, 0.5), "rotate": 40, "shear": [0.3]},
        {"scale": (1, 2), "affine": np.array([[1, 0.2, 3], [-0.1, 2, 4], [0, 0, 1]])},
    ],
    ids=["scaled", "rotated and sheared", "affine"],
)
def test_outer_edges_coincide_whatever_the_size(model, size, transform):
    content = model.add_image(np.zeros((60, 80)), **transform)
    geometry = picture_of(content, model.dims).geometry
    result = model.add_image(np.zeros((*size, 3)), rgb=True, **geometry.resampled(size))
    for corner in [(0, 0), (0, 1), (1, 0), (1, 1)]:
        np.testing.assert_allclose(
            result.data_to_world(np.array(corner) * size - 0.5),
            content.data_to_world(np.array(corner) * (60, 80) - 0.5),
            atol=1e-9,
        )


def test_units_and_axis_labels_are_kept(model):
    layer = model.add_image(
        np.zeros((3, 20, 20)), units=["s", "um", "um"], axis_labels=["t", "y", "x"]
    )
    transform = picture_of(layer, model.dims).geometry.resampled((10, 10))
    assert transform["axis_labels"] == ("y", "x")
    assert [str(unit) for unit in transform["units"]] == ["micrometer", "micrometer"]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # napari divides by the size
def test_an_empty_layer_is_refused_at_once(model):
    layer = model.add_image(np.zeros((10, 10)), name="odd", contrast_limits=(0, 1))
    with pytest.raises(ValueError, match="NaN"):  # napari draws no thumbnail of it, but keeps it
        layer.data = np.zeros((0, 10))
    with pytest.raises(ValueError, match="'odd' is empty"):
        picture_of(layer, model.dims)


def test_complex_numbers_are_refused_at_once(model):
    layer = model.add_image(np.zeros((10, 10)), name="odd", contrast_limits=(0, 1))
    with pytest.raises(TypeError):  # napari draws no thumbnail of them, but keeps them
        layer.data = np.zeros((10, 10), complex)
    with pytest.raises(ValueError, match="'odd' holds complex numbers"):
        picture_of(layer, model.dims)


@pytest.mark.parametrize("rgb", [False, True])
def test_all_nan_is_refused_when_it_is_read(model, rgb):
    data = np.full((5, 5, 3) if rgb else (5, 5), np.nan)
    layer = model.add_image(data, rgb=rgb, name="odd", contrast_limits=(0, 1))
    with pytest.raises(ValueError, match="'odd' is all NaN"):
        read(model, layer)
