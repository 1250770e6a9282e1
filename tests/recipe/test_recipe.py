"""The recipe: checked when it is made, frozen ever after, JSON both ways."""

import copy
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest

from napari_nst.recipe import CONTROLS, Recipe

NUMBERS = {name: c for name, c in CONTROLS.items() if c.kind in (int, float)}
WHOLE = [name for name, c in NUMBERS.items() if c.kind is int]
CHOICES = {name: c for name, c in CONTROLS.items() if c.choices}
SWITCHES = [name for name, c in CONTROLS.items() if c.kind is bool]
TEXTS = [name for name, c in CONTROLS.items() if c.kind is str]
LAYERS = ("content_layers", "style_layers")

CHANGED = Recipe(
    name="mine",
    size=96,
    steps=7,
    style_weight=2.5,
    seed=3,
    init="noise",
    content_layers={"relu4_2": 0.25, "conv5_1": 2},
    style_layers={"block1_conv1": 1},
    relative=False,
    optimizer="adam",
    weights="vgg.pth",
)


# Controls


def test_there_are_controls_of_every_kind():
    assert NUMBERS
    assert CHOICES
    assert SWITCHES
    everything = {f.name for f in dataclasses.fields(Recipe)}
    assert set(CONTROLS) == everything - {"name", *LAYERS}


@pytest.mark.parametrize("name", CONTROLS)
def test_every_default_is_allowed_and_of_its_controls_kind(name):
    default = getattr(Recipe(), name)
    assert type(default) is CONTROLS[name].kind
    assert CONTROLS[name].checked(name, default) == default


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_is_explained_in_whole_sentences(name):
    explanation = CONTROLS[name].help
    assert explanation[0].isupper()
    assert explanation.endswith(".")
    assert len(explanation) > 40


@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "seed"])
def test_every_numbers_help_says_what_more_and_less_of_it_do(name):
    explanation = CONTROLS[name].help.lower()
    assert "more " in explanation
    assert "less " in explanation or "fewer " in explanation or "longer" in explanation


@pytest.mark.parametrize("name", CHOICES)
def test_every_choices_help_says_what_each_does(name):
    for value in CONTROLS[name].choices:
        word = {"lbfgs": "l-bfgs", "mean_covariance": "mean and covariance"}.get(value, value)
        assert word in CONTROLS[name].help.lower()


@pytest.mark.parametrize("name", NUMBERS)
def test_both_bounds_are_allowed(name):
    control = NUMBERS[name]
    assert getattr(Recipe(**{name: control.kind(control.least)}), name) == control.least
    if math.isfinite(control.most):
        assert getattr(Recipe(**{name: control.kind(control.most)}), name) == control.most


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_out_of_bounds_are_refused_with_the_bounds(name):
    control = NUMBERS[name]
    with pytest.raises(ValueError, match=f"^{name} must be .*{control.least:g}.*; not "):
        Recipe(**{name: control.kind(control.least - 1)})
    if math.isfinite(control.most):
        with pytest.raises(ValueError, match=f"^{name} must be between .* and .*; not "):
            Recipe(**{name: control.kind(control.most + 1)})


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_are_not_finite_are_refused(name, value):
    with pytest.raises((TypeError, ValueError), match=f"^{name} must be "):
        Recipe(**{name: value})


@pytest.mark.parametrize("value", ["3", True, None, [3], 3 + 0j, "many"])
@pytest.mark.parametrize("name", NUMBERS)
def test_what_is_no_number_is_refused(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a (whole )?number, not "):
        Recipe(**{name: value})


@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_have_no_fraction(name):
    with pytest.raises(TypeError, match=f"^{name} must be a whole number, not 64.5"):
        Recipe(**{name: 64.5})
    assert type(getattr(Recipe(**{name: 64.0}), name)) is int


@pytest.mark.parametrize("value", [np.int64(64), np.uint16(64), np.float32(64), np.float64(64)])
@pytest.mark.parametrize("name", ["size", "style_weight"])
def test_numpys_numbers_become_pythons(name, value):
    recipe = Recipe(**{name: value})
    assert getattr(recipe, name) == 64
    assert type(getattr(recipe, name)) is NUMBERS[name].kind
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("name", CHOICES)
def test_every_choice_is_allowed_and_nothing_else(name):
    for value in CHOICES[name].choices:
        assert getattr(Recipe(**{name: value}), name) == value
    with pytest.raises(ValueError, match=f"^{name} must be one of .*; not 'else'"):
        Recipe(**{name: "else"})


@pytest.mark.parametrize("value", [3, None, ["cpu"], b"cpu"])
@pytest.mark.parametrize("name", [*TEXTS, "name"])
def test_what_is_no_text_is_refused(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a str, not "):
        Recipe(**{name: value})


@pytest.mark.parametrize("value", [1, 0, "yes", None])
@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_yes_or_no(name, value):
    with pytest.raises(TypeError, match=f"^{name} must be a bool, not "):
        Recipe(**{name: value})
    assert getattr(Recipe(**{name: False}), name) is False


# Layers


@pytest.mark.parametrize("field", LAYERS)
def test_layers_are_kept_under_their_canonical_names(field):
    recipe = Recipe(**{field: {"block5_conv2": 2, "conv_5": 0.5, "relu1_1": 1}})
    assert dict(getattr(recipe, field)) == {"relu5_2": 2.0, "conv3_1": 0.5, "relu1_1": 1.0}


@pytest.mark.parametrize("field", LAYERS)
def test_an_alias_makes_the_same_recipe(field):
    assert Recipe(**{field: {"block5_conv2": 1}}) == Recipe(**{field: {"relu5_2": 1}})


@pytest.mark.parametrize("weight", [2, 2.0, np.float32(2), np.float64(2), np.int64(2)])
def test_a_layers_weight_may_be_any_number(weight):
    recipe = Recipe(style_layers={"relu1_1": weight})
    assert type(recipe.style_layers["relu1_1"]) is float
    assert recipe.style_layers["relu1_1"] == 2


@pytest.mark.parametrize("field", LAYERS)
@pytest.mark.parametrize(
    ("layers", "error", "told"),
    [
        (["relu4_2"], TypeError, " must map layer names to weights, not "),
        ("relu4_2", TypeError, " must map layer names to weights, not "),
        ({"relu4_2": "1"}, TypeError, r"\['relu4_2'\] must be a number, not '1'"),
        ({"relu4_2": True}, TypeError, r"\['relu4_2'\] must be a number, not True"),
        ({"relu4_2": None}, TypeError, r"\['relu4_2'\] must be a number, not None"),
        ({"relu4_2": -1}, ValueError, r"\['relu4_2'\] must be a number of at least 0; not -1"),
        ({"relu4_2": math.nan}, ValueError, r"\['relu4_2'\] must be a number of at least 0"),
        ({"relu4_2": math.inf}, ValueError, r"\['relu4_2'\] must be a number of at least 0"),
    ],
)
def test_layers_that_make_no_sense_are_refused(field, layers, error, told):
    with pytest.raises(error, match=f"^{field}{told}"):
        Recipe(**{field: layers})


@pytest.mark.parametrize("field", LAYERS)
def test_a_misspelt_layer_is_answered_with_the_one_meant(field):
    with pytest.raises(ValueError, match="no layer 'rel4_2'; did you mean 'relu4_2'"):
        Recipe(**{field: {"rel4_2": 1}})


@pytest.mark.parametrize(
    "nothing",
    [
        {"content_weight": 0, "style_weight": 0},
        {"content_weight": 0, "style_layers": {}},
        {"content_layers": {}, "style_weight": 0},
        {"content_layers": {}, "style_layers": {}},
        {"content_layers": {"relu4_2": 0}, "style_weight": 0},
        {"content_layers": {"relu4_2": 0}, "style_layers": {"relu1_1": 0, "relu2_1": 0}},
    ],
    ids=str,
)
def test_a_recipe_that_asks_for_nothing_is_refused(nothing):
    with pytest.raises(ValueError, match="content_weight and style_weight"):
        Recipe(**nothing)


@pytest.mark.parametrize(
    "something",
    [
        {"content_weight": 0},
        {"style_weight": 0},
        {"content_layers": {}},
        {"style_layers": {"relu1_1": 0, "relu2_1": 1}, "content_weight": 0},
    ],
    ids=str,
)
def test_a_recipe_may_ask_for_content_or_for_style_alone(something):
    for field, value in something.items():
        assert getattr(Recipe(**something), field) == value


# A value, not an object with a life


@pytest.mark.parametrize("name", ["size", "style_layers", "name", "typo"])
def test_a_recipe_cannot_be_changed(name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(Recipe(), name, 3)


@pytest.mark.parametrize("recipe", [Recipe(), CHANGED], ids=["default", "changed"])
@pytest.mark.parametrize("field", LAYERS)
def test_its_layers_cannot_be_changed_either(recipe, field):
    before = dict(getattr(recipe, field))
    with pytest.raises(TypeError):
        getattr(recipe, field)["relu1_1"] = 9.0
    assert dict(getattr(recipe, field)) == before


def test_the_callers_layers_are_copied():
    layers = {"relu1_1": 1.0}
    recipe = Recipe(style_layers=layers)
    layers["relu1_1"] = 9.0
    assert recipe.style_layers["relu1_1"] == 1.0


def test_fields_are_named_not_counted():
    with pytest.raises(TypeError):
        Recipe("default", 512)


def test_recipes_of_the_same_fields_are_equal():
    assert Recipe() == Recipe()
    assert CHANGED.replace() == CHANGED
    assert CHANGED.replace(seed=4) != CHANGED


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))]
)
@pytest.mark.parametrize("recipe", [Recipe(), CHANGED], ids=["default", "changed"])
def test_a_recipe_survives_copying_and_pickling(recipe, again):
    """As metadata of a layer that is duplicated, or on its way to another process."""
    assert again(recipe) == recipe


def test_replacing_changes_the_copy_alone():
    changed = CHANGED.replace(steps=9, style_layers={"conv_1": 3})
    assert (changed.steps, dict(changed.style_layers)) == (9, {"conv1_1": 3.0})
    assert (CHANGED.steps, dict(CHANGED.style_layers)) == (7, {"relu1_1": 1.0})
    assert changed.replace(steps=7, style_layers={"relu1_1": 1}) == CHANGED


def test_what_is_replaced_is_checked():
    with pytest.raises(ValueError, match=r"^steps must be "):
        CHANGED.replace(steps=0)


UNKNOWN = [
    ("step", "did you mean 'steps'?"),
    ("style_wieght", "did you mean 'style_weight'?"),
    ("optimiser", "did you mean 'optimizer'?"),
    ("zzz", "it has name, size, "),
]


@pytest.mark.parametrize(("name", "hint"), UNKNOWN)
@pytest.mark.parametrize(
    "use",
    [lambda name: CHANGED.replace(**{name: 1}), lambda name: Recipe.from_json(f'{{"{name}": 1}}')],
    ids=["replace", "from_json"],
)
def test_a_field_that_does_not_exist_is_answered_with_the_one_meant(use, name, hint):
    with pytest.raises(ValueError, match=f"^A recipe has no field '{name}'; ") as told:
        use(name)
    assert hint in str(told.value)


# JSON


@pytest.mark.parametrize("recipe", [Recipe(), CHANGED], ids=["default", "changed"])
def test_json_both_ways(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe(**recipe.to_dict()) == recipe


def test_json_is_plain_and_complete():
    fields = json.loads(CHANGED.to_json())
    assert set(fields) == {f.name for f in dataclasses.fields(Recipe)}
    assert fields["style_layers"] == {"relu1_1": 1.0}
    assert fields["size"] == 96
    assert fields["relative"] is False
    assert fields == CHANGED.to_dict()


def test_fields_left_out_of_json_have_their_defaults():
    assert Recipe.from_json("{}") == Recipe()
    assert Recipe.from_json('{"steps": 7}') == Recipe(steps=7)


@pytest.mark.parametrize("text", ["", "{", "steps: 7", "{'steps': 7}"])
def test_text_that_is_no_json_is_refused(text):
    with pytest.raises(ValueError, match=r"^The recipe is not JSON: .*\.$"):
        Recipe.from_json(text)


@pytest.mark.parametrize("text", ["[]", "3", '"default"', "null"])
def test_json_that_is_no_object_is_refused(text):
    with pytest.raises(ValueError, match=r"^The recipe must be a JSON object of fields"):
        Recipe.from_json(text)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ('{"steps": "many"}', TypeError, "^steps must be a whole number"),
        ('{"style_weight": NaN}', ValueError, "^style_weight must be at least 0"),
        ('{"style_layers": ["relu1_1"]}', TypeError, "^style_layers must map "),
        ('{"init": null}', TypeError, "^init must be a str"),
    ],
)
def test_values_in_json_are_checked(text, error, told):
    with pytest.raises(error, match=told):
        Recipe.from_json(text)
