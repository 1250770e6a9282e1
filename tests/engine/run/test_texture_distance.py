"""Texture quality, by layers that nobody optimised, and the yardstick for it."""

import numpy as np
import pytest
import skimage.data
from benchmarks.texture_distance import corners, distances_between_crops

from napari_nst.engine.api import synthesize
from napari_nst.engine.inspect import gram_distances
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import preset
from napari_nst.texture_statistics.gram import gram_matrices

HELD_OUT = ("relu1_2", "relu2_2", "relu3_2", "relu3_4", "relu4_2", "relu4_4")
SIDE = 96


def test_corners_are_those_of_the_image():
    image = np.arange(30).reshape(5, 6)
    assert [corner.tolist() for corner in corners(image, 2)] == [
        [[0, 1], [6, 7]], [[4, 5], [10, 11]], [[18, 19], [24, 25]], [[22, 23], [28, 29]],
    ]  # fmt: skip


@pytest.fixture
def real(gatys):
    """The layers that the recipe does not optimise."""
    return VGG19(HELD_OUT, gatys, padding="replicate")


@pytest.mark.network
@pytest.mark.parametrize("name", ["brick", "immunohistochemistry"])
def test_a_texture_is_as_like_its_exemplar_as_two_crops_of_it_are(real, name):
    whole = getattr(skimage.data, name)()[:256, :256]
    exemplar = corners(whole, SIDE)[0]
    assert set(preset("texture").style_layers).isdisjoint(HELD_OUT)
    target = gram_matrices(real, as_rgb(exemplar))
    yardstick = distances_between_crops(real, whole, SIDE)

    def ratios(image):
        distances = gram_distances(gram_matrices(real, as_rgb(image)), target)
        return [distances[layer] / yardstick[layer] for layer in HELD_OUT]

    texture = [it.picture for it in synthesize(exemplar, preset("texture", size=0, steps=60))][-1]
    assert max(ratios(texture)) < 2
    # The measure tells: pixels of the right colours in the wrong places do not pass.
    shuffled = np.random.default_rng(0).permutation(exemplar.reshape(SIDE**2, -1))
    assert max(ratios(shuffled.reshape(exemplar.shape))) > 2
