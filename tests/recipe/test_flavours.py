"""A recipe on another network: its losses keep their value though features are larger."""

import itertools

import numpy as np
import pytest

from napari_nst.recipe import Recipe, on_flavour, preset, preset_names
from napari_nst.recipe.convert_weights import BYTES_TO_NORMALISED, MEAN_ACTIVATIONS, mean_activation
from napari_nst.recipe.layer_names import LAYER_NAMES
from napari_nst.recipe.sections import GRAM_LOSSES, NORMS

FLAVOURS = tuple(MEAN_ACTIVATIONS)
PAIRS = list(itertools.permutations(FLAVOURS, 2))


# The table


def test_the_flavours_are_those_of_the_network():
    from napari_nst.engine.vgg import weights

    assert set(FLAVOURS) == set(weights.FLAVOURS)


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("layer", LAYER_NAMES)
def test_every_layer_has_a_mean_activation(flavour, layer):
    assert mean_activation(flavour, layer) > 0


@pytest.mark.parametrize(
    ("layer", "activation"),
    [
        ("relu1_1", 23),
        ("conv1_2", 23),
        ("pool1", 23),
        ("relu3_4", 234),
        ("pool3", 234),
        ("conv4_1", 137),
        ("conv_9", 137),
        ("conv4_2", 76),
        ("relu4_2", 76),
        ("relu4_4", 76),
        ("pool4", 76),
        ("block5_conv2", 20),
        ("pool5", 20),
    ],
)
def test_a_layer_is_taken_for_the_nearest_of_its_block(layer, activation):
    assert mean_activation("caffe", layer) == activation
    assert mean_activation("gatys", layer) == 1
    assert mean_activation("torchvision", layer) == pytest.approx(activation / 57.6)


def test_pixels_of_255_make_torchvisions_features_as_large_as_caffes():
    fed_more = mean_activation("torchvision", "relu3_1", "255")
    assert fed_more == pytest.approx(mean_activation("caffe", "relu3_1"))
    assert mean_activation("caffe", "relu3_1", "255") == mean_activation("caffe", "relu3_1")
    assert pytest.approx(255 * 0.226, rel=1e-3) == BYTES_TO_NORMALISED


# The algebra


def features(flavour, layer, number):
    """Return the features (C, M) of an image, as large as they are in a flavour."""
    return np.random.default_rng(number).random((6, 50)) * mean_activation(flavour, layer)


def gram(f, norm):
    """Return the sum over positions as each norm divides it, the root of a factor included."""
    channels, positions = f.shape
    divisor = {
        "mean": positions,
        "per_channel": channels * positions,
        "per_element": (channels * positions) ** 0.5,
        "raw": 1,
    }[norm]
    return f @ f.T / divisor


@pytest.mark.parametrize(("own", "other"), PAIRS)
@pytest.mark.parametrize(("norm", "of"), [("mean", np.mean), ("sum", np.sum)])
def test_content_losses_keep_their_value(own, other, norm, of):
    layers = {"relu1_1": 0.5, "conv4_2": 2.0, "pool3": 3.0}
    recipe = Recipe(weights=own, content_layers=layers, content_norm=norm)
    converted = on_flavour(recipe, other)
    assert converted.weights == other
    for layer in layers:
        before, after = (
            r.content_layers[layer]
            * of((features(r.weights, layer, 1) - features(r.weights, layer, 2)) ** 2)
            for r in (recipe, converted)
        )
        assert after == pytest.approx(before)


@pytest.mark.parametrize(("own", "other"), PAIRS)
@pytest.mark.parametrize("norm", ["mean", "per_channel", "per_element", "raw"])
def test_gram_losses_keep_their_value(own, other, norm):
    layers = {"relu1_1": 0.5, "relu4_2": 2.0, "pool2": 3.0}
    recipe = Recipe(weights=own, style_layers=layers, style_loss="gram", style_norm=norm)
    converted = on_flavour(recipe, other)
    for layer in layers:
        before, after = (
            r.style_layers[layer]
            * np.mean(
                (
                    gram(features(r.weights, layer, 1), norm)
                    - gram(features(r.weights, layer, 2), norm)
                )
                ** 2
            )
            for r in (recipe, converted)
        )
        assert after == pytest.approx(before)


@pytest.mark.parametrize(("loss", "norm"), [(k, n) for k, norms in NORMS.items() for n in norms])
def test_the_power_is_that_of_the_loss(loss, norm):
    """Of the features: Gram matrices are of the second, so their squares of the fourth."""
    recipe = Recipe(weights="caffe", style_loss=loss, style_norm=norm, style_layers="relu2_1:3")
    power = 0 if norm == "relative" else 4 if loss in GRAM_LOSSES else 2
    converted = on_flavour(recipe, "gatys")
    assert converted.style_layers["relu2_1"] == pytest.approx(3 * 169**power)


def test_torchvision_fed_255_is_converted_from_what_it_is_fed():
    recipe = preset("gordicaleksa")
    on_caffe = on_flavour(recipe, "caffe")
    assert on_caffe.network_input == "own"
    assert on_caffe.content_layers == pytest.approx(recipe.content_layers)
    assert on_caffe.style_layers == pytest.approx(recipe.style_layers)
    assert on_flavour(recipe, "gatys").content_layers["relu4_2"] == pytest.approx(76**2)


# What stays


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("name", preset_names())
def test_every_preset_goes_to_every_flavour_and_changes_nothing_else(name, flavour):
    recipe = preset(name)
    converted = on_flavour(recipe, flavour)
    assert converted.weights == flavour
    touched = ("weights", "network_input", "content_layers", "style_layers")
    assert converted.replace(**{field: getattr(recipe, field) for field in touched}) == recipe
    assert list(converted.content_layers) == list(recipe.content_layers)
    assert list(converted.style_layers) == list(recipe.style_layers)


@pytest.mark.parametrize("name", preset_names())
def test_a_recipe_on_its_own_flavour_stays_what_it_is(name):
    assert on_flavour(preset(name), preset(name).weights) == preset(name)


def test_relative_losses_need_no_conversion():
    assert on_flavour(preset(), "caffe") == preset(weights="caffe")


def test_there_and_back_is_where_it_began():
    recipe = preset("pystiche")
    back = on_flavour(on_flavour(recipe, "gatys"), "torchvision")
    assert back.style_layers == pytest.approx(recipe.style_layers)
    assert back.content_layers == pytest.approx(recipe.content_layers)


# Errors


@pytest.mark.parametrize("flavour", ["", "vgg", "Caffe", "vgg.pth"])
def test_a_flavour_that_does_not_exist_is_answered_with_those_that_do(flavour):
    told = f"^flavour must be one of gatys, torchvision, caffe .*; not '{flavour}'"
    with pytest.raises(ValueError, match=told):
        on_flavour(preset(), flavour)
    with pytest.raises(ValueError, match=told):
        mean_activation(flavour, "relu1_1")


def test_of_a_file_of_weights_nothing_is_known():
    told = r"^weights must be one of gatys, torchvision, caffe .*; not 'vgg\.pth'\.$"
    with pytest.raises(ValueError, match=told):
        on_flavour(preset(weights="vgg.pth"), "gatys")
