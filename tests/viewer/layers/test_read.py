"""What each kind of layer shows, and in which slice."""

import dask.array
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import ViewerModel

from napari_nst.engine.job.given import opened_labels
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.viewer.layers.read import shown_slice


def read(model, layer, size=0):
    return shown_slice(layer, model.dims, size).read()


def test_rgb_is_divided_by_the_range_of_its_dtype(model):
    pixels = np.array([[[0, 128, 255], [1, 2, 3]]], np.uint8)
    np.testing.assert_allclose(read(model, model.add_image(pixels, rgb=True)), pixels / 255, 1e-6)
    wide = pixels.astype(np.uint16) * 257
    np.testing.assert_allclose(read(model, model.add_image(wide, rgb=True)), pixels / 255, 1e-6)


@pytest.mark.parametrize("limits", [(0, 255), (40, 200)])
def test_python_reads_a_layer_as_the_viewer_does(model, limits):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4), np.uint8)
    for layer in (
        model.add_image(pixels, rgb=True, contrast_limits=limits),
        model.add_image(pixels[..., 0], contrast_limits=limits),
    ):
        np.testing.assert_allclose(as_rgb(layer), as_rgb(read(model, layer)), atol=1e-6)
    with pytest.raises(ValueError, match=r"'cells'.*layer\.data\[2\]"):
        as_rgb(model.add_image(pixels[..., 0][:, None] * np.ones((1, 4, 1)), name="cells"))
    with pytest.raises(TypeError, match="points"):
        as_rgb(model.add_points(np.zeros((2, 2))))
    assert opened_labels(model.add_labels(pixels[..., 0]), "guide").shape == (5, 6)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_alpha_is_the_fourth_channel(model, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 4), np.uint8)
    given = pixels if dtype == np.uint8 else (pixels / 255).astype(dtype)
    white = 255 if dtype == np.uint8 else 1
    picture = read(model, model.add_image(given, rgb=True, contrast_limits=(0, white)))
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, pixels / 255, atol=1e-6)


def test_rgb_of_any_type_goes_through_the_contrast_limits(model):
    pixels = np.array([[[-5, 0, 5], [20, 95, 200]]], np.int32)
    layer = model.add_image(pixels, rgb=True, contrast_limits=(-5, 95))
    np.testing.assert_allclose(read(model, layer), [[[0, 0.05, 0.1], [0.25, 1, 1]]], atol=1e-6)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float16, np.float32, np.float64]
)
def test_grey_goes_through_the_shown_contrast_limits(model, dtype):
    pixels = np.array([[0, 20], [70, 120]], dtype)
    picture = read(model, model.add_image(pixels, contrast_limits=(20, 120)))
    assert picture.dtype == np.float32
    np.testing.assert_allclose(picture, [[0, 0], [0.5, 1]], atol=1e-6)


def test_close_limits_far_from_zero_are_distinguished(model):
    far = 2.0**40
    layer = model.add_image(far + np.array([[0, 1], [2, 4.0]]), contrast_limits=(far, far + 4))
    np.testing.assert_allclose(read(model, layer), [[0, 0.25], [0.5, 1]])


def test_nan_is_black(model):
    pixels = np.ones((4, 4))
    pixels[1, 2] = np.nan
    shown = read(model, model.add_image(pixels, contrast_limits=(0, 1)))
    assert shown[1, 2] == 0
    assert shown[0, 0] == 1


def test_the_shown_slice_of_a_stack_is_read(model):
    stack = np.arange(5 * 7 * 8, dtype=np.uint16).reshape(5, 7, 8)
    layer = model.add_image(stack, contrast_limits=(0, 279), scale=(10, 2, 3))
    model.dims.set_point(0, 30)
    np.testing.assert_allclose(read(model, layer), stack[3] / 279, atol=1e-6)


@pytest.mark.parametrize("mode", ["mean", "sum", "max", "min"])
def test_the_shown_projection_of_a_thick_slice_is_read(model, mode):
    stack = np.zeros((6, 7, 8), np.uint8)
    stack[::2] = 200
    layer = model.add_image(stack, contrast_limits=(0, 1000), projection_mode=mode)
    layer.axis_labels = ["z", "y", "x"]
    model.dims.set_point(0, 3)
    model.dims.thickness = (4, 0, 0)  # planes 2 to 6, counted from 1
    shown = shown_slice(layer, model.dims)
    expected = {"mean": 80, "sum": 400, "max": 200, "min": 0}[mode]
    np.testing.assert_allclose(shown.read(), expected / 1000, atol=1e-6)
    assert "2 to 6 of 6" in shown.where
    assert mode in shown.where
    restored = shown.intensity.restore(shown.read(), keep_dtype=True)
    assert (restored == expected).all(), "a sum is beyond 8 bits"
    layer.projection_mode = "none"
    assert "4 of 6" in shown_slice(layer, model.dims).where


@settings(max_examples=25)
@given(st.data())
def test_what_napari_shows_is_read(data):
    """However a stack is scaled, turned, sliced and projected, napari's own slice is the same."""
    model, random = ViewerModel(), np.random.default_rng(0)
    shape = data.draw(st.lists(st.integers(3, 8), min_size=3, max_size=4), "shape")
    ndim = len(shape)
    layer = model.add_image(
        random.random(shape),
        scale=data.draw(st.lists(st.sampled_from([0.5, 1, 3]), min_size=ndim, max_size=ndim)),
        contrast_limits=(0, 1),
        projection_mode=data.draw(st.sampled_from(["none", "mean", "sum", "max", "min"])),
    )
    dims = model.dims
    dims.order = data.draw(st.permutations(range(ndim)), "order")
    for axis, (start, stop, _) in enumerate(dims.range):
        dims.set_point(axis, data.draw(st.floats(start, stop), "point"))
    margins = st.lists(st.sampled_from([0, 0.5, 1, 3]), min_size=ndim, max_size=ndim)
    dims.margin_left, dims.margin_right = data.draw(margins), data.draw(margins)
    np.testing.assert_array_equal(shown_slice(layer, dims).read_raw(), layer._slice.image.raw)


def test_the_projection_of_an_rgb_stack_is_read(model):
    stack = np.zeros((4, 6, 5, 4), np.uint8)
    stack[::2] = 100
    stack[..., 3] = 255
    layer = model.add_image(stack, rgb=True, projection_mode="mean")
    model.dims.set_point(0, 1)
    model.dims.thickness = (2, 0, 0)  # planes 0 to 2
    np.testing.assert_allclose(read(model, layer)[0, 0], [200 / 3 / 255] * 3 + [1], atol=1e-6)


def test_the_projection_of_a_channel_has_that_channel_only(model):
    stack = np.zeros((2, 4, 6, 5), np.float32)
    stack[1] = np.array([0, 1, 5, 9])[:, None, None]
    layer = model.add_image(stack, contrast_limits=(0, 8), projection_mode="mean")
    model.dims.set_point(1, 1)
    model.dims.thickness = (9, 2, 0, 0)
    channels = [shown_slice(layer, model.dims, channel=(0, at)) for at in (0, 1)]
    assert [float(one.read().mean()) for one in channels] == [0, 0.25]


def test_a_projection_of_a_coarser_level_has_its_planes(model):
    stack = np.repeat(np.arange(8.0), 2)[:, None, None] * np.ones((16, 64, 64))
    levels = [stack, stack[::2, ::2, ::2]]
    layer = model.add_image(levels, multiscale=True, contrast_limits=(0, 8), projection_mode="mean")
    model.dims.set_point(0, 8)
    model.dims.thickness = (8, 0, 0)
    for size, shape in ((64, (64, 64)), (32, (32, 32))):
        pixels = read(model, layer, size)
        assert pixels.shape == shape
        layer.locked_data_level = 0 if size == 64 else 1
        np.testing.assert_allclose(pixels * 8, layer._slice.image.raw.mean(), rtol=1e-6)
        layer.locked_data_level = None


def test_a_level_that_the_user_has_locked_is_read(model):
    levels = [np.zeros((64, 64)), np.ones((16, 16))]
    layer = model.add_image(levels, multiscale=True, contrast_limits=(0, 1))
    layer.locked_data_level = 1
    assert read(model, layer, 64).shape == (16, 16)


def test_in_3d_the_slice_of_2d_is_read(model):
    stack = np.arange(5 * 4 * 4, dtype=np.float32).reshape(5, 4, 4)
    layer = model.add_image(stack, contrast_limits=(0, 79))
    model.dims.set_point(0, 3)
    flat = shown_slice(layer, model.dims)
    model.dims.ndisplay = 3
    deep = shown_slice(layer, model.dims)
    np.testing.assert_array_equal(deep.read(), flat.read())
    assert deep.where != flat.where, "it is not what is on the canvas"


def test_the_shown_slice_of_an_rgb_stack_is_read(model):
    stack = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), np.uint8)
    layer = model.add_image(stack, rgb=True)
    model.dims.set_point(0, 2)
    np.testing.assert_allclose(read(model, layer), stack[2] / 255, atol=1e-6)
    model.dims.order = (1, 2, 0)
    model.dims.set_point(1, 4)
    np.testing.assert_allclose(read(model, layer), stack[:, 4].swapaxes(0, 1) / 255, atol=1e-6)


def test_axes_are_taken_in_the_order_shown(model):
    stack = np.arange(3 * 4 * 5, dtype=np.float32).reshape(3, 4, 5)
    layer = model.add_image(stack, contrast_limits=(0, 59), scale=(2, 3, 4), units=["um"] * 3)
    model.dims.order = (1, 2, 0)
    model.dims.set_point(1, 3 * 2)
    picture = shown_slice(layer, model.dims)
    np.testing.assert_allclose(picture.read(), stack[:, 2].T / 59, atol=1e-6)
    assert picture.position.shape == (5, 3)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_the_slice_is_the_one_that_napari_draws(model):
    """Whatever the transform: a tilted stack is sliced as on the screen, not exactly."""
    stack = np.arange(9 * 20 * 20, dtype=np.float32).reshape(9, 20, 20)
    layer = model.add_image(
        stack, contrast_limits=(0, 3599), scale=(3, 1, 1), rotate=(0, 10, 0), translate=(2, 0, 0)
    )
    model.add_image(np.zeros((60, 4, 4)), translate=(-10, 0, 0))
    for at in (4, 11, 23):
        model.dims.set_point(0, at)
        drawn = np.asarray(layer._slice.image.raw)
        np.testing.assert_allclose(read(model, layer), drawn / 3599, atol=1e-6)


def test_the_slice_is_found_in_the_viewers_unit(model):
    stack = np.arange(5 * 7 * 8, dtype=np.float32).reshape(5, 7, 8)
    layer = model.add_image(stack, contrast_limits=(0, 279), units=["um"] * 3)
    model.add_image(np.zeros((9, 7, 8)), units=["nm"] * 3, scale=[500] * 3)
    model.dims.set_point(0, 3000)  # nm, the finer one
    picture = shown_slice(layer, model.dims)
    np.testing.assert_allclose(picture.read(), stack[3] / 279, atol=1e-6)
    assert picture.where == "slice 4 of 5 along axis 0"


def test_a_flat_layer_beside_a_stack_is_read_whole(model):
    model.add_image(np.zeros((9, 30, 30)))
    pixels = np.random.default_rng(0).random((30, 40, 3))
    flat = model.add_image(pixels, rgb=True, contrast_limits=(0, 1))
    model.dims.set_point(0, 5)
    picture = shown_slice(flat, model.dims)
    np.testing.assert_allclose(picture.read(), flat.data, atol=1e-6)
    assert picture.where == ""


def test_the_slice_is_named_after_the_layers_axes(model):
    layer = model.add_image(np.zeros((3, 1, 40, 6, 6)), axis_labels=["t", "c", "z", "y", "x"])
    model.dims.set_point((0, 2), (1, 5))
    assert shown_slice(layer, model.dims).where == "slice 2 of 3 along t, 6 of 40 along z"


def test_or_else_after_the_viewers_axes(model):
    layer = model.add_image(np.zeros((3, 40, 6, 6)))
    model.dims.set_point((0, 1), (1, 5))
    assert shown_slice(layer, model.dims).where == "slice 2 of 3 along axis 0, 6 of 40 along axis 1"
    model.dims.axis_labels = ("time", "depth", "y", "x")
    assert shown_slice(layer, model.dims).where == "slice 2 of 3 along time, 6 of 40 along depth"


def test_a_lazy_layer_is_read_only_when_it_is_asked_for(model):
    read_blocks = []

    def block(block_info=None):
        read_blocks.append(block_info)
        return np.full((1, 8, 8), 7, np.uint8)

    lazy = dask.array.map_blocks(block, chunks=((1,) * 6, (8,), (8,)), dtype=np.uint8)
    layer = model.add_image(lazy, contrast_limits=(0, 14))
    read_blocks.clear()
    picture = shown_slice(layer, model.dims)
    assert read_blocks == []
    assert (picture.read() == 0.5).all()
    assert len(read_blocks) == 1


def test_the_coarsest_sufficient_level_is_read(model):
    levels = [np.full((n, 2 * n), n, np.float32) for n in (200, 100, 50)]
    layer = model.add_image(levels, multiscale=True, contrast_limits=(0, 200))
    assert read(model, layer, size=200).shape == (100, 200)
    assert read(model, layer, size=201).shape == (200, 400)
    assert read(model, layer, size=0).shape == (200, 400)
    assert read(model, layer, size=5000).shape == (200, 400)
    assert shown_slice(layer, model.dims, 50).position.shape == (200, 400)


def test_every_level_of_a_multiscale_stack_is_sliced(model):
    fine = np.repeat(np.arange(8, dtype=np.float32), 40 * 60).reshape(8, 40, 60)
    levels = [fine, fine[::2, ::2, ::2]]
    layer = model.add_image(levels, multiscale=True, contrast_limits=(0, 8))
    model.dims.set_point(0, 6)
    assert (read(model, layer) == 6 / 8).all()
    coarse = shown_slice(layer, model.dims, 30)
    assert coarse.read().shape == (20, 30)
    assert (coarse.read() == 6 / 8).all()
    assert coarse.where == "slice 7 of 8 along axis 0"
    model.dims.set_point(0, 7)  # rounds up to a slice that the coarse level has not
    assert (read(model, layer, size=30) == 6 / 8).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # napari divides by the size
def test_an_empty_layer_is_refused_at_once(model):
    layer = model.add_image(np.zeros((10, 10)), name="odd", contrast_limits=(0, 1))
    with pytest.raises(ValueError, match="NaN"):  # napari draws no thumbnail of it, but keeps it
        layer.data = np.zeros((0, 10))
    with pytest.raises(ValueError, match="'odd' is empty"):
        shown_slice(layer, model.dims)


def test_complex_numbers_are_refused_at_once(model):
    layer = model.add_image(np.zeros((10, 10)), name="odd", contrast_limits=(0, 1))
    with pytest.raises(TypeError):  # napari draws no thumbnail of them, but keeps them
        layer.data = np.zeros((10, 10), complex)
    with pytest.raises(ValueError, match="'odd' holds complex numbers"):
        shown_slice(layer, model.dims)


@pytest.mark.parametrize("rgb", [False, True])
def test_all_nan_is_refused_when_it_is_read(model, rgb):
    data = np.full((5, 5, 3) if rgb else (5, 5), np.nan)
    layer = model.add_image(data, rgb=rgb, name="odd", contrast_limits=(0, 1))
    with pytest.raises(ValueError, match="'odd' is all NaN"):
        read(model, layer)
