"""The numbers of published recipes, as their sources have them.

Written from the sources' side: what a program multiplies which sum or mean with, and in its own
pixels, so that a slip in the conversion shows.
"""

import pytest

from napari_nst.recipe import Recipe, preset, preset_names, published

RELU_X_1 = [f"relu{block}_1" for block in range(1, 6)]
CHANNELS = dict(zip(RELU_X_1, (64, 128, 256, 512, 512), strict=True))
PUBLISHED = [name for name in preset_names() if published(name).source != "napari-nst"]


def content(recipe):
    return {layer: recipe.content_weight * w for layer, w in recipe.content_layers.items() if w}


def style(recipe):
    return {layer: recipe.style_weight * w for layer, w in recipe.style_layers.items() if w}


def each(weight, layers=RELU_X_1):
    return pytest.approx(dict.fromkeys(layers, weight), rel=1e-9)


def scales(recipe):
    return (recipe.size, recipe.min_size, recipe.steps)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_recipes_are_absolute_and_plain(name):
    recipe = preset(name)
    if name != "conv-k-transfer":  # whose article does not say
        assert "relative" not in (recipe.content_norm, recipe.style_norm)
    assert recipe.rescale_pooling is False
    assert recipe.padding != "replicate"
    assert recipe.color == "style"
    assert (recipe.style_scale, recipe.style_sizing, recipe.style_blend) == (1.0, "fit", ())
    assert (recipe.seed, recipe.device, recipe.precision) == (0, "auto", "auto")


@pytest.mark.parametrize("name", [*PUBLISHED, "texture", "reconstruction"])
def test_other_optimisers_of_a_preset_get_a_step_length_that_suits_them(name):
    recipe = preset(name)
    assert recipe.learning_rate == 0 if recipe.optimizer == "lbfgs" else recipe.learning_rate < 0.05


def test_our_own_are_relative():
    for name in ("default", "texture"):
        assert preset(name).style_norm == "relative"
    for name in ("default", "reconstruction"):
        assert preset(name).content_norm == "relative"
    assert preset("texture").padding == Recipe().padding


def test_gatys_2016_on_the_normalised_network():
    recipe = preset("gatys-2016")
    assert recipe.weights == "gatys"
    assert content(recipe) == {"relu4_2": 1e6}
    assert style(recipe) == each(1e9 / 5)
    assert (recipe.style_loss, recipe.content_norm, recipe.style_norm) == ("gram", "mean", "mean")
    assert recipe.tv_weight == 0
    assert scales(recipe) == (512, 0, 500)
    assert (recipe.init, recipe.optimizer, recipe.history) == ("content", "lbfgs", 100)
    assert (recipe.pooling, recipe.padding, recipe.image_range) == ("max", "zeros", "free")


def test_gatys_2016_on_the_original_network():
    recipe = preset("gatys-2016", weights="caffe")
    assert content(recipe) == {"relu4_2": 1.0}
    assert style(recipe) == pytest.approx({layer: 1e3 / c**2 for layer, c in CHANNELS.items()})
    assert (recipe.style_loss, recipe.content_norm, recipe.style_norm) == ("gram", "mean", "mean")
    assert scales(recipe) == (512, 0, 500)
    assert (recipe.init, recipe.pooling, recipe.image_range) == ("content", "max", "free")


def test_gatys_2016_as_printed():
    recipe = preset("gatys-2016-paper")
    alpha, beta = content(recipe)["relu4_2"] * 2, sum(style(recipe).values()) * 4
    assert alpha / beta == pytest.approx(1e-3)
    assert style(recipe) == each(beta / 5 / 4)
    assert (recipe.content_norm, recipe.style_norm) == ("sum", "mean")
    assert (recipe.pooling, recipe.init, recipe.weights) == ("average", "noise", "caffe")


def test_gatys_texture():
    recipe = preset("gatys-texture")
    assert style(recipe) == each(1e9 / 4, ["relu1_1", "pool1", "pool2", "pool3", "pool4"])
    assert (recipe.style_loss, recipe.style_norm) == ("gram", "mean")
    assert (recipe.weights, recipe.pooling) == ("gatys", "average")
    assert scales(recipe) == (256, 0, 2000)
    assert (recipe.history, recipe.image_range) == (20, "clip")
    assert recipe.noise_spread * 255 == pytest.approx(1.0)


def test_neural_style():
    recipe = preset("neural-style")
    assert content(recipe) == {"relu4_2": 5.0}
    assert style(recipe) == each(100.0)
    assert (recipe.content_norm, recipe.style_norm) == ("mean", "per_channel")
    assert (recipe.tv_weight, recipe.tv_loss, recipe.tv_exponent) == (1e-3, "sum", 1.0)
    assert scales(recipe) == (512, 0, 1000)
    assert (recipe.weights, recipe.init, recipe.noise) == ("caffe", "noise", "normal")
    assert recipe.noise_spread * 255 == pytest.approx(0.001)


def test_crowsonkb():
    recipe = preset("crowsonkb")
    weights = [w / 341 for w in (256, 64, 16, 4, 1)]
    assert content(recipe) == {"relu4_2": 0.015}
    assert style(recipe) == pytest.approx(dict(zip(RELU_X_1, weights, strict=True)))
    assert sum(weights) == pytest.approx(1.0)
    assert (recipe.style_loss, recipe.style_norm) == ("wasserstein", "mean")
    assert (recipe.tv_weight, recipe.tv_loss, recipe.tv_exponent) == (2.0, "nine_point", 2.0)
    assert (recipe.optimizer, recipe.learning_rate, recipe.epsilon) == ("adam", 0.02, 1e-8)
    assert (recipe.beta1, recipe.beta2, recipe.ema) == (0.9, 0.99, 0.99)
    sizes = [round(recipe.size / recipe.scale_ratio**k) for k in range(4, -1, -1)]
    assert sizes == [128, 181, 256, 362, 512]
    assert recipe.min_size == 128
    assert recipe.steps / (recipe.first_scale_share + 4) == 500
    assert (recipe.padding, recipe.image_range) == ("replicate_first", "clip")


def test_pystiche():
    recipe = preset("pystiche")
    assert content(recipe) == {"relu4_2": 1.0}
    assert style(recipe) == each(200.0)
    assert (recipe.weights, recipe.network_input) == ("torchvision", "own")
    assert scales(recipe) == (500, 0, 500)


def test_gordicaleksa():
    recipe = preset("gordicaleksa")
    assert content(recipe) == {"relu4_2": 1e5}
    # A sum over C² entries of matrices over C·M is a mean of matrices over M.
    assert style(recipe) == each(3e4 / 5)
    assert recipe.style_norm == "mean"
    assert (recipe.weights, recipe.network_input) == ("torchvision", "255")
    assert (recipe.tv_weight, recipe.tv_loss, recipe.tv_exponent) == (1.0, "sum", 1.0)
    assert (recipe.line_search, recipe.steps) == (True, 1000)


def test_sliced_wasserstein():
    recipe = preset("sliced-wasserstein")
    layers = [f"relu{b}_{i}" for b, n in ((1, 2), (2, 2), (3, 4), (4, 4)) for i in range(1, n + 1)]
    assert list(recipe.style_layers) == layers
    assert style(recipe) == each(1.0, layers)
    assert (recipe.style_loss, recipe.style_norm) == ("sliced_wasserstein", "mean")
    assert (recipe.projections, recipe.padding, recipe.pooling) == (0, "reflect", "average")
    assert (recipe.noise_spread, recipe.steps) == (0.01, 64 * 64)


def test_li_wand():
    recipe = preset("li-wand")
    assert content(recipe) == {"relu4_1": 20.0}
    assert style(recipe) == each(1e-4 / 2, ["relu3_1", "relu4_1"])
    assert (recipe.style_loss, recipe.style_norm) == ("mrf", "sum")
    assert (recipe.patch_size, recipe.patch_stride) == (3, 2)
    assert (recipe.tv_weight, recipe.tv_loss, recipe.tv_exponent) == (1e-3 / 2, "inner_sum", 2.0)
    assert scales(recipe) == (384, 96, 300)
    assert (recipe.scale_ratio, recipe.first_scale_share) == (2.0, 1.0)
