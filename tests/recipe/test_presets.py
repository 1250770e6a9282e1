"""Published recipes."""

import pytest

from napari_nst.recipe import Recipe, preset, preset_names, preset_summary


def test_the_default_comes_first_and_is_the_recipes_own():
    assert preset_names()[0] == "default"
    assert preset() == preset("default") == Recipe()


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_a_recipe_that_says_its_name(name):
    recipe = preset(name)
    assert isinstance(recipe, Recipe)
    assert recipe.name == name
    assert Recipe.from_json(recipe.to_json()) == recipe


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_a_summary_of_one_line(name):
    summary = preset_summary(name)
    assert 20 < len(summary) < 100
    assert summary.endswith(".")
    assert "\n" not in summary


def test_names_are_the_callers_own_list():
    preset_names().clear()
    assert preset_names()


def test_gatys_2016_has_the_numbers_of_its_source():
    """NeuralImageSynthesis, ExampleNotebooks/BasicStyleTransfer, for the normalised network."""
    recipe = preset("gatys-2016")
    assert recipe.weights == "gatys"
    content = {layer: recipe.content_weight * w for layer, w in recipe.content_layers.items()}
    style = {layer: recipe.style_weight * w for layer, w in recipe.style_layers.items()}
    assert content == {"relu4_2": 1e6}
    assert style == pytest.approx({f"relu{block}_1": 2e8 for block in range(1, 6)})
    assert recipe.style_loss == "gram"
    assert not recipe.relative
    assert recipe.tv_weight == 0
    assert (recipe.size, recipe.min_size, recipe.steps) == (512, 0, 500)
    assert (recipe.init, recipe.optimizer) == ("content", "lbfgs")
    assert (recipe.pooling, recipe.padding) == ("max", "zeros")


def test_fields_of_a_preset_can_be_replaced():
    recipe = preset("gatys-2016", steps=300, style_layers={"conv_1": 1})
    assert recipe.steps == 300
    assert dict(recipe.style_layers) == {"conv1_1": 1.0}
    assert recipe.content_weight == preset("gatys-2016").content_weight
    assert preset("gatys-2016").steps != 300


@pytest.mark.parametrize("find", [preset, preset_summary])
@pytest.mark.parametrize("name", ["gatys", "", "Default"])
def test_a_preset_that_does_not_exist_is_answered_with_those_that_do(find, name):
    with pytest.raises(ValueError, match=f"^There is no preset '{name}'; choose from default, "):
        find(name)


def test_a_field_that_does_not_exist_is_answered_with_the_one_meant():
    with pytest.raises(ValueError, match=r"^A recipe has no field 'step'; did you mean 'steps'\?$"):
        preset("default", step=3)
