"""Masks at the resolution of each layer."""

import numpy as np
import pytest
import torch

from napari_nst.engine.objective.from_recipe import mask_at
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe.layer_names import LAYER_NAMES

ODD_SHAPES = [(37, 53), (32, 32), (33, 100), (63, 47)]


@pytest.fixture
def mask(random_image):
    return lambda height, width, seed=0: random_image(height, width, seed)[:, :1]


@pytest.mark.parametrize("shape", ODD_SHAPES)
def test_a_mask_is_as_large_as_the_features_of_every_layer(untrained, random_image, mask, shape):
    features = VGG19(LAYER_NAMES, untrained)(random_image(*shape))
    for layer, values in features.items():
        assert mask_at(mask(*shape), layer).shape == (1, 1, *values.shape[2:]), layer


@pytest.mark.parametrize("shape", ODD_SHAPES)
@pytest.mark.parametrize(
    ("layer", "stride"),
    [("conv1_1", 1), ("relu1_2", 1), ("pool1", 2), ("conv2_1", 2), ("relu3_4", 4), ("pool3", 8),
     ("relu4_2", 8), ("conv5_1", 16), ("pool5", 32)],
)  # fmt: skip
def test_each_position_has_the_mean_of_its_pixels(mask, shape, layer, stride):
    """Without the rest of an odd side, as in the features, and scaled to a maximum of 1."""
    height, width = (side // stride for side in shape)
    pixels = mask(*shape).numpy()[0, 0].astype(float)[: height * stride, : width * stride]
    expected = pixels.reshape(height, stride, width, stride).mean(axis=(1, 3))
    found = mask_at(mask(*shape), layer)[0, 0]
    np.testing.assert_allclose(found, expected / expected.max(), rtol=1e-5)


def test_a_small_region_still_counts_in_the_deepest_layer():
    """Some losses use only positions with a mask above 0.5."""
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 37:43, 20:25] = 1
    for layer in LAYER_NAMES:
        assert mask_at(mask, layer).max() == 1


def test_a_mask_of_zeros_stays_zero():
    assert (mask_at(torch.zeros(1, 1, 40, 40), "relu3_1") == 0).all()


def test_a_mask_covers_the_features_of_its_pixels(untrained):
    """A bright square and a mask of the same square, at a deep layer."""
    square = torch.zeros(1, 1, 64, 96)
    square[..., 16:32, 48:80] = 1
    network = VGG19(["relu3_1"], untrained, padding="replicate")
    changed = network(square.expand(-1, 3, -1, -1))["relu3_1"]
    changed = (changed - network(torch.zeros(1, 3, 64, 96))["relu3_1"]).abs().sum(dim=1)
    inside = mask_at(square, "relu3_1")[:, 0] == 1
    assert inside.sum() == 4 * 8
    assert changed[inside].min() > 5 * changed[~inside].mean()


def test_no_mask_stays_no_mask():
    assert mask_at(None, "relu3_1") is None


def test_a_mask_of_ones_stays_one():
    for layer in LAYER_NAMES:
        assert (mask_at(torch.ones(1, 1, 50, 70), layer) == 1).all()
