"""A recipe on another flavour: its losses keep their value though features are larger."""

import itertools

import numpy as np
import pytest

from napari_nst.recipe import Recipe, on_flavour, preset, preset_names
from napari_nst.recipe.convert_weights import MEAN_ACTIVATIONS, mean_activation
from napari_nst.recipe.layer_names import LAYER_NAMES
from napari_nst.recipe.sections import COSINE_LOSSES, GRAM_LOSSES, IMAGE_LOSSES, NORMS

PAIRS = list(itertools.permutations(MEAN_ACTIVATIONS, 2))


def test_the_flavours_are_those_of_the_network():
    from napari_nst.engine.vgg import weights

    assert set(MEAN_ACTIVATIONS) == set(weights.FLAVOURS)


def test_a_layer_has_the_mean_of_the_nearest_layer_in_its_block():
    expected = {
        "relu1_1": 23, "pool1": 23, "relu3_4": 234, "conv_9": 137, "relu4_4": 76, "pool5": 20,
    }  # fmt: skip
    for layer, mean in expected.items():
        assert mean_activation("caffe", layer) == mean
        assert mean_activation("gatys", layer) == 1
        assert mean_activation("torchvision", layer) == pytest.approx(mean / 57.6)
    assert all(mean_activation("caffe", layer) > 0 for layer in LAYER_NAMES)


def test_pixels_of_255_make_torchvisions_features_as_large_as_caffes():
    on_255 = mean_activation("torchvision", "relu3_1", "255")
    assert on_255 == pytest.approx(mean_activation("caffe", "relu3_1"))
    recipe = preset("gordicaleksa")
    converted = on_flavour(recipe, "caffe")
    assert converted.network_input == "own"
    assert converted.style_layers == pytest.approx(recipe.style_layers)


def features(flavour, layer, seed):
    """Return features (C, M) with the magnitude of a flavour."""
    return np.random.default_rng(seed).random((6, 50)) * mean_activation(flavour, layer)


@pytest.mark.parametrize(("own", "other"), PAIRS)
def test_absolute_losses_keep_their_value(own, other):
    layers = {"relu1_1": 0.5, "conv4_2": 2.0, "pool3": 3.0}
    recipe = Recipe(
        weights=own, content_layers=layers, content_norm="mean",
        style_layers=layers, style_loss="gram", style_norm="mean",
    )  # fmt: skip

    def losses(recipe, layer):
        first, second = (features(recipe.weights, layer, seed) for seed in (1, 2))
        content = np.mean((first - second) ** 2)
        style = np.mean((first @ first.T - second @ second.T) ** 2)
        return recipe.content_layers[layer] * content, recipe.style_layers[layer] * style

    converted = on_flavour(recipe, other)
    assert converted.weights == other
    for layer in layers:
        assert losses(converted, layer) == pytest.approx(losses(recipe, layer))


@pytest.mark.parametrize(("loss", "norm"), [(k, n) for k, norms in NORMS.items() for n in norms])
def test_weights_are_converted_by_the_power_of_the_loss(loss, norm):
    recipe = Recipe(weights="caffe", style_loss=loss, style_norm=norm, style_layers="relu2_1:3")
    power = 4 if loss in (*GRAM_LOSSES, "autocorrelation") else 2
    power *= norm != "relative" and loss not in (*COSINE_LOSSES, *IMAGE_LOSSES)
    converted = on_flavour(recipe, "gatys")
    assert converted.style_layers["relu2_1"] == pytest.approx(3 * 169**power)


def test_joined_layers_keep_their_features():
    layers = {"relu1_1": 0.5, "relu2_1": 3}
    recipe = Recipe(weights="caffe", style_loss="nn", hypercolumns=True, style_layers=layers)
    converted = on_flavour(recipe, "gatys")
    assert converted.style_layers == pytest.approx({"relu1_1": 0.5 * 23, "relu2_1": 3 * 169})


@pytest.mark.parametrize("name", preset_names())
def test_other_fields_of_a_preset_are_not_changed(name):
    recipe = preset(name)
    assert on_flavour(recipe, recipe.weights) == recipe
    for flavour in MEAN_ACTIVATIONS:
        converted = on_flavour(recipe, flavour)
        fields = ("weights", "network_input", "content_layers", "style_layers", "terms")
        assert converted.replace(**{field: getattr(recipe, field) for field in fields}) == recipe


def test_unknown_flavours_and_weights_files_are_refused():
    with pytest.raises(ValueError, match=r"^flavour must be one of gatys, torchvision, caffe "):
        on_flavour(preset(), "vgg")
    with pytest.raises(ValueError, match=r"weights.? must be one of gatys, torchvision, caffe "):
        on_flavour(preset(weights="vgg.pth"), "gatys")


def test_layer_weights_of_terms_and_phases_are_converted():
    layers, absolute = {"relu1_1": 0.5, "relu3_1": 2.0}, {"style_norm": "mean"}
    recipe = Recipe(
        weights="caffe",
        style_layers=layers,
        style_loss="gram",
        terms=[{"style_loss": "mrf"}, {"style_loss": "mrf", **absolute}, {"content_norm": "sum"}],
        phases=[{"style_loss": "wasserstein", **absolute, "terms": [absolute]}, {}],
    )
    converted = on_flavour(recipe, "gatys")
    assert converted.weights == "gatys"
    pairs = [(recipe.phase(k), converted.phase(k)) for k in range(3)]
    for before, after in pairs:
        for one, other in zip(before.with_terms(), after.with_terms(), strict=True):
            alone = on_flavour(one, "gatys")
            if one.has_style:
                assert other.style_layers == pytest.approx(alone.style_layers)
            if one.has_content:
                assert other.content_layers == pytest.approx(alone.content_layers)
    assert "style_layers" not in converted.terms[0]  # as relative as the recipe's own
    assert dict(converted.phases[1]) == {}
    assert on_flavour(converted, "caffe").phase(1).style_layers == pytest.approx(layers)
