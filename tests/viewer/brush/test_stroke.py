"""Strokes in a layer's pixels, and the pixels that a user has changed."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nst.viewer.brush.stroke import Stroke, capsule, painted, upright
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.read import shown_slice

RGB = Intensity(None, np.dtype(np.uint8), is_grey=False)
SIXTEEN_BIT = Intensity((100.0, 1100.0), np.dtype(np.uint16), is_grey=True)


def at(y, x):
    return np.array([y, x], float)


def test_a_stroke_covers_pixels_within_its_radius():
    start, end = at(5, 4), at(14, 22)
    box, coverage = capsule(start, end, 3.0, (20, 30))
    whole = np.zeros((20, 30))
    whole[box] = coverage
    pixels = np.stack(np.mgrid[:20, :30], -1)
    along = np.clip((pixels - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
    distance = np.linalg.norm(pixels - start - along[..., None] * (end - start), axis=-1)
    assert (whole[distance <= 2.5] == 1).all()
    assert (whole[distance >= 3.5] == 0).all()
    assert whole.sum() == pytest.approx(np.pi * 9 + 6 * np.linalg.norm(end - start), rel=0.01)


def test_a_stroke_that_crosses_itself_covers_once():
    once, twice = np.zeros((2, 20, 30), np.float32)
    straight, back_and_forth = (Stroke(pixels, np.array(1.0), 4.0) for pixels in (once, twice))
    straight.draw(at(10, 5), at(10, 25))
    for _ in range(3):
        back_and_forth.draw(at(10, 5), at(10, 25))
        back_and_forth.draw(at(10, 25), at(10, 5))
    np.testing.assert_allclose(twice, once)
    assert ((once > 0) & (once < 1)).any()  # its edge is smooth


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, bool])
def test_a_stroke_in_any_number_type_can_be_undone(dtype):
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


def test_a_stroke_beside_the_image_can_be_undone():
    pixels = np.zeros((20, 30, 3), np.uint8)
    stroke = Stroke(pixels, np.array([255, 0, 0]), 3.0)
    stroke.draw(at(-50, 5), at(-40, 5))
    stroke.finish()
    stroke.undo()
    assert not pixels.any()


@pytest.mark.parametrize(
    ("intensity", "shape", "keep_dtype"),
    [
        (RGB, (6, 7, 4), False), (RGB, (6, 7), False), (SIXTEEN_BIT, (6, 7), True),
        (Intensity(None, np.dtype(np.uint16), is_grey=False), (6, 7, 3), True),
        (Intensity(None, np.dtype(np.float32), is_grey=False), (6, 7, 3), True),
    ],
)  # fmt: skip
def test_changed_pixels_are_found_and_the_image_is_read_back(intensity, shape, keep_dtype):
    image = np.random.default_rng(0).random(shape, np.float32) / 2
    drawn = intensity.restore(image, keep_dtype)
    now = drawn.copy()
    now[2, 3] = now.max()
    if shape[2:] == (4,):
        now[5, 5, 3] = 0  # alpha
    found, changed = painted(drawn, now, intensity, "result")
    np.testing.assert_array_equal(np.argwhere(changed), [[2, 3]])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:2], image[:2], atol=1 / 255)


def test_data_of_another_shape_is_refused():
    drawn = np.zeros((6, 7, 3), np.uint8)
    with pytest.raises(ValueError, match="Layer 'result' has the shape"):
        painted(drawn, drawn[:5], RGB, "result")


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 0, 1)])
def test_an_image_comes_out_of_a_layers_data_as_it_went_in(order):
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
