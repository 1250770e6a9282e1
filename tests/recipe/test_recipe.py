"""The recipe: checked when it is made, immutable, and plain data in JSON and in layers."""

import dataclasses
import json
import pickle
from types import SimpleNamespace

import pytest

from napari_nst.recipe import CONTROLS, Recipe, preset
from napari_nst.recipe.sections import NORMS, TILED_LOSSES

CHANGED = preset("li-wand").replace(
    name="mine",
    size=96,
    style_layers={"block1_conv1": 1},
    style_blend=(0.75, 0.25),
    weights="vgg.pth",
)


# Fields that have to agree


@pytest.mark.parametrize(
    "nothing",
    [
        {"content_weight": 0, "style_weight": 0},
        {"content_layers": {}, "style_weight": 0},
        {"content_layers": "", "style_layers": {"relu1_1": 0, "relu2_1": 0}},
    ],
    ids=str,
)
def test_a_recipe_without_content_and_style_is_refused(nothing):
    with pytest.raises(ValueError, match=r"content_weight.*style_weight"):
        Recipe(**nothing)


@pytest.mark.parametrize(
    ("fields", "has_content", "has_style"),
    [
        ({"content_weight": 0}, False, True),
        ({"content_layers": {}}, False, True),
        ({"style_layers": {"relu1_1": 0}}, True, False),
        ({"style_layers": {"relu1_1": 0, "relu2_1": 1}}, True, True),
    ],
    ids=str,
)
def test_a_recipe_may_have_content_or_style_alone(fields, has_content, has_style):
    recipe = Recipe(**fields)
    assert (recipe.has_content, recipe.has_style) == (has_content, has_style)


@pytest.mark.parametrize("loss", NORMS)
def test_a_style_loss_has_its_own_norms_alone(loss):
    assert set(NORMS[loss]) <= set(CONTROLS["style_norm"].choices)
    for norm in CONTROLS["style_norm"].choices:
        if norm in NORMS[loss]:
            assert Recipe(style_loss=loss, style_norm=norm).style_norm == norm
        else:
            with pytest.raises(ValueError, match=f"style_norm='{norm}'"):
                Recipe(style_loss=loss, style_norm=norm)


def test_a_style_blend_needs_a_weight_above_0():
    assert Recipe(style_blend=(1, 0)).style_blend == (1.0, 0.0)
    with pytest.raises(ValueError, match="style_blend"):
        Recipe(style_blend="0 0")


def test_small_tiles_are_refused():
    with pytest.raises(ValueError, match=r"tile.* 128 .*127"):
        Recipe(tile=127)


@pytest.mark.parametrize("loss", NORMS)
def test_tiles_go_with_some_losses_alone(loss):
    assert Recipe(style_loss=loss, tile=128, style_weight=0).tile == 128
    if loss in TILED_LOSSES:
        assert Recipe(style_loss=loss, tile=128).tile == 128
    else:
        with pytest.raises(ValueError, match=rf"tile.*style_loss={loss!r}"):
            Recipe(style_loss=loss, tile=128)


# An immutable value


def test_a_recipe_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().size = 3
    with pytest.raises(TypeError):
        Recipe().style_layers["relu1_1"] = 9.0
    layers = {"relu1_1": 1.0}
    recipe = Recipe(style_layers=layers)
    layers["relu1_1"] = 9.0
    assert recipe.style_layers["relu1_1"] == 1.0


def test_recipes_of_the_same_fields_are_equal():
    assert CHANGED.replace() == CHANGED != CHANGED.replace(seed=4)
    assert hash(CHANGED.replace()) == hash(CHANGED)
    assert pickle.loads(pickle.dumps(CHANGED)) == CHANGED


def test_replacing_changes_the_copy_alone():
    changed = CHANGED.replace(steps=9, style_layers={"conv_1": 3})
    assert (changed.steps, dict(changed.style_layers)) == (9, {"conv1_1": 3.0})
    assert (CHANGED.steps, dict(CHANGED.style_layers)) == (300, {"relu1_1": 1.0})
    with pytest.raises(ValueError, match=r"steps.* must be "):
        CHANGED.replace(steps=0)


@pytest.mark.parametrize(
    ("name", "hint"), [("style_wieght", "mean 'style_weight'"), ("zzz", "It has ")]
)
@pytest.mark.parametrize(
    "use",
    [
        lambda name: CHANGED.replace(**{name: 1}),
        lambda name: Recipe.from_dict({name: 1}),
        lambda name: Recipe.from_json(f'{{"{name}": 1}}'),
    ],
    ids=["replace", "from_dict", "from_json"],
)
def test_the_message_for_an_unknown_field_suggests_another(use, name, hint):
    with pytest.raises(ValueError, match=rf"'{name}'.* {hint}"):
        use(name)


# Plain data


@pytest.mark.parametrize("recipe", [Recipe(), CHANGED], ids=["default", "changed"])
def test_a_recipe_is_made_again_from_json_and_dicts(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_dict(recipe.to_dict()) == recipe


def test_a_dict_is_plain_complete_and_a_copy():
    fields = CHANGED.to_dict()
    assert list(fields) == ["name", *CONTROLS]
    assert {type(value) for value in fields.values()} == {str, int, float, bool, list, dict}
    assert fields["style_layers"] == {"relu1_1": 1.0}
    assert fields["style_blend"] == [0.75, 0.25]
    assert json.loads(CHANGED.to_json()) == fields
    fields["style_layers"].clear()
    assert CHANGED.style_layers


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("steps: 7", ValueError, "^The recipe is not JSON: "),
        ("[]", ValueError, "^The recipe must be a JSON object of fields"),
        ('{"steps": "many"}', TypeError, "steps.* whole number"),
        ('{"style_weight": NaN}', ValueError, "style_weight.* at least 0"),
        ('{"style_layers": [1]}', TypeError, "style_layers"),
        ('{"style_layers": ["relu1_1", "relu1_1"]}', ValueError, "style_layers"),
    ],
)
def test_other_json_is_refused(text, error, message):
    with pytest.raises(error, match=message):
        Recipe.from_json(text)


# The metadata of a layer


def layer(metadata):
    return SimpleNamespace(name="painted", metadata=metadata)


def test_a_layer_returns_its_recipe():
    assert Recipe.from_layer(layer({"napari-nst": {"recipe": CHANGED.to_dict()}})) == CHANGED
    with pytest.raises(ValueError, match=r"steps.* must be "):
        Recipe.from_layer(layer({"napari-nst": {"recipe": {"steps": 0}}}))


@pytest.mark.parametrize(
    "metadata", [{}, {"napari-nst": None}, {"napari-nst": {"recipe": "default"}}], ids=str
)
def test_the_message_for_a_layer_without_recipe_names_the_layer(metadata):
    with pytest.raises(ValueError, match="'painted' holds no recipe"):
        Recipe.from_layer(layer(metadata))
