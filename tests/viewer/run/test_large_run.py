"""A run whose picture is large and comes in tiles, in a real window."""

import json
import threading

import numpy as np
import pytest
from qtpy.QtCore import QTimer

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.recipe import Recipe
from napari_nst.viewer.layers import live_pixels
from napari_nst.viewer.layers.intensity import to_uint8
from napari_nst.viewer.run import throttle

pytestmark = pytest.mark.window

SHAPE = (48, 64)


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    monkeypatch.setattr(live_pixels, "LARGE", 60)
    monkeypatch.setattr(live_pixels, "COARSEST", 20)
    monkeypatch.setattr(throttle, "PAUSE", 0.0)


def finest(widget):
    return widget.result.data[0]


def at(step, steps):
    return round(255 * step / steps)


@pytest.fixture
def stands(widget, optimiser, until):
    """Start a run of four steps in twelve tiles each, and let it stand within its third step."""
    state = optimiser(steps=4, tile=16, forecast="About 4 min and 2.1 GB on cpu.")
    state.until_tile = (3, 15)  # all of the first pass, and three of the second
    widget.start()
    run = widget.panel.active
    until(lambda: run.tile is not None and (run.tile.step, run.tile.done) == (3, 15))
    until(lambda: widget.result is not None)
    until(lambda: (finest(widget)[:16, :48] == at(3, 4)).all())
    return state


def test_tiles_are_displayed_before_the_step_ends(widget, stands, until):
    layer = widget.result
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(48, 64, 3), (24, 32, 3), (12, 16, 3)]
    assert layer.dtype == np.uint8
    np.testing.assert_allclose(layer.scale, np.divide((60, 80), SHAPE))
    assert (finest(widget)[16:] == at(2, 4)).all()
    assert (layer.data[2][:4, :12] == at(3, 4)).all()
    until(lambda: layer.thumbnail[..., 0].max() == at(3, 4))
    until(lambda: widget.status_text.startswith("step 3 of 4, tile 15 of 24 · "))
    assert (widget.progress.value, widget.progress.max) == (2 * 24 + 15, 4 * 24)
    stands.until_tile = None
    until(lambda: not widget.running)
    assert all((level == 255).all() for level in layer.data)
    assert widget.result is layer
    assert (widget.progress.value, widget.progress.max) == (4, 4)
    assert widget.status_text.startswith("4 iterations in")


def test_stop_within_a_step_keeps_the_last_whole_iteration(widget, stands, until, messages):
    widget.stop.native.click()
    assert widget.status_text == "Stopping …"
    until(lambda: not widget.running)
    assert all((level == at(2, 4)).all() for level in widget.result.data)
    assert widget.result.thumbnail[..., 0].max() == at(2, 4)
    assert widget.result.metadata["napari-nst"]["step"] == 2
    assert widget.status_text.startswith("2 of 4 iterations in")
    assert "stopped by you" in widget.status_text
    assert stands.closed == 1
    assert not messages()


def test_the_estimate_is_shown_first(widget, optimiser, until):
    state = optimiser(steps=4, tile=16, forecast="About 4 min and 2.1 GB on cpu.")
    state.until_tile = (1, 5)
    widget.start()
    said = "About 4 min and 2.1 GB on cpu.\nStep 1, tile 5 of 24 …"
    until(lambda: widget.status_text == said)
    assert (widget.progress.value, widget.progress.max) == (5, 24)
    widget.panel.active.stop()
    until(lambda: not widget.running)
    assert widget.status_text == "Stopped by you before the first iteration."
    assert widget.result is None


def test_a_failure_within_a_step_keeps_the_last_whole_iteration(widget, optimiser, until, messages):
    state = optimiser(steps=4, tile=16)
    state.until_tile = (3, 15)
    widget.start()
    run = widget.panel.active
    until(lambda: run.tile is not None and run.tile.done == 15 and run.tile.step == 3)

    def out_of_memory(tile, newest):
        raise RuntimeError("out of memory")

    run._drawn.draw_tile = out_of_memory
    state.until_tile = None
    until(lambda: not widget.running)
    assert run.failed
    assert any("out of memory" in message for message in messages())
    assert all((level == at(2, 4)).all() for level in widget.result.data)


def test_a_window_that_closes_ends_a_run_within_a_step(widget, stands, until):
    run = widget.panel.active
    run.is_closing = lambda: True
    until(lambda: not widget.running)
    assert run.newest.step == 2
    assert not run.failed


def test_pause_holds_when_the_step_is_over(widget, stands, until):
    widget.pause.native.click()
    until(lambda: widget.status_text.startswith("step 3 of 4, tile 15 of 24 · "))
    stands.until_tile = None
    until(lambda: "paused" in widget.status_text)
    assert widget.status_text.startswith("3/4 · paused")
    assert (finest(widget) == at(3, 4)).all()
    brush = widget.panel.brush
    until(lambda: not brush.native.isHidden())
    assert not brush.paint.isEnabled()
    assert "60 pixels" in brush.paint.toolTip()
    widget.pause.native.click()
    until(lambda: not widget.running)
    assert (finest(widget) == 255).all()


def test_it_is_saved_whole_and_made_again(widget, optimiser, until, finish, tmp_path):
    optimiser(steps=3, tile=16, shape_at=lambda step: SHAPE if step > 1 else (12, 16))
    layer = finish(widget)
    widget.save(str(tmp_path / "large.png"))
    saved = read_image(tmp_path / "large.png")
    np.testing.assert_array_equal(saved, layer.data[0])
    record = json.loads(read_text(tmp_path / "large.png"))
    assert Recipe.from_dict(record["recipe"]) == Recipe.from_layer(layer)
    # A large result is a content like any other, and can be gone on with.
    widget.panel.go_on(2)
    until(lambda: not widget.running)
    assert widget.result is layer
    assert layer.metadata["napari-nst"]["step"] == 6
    widget.content.value = layer
    again = finish(widget)
    assert again is not layer
    assert again.multiscale
    assert (again.data[0] == 255).all()


@pytest.mark.parametrize("keep_dtype", [False, True])
def test_grey_slices_of_a_stack_in_sixteen_bits(viewer, widget, optimiser, until, keep_dtype):
    stack = np.arange(3 * 60 * 80, dtype=np.uint16).reshape(3, 60, 80)
    content = viewer.add_image(stack, name="stack", contrast_limits=(1000, 9000), scale=(5, 2, 2))
    viewer.dims.set_point(0, 10)
    widget.content.value, widget.keep_dtype.value = content, keep_dtype
    state = optimiser(steps=4, tile=16)
    state.until_tile = (3, 15)
    widget.start()
    until(lambda: widget.running and state.made == 2 and widget.result is not None)
    run = widget.panel.active
    until(lambda: run.tile is not None and run.tile.done == 15)
    layer = widget.result
    assert [level.shape for level in layer.data] == [(1, 48, 64), (1, 24, 32), (1, 12, 16)]
    assert layer.dtype == (np.uint16 if keep_dtype else np.float32)
    assert layer.contrast_limits == [1000, 9000]
    assert layer.data_to_world((0, 0, 0))[0] == 10
    until(lambda: (layer.data[0][0, :16, :48] == 7000).all())
    assert (layer.data[0][0, 16:] == 5000).all()
    widget.panel.active.stop()
    until(lambda: not widget.running)
    assert all((level == 5000).all() for level in layer.data)


def test_the_main_thread_converts_nothing(widget, optimiser, finish, monkeypatch):
    threads, write = set(), live_pixels.Pyramid.write

    def noted(self, window, pixels):
        threads.add(threading.current_thread())
        write(self, window, pixels)

    monkeypatch.setattr(live_pixels.Pyramid, "write", noted)
    optimiser(steps=6, tile=16, seconds=0.02)
    finish(widget)
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.network
def test_the_real_engine_streams_its_tiles(viewer, widget, until, monkeypatch):
    monkeypatch.setattr(live_pixels, "LARGE", 150)
    random = np.random.default_rng(1)
    viewer.add_image(random.integers(0, 256, (160, 192, 3), np.uint8), name="wide", rgb=True)
    widget.content.value = viewer.layers["wide"]
    for name, value in {"size": 192, "min_size": 96, "steps": 6, "tile": 128}.items():
        getattr(widget, name).value = value
    seen, last = [], []

    def look():
        run = widget.panel.active
        if run is None or run.tile is None or run.tile.window is None or last:
            return
        seen.append((run.tile.step, run.tile.done, run.tile.total))
        if run.newest is not None and run.newest.shape == (160, 192):
            last.append(run.newest)
            run.stop()

    timer = QTimer()
    timer.timeout.connect(look)
    timer.start(1)
    widget.start()
    until(lambda: not widget.running, 120)
    timer.stop()
    assert last, f"no tile was seen of a second step: {seen}"
    layer, newest = widget.result, last[0]
    assert layer.multiscale
    np.testing.assert_array_equal(layer.data[0], to_uint8(newest.picture))
    assert layer.metadata["napari-nst"]["step"] == newest.step < 6
    assert widget.progress.tooltip.endswith("in tiles of 128 pixels.")
