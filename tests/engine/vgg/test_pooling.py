"""Pooled features, and the factors that make them as large as max-pooled features."""

import numpy as np
import pytest
import skimage.data
import torch

from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.network import VGG19
from napari_nst.engine.vgg.pooling import SIZE_OF_MAX, pooling_module

WINDOWS = {
    "max": np.max,
    "average": np.mean,
    "l2": lambda x, axis: np.sqrt(np.mean(x**2, axis)),
}
POOLED = [f"pool{index}" for index in range(1, 6)]


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("name", WINDOWS)
def test_every_pooling_is_its_definition_times_its_factor(random_image, name, rescale):
    features = random_image(5, 7)
    windows = features[..., :4, :6].double().numpy().reshape(1, 3, 2, 2, 3, 2)
    expected = WINDOWS[name](windows, axis=(3, 5))
    for block in range(1, 6):
        factor = SIZE_OF_MAX[name][block - 1] if rescale else 1
        pooled = pooling_module(name, block, rescale=rescale)(features)
        np.testing.assert_allclose(pooled, factor * expected, rtol=1e-5)


@pytest.mark.parametrize("name", SIZE_OF_MAX)
def test_float16_neither_overflows_nor_underflows(name):
    features = torch.tensor([[[[300.0, 300, 0, 0], [300, 300, 0, 0]]]], dtype=torch.float16)
    features.requires_grad_()
    pooled = pooling_module(name, 1, rescale=False)(features)
    assert pooled.dtype == torch.float16
    assert pooled.flatten().tolist() == [300, pytest.approx(0, abs=1e-5)]
    pooled.sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("name", ["average", "l2"])
def test_a_network_rescales_each_pooling_once(untrained, random_image, name):
    image = random_image(32, 48)
    plain = VGG19(POOLED, untrained, name)
    rescaled = VGG19(POOLED, untrained, name, rescale_pooling=True)
    for index in range(1, 6):
        features = random_image(4, 4, seed=index)
        one, other = (getattr(n.features, f"pool{index}")(features) for n in (plain, rescaled))
        torch.testing.assert_close(other, one * SIZE_OF_MAX[name][index - 1])
    first = plain(image)["pool1"]
    torch.testing.assert_close(rescaled(image)["pool1"], first * SIZE_OF_MAX[name][0])


@pytest.mark.network
@pytest.mark.parametrize("name", ["average", "l2"])
def test_rescaled_features_have_the_size_of_max_pooled_ones(gatys, name):
    """In the geometric mean over photographs and textures."""
    images = [
        getattr(skimage.data, image)() for image in ("astronaut", "coffee", "brick", "gravel")
    ]
    images = [resize(to_tensor(as_rgb(image), torch.device("cpu")), (128, 128)) for image in images]
    layers = [f"relu{block}_1" for block in range(2, 6)]

    def sizes(pooling, rescale):
        network = VGG19(layers, gatys, pooling, rescale_pooling=rescale)
        features = [network(image) for image in images]
        return np.array([[f[layer].mean().item() for f in features] for layer in layers])

    expected = sizes("max", rescale=False)
    factors = np.exp(np.log(sizes(name, rescale=True) / expected).mean(axis=1))
    assert factors.max() < 1.5
    assert factors.min() > 1 / 1.5
    assert (sizes(name, rescale=False)[1:] < 0.75 * expected[1:]).all()
