"""The two figures, on images of which the answer is known."""

import numpy as np
import pytest
import skimage.data
from skimage.filters import gaussian
from skimage.transform import warp

from napari_nst.augmentation.kept import displacement, overlap

COINS = skimage.data.coins()[:160, :192] / 255


def moved(image, pixels):
    """Return an image whose parts are moved by about so many pixels in all directions."""
    random = np.random.default_rng(0)
    flow = gaussian(random.normal(size=(2, *image.shape)), 20, channel_axis=0)
    flow *= pixels / np.hypot(*flow).mean()
    return warp(image, np.indices(image.shape) + flow, order=1, mode="edge")


def test_another_look_alone_moves_no_edge_and_keeps_the_phases():
    other = 1 - 0.5 * np.sqrt(COINS)
    assert overlap(COINS, other) > 0.8
    assert displacement(COINS, other) < 0.2


def test_edges_that_move_are_measured_whatever_the_look():
    by_four = moved(COINS, 4)
    assert displacement(COINS, by_four) == pytest.approx(3, abs=1)
    assert displacement(COINS, 1 - by_four) == pytest.approx(3, abs=1)
    assert displacement(COINS, by_four) > 1.5 * displacement(COINS, moved(COINS, 2))
    assert overlap(COINS, by_four) < overlap(COINS, moved(COINS, 2)) < 0.95


def test_large_images_are_measured_in_their_own_pixels():
    large, other = (np.kron(one, np.ones((2, 2))) for one in (COINS, moved(COINS, 4)))
    assert displacement(large, other) == pytest.approx(
        2 * displacement(COINS, moved(COINS, 4)), rel=0.3
    )


def test_an_image_without_structure_has_figures():
    flat = np.full((40, 40), 0.5)
    assert (overlap(flat, flat), displacement(flat, flat)) == (1, 0)
    assert overlap(flat, COINS[:40, :40]) == 0
