"""The controls of the History section, and the files that they write."""

from functools import partial
from types import SimpleNamespace

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.viewer.controls.form import Section
from napari_nst.viewer.history.controls import EVEN, LOG, OFF, HistoryControls
from tests.helpers.fake_iterations import iteration
from tests.helpers.fake_requests import request_for


@pytest.fixture
def model():
    model = ViewerModel()
    model.add_image(np.zeros((60, 80, 3), np.uint8), name="cells", rgb=True)
    return model


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def controls(model, complaints, qtbot):
    """The controls in a form, for a viewer without a window."""
    controls = HistoryControls(model, lambda error: complaints.append(str(error)))
    section = Section("History", controls.controls)
    qtbot.addWidget(section.native)
    yield controls
    controls.finish(SimpleNamespace(newest=None))


@pytest.fixture
def request_(model):
    return partial(request_for, model, model.layers["cells"])


def run(controls, request, steps=20, of=None, first=1, end=True):
    """Do what a run does to its history, without a network."""
    of = of or steps
    history = controls.new_history(request, go_on=first > 1)
    for step in range(first, steps + 1):
        newest = iteration(step, of, (30, 40) if step < of / 2 else (60, 80))
        if history is not None:
            history.step(newest)
    if end:
        controls.finish(SimpleNamespace(newest=newest))
    return history and history.history


def text_of(viewer):
    return viewer.canvas.overlays.text.text


# ── keeping ──────────────────────────────────────────────────────────────────────────────────


def test_a_run_has_a_history_by_default(controls, request_):
    assert controls.keep.value == LOG
    assert not controls.show_stack.enabled
    assert not controls.export_as.enabled
    run(controls, request_(), steps=5, of=20, end=False)
    controls.show_state()
    assert controls.kept.value == "Images: 5, 0.0 of 200 MB"
    assert controls.show_stack.enabled
    run(controls, request_())
    assert controls.kept.value == "Images: 20, 0.2 of 200 MB"
    assert controls.export_as.enabled


def test_evenly_keeps_every_nth(controls, request_):
    controls.keep.value, controls.every.value = EVEN, 8
    assert run(controls, request_()).steps == [1, 8, 16, 20]


def test_the_budget_limits_the_history(controls, request_):
    controls.keep.value, controls.budget.value = EVEN, 1
    history = run(controls, request_(), steps=150)
    assert history.megabytes <= 1
    assert len(history.steps) < 100


def test_off_keeps_nothing(controls, request_, complaints):
    controls.keep.value = OFF
    assert run(controls, request_()) is None
    controls.show()
    assert controls.show_step(3) is None
    controls.export("a.gif")
    assert len(complaints) == 3
    assert "Keep" in complaints[0]
    controls.keep.value = LOG
    assert controls.new_history(request_(function="compare_textures")) is None


def test_controls_without_effect_are_disabled(controls):
    assert (controls.every.enabled, controls.budget.enabled) == (False, True)
    controls.keep.value = EVEN
    assert controls.every.enabled
    controls.each_as_layer.value = True
    assert (controls.keep.enabled, controls.every.enabled) == (False, False)
    controls.each_as_layer.value, controls.keep.value = False, OFF
    assert (controls.every.enabled, controls.budget.enabled) == (False, False)


def test_a_continued_run_continues_its_history(controls, request_, model):
    history = run(controls, request_(), steps=20)
    controls.show()
    assert run(controls, request_(), steps=30, first=21) is history
    assert [layer.name for layer in model.layers] == ["cells", "a/b · history"]
    assert model.layers[-1].data.shape[0] == len(history.steps)
    assert history.steps[-1] == 30
    assert run(controls, request_(), steps=10) is not history
    controls.show()
    assert [layer.data.shape[0] for layer in list(model.layers)[1:]] == [len(history.steps), 10]


# ── showing ──────────────────────────────────────────────────────────────────────────────────


def test_the_button_shows_a_stack_that_grows_with_the_run(controls, request_, model):
    history = run(controls, request_(), steps=5, of=20, end=False)
    controls.show_state()
    controls.show_stack.native.click()
    layer = model.layers["a/b · history"]
    assert layer.data.shape == (5, 30, 40, 3)
    for step in range(6, 19):
        history.step(iteration(step, 20, (60, 80)))
    controls.refresh()
    assert layer.data.shape == (18, 60, 80, 3)
    history.step(iteration(19, 20, (60, 80)))
    controls.refresh()
    assert len(layer.data) == 18, "the next redraw is not due yet"
    controls.finish(SimpleNamespace(newest=iteration(19, 20, (60, 80))))
    assert layer.data.shape == (19, 60, 80, 3)
    assert text_of(model).startswith("iteration 19 of 20, 80 px")
    assert layer.metadata["napari-nst"]["step"] == 19


def test_a_stack_does_not_grow_while_it_is_shown_in_3d(controls, request_, model):
    history = run(controls, request_(), steps=5, of=20, end=False)
    model.dims.ndisplay = 3
    controls.show()
    layer = model.layers["a/b · history"]
    history.step(iteration(6, 20, (60, 80)))
    controls.refresh()
    assert len(layer.data) == 5, "napari would copy all of it"
    model.dims.ndisplay = 2
    controls.refresh()
    assert len(layer.data) == 6


def test_each_iteration_can_be_a_layer(controls, request_, model, until):
    controls.each_as_layer.value = True
    run(controls, request_(steps=6), steps=6)
    until(lambda: len(model.layers) == 7, 10)
    until(lambda: model.layers[-1].metadata["napari-nst"].get("step") == 6, 10)
    assert [layer.name for layer in model.layers][1:] == [f"a/b {step:04d}" for step in range(1, 7)]


def test_a_long_run_cannot_have_a_layer_per_iteration(controls, request_):
    controls.each_as_layer.value = True
    with pytest.raises(ValueError, match="Each iteration as a layer of its own"):
        controls.new_history(request_(steps=101))
    assert controls.new_history(request_(steps=100)) is not None


# ── exporting ────────────────────────────────────────────────────────────────────────────────


def test_a_history_is_exported_in_a_thread(
    controls, request_, complaints, tmp_path, until, messages
):
    run(controls, request_())
    controls.export(tmp_path / "run.gif")
    assert not controls.export_as.enabled
    controls.export(tmp_path / "other.gif")
    assert len(complaints) == 1, "one file at a time"
    until(lambda: bool(messages()), 30)
    assert messages()[0].startswith("Wrote run.gif: ")
    assert [path.name for path in tmp_path.iterdir()] == ["run.gif"]
    assert iio.imread(tmp_path / "run.gif").shape == (20, 60, 80, 3)
    until(lambda: controls.export_as.enabled, 5)
    assert controls.kept.value == "Images: 20, 0.2 of 200 MB"


def test_a_tiff_has_the_values_of_grey_and_a_gif_its_display(
    controls, model, tmp_path, until, messages
):
    pixels = np.zeros((60, 80), np.uint16)
    placed = {"scale": (0.5, 0.5), "units": ["um"] * 2}
    deep = model.add_image(pixels, name="deep", contrast_limits=(100, 1100), **placed)
    history = controls.new_history(request_for(model, deep, keep_dtype=True))
    for step in range(1, 5):
        history.step(iteration(step, 4, (60, 80), grey=True))
    controls.finish(SimpleNamespace(newest=iteration(4, 4, (60, 80), grey=True)))
    controls.export(tmp_path / "run.tif")
    until(lambda: len(messages()) == 1, 30)
    stack = tifffile.imread(tmp_path / "run.tif")
    assert stack.dtype == np.uint16
    assert stack[:, 5, 5].tolist() == [350, 600, 850, 1100]
    assert '"step": 4' in read_text(tmp_path / "run.tif")
    with tifffile.TiffFile(tmp_path / "run.tif") as tiff:
        known = tiff.imagej_metadata
        assert (known["unit"], known["min"], known["max"]) == ("um", 100, 1100)
        assert tiff.pages[0].tags["XResolution"].value == (2, 1)
    controls.export(tmp_path / "run.gif")
    until(lambda: len(messages()) == 2, 30)
    assert iio.imread(tmp_path / "run.gif")[:, 5, 5, 0].tolist() == [64, 128, 191, 255]


def test_a_failed_export_is_reported(controls, request_, complaints, tmp_path, until, monkeypatch):
    run(controls, request_())
    controls.export(tmp_path / "run.avi")
    assert ".gif" in complaints.pop()
    controls.export(tmp_path / "none" / "run.gif")
    until(lambda: bool(complaints), 30)
    assert str(tmp_path / "none") in complaints.pop()
    until(lambda: controls.export_as.enabled, 10)

    def fail(*args, **kwargs):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("napari_nst.viewer.history.controls.write_animation", fail)
    controls.export(tmp_path / "run.gif")
    until(lambda: bool(complaints), 30)
    assert complaints == ["run.gif could not be written: the disk is on fire"]
    until(lambda: controls.export_as.enabled, 10)


@pytest.mark.parametrize(
    ("typed", "chosen", "written"),
    [
        ("run.mp4", "MP4 (*.mp4)", "run.mp4"),
        ("run.mp4", "GIF (*.gif)", "run.gif"),
        ("run 0.5", "GIF (*.gif)", "run 0.5.gif"),
        ("run.tiff", "MP4 (*.mp4)", "run.tiff"),
    ],
)
def test_the_dialog_gives_the_name_and_the_format(
    controls, request_, tmp_path, until, messages, monkeypatch, typed, chosen, written
):
    asked = []

    def answer(parent, title, suggested, filters):
        asked.extend([suggested, filters])
        return str(tmp_path / typed), chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    run(controls, request_())
    controls.export_as.native.click()
    until(lambda: bool(messages()), 30)
    assert [path.name for path in tmp_path.iterdir()] == [written]
    assert asked[0] == "a-b.mp4"
    assert chosen in asked[1].split(";;")


def test_a_file_is_not_replaced_unless_the_dialog_has_asked(
    controls, request_, tmp_path, monkeypatch, complaints
):
    (tmp_path / "run.gif").write_text("mine")
    answer = (str(tmp_path / "run.mp4"), "GIF (*.gif)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: answer)
    run(controls, request_())
    controls.export_as.native.click()
    assert complaints[0].startswith("run.gif exists")
    assert (tmp_path / "run.gif").read_text() == "mine"


def test_closing_the_window_ends_an_export(controls, request_, tmp_path, monkeypatch):
    asked = []

    def run_now(function, **_):
        assert function(lambda: asked.append(True) or len(asked) > 3) == ""

    monkeypatch.setattr("napari_nst.viewer.history.controls.run_in_background", run_now)
    run(controls, request_())
    controls.export(tmp_path / "run.gif")
    assert len(asked) == 4
    assert not list(tmp_path.iterdir())


@pytest.mark.window
def test_in_a_window_a_history_is_shown_and_its_dock_can_be_closed(viewer, complaints):
    controls = HistoryControls(viewer, lambda error: complaints.append(str(error)))
    section = Section("History", controls.controls)
    section.toggle()
    dock = viewer.window.add_dock_widget(section.native, name="history")
    request = request_for(viewer, viewer.layers["cells"])
    run(controls, request)
    controls.show_stack.native.click()
    controls.show_step(5)
    assert text_of(viewer).startswith("iteration 5 of 20, 40 px")
    controls.new_history(request)  # a run is going on when the dock is closed
    viewer.window.remove_dock_widget(dock)
    assert not complaints
