"""The fields of a recipe: bounds, choices, help texts, and what a user may type."""

import dataclasses
import math

import numpy as np
import pytest

from napari_nst.recipe import CONTROLS, SECTIONS, Recipe
from napari_nst.recipe.fields import LayerWeights

NUMBERS = {name: c for name, c in CONTROLS.items() if c.kind in (int, float)}


def test_every_field_but_the_name_has_a_control_of_its_type():
    assert set(CONTROLS) == {field.name for field in dataclasses.fields(Recipe)} - {"name"}
    assert [name for names in SECTIONS.values() for name in names] == list(CONTROLS)
    for name, control in CONTROLS.items():
        default = getattr(Recipe(), name)
        assert type(default) is control.kind
        assert control.checked(name, default) == default
        assert control.help.endswith(".")


def test_the_help_of_a_choice_explains_each_value():
    for control in CONTROLS.values():
        assert all(value in control.help.lower() for value in control.choices)


@pytest.mark.parametrize("name", ["size", "style_scale"])
def test_bounds_are_inclusive(name):
    control = NUMBERS[name]
    for bound, beyond in ((control.minimum, -1), (control.maximum, 1)):
        assert getattr(Recipe(**{name: control.kind(bound)}), name) == bound
        with pytest.raises(ValueError, match=rf"{name}.* between .* and "):
            Recipe(**{name: control.kind(bound + beyond)})


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("style_weight", math.nan, ValueError),
        ("style_weight", -1, ValueError),
        ("style_weight", math.inf, ValueError),
        ("size", math.inf, TypeError),
        ("size", "3", TypeError),
        ("size", True, TypeError),
        ("size", None, TypeError),
        ("size", 64.5, TypeError),
        ("style_weight", 3 + 0j, TypeError),
        ("padding", "zero", ValueError),
        ("padding", 3, TypeError),
        ("device", None, TypeError),
        ("name", 3, TypeError),
        ("line_search", 1, TypeError),
        ("style_blend", 0.7, TypeError),
        ("style_blend", (0.7, "0.3"), TypeError),
        ("style_blend", (0.7, -1), ValueError),
        ("style_blend", "0.7, much", ValueError),
    ],
)
def test_other_values_are_refused_by_the_name_of_the_field(name, value, error):
    with pytest.raises(error, match=f"^.{name}. must be "):
        Recipe(**{name: value})


@pytest.mark.parametrize("value", [np.int64(64), np.float32(64), 64.0])
@pytest.mark.parametrize("name", ["size", "style_weight"])
def test_numbers_get_the_type_of_their_field(name, value):
    recipe = Recipe(**{name: value})
    assert getattr(recipe, name) == 64
    assert type(getattr(recipe, name)) is NUMBERS[name].kind
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("value", [[0.7, 0.3], " 0.7 0.3 ", ".7,3e-1"])
def test_several_numbers_become_a_tuple(value):
    assert Recipe(style_blend=value).style_blend == (0.7, 0.3)


@pytest.mark.parametrize("name", ["style_layers", "style_blend", "device"])
def test_a_control_reads_the_text_that_it_writes(name):
    control = CONTROLS[name]
    value = (0.25, 1.0) if name == "style_blend" else getattr(Recipe(), name)
    assert control.checked(name, control.parse(name, control.text(value))) == value


# Layers and their weights


@pytest.mark.parametrize(
    ("given", "layers"),
    [
        ({"block5_conv2": 2, "conv_5": np.float32(0.5)}, {"relu5_2": 2.0, "conv3_1": 0.5}),
        ("relu4_2", {"relu4_2": 1.0}),
        (["relu4_2", "conv_5"], {"relu4_2": 1.0, "conv3_1": 1.0}),
        ("relu4_2:1, relu5_1", {"relu4_2": 1.0, "relu5_1": 1.0}),
        (" relu4_2:0.25  conv_4:1e3,", {"relu4_2": 0.25, "conv2_2": 1000.0}),
        ("relu1_1:0.3333333333333333", {"relu1_1": 1 / 3}),
    ],
)
def test_layers_are_kept_under_their_canonical_names(given, layers):
    recipe = Recipe(style_layers=given)
    assert dict(recipe.style_layers) == layers
    assert {type(weight) for weight in recipe.style_layers.values()} == {float}


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        ([3], TypeError, "style_layers.* weights"),
        (["relu4_2", "relu4_2"], ValueError, "style_layers.* twice"),
        ({"relu4_2": True}, TypeError, "relu4_2.*style_layers"),
        ({"relu4_2": math.nan}, ValueError, "relu4_2.*style_layers"),
        ("relu4_2:-1", ValueError, "relu4_2.*style_layers"),
        ({"relu3_1": 1, "block3_conv1": 2}, ValueError, "style_layers.* relu3_1 twice"),
        ("relu4_2, relu4_2:2", ValueError, "style_layers.* relu4_2 twice"),
        ("relu4_2:much", ValueError, "style_layers.* relu4_2:1"),
        ("rel4_2", ValueError, "'rel4_2'.* mean 'relu4_2'"),
    ],
)
def test_other_layers_are_refused(layers, error, message):
    with pytest.raises(error, match=message):
        Recipe(style_layers=layers)


@pytest.mark.parametrize(
    "change",
    [
        lambda layers: layers.__setitem__("relu1_1", 9.0),
        lambda layers: layers.__delitem__("relu1_1"),
        lambda layers: layers.update(relu1_1=9.0),
        lambda layers: layers.pop("relu1_1"),
    ],
)
def test_layer_weights_cannot_be_changed(change):
    layers = LayerWeights({"relu1_1": 1.0})
    with pytest.raises(TypeError, match=r"^A recipe cannot be changed; "):
        change(layers)
    assert dict(layers) == {"relu1_1": 1.0}


def test_a_large_bound_is_named_exactly():
    with pytest.raises(ValueError, match="2147483647"):
        Recipe(seed=-1)
