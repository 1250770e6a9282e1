"""Layers and their weights: as mappings, and as a user types them."""

import copy
import math
import pickle

import numpy as np
import pytest

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.fields import LayerWeights

FIELDS = ("content_layers", "style_layers")


@pytest.mark.parametrize("field", FIELDS)
def test_layers_are_kept_under_their_canonical_names(field):
    recipe = Recipe(**{field: {"block5_conv2": 2, "conv_5": 0.5, "relu1_1": 1}})
    assert dict(getattr(recipe, field)) == {"relu5_2": 2.0, "conv3_1": 0.5, "relu1_1": 1.0}


@pytest.mark.parametrize("field", FIELDS)
def test_an_alias_makes_the_same_recipe(field):
    assert Recipe(**{field: {"block5_conv2": 1}}) == Recipe(**{field: {"relu5_2": 1}})


@pytest.mark.parametrize("weight", [2, 2.0, np.float32(2), np.float64(2), np.int64(2)])
def test_a_layers_weight_may_be_any_number(weight):
    recipe = Recipe(style_layers={"relu1_1": weight})
    assert type(recipe.style_layers["relu1_1"]) is float
    assert recipe.style_layers["relu1_1"] == 2


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("layers", "error", "told"),
    [
        (["relu4_2"], TypeError, " must map layer names to weights, not "),
        (None, TypeError, " must map layer names to weights, not None"),
        ({"relu4_2": "1"}, TypeError, r"\['relu4_2'\] must be a number, not '1'"),
        ({"relu4_2": True}, TypeError, r"\['relu4_2'\] must be a number, not True"),
        ({"relu4_2": None}, TypeError, r"\['relu4_2'\] must be a number, not None"),
        ({"relu4_2": -1}, ValueError, r"\['relu4_2'\] must be a number of at least 0; not -1"),
        ({"relu4_2": math.nan}, ValueError, r"\['relu4_2'\] must be a number of at least 0"),
        ({"relu4_2": math.inf}, ValueError, r"\['relu4_2'\] must be a number of at least 0"),
        (
            {"relu3_1": 1, "block3_conv1": 2},
            ValueError,
            " names relu3_1 twice, once as 'block3_conv1'; give it once",
        ),
    ],
)
def test_layers_that_make_no_sense_are_refused(field, layers, error, told):
    with pytest.raises(error, match=f"^{field}{told}"):
        Recipe(**{field: layers})


@pytest.mark.parametrize("field", FIELDS)
def test_a_misspelt_layer_is_answered_with_the_one_meant(field):
    for layers in ({"rel4_2": 1}, "rel4_2"):
        with pytest.raises(ValueError, match="no layer 'rel4_2'; did you mean 'relu4_2'"):
            Recipe(**{field: layers})


# Typed


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("relu4_2", {"relu4_2": 1.0}),
        ("relu4_2:1, relu5_1", {"relu4_2": 1.0, "relu5_1": 1.0}),
        (" relu4_2:0.25  relu5_1:1e3,", {"relu4_2": 0.25, "relu5_1": 1000.0}),
        ("conv_4:.5, block5_conv2", {"conv2_2": 0.5, "relu5_2": 1.0}),
    ],
)
def test_layers_may_be_typed(field, text, layers):
    assert dict(getattr(Recipe(**{field: text}), field)) == layers


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("relu4_2:much", " must be layers and weights such as .*; not 'relu4_2:much'"),
        ("relu4_2=1", ""),
        ("relu4_2, relu4_2:2", " names relu4_2 twice"),
        ("conv_1, conv1_1", " names conv1_1 twice, once as 'conv1_1'"),
        ("relu4_2:-1", r"\['relu4_2'\] must be a number of at least 0; not -1"),
    ],
)
def test_typing_errors_are_answered_in_one_sentence(field, text, told):
    start = field if told else "VGG-19 has no layer 'relu4_2=1'; did you mean 'relu4_2'"
    with pytest.raises(ValueError, match=f"^{start}{told}") as error:
        Recipe(**{field: text})
    assert "\n" not in str(error.value)


def test_what_is_written_is_read_again_to_the_last_digit():
    layers = {"relu1_1": 1 / 3, "conv5_4": 1e-12, "pool4": 2e8}
    assert (
        CONTROLS["style_layers"].parse("style_layers", CONTROLS["style_layers"].text(layers))
        == layers
    )
    assert CONTROLS["style_layers"].text(Recipe(style_layers=layers).style_layers) == (
        "relu1_1:0.3333333333333333, conv5_4:1e-12, pool4:200000000.0"
    )


# A value


@pytest.mark.parametrize(
    "change",
    [
        lambda layers: layers.__setitem__("relu1_1", 9.0),
        lambda layers: layers.__delitem__("relu1_1"),
        lambda layers: layers.update(relu1_1=9.0),
        lambda layers: layers.clear(),
        lambda layers: layers.pop("relu1_1"),
        lambda layers: layers.popitem(),
        lambda layers: layers.setdefault("relu2_1", 9.0),
        lambda layers: layers.__ior__({"relu1_1": 9.0}),
    ],
)
def test_layer_weights_cannot_be_changed(change):
    layers = LayerWeights({"relu1_1": 1.0})
    with pytest.raises(TypeError, match=r"^A recipe cannot be changed; .*replace\(\)\.$"):
        change(layers)
    assert dict(layers) == {"relu1_1": 1.0}


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda w: pickle.loads(pickle.dumps(w))]
)
def test_layer_weights_survive_copying_and_pickling(again):
    layers = LayerWeights({"relu1_1": 1.0, "relu2_1": 0.5})
    assert again(layers) == layers
    assert type(again(layers)) is LayerWeights
    assert hash(again(layers)) == hash(layers)


def test_the_callers_layers_are_copied():
    layers = {"relu1_1": 1.0}
    recipe = Recipe(style_layers=layers)
    layers["relu1_1"] = 9.0
    assert recipe.style_layers["relu1_1"] == 1.0
