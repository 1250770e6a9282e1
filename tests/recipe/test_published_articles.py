"""The numbers of the articles' recipes, as the articles and their notebooks have them."""

import pytest

from napari_nst.recipe import preset

RELU_X_1 = [f"relu{block}_1" for block in range(1, 6)]


def content(recipe):
    return {layer: recipe.content_weight * w for layer, w in recipe.content_layers.items()}


def style(recipe):
    return {layer: recipe.style_weight * w for layer, w in recipe.style_layers.items()}


def test_lets_enhance_style():
    recipe = preset("lets-enhance-style")
    assert style(recipe) == pytest.approx({"relu5_1": 1 / (50 * 75 * 256) ** 2})
    assert (recipe.style_loss, recipe.style_norm) == ("gram", "raw")
    assert (recipe.weights, recipe.init, recipe.image_range) == ("caffe", "noise", "tanh")


def test_lets_enhance_content():
    recipe = preset("lets-enhance-content")
    assert len(recipe.content_layers) == 1
    assert set(recipe.content_layers) <= set(RELU_X_1)
    assert (recipe.content_norm, recipe.init, recipe.image_range) == ("mean", "noise", "tanh")


def test_tf_eager():
    recipe = preset("tf-eager")
    assert content(recipe) == {"relu5_2": 1e3}
    assert style(recipe) == pytest.approx(dict.fromkeys(RELU_X_1, 1e-2 / 5))
    assert (recipe.content_norm, recipe.style_norm) == ("mean", "mean")
    assert recipe.optimizer == "adam"
    assert recipe.learning_rate * 255 == pytest.approx(5.0)
    assert recipe.epsilon / 255 == pytest.approx(1e-1)
    assert (recipe.beta1, recipe.beta2) == (0.99, 0.999)
    assert (recipe.weights, recipe.init, recipe.image_range) == ("caffe", "content", "clip")
    assert (recipe.size, recipe.min_size, recipe.steps) == (512, 0, 1000)


def test_conv_k_is_before_the_rectifier():
    transfer, texture = preset("conv-k-transfer"), preset("conv-k-texture")
    assert content(transfer) == {"conv4_1": 1.0}
    assert style(transfer) == {"conv1_2": 0.5, "conv2_2": 0.5, "conv3_4": 0.5, "conv5_4": 0.5}
    assert style(texture) == style(transfer)
    assert content(preset("conv-k-reconstruction")) == {"conv2_2": 1.0}


def test_conv_k_is_of_one_network_and_optimiser():
    for name in ("conv-k-transfer", "conv-k-texture", "conv-k-reconstruction"):
        recipe = preset(name)
        assert (recipe.weights, recipe.optimizer) == ("torchvision", "lbfgs")
        assert recipe.style_loss == "gram"
    assert preset("conv-k-texture").style_norm == "mean"
    assert preset("conv-k-reconstruction").content_norm == "mean"
    transfer = preset("conv-k-transfer")
    assert (transfer.style_norm, transfer.content_norm) == ("relative", "relative")


def test_udacity():
    recipe = preset("udacity")
    assert content(recipe) == {"relu4_2": 1.0}
    shares = dict(zip(RELU_X_1, (1.0, 0.8, 0.5, 0.3, 0.1), strict=True))
    assert style(recipe) == pytest.approx({layer: 1e6 * share for layer, share in shares.items()})
    assert (recipe.content_norm, recipe.style_norm) == ("mean", "per_element")
    # Its pixels are divided by a standard deviation, 0.226 on average.
    assert recipe.learning_rate == pytest.approx(0.003 * 0.226)
    assert (recipe.beta1, recipe.beta2) == (0.9, 0.999)
    assert (recipe.weights, recipe.init, recipe.image_range) == ("torchvision", "content", "free")
    assert (recipe.size, recipe.steps) == (400, 2000)


def test_tf_gatys():
    recipe = preset("tf-gatys")
    assert content(recipe) == {"relu4_2": pytest.approx(10e-5 / 2)}
    assert style(recipe) == pytest.approx(dict.fromkeys(RELU_X_1, 5.0 / 5 / 4))
    assert (recipe.content_norm, recipe.style_norm) == ("sum", "mean")
    assert (recipe.weights, recipe.pooling) == ("caffe", "average")
    assert recipe.learning_rate * 255 == pytest.approx(5.0)
    assert recipe.epsilon / 255 == pytest.approx(1e-8)
    assert recipe.steps == 5000
