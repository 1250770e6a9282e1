"""Which pixels a polygon, an ellipse or a stroke covers."""

import numpy as np
import pytest
from skimage.draw import polygon2mask

from napari_nst.viewer.brush.raster import covered, ellipse, inside


def test_any_polygon_is_filled_as_scikit_image_does_it():
    random = np.random.default_rng(0)
    for corners in (3, 4, 9, 40):
        vertices = random.uniform(-15, 65, (corners, 2))  # crosses itself, and the picture's edges
        np.testing.assert_array_equal(inside(vertices, (40, 50)), polygon2mask((40, 50), vertices))


@pytest.mark.parametrize(
    "vertices", [[[2, 2]] * 4, [[1, 1], [9, 9]], [[-9, -9], [-9, -1], [-1, -5]]]
)
def test_a_polygon_without_area_or_beside_the_picture_fills_nothing(vertices):
    assert not inside(np.array(vertices, float), (10, 12)).any()


def test_the_ellipse_touches_the_sides_of_its_box():
    outline = ellipse(np.array([[2, 3], [2, 13], [22, 13], [22, 3]], float))
    np.testing.assert_allclose(outline.min(0), [2, 3], atol=1e-3)
    np.testing.assert_allclose(outline.max(0), [22, 13], atol=1e-3)
    np.testing.assert_allclose((((outline - [12, 8]) / [10, 5]) ** 2).sum(1), 1)


def test_a_stroke_covers_what_lies_within_its_radius():
    start, end = np.array([5.0, 4.0]), np.array([14.0, 22.0])
    box, coverage = covered(start, end, 3.0, (20, 30))
    whole = np.zeros((20, 30))
    whole[box] = coverage
    at = np.stack(np.mgrid[:20, :30], -1)
    along = np.clip((at - start) @ (end - start) / ((end - start) @ (end - start)), 0, 1)
    distance = np.linalg.norm(at - start - along[..., None] * (end - start), axis=-1)
    assert (whole[distance <= 2.5] == 1).all()
    assert (whole[distance >= 3.5] == 0).all()
    assert whole.sum() == pytest.approx(np.pi * 9 + 6 * np.linalg.norm(end - start), rel=0.01)


def test_a_stroke_beside_the_picture_covers_nothing():
    for at in ([-9.0, 5.0], [5.0, 99.0]):
        _, coverage = covered(np.array(at), np.array(at), 4.0, (20, 30))
        assert coverage.size == 0
