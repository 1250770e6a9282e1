"""The recipe as plain data: dicts, JSON, and the metadata of a layer."""

import json
from types import SimpleNamespace

import pytest

from napari_nst.recipe import CONTROLS, Recipe, preset

CHANGED = preset("li-wand").replace(
    name="mine",
    size=96,
    style_layers={"block1_conv1": 1},
    style_blend=(0.75, 0.25),
    weights="vgg.pth",
)
BOTH = pytest.mark.parametrize("recipe", [Recipe(), CHANGED], ids=["default", "changed"])


@BOTH
def test_json_both_ways(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe


@BOTH
def test_dicts_both_ways(recipe):
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe(**recipe.to_dict()) == recipe


def test_a_dict_is_plain_and_complete():
    fields = CHANGED.to_dict()
    assert list(fields) == ["name", *CONTROLS]
    assert {type(value) for value in fields.values()} == {str, int, float, bool, list, dict}
    assert fields["style_layers"] == {"relu1_1": 1.0}
    assert fields["style_blend"] == [0.75, 0.25]
    assert fields["size"] == 96
    assert fields["rescale_pooling"] is False
    assert json.loads(CHANGED.to_json()) == fields


def test_a_dict_is_the_callers_own():
    CHANGED.to_dict()["style_layers"].clear()
    CHANGED.to_dict()["style_blend"].clear()
    assert CHANGED.style_layers
    assert CHANGED.style_blend


@pytest.mark.parametrize("blend", [(0.75, 0.25), [0.75, 0.25], "0.75, 0.25"])
def test_several_numbers_come_back_as_a_tuple(blend):
    assert Recipe.from_dict({"style_blend": blend}).style_blend == (0.75, 0.25)


def test_fields_left_out_have_their_defaults():
    assert Recipe.from_json("{}") == Recipe.from_dict({}) == Recipe()
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
        ('{"style_blend": 3}', TypeError, "^style_blend must be several numbers"),
        ('{"style_blend": [1, "1"]}', TypeError, "^style_blend must be a number"),
        ('{"init": null}', TypeError, "^init must be a str"),
        ('{"relative": true}', ValueError, "^A recipe has no field 'relative'"),
    ],
)
def test_values_in_json_are_checked(text, error, told):
    with pytest.raises(error, match=told):
        Recipe.from_json(text)


# The metadata of a layer


def layer(metadata):
    return SimpleNamespace(name="painted", metadata=metadata)


@BOTH
@pytest.mark.parametrize("saved", [lambda r: r.to_dict(), lambda r: json.loads(r.to_json())])
def test_a_layer_gives_its_recipe_back(recipe, saved):
    assert Recipe.from_layer(layer({"napari-nst": {"recipe": saved(recipe)}})) == recipe


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"other": 1},
        {"napari-nst": None},
        {"napari-nst": {}},
        {"napari-nst": {"recipe": "default"}},
    ],
    ids=str,
)
def test_a_layer_without_a_recipe_is_answered_by_its_name(metadata):
    with pytest.raises(ValueError, match=r"^Layer 'painted' holds no recipe; choose .*\.$"):
        Recipe.from_layer(layer(metadata))


def test_a_recipe_in_a_layer_is_checked():
    with pytest.raises(ValueError, match=r"^steps must be "):
        Recipe.from_layer(layer({"napari-nst": {"recipe": {"steps": 0}}}))
