"""Values of a layer as [0, 1], and back."""

import numpy as np
import pytest
from napari.utils import Colormap

from napari_nst.viewer.layers.read import shown_slice


def intensity_in_whole_range(model, dtype):
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    layer = model.add_image(np.zeros((4, 4, 3), dtype), rgb=True, contrast_limits=(0, white))
    return shown_slice(layer, model.dims).intensity


@pytest.mark.parametrize("keep_dtype", [False, True])
@pytest.mark.parametrize(
    ("dtype", "limits"),
    [
        (np.uint8, (0, 255)),
        (np.uint8, (20, 120)),
        (np.uint16, (300, 4095)),
        (np.int16, (-500, 900)),
        (np.int32, (-70000, 70000)),
        (np.float16, (0, 1)),
        (np.float32, (-1.5, 2.5)),
        (np.float64, (1e-9, 3e-9)),
    ],
)
def test_grey_comes_back_as_it_went(model, dtype, limits, keep_dtype):
    low, high = limits
    values = np.linspace(low, high, 96).reshape(8, 12).astype(dtype)
    layer = model.add_image(values, contrast_limits=limits)
    picture = shown_slice(layer, model.dims)
    restored = picture.intensity.restore(picture.read(), keep_dtype)
    assert restored.dtype == (dtype if keep_dtype else np.float32)
    if np.dtype(dtype).kind in "iu" and keep_dtype:
        np.testing.assert_array_equal(restored, values)
    else:
        np.testing.assert_allclose(restored, values.astype(float), atol=1e-3 * (high - low))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint64, np.int64])
def test_limits_beyond_the_type_are_cut_to_it(model, dtype):
    layer = model.add_image(np.zeros((4, 4), dtype), contrast_limits=(-1e20, 1e20))
    intensity = shown_slice(layer, model.dims).intensity
    restored = intensity.restore(np.array([[0.0, 1.0]], np.float32), keep_dtype=True)
    info = np.iinfo(dtype)
    assert restored[0, 0] == info.min
    assert info.max - int(restored[0, 1]) < 2048  # the last that a double can tell from 2⁶⁴


@pytest.mark.parametrize(
    ("dtype", "keep_dtype", "expected"),
    [
        (np.uint8, False, np.array([0, 128, 255], np.uint8)),
        (np.uint8, True, np.array([0, 128, 255], np.uint8)),
        (np.uint16, False, np.array([0, 128, 255], np.uint8)),
        (np.uint16, True, np.array([0, 32768, 65535], np.uint16)),
        (np.float32, False, np.array([0, 128, 255], np.uint8)),
        (np.float32, True, np.array([0, 0.5, 1], np.float32)),
    ],
)
def test_rgb_is_8_bit_or_of_the_contents_type(model, dtype, keep_dtype, expected):
    intensity = intensity_in_whole_range(model, dtype)
    picture = np.array([[[0, 0.5, 1]]], np.float32)
    restored = intensity.restore(picture, keep_dtype)
    assert restored.dtype == expected.dtype
    assert restored[0, 0].tolist() == expected.tolist()
    limits = intensity.display(picture, keep_dtype)["contrast_limits"]
    assert limits == (expected[0], expected[2])


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("keep_dtype", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_rgb_comes_back_as_it_is_shown(model, dtype, keep_dtype, channels):
    """napari applies contrast limits to RGB, and computes those of 16 bits and floats itself."""
    random = np.random.default_rng(0).integers(20, 101, (8, 12, channels)).astype(dtype)
    layer = model.add_image(random, rgb=True, contrast_limits=(10, 110))
    if channels == 4:
        random[..., 3] = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    picture = shown_slice(layer, model.dims)
    pixels = picture.read()
    np.testing.assert_allclose(pixels[..., :3], (random[..., :3] - 10.0) / 100, atol=1e-6)
    assert (pixels[..., 3:] == 1).all()
    restored = picture.intensity.restore(pixels, keep_dtype)
    if keep_dtype or dtype == np.uint8:
        assert restored.dtype == dtype
        np.testing.assert_allclose(restored, random, rtol=1e-6)
    result = model.add_image(restored, **picture.intensity.display(pixels, keep_dtype))
    assert result.contrast_limits == ([10, 110] if restored.dtype == dtype else [0, 255])
    again = shown_slice(result, model.dims).read()
    np.testing.assert_allclose(again, pixels, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32, bool])
@pytest.mark.parametrize("keep_dtype", [False, True])
def test_colours_made_of_grey_are_8_bit(model, dtype, keep_dtype):
    layer = model.add_image(np.zeros((4, 4), dtype), contrast_limits=(0, 1))
    intensity = shown_slice(layer, model.dims).intensity
    picture = np.ones((4, 4, 3), np.float32)
    restored = intensity.restore(picture, keep_dtype)
    assert restored.dtype == np.uint8
    assert (restored == 255).all()
    assert intensity.display(picture, keep_dtype) == {"rgb": True, "contrast_limits": (0, 255)}


@pytest.mark.parametrize(
    ("dtype", "keep_dtype", "white"),
    [(np.uint16, False, 255), (np.uint16, True, 65535), (np.float32, True, 1)],
)
def test_grey_made_of_colours_fills_the_types_range(model, dtype, keep_dtype, white):
    intensity = intensity_in_whole_range(model, dtype)
    picture = np.ones((4, 4), np.float32)
    assert (intensity.restore(picture, keep_dtype) == white).all()
    shown = intensity.display(picture, keep_dtype)
    assert shown["contrast_limits"] == (0, white)
    assert not shown["rgb"]


def test_a_result_is_drawn_as_the_content_is(model):
    """With its limits and its colours, a colormap of the user's own among them; gamma is left."""
    own = Colormap([[0, 0, 0, 1], [0.2, 1, 0.4, 1]], name="of my own")
    layer = model.add_image(
        np.arange(16.0).reshape(4, 4), colormap=own, contrast_limits=(2, 9), gamma=0.5
    )
    picture = shown_slice(layer, model.dims)
    pixels = picture.read()
    result = model.add_image(
        picture.intensity.restore(pixels), **picture.intensity.display(pixels), name="result"
    )
    assert result.contrast_limits == [2, 9]
    assert result.colormap.name == "of my own"
    np.testing.assert_array_equal(result.colormap.colors, own.colors)
    assert result.gamma == 1
    np.testing.assert_allclose(result.data, np.clip(layer.data, 2, 9), atol=1e-5)
