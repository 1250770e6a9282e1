"""Strokes in a layer's pixels, and what a user has painted over a picture."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nst.viewer.brush.stroke import (
    Stroke,
    changed_pixels,
    painted,
    unit_picture,
    upright,
)
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.read import shown_slice

RGB = Intensity(None, np.dtype(np.uint8), is_grey=False)
SIXTEEN_BIT = Intensity((100.0, 1100.0), np.dtype(np.uint16), is_grey=True)


def at(y, x):
    return np.array([y, x], float)


def test_a_stroke_that_crosses_itself_covers_once():
    once, twice = np.zeros((2, 20, 30), np.float32)
    straight, back_and_forth = (Stroke(pixels, np.array(1.0), 4.0) for pixels in (once, twice))
    straight.draw(at(10, 5), at(10, 25))
    for _ in range(3):
        back_and_forth.draw(at(10, 5), at(10, 25))
        back_and_forth.draw(at(10, 25), at(10, 5))
    np.testing.assert_allclose(twice, once)
    assert ((once > 0) & (once < 1)).any()  # its edge is smooth


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.float32, np.float64, bool])
def test_every_type_of_number_is_painted_and_put_back(dtype):
    pixels = np.random.default_rng(0).integers(0, 2, (20, 30)).astype(dtype)
    before = pixels.copy()
    ink = np.array(1, dtype)
    stroke = Stroke(pixels, ink, 3.0)
    stroke.draw(at(2, -5), at(18, 25))  # from outside
    assert (pixels[10, 9:11] == ink).all()
    beside = np.hypot(*(np.mgrid[:20, :30] - np.array([[[10]], [[10]]]))) > 25
    np.testing.assert_array_equal(pixels[beside], before[beside])
    stroke.finish()
    stroke.undo()
    np.testing.assert_array_equal(pixels, before)


def test_a_stroke_beside_the_picture_can_be_taken_back():
    pixels = np.zeros((20, 30, 3), np.uint8)
    stroke = Stroke(pixels, np.array([255, 0, 0]), 3.0)
    stroke.draw(at(-50, 5), at(-40, 5))
    stroke.finish()
    stroke.undo()
    assert not pixels.any()


@pytest.mark.parametrize(
    ("intensity", "shape", "keep_dtype"),
    [
        (RGB, (6, 7, 3), False), (RGB, (6, 7, 4), False), (RGB, (6, 7), False),
        (SIXTEEN_BIT, (6, 7), False), (SIXTEEN_BIT, (6, 7), True), (SIXTEEN_BIT, (6, 7, 3), True),
        (Intensity(None, np.dtype(np.uint16), is_grey=False), (6, 7, 3), True),
        (Intensity(None, np.dtype(np.float32), is_grey=False), (6, 7, 3), True),
    ],
)  # fmt: skip
def test_numbers_become_the_picture_again_that_they_were_made_of(intensity, shape, keep_dtype):
    picture = np.random.default_rng(0).random(shape, np.float32)
    numbers = intensity.restore(picture, keep_dtype)
    again = unit_picture(numbers, intensity, "result")
    assert again.dtype == np.float32
    np.testing.assert_allclose(again, picture, atol=1 / 255)


def test_what_was_painted_is_told_from_what_was_drawn():
    drawn = RGB.restore(np.random.default_rng(0).random((6, 7, 4), np.float32) / 2)
    now = drawn.copy()
    now[2, 3, 1], now[5, 5, 3] = 255, 0
    picture, changed = painted(drawn, now, RGB, "result")
    assert picture[2, 3, 1] == 1
    assert picture.shape == now.shape
    np.testing.assert_array_equal(np.argwhere(changed), [[2, 3]])  # alpha is no paint
    assert not changed_pixels(drawn[..., 0], drawn[..., 0]).any()


def test_data_of_another_shape_is_refused():
    drawn = np.zeros((6, 7, 3), np.uint8)
    with pytest.raises(ValueError, match="Layer 'result' has the shape"):
        painted(drawn, drawn[:5], RGB, "result")


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 2, 0), (2, 0, 1)])
def test_a_picture_comes_out_of_a_layers_data_as_it_went_in(order):
    model = ViewerModel()
    stack = model.add_image(np.zeros((5, 6, 7)))
    model.dims.order = order
    position = shown_slice(stack, model.dims).position
    random = np.random.default_rng(0)
    for shape in (position.shape, (*position.shape, 3)):
        one, three = random.random(shape), random.random((3, *shape))
        assert np.shares_memory(upright(position.data(one), position), one)
        np.testing.assert_array_equal(upright(position.data(one), position), one)
        np.testing.assert_array_equal(upright(position.data(three, 3), position, 3), three)
        along = position.along(order[0])
        np.testing.assert_array_equal(upright(along.data(three, 3), along, 3), three)
