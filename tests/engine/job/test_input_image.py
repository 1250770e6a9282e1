"""What callers hand in becomes float32 RGB in [0, 1], or an error that says the cure."""

import numpy as np
import pytest
import torch

from napari_nst.engine.job.input_image import as_rgb, displayable, shape_fitting


@pytest.mark.parametrize(
    ("dtype", "white"),
    [
        ("uint8", 255),
        ("uint16", 65535),
        (">u2", 65535),
        ("<u2", 65535),
        ("float16", 1),
        ("float32", 1),
        ("float64", 1),
        (">f4", 1),
    ],
)
def test_every_accepted_type_spans_black_to_white(dtype, white):
    grey = np.array([[0, white], [white, 0]])
    rgb = as_rgb(np.stack([grey] * 3, axis=-1).astype(dtype))
    assert rgb.shape == (2, 2, 3)
    assert rgb.dtype == np.float32
    assert rgb.dtype.isnative
    np.testing.assert_array_equal(rgb[..., 0], [[0, 1], [1, 0]])


@pytest.mark.parametrize(("dtype", "levels"), [(np.uint8, 256), (np.uint16, 65536)])
def test_integers_are_divided_by_their_largest_value(dtype, levels):
    every_level = np.arange(levels, dtype=dtype).reshape(16, -1)
    expected = np.arange(levels, dtype=np.float64).reshape(16, -1) / (levels - 1)
    np.testing.assert_allclose(as_rgb(every_level)[..., 1], expected, rtol=1e-6)


def test_channels_keep_their_order():
    image = np.random.default_rng(0).random((4, 5, 3))
    np.testing.assert_allclose(as_rgb(image), image, rtol=1e-6)


def test_grey_becomes_three_equal_channels():
    grey = np.random.default_rng(0).random((4, 5))
    rgb = as_rgb(grey)
    for channel in range(3):
        np.testing.assert_allclose(rgb[..., channel], grey, rtol=1e-6)


def test_alpha_is_left_out():
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 4), dtype=np.uint8)
    np.testing.assert_array_equal(as_rgb(image), as_rgb(image[..., :3]))


@pytest.mark.parametrize(
    "make", [np.ndarray.tolist, torch.from_numpy, np.ndarray.view], ids=["list", "tensor", "array"]
)
def test_anything_array_like_is_accepted(make):
    image = np.random.default_rng(0).random((4, 5, 3))
    np.testing.assert_allclose(as_rgb(make(image)), image, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_the_callers_array_is_neither_changed_nor_shared(dtype):
    image = np.ones((4, 5, 3), dtype)
    rgb = as_rgb(image)
    rgb[:] = 0
    np.testing.assert_array_equal(image, 1)


def test_overshoot_by_rounding_is_clipped():
    rgb = as_rgb(np.array([[-0.0005, 1.0005]]))
    np.testing.assert_array_equal(rgb[0, :, 0], [0, 1])


@pytest.mark.parametrize(
    "shape", [(), (5,), (4, 5, 1), (4, 5, 2), (4, 5, 5), (3, 4, 5), (1, 4, 5, 3)]
)
def test_what_is_no_image_is_refused_with_its_shape(shape):
    with pytest.raises(
        ValueError, match=r"^style must be an image \(H, W\) or \(H, W, 3\)"
    ) as told:
        as_rgb(np.zeros(shape), "style")
    assert str(shape) in str(told.value)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0, 3)])
def test_an_image_without_pixels_is_refused(shape):
    with pytest.raises(ValueError, match=r"^content must have at least one pixel"):
        as_rgb(np.zeros(shape), "content")


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int16, np.int32, np.int64, np.uint32, complex])
def test_types_without_an_agreed_range_are_refused(dtype):
    with pytest.raises(TypeError, match=f"^content must be .* its type is {np.dtype(dtype)}"):
        as_rgb(np.zeros((4, 5), dtype), "content")


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_broken_pixels_are_refused(broken):
    image = np.full((4, 5, 3), 0.5)
    image[2, 3, 1] = broken
    with pytest.raises(ValueError, match=r"^content has pixels that are NaN or infinite"):
        as_rgb(image, "content")


@pytest.mark.parametrize(("least", "most"), [(0, 255), (-1, 1), (0, 1.01), (-0.01, 1)])
def test_floats_out_of_range_are_refused_with_their_span(least, most):
    with pytest.raises(ValueError, match=f"^content must be in .* from {least:g} to {most:g}, "):
        as_rgb(np.array([[least, most]], float), "content")


@pytest.mark.parametrize("shape", [(300, 400), (400, 300, 3), (7, 7), (33, 4000), (1, 9), (512, 1)])
@pytest.mark.parametrize("longest", [1, 16, 91, 512])
def test_fitting_keeps_the_aspect_and_at_least_one_pixel(shape, longest):
    fitting = shape_fitting(shape, longest)
    assert max(fitting) == longest
    for side, before in zip(fitting, shape, strict=False):
        assert abs(side - max(1, before * longest / max(shape[:2]))) <= 0.5


def test_numbers_of_any_range_are_displayable():
    values = np.linspace(0, 50, 10001, dtype=np.float32).reshape(73, 137)
    shown = displayable(values)
    assert (shown.shape, shown.dtype) == (values.shape, np.float32)
    np.testing.assert_allclose(shown, np.clip(values / (0.999 * 50), 0, 1), rtol=1e-5)
    values[0, 0] = 1e9  # a single one does not leave the others dark
    np.testing.assert_allclose(displayable(values)[1:], shown[1:], rtol=1e-3)


def test_numbers_below_zero_are_displayed_below_mid_grey():
    shown = displayable(np.array([-2.0, 0.0, 1.0]))
    np.testing.assert_allclose(shown, [0, 0.5, 0.75], atol=1e-3)


@pytest.mark.parametrize("brightest", [0, 7])
def test_where_next_to_all_is_nothing_it_stays_black(brightest):
    values = np.zeros(100_000)
    values[5] = brightest
    shown = displayable(values)
    assert shown[5] == (brightest > 0)
    assert shown.sum() == (brightest > 0)
