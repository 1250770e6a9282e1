"""The controls of the history, and what they leave in files."""

from functools import partial
from types import SimpleNamespace

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from napari.components import ViewerModel
from qtpy.QtWidgets import QFileDialog

from napari_nst.io.embedded_text import read_text
from napari_nst.recipe import Recipe
from napari_nst.viewer.controls.form import Section
from napari_nst.viewer.history.controls import HistoryControls
from napari_nst.viewer.history.export import Export
from napari_nst.viewer.history.form import EVEN, LOG, OFF
from napari_nst.viewer.layers.read import shown_slice
from napari_nst.viewer.run import pace
from napari_nst.viewer.run.request import RunRequest
from tests.helpers.fake_iterations import iteration


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
    """The controls as a form has them, of a viewer without a window."""
    controls = HistoryControls(model, lambda error: complaints.append(str(error)))
    section = Section("History", controls.controls)
    qtbot.addWidget(section.native)
    yield controls
    controls.finish(SimpleNamespace(newest=None))


@pytest.fixture
def run_request(model):
    return partial(job_in, model)


class OnePicture(RunRequest):
    is_single = True


class SeveralPictures(RunRequest):
    is_single = False


def job_in(viewer, content="cells", steps=20, kind=OnePicture, **options):
    picture = shown_slice(viewer.layers[content], viewer.dims)
    recipe = Recipe(steps=steps)
    return kind(
        "a/b", picture.position, picture.intensity, (), recipe, "stylize", pytest.fail, **options
    )


def run(controls, run_request, steps=20, of=None, first=1, end=True):
    """Run a job as a panel does, without a network."""
    of = of or steps
    history = controls.new_history(run_request, go_on=first > 1)
    for step in range(first, steps + 1):
        newest = iteration(step, of, (30, 40) if step < of / 2 else (60, 80))
        if history is not None:
            history.step(newest)
    if end:
        controls.finish(SimpleNamespace(newest=newest))
    return history and history.history


def text_of(viewer):
    return viewer.canvas.overlays.text.text


def layer_names(viewer):
    return [layer.name for layer in viewer.layers]


# ── what is kept ─────────────────────────────────────────────────────────────────────────────


def test_a_strangers_first_run_has_a_history(controls, run_request):
    assert controls.keep.value == LOG
    assert controls.kept.value == "Nothing yet."
    assert not controls.show_stack.enabled
    assert not controls.export_as.enabled
    run(controls, run_request())
    assert controls.kept.value == "20 pictures, 0.2 of 200 MB"
    assert controls.show_stack.enabled
    assert controls.export_as.enabled


def test_the_label_says_what_is_kept_so_far(controls, run_request):
    run(controls, run_request(), steps=5, of=20, end=False)
    controls.show_state()
    assert controls.kept.value == "5 pictures, 0.0 of 200 MB"
    assert controls.show_stack.enabled


def test_evenly_keeps_every_nth(controls, run_request):
    controls.keep.value, controls.every.value = EVEN, 8
    assert run(controls, run_request()).steps == [1, 8, 16, 20]


def test_a_budget_that_is_passed_thins_the_history(controls, run_request):
    controls.keep.value, controls.budget.value = EVEN, 1
    history = run(controls, run_request(), steps=150)
    assert history.megabytes <= 1
    assert len(history.steps) < 100
    assert controls.kept.value.endswith(" of 1 MB")


def test_off_keeps_nothing(controls, run_request, complaints):
    controls.keep.value = OFF
    assert run(controls, run_request()) is None
    assert controls.kept.value == "Nothing yet."
    controls.show()
    controls.show_step(3)
    controls.export("a.gif")
    assert complaints == ["No history was kept; choose what to keep, and start a run."] * 3


def test_several_pictures_have_no_history(controls, run_request):
    assert controls.new_history(run_request(kind=SeveralPictures)) is None


def test_controls_that_matter_not_are_disabled(controls):
    assert (controls.every.enabled, controls.budget.enabled) == (False, True)
    controls.keep.value = EVEN
    assert controls.every.enabled
    controls.each_as_layer.value = True
    assert (controls.keep.enabled, controls.every.enabled) == (False, False)
    controls.each_as_layer.value, controls.keep.value = False, OFF
    assert (controls.every.enabled, controls.budget.enabled) == (False, False)


def test_a_run_that_goes_on_goes_on_in_the_same_layer(controls, run_request, model):
    history = run(controls, run_request(), steps=20)
    controls.show()
    assert run(controls, run_request(), steps=30, first=21) is history
    assert layer_names(model) == ["cells", "a/b · history"]
    assert model.layers[-1].data.shape[0] == len(history.steps)
    assert history.steps[-1] == 30


def test_another_run_has_another_history(controls, run_request, model):
    first = run(controls, run_request())
    controls.show()
    second = run(controls, run_request(), steps=10)
    assert second is not first
    controls.show()
    assert [layer.data.shape[0] for layer in list(model.layers)[1:]] == [20, 10]


# ── what is shown ────────────────────────────────────────────────────────────────────────────


def test_the_button_shows_a_stack_that_grows_with_the_run(controls, run_request, model):
    history = run(controls, run_request(), steps=5, of=20, end=False)
    controls.show_state()
    controls.show_stack.native.click()
    layer = model.layers["a/b · history"]
    assert layer.data.shape == (5, 30, 40, 3)
    for step in range(6, 19):
        history.step(iteration(step, 20, (60, 80)))
    controls.refresh()
    assert layer.data.shape == (18, 60, 80, 3)
    controls.finish(SimpleNamespace(newest=iteration(19, 20, (60, 80))))
    assert layer.data.shape == (19, 60, 80, 3)
    assert text_of(model).startswith("iteration 19 of 20, 80 px")
    assert layer.metadata["napari-nst"]["step"] == 19


def test_a_stack_grows_every_two_seconds_at_most(controls, run_request, model, monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(pace, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    history = run(controls, run_request(), steps=5, of=20, end=False)
    controls.show()
    controls.refresh()
    history.step(iteration(6, 20, (60, 80)))
    controls.refresh()
    assert len(model.layers["a/b · history"].data) == 5
    clock.now += pace.STACK
    controls.refresh()
    assert len(model.layers["a/b · history"].data) == 6


def test_a_step_that_is_asked_for_is_shown(controls, run_request, model):
    run(controls, run_request())
    controls.show_step(7)
    assert text_of(model).startswith("iteration 7 of 20")
    controls.show_step(2)
    assert text_of(model).startswith("iteration 2 of 20")
    assert len(model.layers) == 2


def test_before_there_is_a_picture_nothing_is_shown(controls, run_request, model, complaints):
    controls.new_history(run_request())
    controls.show()
    assert complaints == ["No picture has been kept yet; start a run, or wait for its first."]
    controls.finish(SimpleNamespace(newest=None))
    assert len(model.layers) == 1


def test_each_iteration_may_be_a_layer(controls, run_request, model, until):
    controls.each_as_layer.value = True
    run(controls, run_request(steps=6), steps=6)
    until(lambda: len(model.layers) == 7, 10)
    until(lambda: model.layers[-1].metadata["napari-nst"].get("step") == 6, 10)
    assert layer_names(model)[1:] == [f"a/b {step:04d}" for step in range(1, 7)]


def test_a_long_run_is_no_layers(controls, run_request):
    controls.each_as_layer.value = True
    with pytest.raises(ValueError, match=r"^A run of 101 steps has too many iterations .* 100, or"):
        controls.new_history(run_request(steps=101))
    assert controls.new_history(run_request(steps=100)) is not None


# ── what is written ──────────────────────────────────────────────────────────────────────────


def test_a_history_is_exported_beside_the_window(controls, run_request, tmp_path, until, messages):
    run(controls, run_request())
    controls.export(tmp_path / "run.gif")
    assert not controls.export_as.enabled
    until(lambda: bool(messages()), 30)
    assert messages()[0].startswith("Wrote run.gif: 20 pictures, 1.3 s, ")
    assert iio.imread(tmp_path / "run.gif").shape == (20, 60, 80, 3)
    until(lambda: controls.export_as.enabled, 5)
    assert controls.kept.value == "20 pictures, 0.2 of 200 MB"


def test_grey_keeps_its_numbers_in_a_tiff_and_its_looks_elsewhere(
    controls, run_request, model, tmp_path, until, messages
):
    pixels = np.zeros((60, 80), np.uint16)
    model.add_image(pixels, name="deep", contrast_limits=(100, 1100))
    grey = run_request("deep", keep_dtype=True)
    history = controls.new_history(grey)
    for step in range(1, 5):
        history.step(iteration(step, 4, (60, 80), grey=True))
    controls.finish(SimpleNamespace(newest=iteration(4, 4, (60, 80), grey=True)))
    controls.export(tmp_path / "run.tif")
    until(lambda: len(messages()) == 1, 30)
    back = tifffile.imread(tmp_path / "run.tif")
    assert back.dtype == np.uint16
    assert back[:, 5, 5].tolist() == [350, 600, 850, 1100]
    assert '"step": 4' in read_text(tmp_path / "run.tif")
    controls.export(tmp_path / "run.gif")
    until(lambda: len(messages()) == 2, 30)
    assert iio.imread(tmp_path / "run.gif")[:, 5, 5, 0].tolist() == [64, 128, 191, 255]


def test_an_export_that_cannot_be_is_one_sentence(
    controls, run_request, complaints, tmp_path, until
):
    run(controls, run_request())
    controls.export(tmp_path / "run.avi")
    assert complaints.pop().endswith("must end in .gif, .mp4, .tif, .tiff, to say its format.")
    controls.export(tmp_path / "none" / "run.gif")
    until(lambda: bool(complaints), 30)
    assert complaints == [f"There is no folder {tmp_path / 'none'}; make it first."]
    until(lambda: controls.export_as.enabled, 10)


def test_a_runtime_error_while_writing_is_said_too(
    controls, run_request, complaints, tmp_path, until, monkeypatch
):
    def broken(*args, **kwargs):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr("napari_nst.viewer.history.export.write_animation", broken)
    run(controls, run_request())
    controls.export(tmp_path / "run.gif")
    until(lambda: bool(complaints), 30)
    assert complaints == ["run.gif could not be written: the disk is on fire"]
    until(lambda: controls.export_as.enabled, 10)


def test_one_file_is_written_at_a_time(
    controls, run_request, complaints, tmp_path, until, messages
):
    run(controls, run_request())
    controls.export(tmp_path / "a.gif")
    controls.export(tmp_path / "b.gif")
    assert complaints == ["a.gif is being written; wait until it is there."]
    until(lambda: bool(messages()), 30)
    assert [path.name for path in tmp_path.iterdir()] == ["a.gif"]


@pytest.mark.parametrize(
    ("typed", "chosen", "written"),
    [
        ("run.mp4", "MP4 (*.mp4)", "run.mp4"),
        ("run.mp4", "GIF (*.gif)", "run.gif"),
        ("run", "TIFF stack (*.tif *.tiff)", "run.tif"),
        ("run 0.5", "GIF (*.gif)", "run 0.5.gif"),
        ("run.tiff", "MP4 (*.mp4)", "run.tiff"),
    ],
)
def test_the_dialog_gives_the_name_and_the_format(
    controls, run_request, tmp_path, until, messages, monkeypatch, typed, chosen, written
):
    asked = []

    def answer(parent, title, suggested, filters):
        asked.extend([suggested, filters])
        return str(tmp_path / typed), chosen

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    run(controls, run_request())
    controls.export_as.native.click()
    until(lambda: bool(messages()), 30)
    assert [path.name for path in tmp_path.iterdir()] == [written]
    assert asked[0] == "a-b.mp4"
    assert chosen in asked[1].split(";;")


def test_a_file_that_the_dialog_did_not_ask_about_is_not_replaced(
    controls, run_request, tmp_path, monkeypatch, complaints
):
    (tmp_path / "run.gif").write_text("mine")
    answer = (str(tmp_path / "run.mp4"), "GIF (*.gif)")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: answer)
    run(controls, run_request())
    controls.export_as.native.click()
    assert complaints == ["run.gif exists; give that name with its ending to replace it."]
    assert (tmp_path / "run.gif").read_text() == "mine"


def test_a_dialog_that_is_closed_writes_nothing(controls, run_request, monkeypatch, complaints):
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: ("", ""))
    run(controls, run_request())
    controls.export_as.native.click()
    assert controls.export_as.enabled
    assert not complaints


def test_a_window_that_closes_ends_the_writing(controls, run_request, tmp_path, until, monkeypatch):
    reported = []

    class Quitting(Export):
        def _report(self, message, done, total):
            reported.append(done)
            if done == 3:
                self.quit_requested = lambda: True
            super()._report(message, done, total)

    monkeypatch.setattr("napari_nst.viewer.history.run_history.Export", Quitting)
    run(controls, run_request())
    controls.export(tmp_path / "run.gif")
    until(lambda: controls.export_as.enabled, 30)
    assert reported == [0, 1, 2, 3]
    assert not list(tmp_path.iterdir())


@pytest.mark.window
def test_in_a_real_window_a_history_is_looked_through_and_written(
    viewer, complaints, until, messages, tmp_path
):
    controls = HistoryControls(viewer, lambda error: complaints.append(str(error)))
    section = Section("History", controls.controls)
    section.toggle()
    dock = viewer.window.add_dock_widget(section.native, name="history")
    run(controls, job_in(viewer))
    controls.show_stack.native.click()
    controls.show_step(5)
    assert text_of(viewer).startswith("iteration 5 of 20, 40 px")
    controls.export(tmp_path / "run.mp4")
    until(lambda: bool(messages()), 30)
    assert messages()[0].startswith("Wrote run.mp4: 20 pictures, 1.3 s, ")
    controls.new_history(job_in(viewer))  # a run that is going on when the dock is closed
    viewer.window.remove_dock_widget(dock)
    assert not complaints
