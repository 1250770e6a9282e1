"""Which fields a sweep varies, and the values it suggests."""

import pytest

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.viewer.controls.recipe_form import RecipeControls
from napari_nst.viewer.sweep.controls import SweepChoice


@pytest.fixture
def controls(qapp):
    return RecipeControls("transfer")


@pytest.fixture
def choice(controls):
    return SweepChoice(controls)


def test_default_is_style_weight_by_size(choice, controls):
    weight = controls.recipe.style_weight
    assert choice.axes(Recipe()) == {
        "style_weight": [weight * factor for factor in (0.25, 0.5, 1, 2, 4)],
        "size": [96, 128, 192],
    }


def test_images_are_small_and_short_unless_size_or_steps_vary(choice):
    recipe = choice.recipe(Recipe(seed=3))
    assert recipe == Recipe(seed=3, size=128, steps=40)
    assert (choice.size.enabled, choice.steps.enabled) == (False, True)
    choice.rows.value, choice.columns.value = "steps", "seed"
    assert (choice.size.enabled, choice.steps.enabled) == (True, False)
    choice.size.value = 64
    assert choice.recipe(Recipe()).size == 64


@pytest.mark.parametrize(
    ("field", "value", "suggested"),
    [
        ("style_weight", 0.5, "0.125, 0.25, 0.5, 1, 2"),
        ("tv_weight", 0.0, "0, 0.5, 1, 2"),
        ("init_noise", 0.5, "0.125, 0.25, 0.5, 1"),
        ("line_search", False, "off, on"),
        ("size", 384, "96, 128, 192"),
        ("init", "content", "content, style, noise, mix"),
    ],
)
def test_values_are_suggested_for_a_chosen_field(choice, controls, field, value, suggested):
    controls.fields[field].value = value
    choice.columns.value = "none"
    choice.rows.value = "seed"
    choice.rows.value = field
    assert choice.row_values.value == suggested


@pytest.mark.parametrize("job", ["transfer", "texture", "reconstruction"])
def test_every_suggestion_is_a_valid_sweep(qapp, job):
    controls = RecipeControls(job)
    choice = SweepChoice(controls)
    choice.columns.value = "none"
    for field in choice.rows.choices:
        choice.rows.value = field
        (values,) = choice.axes(controls.recipe).values()
        assert len(values) >= 2, field


def test_fields_of_other_jobs_and_of_the_machine_are_not_offered(choice):
    offered = set(choice.rows.choices)
    assert {"style_weight", "content_weight", "size", "pooling", "line_search"} <= offered
    assert {CONTROLS[name].kind for name in offered} == {int, float, bool, str}
    assert offered.isdisjoint(
        {"none", "device", "precision", "tile", "weights", "style_layers", "style_blend"}
    )
    other = SweepChoice(RecipeControls("reconstruction"))
    assert other.rows.value == "tv_weight"
    assert "style_weight" not in other.rows.choices


@pytest.mark.parametrize(
    ("columns", "text", "named"),
    [
        ("style_weight", "1", "Style weight"),
        ("size", "96, big", "size"),
        ("size", "", "size"),
        ("seed", ", ".join(map(str, range(13))), "64"),
        ("style_norm", "relative, raw", "style_norm"),
    ],
)
def test_an_invalid_sweep_is_refused(choice, columns, text, named):
    choice.columns.value = columns
    choice.column_values.value = text
    with pytest.raises(ValueError, match=named):
        choice.axes(Recipe())
