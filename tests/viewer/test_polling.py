"""How often, and how much at once, a run has its window drawn."""

from types import SimpleNamespace

import numpy as np
import pytest
from counted_events import Counted
from fake_iterations import iteration
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication, QGraphicsView

from napari_nst.viewer import ration
from napari_nst.viewer.plot import pace
from napari_nst.viewer.stream import Run

pytestmark = pytest.mark.window


@pytest.fixture
def clock(monkeypatch):
    """The time as far as drawing is concerned; it stands still by itself."""
    clock = SimpleNamespace(now=100.0)
    clock.perf_counter = lambda: clock.now
    monkeypatch.setattr(ration, "time", clock)
    monkeypatch.setattr(pace, "time", clock)
    return clock


@pytest.fixture
def standing(widget, clock, optimiser, until):
    """A run that goes no further than it is told to, and is drawn when the test says so.

    Its words take a second to draw, or as long as is set.
    """
    state = optimiser(steps=9, tile=48)
    state.until_tile = (1, 0)
    widget.start()
    runner = widget.panel.runner
    runner._timer.stop()
    told = []
    run = SimpleNamespace(runner=runner, live=runner.live, told=told, seconds=1.0)

    def words(_):
        told.append("words")
        clock.now += run.seconds

    runner.reported.connect(words)
    runner.plotted.connect(lambda: told.append("curves"))

    def go_to(step):
        state.until_tile = (step + 1, 0)
        until(lambda: runner.active.newest is not None and runner.active.newest.step == step)
        until(lambda: runner.active.picture is runner.active.newest)

    run.go_to = go_to
    yield run
    runner.stop()
    until(lambda: not widget.running)


def compose(clock, seconds=0.0):
    """Let the window be composed, which takes its time."""
    clock.now += seconds
    QApplication.processEvents()


def test_picture_words_and_curves_are_drawn_in_one_turn(standing):
    standing.go_to(1)
    assert standing.live.shown is None
    standing.runner._poll()
    assert standing.live.shown.step == 1
    assert standing.told == ["words", "curves"]


def test_drawing_and_composing_take_their_share_of_the_time(standing, clock):
    standing.go_to(1)
    standing.runner._poll()
    compose(clock)
    standing.go_to(2)
    standing.runner._poll()
    assert standing.live.shown.step == 2, "napari's making of a layer does not count"
    compose(clock, seconds=2)
    standing.go_to(3)
    clock.now += 3 / ration.SHARE - 1
    standing.runner._poll()
    assert standing.live.shown.step == 2
    assert standing.told == ["words", "curves"] * 2
    clock.now += 1
    standing.runner._poll()
    assert standing.live.shown.step == 3
    assert standing.told == ["words", "curves"] * 3


@pytest.mark.parametrize("asked", ["pause", "stop"])
def test_who_asks_for_something_does_not_wait_for_the_answer(widget, standing, clock, asked):
    standing.go_to(1)
    standing.runner._poll()
    compose(clock)
    clock.now += 2 * pace.WORDS
    standing.runner._poll()
    assert standing.told == ["words", "curves"]
    getattr(standing.runner, asked)()
    standing.runner._poll()
    assert standing.told == ["words", "curves", "words"]
    assert ("paused" in widget.status_text) == (asked == "pause")


def test_what_is_not_new_waits_until_patience_ends(standing, clock):
    standing.seconds = 0.0
    standing.go_to(1)
    standing.runner._poll()
    compose(clock)
    clock.now += pace.CURVES + pace.WORDS
    standing.runner._poll()
    assert standing.told == ["words", "curves"]
    clock.now += pace.PATIENCE
    standing.runner._poll()
    assert standing.told == ["words", "curves", "words"]


# ── a window that is seen ────────────────────────────────────────────────────────────────────


@pytest.fixture
def seen(make_napari_viewer_proxy, qtbot):
    """The Style Transfer widget in a window that is seen, with two small pictures."""
    viewer = make_napari_viewer_proxy(show=True)
    random = np.random.default_rng(0)
    for name in ("cells", "starry"):
        viewer.add_image(random.integers(0, 256, (64, 64, 3), np.uint8), name=name, rgb=True)
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    qtbot.waitExposed(widget.native.window())
    return widget


def test_the_bar_is_drawn_with_what_else_is_new(seen, settle):
    bar = seen.panel.progress.native
    painted = Counted(bar, QEvent.Type.Paint)
    settle(painted)
    before = painted.count
    run = Run(pytest.fail)
    run.newest = iteration(2, 4)
    seen.panel._show_progress(run)
    assert (bar.value(), bar.maximum()) == (2, 4)
    assert painted.count == before
    settle(painted)
    assert painted.count == before + 1


@pytest.mark.network
def test_a_run_has_its_window_composed_a_few_times_for_each_turn(seen, settle, until, monkeypatch):
    monkeypatch.setattr(ration, "SHARE", float("inf"))
    seen.size.value, seen.min_size.value, seen.steps.value = 64, 0, 2000
    seen.device.value, seen.precision.value = "cpu", "float32"
    runner, window = seen.panel.runner, seen.native.window()
    runner._words = runner._curves = SimpleNamespace(is_due=lambda state: True)
    seen.start()
    until(lambda: seen.panel.plot.findChild(QGraphicsView) is not None)
    runner._timer.stop()
    composed = Counted(window, QEvent.Type.UpdateRequest)
    turns = []
    for _ in range(5):
        made = len(runner.losses)
        until(lambda made=made: len(runner.losses) > made + 2)
        settle(composed)
        shown, before = runner.live.shown, composed.count
        runner._poll()
        assert composed.count == before, "nothing is composed while it is drawn"
        assert runner.live.shown is not shown
        settle(composed)
        turns.append(composed.count - before)
    runner.stop()
    until(lambda: not seen.running)
    assert 1 <= min(turns) <= max(turns) <= 3, turns
