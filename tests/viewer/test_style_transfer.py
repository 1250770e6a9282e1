"""Style transfer in a real napari window, mostly with a fake optimizer."""

import gc
import weakref

import numpy as np
import psutil
import pytest

from napari_nst.errors import NstError
from napari_nst.viewer.layers.intensity import to_uint8

pytestmark = pytest.mark.window


def test_a_run_is_shown_in_a_layer_named_after_both(viewer, widget, optimiser, until):
    optimiser(steps=100)
    widget.run.native.click()
    assert not widget.run.enabled
    assert widget.stop.enabled
    until(lambda: not widget.running)
    assert [layer.name for layer in viewer.layers] == ["cells", "starry", "cells × starry"]
    assert viewer.layers[-1] == widget.result
    assert (widget.result.data == 255).all()
    assert widget.status_text.startswith("100 iterations in")
    assert (widget.run.enabled, widget.stop.enabled, widget.pause.enabled) == (True, False, False)
    assert (widget.progress.value, widget.progress.max) == (100, 100)


def test_the_chosen_layers_are_read(viewer, widget, optimiser, finish):
    state = optimiser(steps=1)
    widget.content.value, widget.style.value = viewer.layers["starry"], viewer.layers["cells"]
    widget.steps.value = 7
    finish(widget)
    [style] = state.got["style"]
    np.testing.assert_array_equal(to_uint8(state.got["content"]), viewer.layers["starry"].data)
    np.testing.assert_array_equal(to_uint8(style), viewer.layers["cells"].data)
    assert state.recipe.steps == 7
    record = widget.result.metadata["napari-nst"]
    assert record["recipe"]["steps"] == 7
    assert record["step"] == 1


def test_five_thousand_fast_iterations_leave_memory_flat(viewer, widget, optimiser, until):
    process = psutil.Process()
    optimiser(steps=5000, seconds=0, shape_at=lambda step: (512, 512))
    drawn = []
    widget.start()
    run = widget.panel.active
    until(lambda: run.newest is not None and run.newest.step > 500)
    widget.result.events.data.connect(lambda: drawn.append(run.newest.step))
    before = process.memory_info().rss
    until(lambda: not widget.running, seconds=120)
    grown = process.memory_info().rss - before
    # 5000 images of 512 × 512 pixels in float32 would take 15 GB.
    assert grown < 150e6
    assert len(run.losses) == 5000
    assert run.losses.columns["total"][4999] == pytest.approx(3 / 5000)
    assert len(drawn) < 1000, "images are drawn at the preview rate"
    assert (widget.result.data == 255).all(), "the last iteration is shown exactly"


def test_stop_keeps_the_last_image(viewer, widget, optimiser, until):
    state = optimiser(steps=100_000, seconds=0.01)
    widget.start()
    until(lambda: widget.result is not None)
    widget.stop.native.click()
    asked_at = state.made
    until(lambda: not widget.running)
    assert state.made <= asked_at + 1
    assert state.closed == 1
    expected = round(255 * state.made / 100_000)
    assert (widget.result.data == expected).all()
    assert widget.status_text.startswith(f"{state.made} of 100000 iterations in")


def test_pause_resume_and_stop_while_paused(viewer, widget, optimiser, until, qtbot):
    state = optimiser(steps=100_000, seconds=0.002)
    widget.start()
    until(lambda: state.made > 10)
    widget.pause.native.click()
    assert widget.pause.text == "Resume"
    qtbot.wait(200)
    held_at = state.made
    qtbot.wait(300)
    assert state.made == held_at
    assert "paused" in widget.status_text
    widget.pause.native.click()
    assert widget.pause.text == "Pause"
    until(lambda: state.made > held_at + 10)
    widget.pause.native.click()
    widget.stop.native.click()
    until(lambda: not widget.running)
    assert state.closed == 1
    assert widget.pause.text == "Pause"


def test_deleting_the_result_ends_the_run(viewer, widget, optimiser, until):
    state = optimiser(steps=100_000)
    widget.start()
    until(lambda: widget.result is not None)
    viewer.layers.remove(widget.result)
    until(lambda: not widget.running)
    assert state.closed == 1
    assert [layer.name for layer in viewer.layers] == ["cells", "starry"]


def test_closing_the_dock_ends_the_run_and_hiding_it_does_not(viewer, optimiser, until, qtbot):
    state = optimiser(steps=100_000)
    dock, widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")
    widget.start()
    until(lambda: widget.result is not None)
    dock.hide()
    qtbot.wait(100)
    assert widget.running
    dock.show()
    dock.destroyOnClose()
    until(lambda: not widget.running)
    assert state.closed == 1


def test_closing_the_window_ends_the_run(make_napari_viewer, optimiser, until):
    state = optimiser(steps=100_000)
    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((40, 40)), name="a")
    viewer.add_image(np.ones((40, 40)), name="b")
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    widget.start()
    until(lambda: state.made > 10)
    viewer.close()
    until(lambda: state.closed == 1)


@pytest.mark.parametrize(
    "error",
    [
        NstError("Out of memory at 512 pixels on device 'cpu'; try size 384."),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        KeyError("relu9_1"),
    ],
    ids=["explained", "torch", "bug"],
)
def test_a_failure_is_shown_and_the_image_is_kept(
    viewer, widget, optimiser, until, messages, error
):
    state = optimiser(steps=200, seconds=0.005, fail_at=60, error=error)
    widget.start()
    until(lambda: not widget.running)
    assert state.closed == 1
    assert any(str(error.args[0]) in message for message in messages())
    assert str(error.args[0]) in widget.status_text
    assert widget.run.enabled
    assert (widget.result.data == round(255 * 59 / 200)).all()
    optimiser(steps=20)
    widget.start()
    until(lambda: not widget.running)
    assert widget.status_text.startswith("20 iterations"), "another run works"


def test_out_of_memory_names_a_smaller_size(viewer, widget, until, messages, monkeypatch):
    import torch

    def explode(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr("napari_nst.engine.run.run.load", explode)
    widget.size.value = 512
    widget.start()
    until(lambda: not widget.running)
    assert any("512" in text and "Size of 384" in text for text in messages())


def test_two_widgets_run_at_once(viewer, widget, optimiser, until):
    from napari_nst.viewer.style_transfer import StyleTransfer

    optimiser(steps=300, seconds=0.005)
    other = StyleTransfer(viewer)
    viewer.window.add_dock_widget(other, name="another")
    widget.start()
    other.start()
    until(lambda: widget.result is not None and other.result is not None)
    assert widget.running
    assert other.running
    until(lambda: not widget.running and not other.running)
    assert widget.result is not other.result


def test_the_layer_covers_the_content_at_every_working_size(
    viewer, widget, optimiser, until, qtbot
):
    content = viewer.layers["cells"]
    content.scale, content.translate, content.rotate = (0.5, 0.25), (10, -3), 30
    content.units, content.axis_labels = ("um", "um"), ("y", "x")
    optimiser(steps=200, seconds=0.01, shape_at=lambda step: (30, 40) if step < 150 else (45, 60))
    shapes = set()
    widget.start()
    until(lambda: widget.result is not None)

    def check():
        layer = widget.result
        shapes.add(layer.data.shape)
        for corner in [(0, 0), (0, 1), (1, 0), (1, 1)]:
            mine = layer.data_to_world(np.array(corner) * layer.data.shape[:2] - 0.5)
            theirs = content.data_to_world(np.array(corner) * content.data.shape[:2] - 0.5)
            np.testing.assert_allclose(mine, theirs, atol=1e-9)
        return not widget.running

    until(check)
    assert shapes == {(30, 40, 3), (45, 60, 3)}
    assert [str(unit) for unit in widget.result.units] == ["micrometer", "micrometer"]
    assert widget.result.axis_labels == ("y", "x")


def test_stop_works_before_the_first_iteration(viewer, widget, until, monkeypatch):
    import time

    calls = []

    def stylize(*args, progress, **kwargs):
        for done in range(0, 100_000_000, 1000):
            calls.append(done)
            progress("downloading the network", done, 100_000_000)
            time.sleep(0.01)
        yield

    monkeypatch.setattr("napari_nst.engine.api.stylize", stylize)
    widget.start()
    until(lambda: "Downloading the network 0 of 100 MB" in widget.status_text)
    assert widget.progress.max > 0
    widget.stop.native.click()
    until(lambda: not widget.running)
    assert len(calls) < 10_000
    assert widget.result is None
    assert widget.status_text == "Stopped by you before the first iteration."


def test_layers_are_needed_and_a_content_is_not_its_own_style(make_napari_viewer_proxy, messages):
    viewer = make_napari_viewer_proxy()
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    assert widget.content.value is None
    widget.start()
    assert not widget.running
    assert any("image" in message for message in messages())
    viewer.add_labels(np.zeros((20, 20), int), name="regions")
    viewer.add_image(np.zeros((20, 20)), name="a")
    viewer.add_image(np.zeros((20, 20)), name="b")
    assert [layer.name for layer in widget.content.choices] == ["a", "b"]
    assert (widget.content.value.name, widget.style.value.name) == ("a", "b")
    widget.style.value = viewer.layers["a"]
    viewer.add_image(np.zeros((20, 20)), name="c")
    assert widget.style.value.name == "a", "the user chose the same layer for both"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (np.full((40, 40), np.nan), "all NaN"),
        (np.zeros((60, 1)), "Size of at least"),
        (np.zeros((4, 4, 3), np.uint8), "16 on both sides"),
    ],
    ids=["all NaN", "narrow", "tiny style"],
)
def test_unusable_layers_are_refused(viewer, widget, until, messages, data, sentence):
    layer = viewer.add_image(data, name="odd", contrast_limits=(0, 1))
    (widget.style if data.dtype == np.uint8 else widget.content).value = layer
    widget.size.value = 0
    widget.start()
    until(lambda: not widget.running)
    assert any(sentence in message for message in messages())
    assert sentence in widget.status_text
    assert len(viewer.layers) == 3
    assert widget.run.enabled


def test_a_contradictory_recipe_is_refused(widget, messages):
    widget.style_weight.value = widget.content_weight.value = 0
    widget.start()
    assert not widget.running
    assert messages()


def test_a_finished_run_is_released(viewer, widget, optimiser, until):
    optimiser(steps=50)
    widget.start()
    run = weakref.ref(widget.panel.active)
    until(lambda: not widget.running)
    gc.collect()
    assert run() is None, "napari keeps finished workers, which must not keep the run"


@pytest.mark.network
def test_the_real_network_paints_in_the_window(viewer, widget, until):
    widget.size.value, widget.min_size.value, widget.steps.value = 64, 48, 12
    widget.start()
    widget.pause.native.click()  # so short a run may be over before it is looked at
    until(lambda: "1/12 · paused" in widget.status_text, seconds=120)
    until(lambda: widget.result is not None)
    assert "on cpu" in widget.status_text or "cuda" in widget.status_text
    widget.pause.native.click()
    until(lambda: not widget.running, seconds=120)
    assert widget.status_text.startswith("12 iterations in"), widget.status_text
    assert widget.result.data.shape == (48, 64, 3)
    assert widget.result.data.std() > 10
