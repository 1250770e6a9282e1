"""Settings from a layer and a file, in a real window."""

import json

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_nst.io.image_files.write_image import write_image
from napari_nst.io.record import load_recipe
from napari_nst.recipe import Recipe, preset
from napari_nst.viewer.content_reconstruction import ContentReconstruction
from napari_nst.viewer.style_transfer import StyleTransfer
from napari_nst.viewer.texture_synthesis import TextureSynthesis

WIDGETS = {
    "Style Transfer": StyleTransfer,
    "Texture Synthesis": TextureSynthesis,
    "Content Reconstruction": ContentReconstruction,
}


@pytest.fixture
def model():
    """Layers as in the window, without one."""
    model = ViewerModel()
    for name in ("cells", "starry"):
        model.add_image(np.zeros((60, 80, 3), np.uint8), name=name)
    return model


@pytest.fixture
def menu_of(model, qtbot, plugin_preferences):
    """Make a widget that nobody sees, and its menu."""

    def make(title):
        widget = WIDGETS[title](model)
        qtbot.addWidget(widget.native)
        return widget, widget.settings_menu

    return make


@pytest.fixture
def made(viewer, widget, optimiser, finish, plugin_preferences):
    """A result of the Style Transfer widget with settings of its own, and everything changed since.

    Returns the widget, its menu, the layer and the recipe.
    """
    optimiser(steps=3)
    menu, values = widget.settings_menu, widget.control_values
    widget.preset.value = "gatys-2016"
    widget.weights.value = "gatys"
    widget.style_weight.value = 0.123456789
    widget.content.value, widget.style.value = viewer.layers["starry"], viewer.layers["cells"]
    widget.keep_dtype.value = True
    recipe = widget.recipe
    result = finish(widget)
    values.reset()
    widget.content.value, widget.style.value = viewer.layers["cells"], viewer.layers["starry"]
    select(viewer, result)
    assert widget.recipe != recipe
    return widget, menu, result, recipe


def select(viewer, *layers):
    viewer.layers.selection = set(layers)


def chosen(widget):
    return [box.value.name for box in (widget.content, widget.style)]


# ── from a layer ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.window
def test_settings_are_copied_from_a_result(made):
    widget, menu, result, recipe = made
    menu.update_actions()
    assert menu.copy.isEnabled()
    assert menu.copy.text() == f"Copy settings from '{result.name}'"
    menu.copy.trigger()
    assert widget.recipe == recipe
    assert chosen(widget) == ["starry", "cells"]
    assert widget.keep_dtype.value is True
    assert result.name in widget.status_text
    assert "Gatys" in widget.source.text(), "the preset is named too"


@pytest.mark.window
def test_run_again_repeats_a_result(viewer, made, until):
    widget, menu, result, recipe = made
    menu.update_actions()
    menu.run_again.trigger()
    until(lambda: not widget.running)
    assert widget.result is not result
    assert Recipe.from_layer(widget.result) == recipe
    assert widget.result.name.startswith("starry × cells")
    assert len(viewer.layers) == 4


@pytest.mark.window
def test_run_again_from_a_saved_file(viewer, made, until, tmp_path):
    widget, menu, _, recipe = made
    path = tmp_path / "result.tif"
    widget.save(path)
    (opened,) = viewer.open(path)
    assert "napari-nst" not in opened.metadata, "napari reads the pixels alone"
    select(viewer, opened)
    menu.run_again.trigger()
    until(lambda: not widget.running)
    assert Recipe.from_layer(widget.result) == recipe
    assert chosen(widget) == ["starry", "cells"]


@pytest.mark.window
def test_a_missing_layer_is_named_and_nothing_starts(viewer, made, messages):
    widget, menu, _, recipe = made
    viewer.layers.remove("starry")
    menu.run_again.trigger()
    assert "Missing layers: starry" in widget.status_text
    assert widget.status_text in messages()
    assert not widget.running
    assert widget.recipe == recipe, "the rest is taken over"
    assert widget.style.value.name == "cells"
    menu.copy.trigger()
    assert "Missing layers: starry" in widget.status_text


@pytest.mark.window
def test_run_again_is_disabled_during_a_run(made, optimiser, until):
    widget, menu, _, _ = made
    optimiser(steps=100_000, seconds=0.01)
    widget.start()
    menu.update_actions()
    assert not menu.run_again.isEnabled()
    assert "A run is going on" in menu.run_again.toolTip()
    assert menu.copy.isEnabled()
    widget.stop.native.click()
    until(lambda: not widget.running)
    menu.update_actions()
    assert menu.run_again.isEnabled()


def test_only_results_of_the_same_kind_of_widget_are_offered(model, menu_of):
    widget, menu = menu_of("Style Transfer")

    def is_offered():
        menu.update_actions()
        return menu.copy.isEnabled(), menu.run_again.isEnabled()

    select(model)
    assert is_offered() == (False, False)
    cells = model.layers["cells"]
    select(model, cells)
    assert is_offered() == (False, False)
    assert "does not say how it was made" in menu.copy.toolTip()
    cells.metadata["napari-nst"] = {"job": "synthesize", "recipe": preset("texture").to_dict()}
    assert is_offered() == (False, False)
    assert "Texture Synthesis" in menu.copy.toolTip()
    cells.metadata["napari-nst"] = {"job": "stylize", "recipe": Recipe().to_dict()}
    assert is_offered() == (True, True)
    cells.metadata["napari-nst"] = {"recipe": {}}
    assert is_offered() == (False, False)
    menu.copy_from_layer()
    assert "another version" in widget.status_text


def test_an_unusable_record_changes_nothing(model, menu_of, messages):
    widget, menu = menu_of("Style Transfer")
    before = widget.recipe
    layer = model.layers["cells"]
    layer.metadata["napari-nst"] = {"job": "stylize", "recipe": {"steps": 7, "sharpness": 1}}
    select(model, layer)
    menu.copy_from_layer()
    assert "no field 'sharpness'" in widget.status_text
    assert widget.recipe == before
    assert any("sharpness" in message for message in messages())


# ── results of the terminal ───────────────────────────────────────────────────────────────


def terminal_made(path, job, recipe, inputs, **arguments):
    record = {
        "job": job,
        "recipe": recipe.to_dict(),
        "inputs": {role: {"name": file, "path": file} for role, file in inputs.items()},
        "arguments": arguments,
    }
    write_image(path, np.zeros((8, 8, 3), np.uint8), text=json.dumps(record))
    return path


def test_a_texture_from_the_terminal(model, menu_of, tmp_path):
    recipe = preset("texture", steps=7, padding="circular")
    path = terminal_made(
        tmp_path / "t.png", "synthesize", recipe, {"exemplar": "/data/starry.jpg"},
        shape=[128, 256], compare="cumulative", layers=["relu1_1", "pool2"],
    )  # fmt: skip
    widget, menu = menu_of("Texture Synthesis")
    select(model, *model.open(path))
    menu.copy.trigger()
    assert widget.recipe == recipe
    assert widget.exemplar.value.name == "starry"
    assert (widget.texture_height.value, widget.texture_width.value) == (128, 256)
    assert widget.compare.value == "cumulative"
    assert widget.compared_layers.value == "relu1_1, pool2"
    assert widget.seamless.value is True


def test_a_reconstruction_from_the_terminal(model, menu_of, tmp_path):
    recipe = preset("reconstruction", steps=7, content_layers={"relu3_2": 2.0})
    path = terminal_made(
        tmp_path / "r.png", "reconstruct", recipe, {"image": "starry.jpg"}, compare="layers",
        layers=["relu1_1"],
    )  # fmt: skip
    widget, menu = menu_of("Content Reconstruction")
    select(model, *model.open(path))
    menu.copy.trigger()
    assert widget.recipe == recipe
    assert widget.image.value.name == "starry"
    assert widget.compare.value is True
    assert widget.compared_layers.value == "relu1_1"
    assert widget.layer.value == "relu3_2"


def test_a_transfer_from_the_terminal(model, menu_of, tmp_path):
    inputs = {"content": "starry.png", "style 1": "cells.png", "style 2": "starry.png"}
    path = terminal_made(
        tmp_path / "x.png", "stylize", Recipe(init="image"), {**inputs, "start": "gone.png"}
    )
    widget, menu = menu_of("Style Transfer")
    select(model, *model.open(path))
    menu.copy.trigger()
    assert chosen(widget) == ["starry", "cells"]
    assert [layer.name for layer in widget.more_styles.value] == ["starry"]
    assert "Missing layers: gone" in widget.status_text


# ── from a file, to a file, and back ─────────────────────────────────────────────────────────


def test_a_recipe_goes_through_a_file(menu_of, monkeypatch, tmp_path):
    widget, menu = menu_of("Style Transfer")
    widget.steps.value = 7
    widget.style_layers.value = "relu1_1:0.5"
    recipe, asked = widget.recipe, []

    def choose(dialog):
        asked.append((dialog.acceptMode(), dialog.defaultSuffix(), dialog.parent() is menu))
        dialog.selectFile(str(tmp_path / "look.json"))
        return 1

    monkeypatch.setattr(QFileDialog, "exec", choose)
    menu.save.trigger()
    assert asked == [(QFileDialog.AcceptMode.AcceptSave, "json", True)]
    assert widget.status_text == "Saved the recipe as look.json."
    assert load_recipe(tmp_path / "look.json") == recipe
    menu.reset.trigger()
    assert widget.recipe == preset()
    assert widget.status_text == "All controls are as in a new widget."
    monkeypatch.setattr(
        QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "look.json"), "")
    )
    menu.load.trigger()
    assert widget.recipe == recipe
    assert widget.status_text == "Loaded the recipe look.json."


@pytest.mark.parametrize(
    ("title", "fields", "sentence"),
    [
        ("Style Transfer", {"steps": 0}, "steps must be between"),
        ("Texture Synthesis", {"init": "content"}, "Start from content"),
        ("Content Reconstruction", {"init": "noise", "content_weight": 0}, "both 0"),
    ],
    ids=["bounds", "start", "nothing to do"],
)
def test_a_recipe_that_does_not_fit_changes_nothing(
    menu_of, messages, tmp_path, title, fields, sentence
):
    widget, menu = menu_of(title)
    before = widget.recipe
    path = tmp_path / "look.json"
    path.write_text(json.dumps(fields))
    menu.load_from(path)
    assert sentence in widget.status_text
    assert any(sentence in message for message in messages())
    assert widget.recipe == before


def test_what_cannot_be_written_is_said(menu_of, messages, tmp_path):
    widget, menu = menu_of("Style Transfer")
    menu.save_to(tmp_path / "nowhere" / "look.json")
    assert "nowhere" in widget.status_text
    assert any("nowhere" in message for message in messages())
    widget.style_layers.value = "relu9_1"
    menu.save_to(tmp_path / "look.json")
    assert "relu9_1" in widget.status_text
    assert not (tmp_path / "look.json").exists()
