"""The values of controls are remembered for the next session."""

import json

import pytest
from magicgui.widgets import CheckBox, ComboBox, LineEdit
from napari.components import ViewerModel
from qtpy.QtWidgets import QPushButton

from napari_nst.recipe import preset
from napari_nst.viewer.controls.form import Section
from napari_nst.viewer.controls.recipe_form import RecipeControls
from napari_nst.viewer.settings.changes import ChangesRow
from napari_nst.viewer.settings.menu import ControlValues
from napari_nst.viewer.settings.preferences import last_used_file, recalled, remember

pytestmark = pytest.mark.usefixtures("qapp", "plugin_preferences")


def session(kind="transfer"):
    """Controls as a new widget has them, before it recalls anything."""
    own = [
        ComboBox(name="compare", choices=("off", "layer by layer")),
        LineEdit(name="compared_layers", value="relu1_1"),
        CheckBox(name="keep_dtype"),
        ComboBox(name="content_as", choices=("shown slice", "each channel in turn")),
    ]
    controls = RecipeControls(kind)
    return controls, {one.name: one for one in own}, ControlValues(
        ViewerModel(), kind, controls, own
    )  # fmt: skip


def test_values_are_remembered_beside_the_preferences():
    assert recalled("texture") == {}
    remember("texture", {"preset": "texture", "steps": 7, "why": "größer"})
    assert recalled("texture") == {"preset": "texture", "steps": 7, "why": "größer"}
    assert recalled("transfer") == {}
    assert "größer" in last_used_file().read_text("utf-8")
    remember("texture", {})
    assert recalled("texture") == {}


@pytest.mark.parametrize("text", ["no JSON", "[1]", '{"transfer": 3}'])
def test_invalid_text_in_the_file_is_ignored(text):
    last_used_file().write_text(text)
    assert recalled("transfer") == {}


def test_remembering_fails_silently_if_the_folder_cannot_be_written(
    plugin_preferences, monkeypatch, tmp_path
):
    (tmp_path / "file").write_text("")
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(plugin_preferences, "config_path", tmp_path / "file" / "nst.yaml")
        remember("transfer", {"preset": "default"})
        assert recalled("transfer") == {}


def test_the_next_session_starts_with_the_last_values():
    controls, own, values = session()
    controls.preset.value = "gatys-2016"
    controls.fields["steps"].value = 7
    controls.fields["style_weight"].value = 1.23456789e-7
    controls.fields["style_layers"].value = "relu1_1:0.5, relu2_1:2"
    controls.fields["style_blend"].value = "0.7, 0.3"
    own["compare"].value = "layer by layer"
    own["keep_dtype"].value = True
    values.remember()
    assert recalled("transfer") == {
        "preset": "gatys-2016",
        "steps": 7,
        "style_weight": 1.23456789e-7,
        "style_layers": {"relu1_1": 0.5, "relu2_1": 2.0},
        "style_blend": [0.7, 0.3],
        "compare": "layer by layer",
        "keep_dtype": True,
    }
    again, own_again, values_again = session()
    assert again.recipe == preset("default")
    values_again.recall()
    assert again.recipe == controls.recipe
    assert own_again["compare"].value == "layer by layer"
    assert own_again["compared_layers"].value == "relu1_1"
    assert own_again["keep_dtype"].value is True


def test_controls_of_a_layer_are_not_remembered():
    controls, own, values = session()
    controls.fields["init"].value = "image"
    own["content_as"].value = "each channel in turn"
    values.remember()
    assert recalled("transfer") == {"preset": "default"}


def test_device_and_precision_come_from_the_preferences(plugin_preferences):
    controls, _, values = session()
    controls.fields["device"].value = "cpu"
    controls.fields["precision"].value = "float32"
    values.remember()
    assert recalled("transfer") == {"preset": "default"}
    plugin_preferences.compute.precision = "bfloat16"
    again, _, values_again = session()
    values_again.recall()
    assert (again.recipe.device, again.recipe.precision) == ("auto", "bfloat16")


@pytest.mark.parametrize(
    ("kept", "recipe"),
    [
        ({"preset": "gatys-2034", "steps": 7}, preset()),
        ({"preset": "texture", "steps": 7}, preset()),
        ({"preset": 3}, preset()),
        ({"preset": "default", "steps": 7, "sharpness": 1}, preset(steps=7)),
        ({"preset": "default", "steps": 7, "size": -1, "color": "sepia"}, preset(steps=7)),
        ({"preset": "default", "steps": 7, "style_layers": {"relu9_1": 1}}, preset(steps=7)),
        ({"preset": "default", "content_weight": 0, "style_weight": 0}, preset()),
        ({"compare": "sideways", "compared_layers": 3, "keep_dtype": "so"}, preset()),
    ],
    ids=["gone", "other", "no name", "field", "bounds", "layer", "contradiction", "own"],
)
def test_values_that_are_no_longer_allowed_are_skipped(messages, kept, recipe):
    last_used_file().write_text(json.dumps({"transfer": kept}))
    controls, own, values = session()
    values.recall()
    assert controls.recipe == recipe
    assert own["compare"].value == "off"
    assert messages() == []


def test_a_seamless_texture_is_not_remembered():
    controls, _, values = session("texture")
    controls.fields["padding"].value = "circular"
    controls.fields["steps"].value = 7
    values.remember()
    assert recalled("texture") == {"preset": "texture", "steps": 7}


def test_changes_are_shown_and_undone_one_by_one(qtbot):
    controls, own, values = session()
    menu, section = QPushButton(), Section("Expert", [controls.fields["style_layers"]])
    menu.reset_all = values.reset
    row = ChangesRow(menu, values, {"Expert": section}, is_closed=lambda: False)
    qtbot.addWidget(row)
    assert not row.undo.isEnabled()
    assert values.changed() == {}
    usual = section.button.text()
    controls.preset.value = "gatys-2016"
    row.settle()
    assert section.button.text() == usual, "the preset's own values are no change"
    controls.fields["style_layers"].value = "relu1_1:"
    own["keep_dtype"].value = True
    row.settle()
    assert section.button.text() != usual
    controls.fields["history"].value += 1  # without a control
    row.settle()
    row.undo_last()
    row.undo_last()
    assert controls.recipe == preset("gatys-2016")
    assert own["keep_dtype"].value is False
    assert section.button.text() == usual
    row.undo_last()
    assert controls.recipe == preset("default")
    assert not row.undo.isEnabled()
    controls.fields["history"].value += 1
    row.settle()
    assert section.button.text() != usual, "a field without a control counts too"
    row.defaults.click()
    assert controls.recipe == preset("default")
