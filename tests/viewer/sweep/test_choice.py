"""The controls that say what a sweep varies."""

import pytest

from napari_nst.recipe import CONTROLS, Recipe
from napari_nst.viewer.controls.form import form
from napari_nst.viewer.controls.recipe_form import RecipeControls
from napari_nst.viewer.sweep.choice import SweepChoice


@pytest.fixture
def controls(qapp):
    return RecipeControls("transfer")


@pytest.fixture
def choice(controls):
    return SweepChoice(controls)


def test_at_first_it_is_style_weight_by_size_around_what_the_controls_say(choice):
    assert choice.rows.value == "style_weight"
    assert choice.columns.value == "size"
    assert choice.axes(Recipe()) == {
        "style_weight": [2.0, 4.0, 8.0, 16.0, 32.0],
        "size": [96, 128, 192],
    }


def test_pictures_are_small_and_short_unless_that_is_varied(choice):
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
        ("history", 20, "5, 10, 20, 40, 80"),
        ("color", "style", "style, luminance, symmetric, pca, cholesky, histogram"),
        ("line_search", False, "off, on"),
        ("size", 384, "96, 128, 192"),
        ("init", "content", "content, style, noise, mix"),
    ],
)
def test_values_are_suggested_when_a_control_is_chosen(choice, controls, field, value, suggested):
    controls.fields[field].value = value
    choice.columns.value = "none"
    choice.rows.value = "seed"
    choice.rows.value = field
    assert choice.row_values.value == suggested


def test_every_suggestion_makes_a_sweep_of_every_jobs_own_recipe(qapp):
    for job in ("transfer", "texture", "reconstruction"):
        controls = RecipeControls(job)
        choice = SweepChoice(controls)
        choice.columns.value = "none"
        for field in choice.rows.choices:
            choice.rows.value = field
            (values,) = choice.axes(controls.recipe).values()
            assert len(values) >= 2, (job, field)


def test_what_the_job_does_not_use_and_the_machine_are_not_offered(qapp, choice):
    offered = set(choice.rows.choices)
    assert {"style_weight", "content_weight", "size", "pooling", "line_search"} <= offered
    kinds = {CONTROLS[name].kind for name in offered}
    assert kinds == {int, float, bool, str}
    assert offered.isdisjoint(
        {"device", "precision", "tile", "weights", "style_layers", "style_blend"}
    )
    other = SweepChoice(RecipeControls("reconstruction"))
    assert other.rows.value == "tv_weight"
    assert "style_weight" not in other.rows.choices
    assert "none" not in choice.rows.choices


def test_one_control_alone(choice):
    choice.columns.value = "none"
    assert not choice.column_values.enabled
    assert choice.column_values.value == ""
    choice.row_values.value = "1, 100"
    assert choice.axes(Recipe()) == {"style_weight": [1.0, 100.0]}
    choice.columns.value = "seed"
    assert choice.column_values.enabled
    assert choice.column_values.value == "0, 1, 2, 3"


@pytest.mark.parametrize(
    ("columns", "text", "says"),
    [
        ("style_weight", "1", "^Both controls to sweep are style_weight; choose another, or none"),
        ("size", "96, big", "size must be whole numbers"),
        ("size", "96, -1", "size must be between 0 and 65536"),
        ("size", "", "size has no values to sweep"),
        ("seed", ", ".join(map(str, range(13))), "at most 64 pictures; 5 of style_weight × 13 of"),
        ("style_norm", "relative, raw", "style_norm 'raw' does not go with style_loss"),
    ],
)
def test_what_makes_no_sweep_is_told(choice, columns, text, says):
    choice.columns.value = columns
    choice.column_values.value = text
    with pytest.raises(ValueError, match=says):
        choice.axes(Recipe())


def test_every_control_is_named_and_explained_for_the_keyboard(choice):
    body = form(choice.widgets)
    assert body.layout().rowCount() == len(choice.widgets) == 6
    for widget in choice.widgets:
        assert widget.native.accessibleName() == widget.label
        assert widget.tooltip
        assert widget.native.focusPolicy().value & 1, "reached with the Tab key"
    assert len({widget.name for widget in choice.widgets}) == 6
