"""Feature maps are the network's output."""

import numpy as np
import pytest
import torch

from napari_nst.engine.inspect.feature_maps import feature_maps
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.network import VGG19
from tests.helpers.small_images import CONTENT, with_alpha


def test_feature_maps_are_the_output_of_the_network(quick, untrained):
    recipe = quick(
        precision="bfloat16", pooling="average", padding="reflect", rescale_pooling=False
    )
    maps = feature_maps(CONTENT, "conv2_2", recipe)
    network = VGG19(["conv2_2"], untrained, pooling="average", padding="reflect")
    expected = network(torch.from_numpy(as_rgb(CONTENT)).movedim(-1, 0)[None])["conv2_2"][0]
    assert (maps.shape, maps.dtype) == ((128, 32, 32), np.float32)
    np.testing.assert_allclose(maps, expected.numpy(), rtol=1e-4, atol=1e-4)
    assert maps.min() < 0  # before the ReLU


def test_feature_maps_at_another_size(quick):
    assert feature_maps(CONTENT[:, :32], "relu1_1", quick(), size=40).shape == (64, 40, 20)


def test_transparent_pixels_have_no_effect_on_feature_maps(quick):
    visible = np.ones((64, 64), bool)
    visible[:, 40:] = False
    one, other = with_alpha(CONTENT, visible), with_alpha(CONTENT, visible)
    other[..., :3][~visible] = 255
    maps = [feature_maps(image, "relu2_1", quick()) for image in (one, other)]
    np.testing.assert_array_equal(*maps)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"layer": "relu9_1"}, ValueError, "relu9_1"),
        ({"recipe": {"size": 3}}, TypeError, "^recipe must be a Recipe"),
        ({"size": -3}, ValueError, "^size must be"),
        ({"size": 16, "layer": "relu5_1"}, ValueError, "^image is 16 × 8 pixels, and relu5_1"),
    ],
)
def test_errors_name_the_argument(quick, changes, error, message):
    arguments = {"layer": "relu1_1", "recipe": quick()} | changes
    with pytest.raises(error, match=message):
        feature_maps(CONTENT[:, :32], **arguments)
