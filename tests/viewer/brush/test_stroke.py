"""Strokes in a layer's pixels."""

import numpy as np
import pytest

from napari_nst.viewer.brush.stroke import Stroke, capsule


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
