"""The effective weights of published recipes, in the units of their sources.

`tests/engine/losses/test_published_losses.py` compares their losses with the sources' formulas.
"""

import pytest

from napari_nst.engine.job.schedule import plan_scales
from napari_nst.recipe import preset, preset_names, published

RELU_X_1 = [f"relu{block}_1" for block in range(1, 6)]
CHANNELS = dict(zip(RELU_X_1, (64, 128, 256, 512, 512), strict=True))
PUBLISHED = [name for name in preset_names() if published(name).source != "napari-nst"]
RELU_1_TO_4 = [f"relu{b}_{i}" for b, n in ((1, 2), (2, 2), (3, 4), (4, 4)) for i in range(1, n + 1)]
GATYS_TEXTURE = ["relu1_1", "pool1", "pool2", "pool3", "pool4"]
UP_TO_RELU5_2 = [*RELU_1_TO_4[:-2], "relu5_1", "relu5_2"]
UP_TO_BLOCK_3 = ["relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_4"]
STROTSS = {
    k: {"1": 0.1, "2": 0.75, "3": 1.0, "4": 0.33, "5": 0.09}[k[4]]
    for k in (*UP_TO_BLOCK_3, "relu4_4", "relu5_4")
}
NNST = [*UP_TO_BLOCK_3, "relu4_1", "relu4_2", "relu4_4"]
BLOCKS = {"1": 64, "2": 128, "3": 256, "4": 512}
CONV_K = ["conv1_2", "conv2_2", "conv3_4", "conv5_4"]


def each(weight, layers=RELU_X_1):
    return dict.fromkeys(layers, weight)


def shares(*weights):
    return dict(zip(RELU_X_1, weights, strict=True))


# Preset → content_weight × layer weight, style_weight × layer weight
WEIGHTS = {
    "gatys-2016": ({"relu4_2": 1e6}, each(1e9 / 5)),
    "gatys-2016-paper": ({"relu4_2": 1 / 2}, each(1e3 / 5 / 4)),
    "gatys-texture": ({}, each(1e9 / 4, ["relu1_1", "pool1", "pool2", "pool3", "pool4"])),
    "neural-style": ({"relu4_2": 5.0}, each(100.0)),
    "crowsonkb": ({"relu4_2": 0.015}, shares(*(w / 341 for w in (256, 64, 16, 4, 1)))),
    "pystiche": ({"relu4_2": 1.0}, each(200.0)),
    "gordicaleksa": ({"relu4_2": 1e5}, each(3e4 / 5)),
    "sliced-wasserstein": ({}, each(1.0, RELU_1_TO_4)),
    "spst": ({"relu4_2": 1.0}, {layer: 1e3 / c**2 for layer, c in CHANNELS.items()}),
    "spst-texture": ({}, {layer: 1e3 / c**2 for layer, c in CHANNELS.items()}),
    "strotss": tuple({k: w * STROTSS[k] for k in STROTSS} for w in (2 / 4, 1 / 4)),
    "nnst": ({}, {layer: 1 / BLOCKS[layer[4]] for layer in NNST}),
    "gonthier-spectrum": ({}, each(1e9 / 4 / 5, GATYS_TEXTURE)),
    "gonthier-autocorrelation": ({}, each(1e9 / 4 / 5, GATYS_TEXTURE)),
    "long-range-sw": ({}, each(1 / 255**2 / 22, UP_TO_RELU5_2)),
    "li-wand": ({"relu4_1": 20.0}, each(1e-4 / 2, ["relu3_1", "relu4_1"])),
    "lets-enhance-style": ({}, {"relu5_1": 1 / (50 * 75 * 256) ** 2}),
    "lets-enhance-content": ({"relu3_1": 1.0}, {}),
    "tf-eager": ({"relu5_2": 1e3}, each(1e-2 / 5)),
    "conv-k-transfer": ({"conv4_1": 1.0}, each(0.5, CONV_K)),
    "conv-k-texture": ({}, each(0.5, CONV_K)),
    "conv-k-reconstruction": ({"conv2_2": 1.0}, {}),
    "udacity": ({"relu4_2": 1.0}, shares(1e6, 0.8e6, 0.5e6, 0.3e6, 0.1e6)),
    "tf-gatys": ({"relu4_2": 10e-5 / 2}, each(5.0 / 5 / 4)),
}


def effective(weight, layers):
    return {layer: weight * w for layer, w in layers.items() if weight * w}


@pytest.mark.parametrize("name", PUBLISHED)
def test_effective_weights_are_those_of_the_source(name):
    recipe = preset(name)
    content, style = WEIGHTS[name]
    found = effective(recipe.content_weight, recipe.content_layers)
    assert found == pytest.approx(content, rel=1e-9)
    found = effective(recipe.style_weight, recipe.style_layers)
    assert found == pytest.approx(style, rel=1e-9)
    assert recipe.rescale_pooling is False
    assert recipe.padding != "replicate"
    # The article of one does not say; of the other, columns of distances are divided by their sums.
    if name not in ("conv-k-transfer", "strotss"):
        assert "relative" not in (recipe.content_norm, recipe.style_norm)


def test_gatys_2016_on_the_original_network():
    recipe = preset("gatys-2016", weights="caffe")
    found = effective(recipe.style_weight, recipe.style_layers)
    assert found == pytest.approx({layer: 1e3 / c**2 for layer, c in CHANNELS.items()})
    assert effective(recipe.content_weight, recipe.content_layers) == {"relu4_2": 1.0}


@pytest.mark.parametrize(
    ("name", "rate", "white", "epsilon"),
    [
        ("crowsonkb", 0.02, 1, 1e-8),
        ("tf-eager", 5.0, 255, 1e-1),
        ("tf-gatys", 5.0, 255, 1e-8),
        ("udacity", 0.003, 1 / 0.226, 1e-8),
    ],
)
def test_adam_has_the_steps_of_the_source(name, rate, white, epsilon):
    recipe = preset(name)
    assert recipe.optimizer == "adam"
    assert recipe.learning_rate * white == pytest.approx(rate)
    assert recipe.epsilon / white == pytest.approx(epsilon)


def test_crowsonkbs_scales():
    recipe = preset("crowsonkb")
    sizes = [round(recipe.size / recipe.scale_ratio**k) for k in range(4, -1, -1)]
    assert sizes == [128, 181, 256, 362, 512]
    assert recipe.min_size == 128
    assert recipe.steps / (recipe.first_scale_share + 4) == 500


@pytest.mark.parametrize(
    ("name", "sizes", "steps"),
    [
        ("spst", [512, 1024], [600, 200]),
        ("spst-texture", [256, 512], [600, 300]),
        ("strotss", [64, 128, 256, 512], [250] * 4),
        ("nnst", [64, 128, 256, 512, 512], [200] * 5),
        ("gonthier-spectrum", [128, 256, 512], [2000] * 3),
        ("gonthier-autocorrelation", [128, 256, 512], [2000] * 3),
        ("long-range-sw", [256], [1000]),
    ],
)
def test_scales_of_the_source(name, sizes, steps):
    recipe = preset(name)
    scales = plan_scales(recipe, (recipe.size, recipe.size, 3), 16)
    assert [scale.longest for scale in scales] == sizes
    assert [scale.steps for scale in scales] == steps
