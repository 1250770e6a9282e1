import numpy as np
import pytest
from skimage.color import rgb2gray
from skimage.feature import structure_tensor, structure_tensor_eigenvalues
from skimage.transform import resize

from napari_nst.painting import paint


@pytest.fixture(scope="module")
def painting():
    return paint(192, 240)


def test_default_size_is_the_same_painting_larger(painting):
    picture = paint()
    assert picture.shape == (512, 640, 3)
    assert picture.dtype == np.uint8
    larger, smaller = (resize(p, (48, 60), anti_aliasing=True) for p in (picture, painting))
    assert np.corrcoef(larger.ravel(), smaller.ravel())[0, 1] > 0.97


def test_same_seed_paints_the_same(painting):
    np.testing.assert_array_equal(paint(192, 240, seed=0), painting)


def test_other_seed_paints_another(painting):
    difference = np.abs(paint(192, 240, seed=1).astype(float) - painting)
    assert difference.mean() > 15


@pytest.mark.parametrize("shape", [(32, 32), (33, 47), (200, 90), (32, 300), (300, 32)])
def test_every_shape_is_filled(shape):
    picture = paint(*shape)
    assert picture.shape == (*shape, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 25


def test_contrast(painting):
    grey = rgb2gray(painting)
    assert grey.std() > 0.15
    assert np.percentile(grey, 1) < 0.12
    assert np.percentile(grey, 99) > 0.8


def test_warm_against_cool(painting):
    red, _, blue = np.moveaxis(painting.astype(float), -1, 0)
    assert (red > blue + 60).mean() > 0.05
    assert (blue > red + 60).mean() > 0.25
    # the sun is left of the middle, above the horizon
    sun = painting[72:94, 45:67].astype(float)
    assert (sun[..., 0] > sun[..., 2] + 30).mean() > 0.7


def test_no_flat_patch(painting):
    grey = rgb2gray(painting)
    patches = grey[:, :224].reshape(6, 32, 7, 32).std((1, 3))
    assert patches.min() > 0.03


def test_edges_are_painted_like_the_rest(painting):
    grey = rgb2gray(painting)
    borders = [grey[:3], grey[-3:], grey[:, :3], grey[:, -3:]]
    assert min(border.std() for border in borders) > 0.05


def test_strokes_have_a_common_direction(painting):
    """Coherence of the structure tensor: 1 for parallel strokes, near 0 for noise."""

    def coherence(grey):
        large, small = structure_tensor_eigenvalues(structure_tensor(grey, sigma=4))
        return np.median((large - small) / (large + small))

    grey = rgb2gray(painting)
    shuffled = np.random.default_rng(0).permutation(grey.ravel()).reshape(grey.shape)
    assert coherence(grey) > 0.5
    assert coherence(grey) > 3 * coherence(shuffled)


def test_strokes_are_wider_than_pixels(painting):
    """Neighbouring pixels are alike, which they are not in noise or jagged drawing."""
    grey = rgb2gray(painting)
    assert np.corrcoef(grey[:, 1:].ravel(), grey[:, :-1].ravel())[0, 1] > 0.85


@pytest.mark.parametrize(("height", "width", "name"), [(31, 64, "height"), (64, 0, "width")])
def test_too_small(height, width, name):
    with pytest.raises(ValueError, match=rf"^{name} must be at least 32 pixels, not \d+\.$"):
        paint(height, width)
