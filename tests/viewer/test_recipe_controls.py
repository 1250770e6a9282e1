import dataclasses

import pytest
from magicgui.widgets import FloatSpinBox
from qtpy.QtWidgets import QApplication

from napari_nst.recipe import CONTROLS, Recipe, preset, preset_names
from napari_nst.viewer.recipe_controls import FROM_PREFERENCES, RecipeControls

pytestmark = pytest.mark.usefixtures("qapp")


@pytest.fixture
def controls():
    assert QApplication.instance() is not None
    return RecipeControls()


def test_untouched_controls_say_the_default_recipe(controls):
    assert controls.recipe == Recipe()


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_survives_the_controls_exactly(controls, name):
    controls.preset.value = name
    assert controls.recipe == preset(name)


@pytest.mark.parametrize("value", [1e-3, 2e8, 0.05, 1e9, 12.345678])
def test_numbers_of_any_size_survive_a_spin_box(controls, value):
    controls.recipe = Recipe(tv_weight=value)
    assert controls.recipe.tv_weight == value


def test_every_control_explains_itself_and_keeps_its_bounds(controls):
    for name, control in CONTROLS.items():
        widget = controls.fields[name]
        assert widget.tooltip == control.help
        assert widget.label
        if isinstance(widget, FloatSpinBox):
            assert widget.min == control.least


def test_a_preset_leaves_device_and_precision_alone(controls):
    controls.fields["device"].value = "cpu"
    controls.fields["precision"].value = "float32"
    controls.preset.value = "gatys-2016"
    assert controls.recipe == preset("gatys-2016", device="cpu", precision="float32")
    assert FROM_PREFERENCES == ("device", "precision")


def test_the_share_of_noise_is_only_for_a_mix(controls):
    assert not controls.fields["init_noise"].enabled
    controls.fields["init"].value = "mix"
    assert controls.fields["init_noise"].enabled


def test_every_field_but_name_and_layers_has_a_control():
    fields = {field.name for field in dataclasses.fields(Recipe)}
    assert fields - set(CONTROLS) == {"name", "content_layers", "style_layers"}


def test_preferences_are_where_new_controls_start(plugin_preferences):
    plugin_preferences.compute.device = "cpu"
    plugin_preferences.compute.precision = "float32"
    assert RecipeControls().recipe == Recipe(device="cpu", precision="float32")
