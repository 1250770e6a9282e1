"""The recipe: checked when it is made, frozen ever after."""

import copy
import dataclasses
import pickle

import pytest

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.recipe.sections import GRAM_LOSSES, MOMENT_LOSSES, NORMS

CHANGED = Recipe(
    name="mine",
    size=96,
    steps=7,
    style_weight=2.5,
    seed=3,
    init="noise",
    content_layers={"relu4_2": 0.25, "conv5_1": 2},
    content_norm="sum",
    style_layers={"block1_conv1": 1},
    style_loss="gram",
    style_norm="per_channel",
    style_blend=(0.75, 0.25),
    optimizer="adam",
    weights="vgg.pth",
)
BOTH = pytest.mark.parametrize("recipe", [Recipe(), CHANGED], ids=["default", "changed"])


# Fields that have to agree


@pytest.mark.parametrize(
    "nothing",
    [
        {"content_weight": 0, "style_weight": 0},
        {"content_weight": 0, "style_layers": {}},
        {"content_layers": {}, "style_weight": 0},
        {"content_layers": {}, "style_layers": {}},
        {"content_layers": "", "style_layers": ""},
        {"content_layers": {"relu4_2": 0}, "style_weight": 0},
        {"content_layers": {"relu4_2": 0}, "style_layers": {"relu1_1": 0, "relu2_1": 0}},
    ],
    ids=str,
)
def test_a_recipe_that_asks_for_nothing_is_refused(nothing):
    with pytest.raises(ValueError, match=r"^content_weight and style_weight are both 0, .*\.$"):
        Recipe(**nothing)


@pytest.mark.parametrize(
    ("something", "has_content", "has_style"),
    [
        ({"content_weight": 0}, False, True),
        ({"style_weight": 0}, True, False),
        ({"content_layers": {}}, False, True),
        ({"style_layers": {"relu1_1": 0}}, True, False),
        ({"style_layers": {"relu1_1": 0, "relu2_1": 1}}, True, True),
    ],
    ids=str,
)
def test_a_recipe_may_ask_for_content_or_for_style_alone(something, has_content, has_style):
    recipe = Recipe(**something)
    assert (recipe.has_content, recipe.has_style) == (has_content, has_style)


def test_every_style_loss_has_norms_the_relative_one_first():
    assert tuple(NORMS) == CONTROLS["style_loss"].choices
    assert set(GRAM_LOSSES) < set(NORMS)
    every = {norm for norms in NORMS.values() for norm in norms}
    assert every == set(CONTROLS["style_norm"].choices)
    assert all(norms[0] == "relative" for norms in NORMS.values())


@pytest.mark.parametrize("loss", NORMS)
@pytest.mark.parametrize("norm", CONTROLS["style_norm"].choices)
def test_a_norm_goes_with_the_losses_that_have_it(loss, norm):
    if norm in NORMS[loss]:
        recipe = Recipe(style_loss=loss, style_norm=norm)
        assert (recipe.style_loss, recipe.style_norm) == (loss, norm)
    else:
        told = f"^style_norm '{norm}' does not go with style_loss '{loss}'; take one of relative, "
        with pytest.raises(ValueError, match=told):
            Recipe(style_loss=loss, style_norm=norm)


@pytest.mark.parametrize("blend", [(0.0,), (0, 0), "0 0 0"])
def test_a_blend_of_nothing_is_refused(blend):
    with pytest.raises(ValueError, match=r"^style_blend is 0 for every style; give one a value"):
        Recipe(style_blend=blend)


@pytest.mark.parametrize("blend", [(), (1, 0), (0.2, 0.3, 5)])
def test_a_blend_of_something_is_allowed(blend):
    assert Recipe(style_blend=blend).style_blend == tuple(float(share) for share in blend)


@pytest.mark.parametrize("tile", [1, 64, 127])
def test_tiles_that_would_be_mostly_overlap_are_refused(tile):
    with pytest.raises(ValueError, match=rf"^tile must be 0 or at least 128 pixels; not {tile}\.$"):
        Recipe(tile=tile)


@pytest.mark.parametrize("loss", NORMS)
def test_tiles_go_with_losses_of_sums_alone(loss):
    if loss in MOMENT_LOSSES:
        assert Recipe(style_loss=loss, tile=128).tile == 128
    else:
        told = f"^tile does not go with style_loss {loss!r}; set tile to 0 or style_loss to "
        with pytest.raises(ValueError, match=told):
            Recipe(style_loss=loss, tile=128)
    assert Recipe(style_loss=loss, tile=128, style_weight=0).tile == 128


# A value, not an object with a life


@pytest.mark.parametrize("name", ["size", "style_layers", "name", "typo"])
def test_a_recipe_cannot_be_changed(name):
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(Recipe(), name, 3)


@BOTH
@pytest.mark.parametrize("field", ["content_layers", "style_layers"])
def test_its_layers_cannot_be_changed_either(recipe, field):
    before = dict(getattr(recipe, field))
    with pytest.raises(TypeError):
        getattr(recipe, field)["relu1_1"] = 9.0
    assert dict(getattr(recipe, field)) == before


def test_fields_are_named_not_counted():
    with pytest.raises(TypeError):
        Recipe("default", 512)


def test_recipes_of_the_same_fields_are_equal():
    assert Recipe() == Recipe()
    assert CHANGED.replace() == CHANGED
    assert CHANGED.replace(seed=4) != CHANGED
    assert hash(CHANGED.replace()) == hash(CHANGED)


@BOTH
@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))]
)
def test_a_recipe_survives_copying_and_pickling(recipe, again):
    """As metadata of a layer that is duplicated, or on its way to another process."""
    assert again(recipe) == recipe


def test_replacing_changes_the_copy_alone():
    changed = CHANGED.replace(steps=9, style_layers={"conv_1": 3})
    assert (changed.steps, dict(changed.style_layers)) == (9, {"conv1_1": 3.0})
    assert (CHANGED.steps, dict(CHANGED.style_layers)) == (7, {"relu1_1": 1.0})
    assert changed.replace(steps=7, style_layers={"relu1_1": 1}) == CHANGED


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"steps": 0}, "steps must be "),
        ({"style_loss": "mrf"}, "style_norm 'per_channel' does not go with style_loss 'mrf'"),
        ({"style_blend": (0, 0)}, "style_blend is 0 for every style"),
    ],
)
def test_what_is_replaced_is_checked(changes, told):
    with pytest.raises(ValueError, match=f"^{told}"):
        CHANGED.replace(**changes)


UNKNOWN = [
    ("step", "did you mean 'steps'?"),
    ("style_wieght", "did you mean 'style_weight'?"),
    ("optimiser", "did you mean 'optimizer'?"),
    ("zzz", "it has "),
]


@pytest.mark.parametrize(("name", "hint"), UNKNOWN)
@pytest.mark.parametrize(
    "use",
    [
        lambda name: CHANGED.replace(**{name: 1}),
        lambda name: Recipe.from_dict({name: 1}),
        lambda name: Recipe.from_json(f'{{"{name}": 1}}'),
    ],
    ids=["replace", "from_dict", "from_json"],
)
def test_a_field_that_does_not_exist_is_answered_with_the_one_meant(use, name, hint):
    with pytest.raises(ValueError, match=f"^A recipe has no field '{name}'; ") as told:
        use(name)
    assert hint in str(told.value)
