"""What all the plugin's widgets share: sections, notes, notices, saving."""

import json

import numpy as np
import pytest
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QScrollArea, QWidget

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.recipe import Recipe, on_flavour, preset
from napari_nst.viewer.controls.form import NARROWEST

pytestmark = pytest.mark.window

TITLES = ["Style Transfer", "Texture Synthesis", "Content Reconstruction"]


@pytest.fixture
def weights_folder(monkeypatch, tmp_path):
    """A machine that has the gatys network, as far as file names tell, and no other."""
    for variable in ("NAPARI_NST_HOME", "TORCH_HOME", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    (tmp_path / "gatys.safetensors").touch()
    return tmp_path


# ── sections ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("title", TITLES)
def test_sections_unfold_and_fit_a_narrow_dock(dock, title):
    widget = dock(title)
    assert list(widget.sections)[-1] == "Expert"
    for section in widget.sections.values():
        assert section.folded
        assert section.button.text() == f"▸ {section.title}"
        section.button.setFocus()
        QTest.keyClick(section.button, Qt.Key.Key_Space)
        assert not section.folded
        assert section.button.text() == f"▾ {section.title}"
    [area] = widget.native.findChildren(QScrollArea)
    assert area.horizontalScrollBarPolicy() == Qt.ScrollBarPolicy.ScrollBarAlwaysOff
    room = NARROWEST - area.verticalScrollBar().sizeHint().width() - 6
    assert area.widget().minimumSizeHint().width() <= room, "something is cut in a narrow dock"
    widget.sections["Start"].button.click()
    assert widget.sections["Start"].folded


def test_the_wheel_scrolls_past_a_box_that_nobody_clicked(widget):
    def turn(box):
        middle = QPointF(box.rect().center())
        event = QWheelEvent(
            middle, box.mapToGlobal(middle), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
            Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(box, event)

    before = widget.recipe
    for name in ("size", "style_weight", "preset"):
        getattr(widget, name).native.clearFocus()
        turn(getattr(widget, name).native)
    assert widget.recipe == before


def test_phases_are_typed_as_checked_json(widget, optimiser, finish, messages):
    state = optimiser(steps=2)
    widget.preset.value = "crowsonkb"
    assert not widget.refine_share.enabled
    assert widget.phases.value == widget.terms.value == ""
    widget.phases.value = '[{"optimizer": "adam",\n "style_weight": 2}]'
    widget.refine_share.value = 0.25
    assert widget.refine_share.enabled
    finish(widget)
    assert state.recipe.phases == ({"optimizer": "adam", "style_weight": 2.0},)
    assert state.recipe.refine_share == 0.25
    for wrong in ("[{", "3", '[{"style_wieght": 2}]', '[{"style_weight": "2"}]'):
        widget.phases.value = wrong
        widget.start()
        assert not widget.running
        assert "Phases" in messages()[-1]
    widget.preset.value = "gatys-2016"
    assert widget.recipe.phases == ()
    widget.phases.native.setFocus()
    QTest.keyClick(widget.phases.native, Qt.Key.Key_Tab)
    assert widget.phases.value == ""


# ── what is said ─────────────────────────────────────────────────────────────────────────────


def test_the_slice_is_named_and_follows_the_slider(viewer, widget):
    assert widget.where.isHidden()
    viewer.add_image(np.zeros((40, 30, 30)), name="stack", axis_labels=["z", "y", "x"])
    viewer.dims.set_point(0, 5)
    widget.content.value = viewer.layers["stack"]
    assert widget.where.text() == "Content: slice 6 of 40 along z"
    viewer.dims.set_point(0, 7)
    assert widget.where.text() == "Content: slice 8 of 40 along z"
    widget.content.value = viewer.layers["cells"]
    assert widget.where.isHidden()


def test_a_network_that_is_not_here_is_announced_and_can_be_avoided(
    widget, weights_folder, optimiser, finish
):
    state = optimiser(steps=3)
    widget.preset.value = "neural-style"
    notice = widget.notes
    assert notice.missing_network.text() == (
        "neural-style was tuned for caffe, which is not on this machine: Run fetches it (80 MB)."
    )
    assert not notice.convert.native.isHidden()
    finish(widget)
    assert state.recipe == preset("neural-style"), "nobody asked for another network"
    notice.convert.value = True
    finish(widget)
    assert state.recipe == on_flavour(preset("neural-style"), "gatys")
    assert state.recipe.weights == "gatys"

    widget.weights.value = "torchvision"
    assert (
        notice.missing_network.text()
        == "torchvision is not on this machine: Run fetches it (575 MB)."
    )
    widget.preset.value = "default"
    assert notice.missing_network.isHidden()
    assert notice.convert.native.isHidden()
    finish(widget)
    assert state.recipe == preset(), "what is not offered any more is not done"


def test_a_long_sentence_makes_the_widget_higher_not_wider(widget):
    width = widget.panel.native.minimumSizeHint().width()
    height = widget.panel.native.layout().heightForWidth(NARROWEST)
    widget.panel.status.setText("/a/folder" * 60 + " and so on" * 50)
    assert widget.panel.native.minimumSizeHint().width() == width
    assert widget.panel.native.layout().heightForWidth(NARROWEST) > height


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("content_layers", "relu4_9", "VGG-19 has no layer 'relu4_9'"),
        ("style_blend", "x", "Style blend must be numbers"),
        ("style_blend", "0.5, 0.5", "Style blend"),
        ("weights", "caffee", "gatys, torchvision, caffe or a file"),
    ],
)
def test_a_wrong_text_is_refused_in_one_sentence(
    viewer, widget, until, messages, name, text, sentence
):
    getattr(widget, name).value = text
    widget.start()
    until(lambda: not widget.running)
    assert any(sentence in message for message in messages())
    assert sentence in widget.status_text
    assert widget.run.enabled
    assert len(viewer.layers) == 2
    assert getattr(widget, name).value == text, "what was typed is there to be mended"


# ── where it starts and where it ends ────────────────────────────────────────────────────────


def test_a_run_can_start_from_a_layer(viewer, widget, optimiser, finish):
    state = optimiser(steps=3)
    assert not widget.init_image.enabled
    widget.init.value = "image"
    assert widget.init_image.enabled
    widget.start()
    assert not widget.running
    assert "no start image is chosen" in widget.status_text
    widget.init_image.value = viewer.layers["starry"]
    finish(widget)
    assert state.got["init_image"].shape == (50, 50, 3)
    assert state.got["content"].shape == (60, 80, 3)


def test_a_result_is_saved_with_what_made_it(widget, optimiser, finish, monkeypatch, tmp_path):
    optimiser(steps=3)
    assert not widget.save_as.enabled
    widget.seed.value = 5
    finish(widget)
    assert widget.save_as.enabled
    asked = []

    def choose(parent, title, suggested, kinds):
        asked.append((suggested, isinstance(parent, QWidget)))
        return str(tmp_path / "result.png"), kinds

    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getSaveFileName", choose)
    widget.save_as.native.click()
    assert asked == [("cells × starry.png", True)]
    assert widget.status_text == "Saved as result.png."
    assert (read_image(tmp_path / "result.png") == 255).all()
    assert json.loads(read_text(tmp_path / "result.png"))["recipe"]["seed"] == 5
    assert Recipe.from_layer(widget.result) == widget.recipe


@pytest.mark.parametrize(
    ("typed", "chosen", "written"),
    [
        ("my result", "PNG (*.png)", "my result.png"),
        ("v1.5 # é", "TIFF (*.tif *.tiff)", "v1.5 # é.tif"),
        ("result.png", "TIFF (*.tif *.tiff)", "result.tif"),
        ("result.jpg", "PNG (*.png)", "result.jpg"),
    ],
)
def test_a_result_gets_the_suffix_of_the_chosen_format(
    widget, optimiser, finish, monkeypatch, tmp_path, typed, chosen, written
):
    optimiser(steps=3)
    finish(widget)
    answer = (str(tmp_path / typed), chosen)
    monkeypatch.setattr("qtpy.QtWidgets.QFileDialog.getSaveFileName", lambda *_: answer)
    widget.save_as.native.click()
    assert widget.status_text == f"Saved as {written}."
    assert [path.name for path in tmp_path.iterdir()] == [written]


def test_a_long_name_in_a_sentence_covers_no_control(viewer, widget, qtbot):
    body = widget.where.parentWidget()
    widths = [body.minimumSizeHint().width()]
    layer = viewer.layers["starry"]
    viewer.layers.remove(layer)
    layer.name = "a_name_without_spaces_" * 10
    viewer.layers.append(layer)
    widget.style.value = layer
    viewer.layers.remove(layer)
    assert layer.name in widget.where.text()
    qtbot.wait(50)
    widths.append(body.minimumSizeHint().width())
    assert widths[1] == widths[0]
    assert widget.where.height() >= widget.where.heightForWidth(widget.where.width())


def test_what_cannot_be_saved_is_said(widget, optimiser, finish, messages, until, tmp_path):
    optimiser(steps=3)
    finish(widget)
    widget.save(tmp_path / "result.docx")
    assert "docx" in widget.status_text
    for save in (
        widget.save,
        widget.settings_menu.save_to,
        lambda path: widget.panel.history.export(path.with_suffix(".gif")),
    ):
        save(tmp_path / "no such folder" / "result.png")
        until(lambda: messages()[-1].startswith("There is no folder"))
        assert messages()[-1] == f"There is no folder {tmp_path / 'no such folder'}; make it first."
    assert widget.status_text == messages()[-1]
    assert not list(tmp_path.iterdir())
