"""How often, and how much at once, a run has its window drawn."""

import itertools
import statistics
from types import SimpleNamespace

import numpy as np
import pytest
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QApplication, QGraphicsView

from napari_nst.viewer.run import pace, ration
from napari_nst.viewer.run.worker import RunThread
from tests.helpers.counted_events import Counted
from tests.helpers.fake_iterations import iteration

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
def standing(request, widget, clock, optimiser, until):
    """A run that goes no further than it is told to, and is drawn when the test says so.

    Its words take a second to draw, or as long as is set. Its parameter says what is kept of it.
    """
    widget.keep_history.value = getattr(request, "param", "off")
    state = optimiser(steps=9, tile=48)
    state.until_tile = (1, 0)
    widget.start()
    runner = widget.panel.runner
    runner.frames._timer.stop()
    told = []
    run = SimpleNamespace(widget=widget, runner=runner, live=runner.live, told=told, seconds=1.0)

    def words(_):
        told.append("words")
        clock.now += run.seconds

    runner.frames.reported.connect(words)
    runner.frames.plotted.connect(lambda: told.append("curves"))

    def go_to(step):
        state.until_tile = (step + 1, 0)
        until(lambda: runner.active.newest is not None and runner.active.newest.step == step)
        until(lambda: runner.active.picture is runner.active.newest)

    run.go_to = go_to
    yield run
    runner.stop()
    until(lambda: not widget.running)


def draw(standing, clock, seconds=0.0):
    """Let everything be drawn; the picture takes its time."""

    def take():
        clock.now += seconds

    standing.runner.shown.connect(take)
    standing.runner.frames._poll()
    while standing.runner.frames._drawing._goes_on:
        QApplication.processEvents()
    standing.runner.shown.disconnect(take)


def at_each_picture(standing, note):
    """Return a list that gets a note with each picture that is drawn."""
    notes = []
    standing.runner.shown.connect(lambda: notes.append(note()))
    return notes


def test_the_picture_is_drawn_in_one_turn_words_and_curves_in_the_next(standing, clock):
    notes = at_each_picture(standing, lambda: (standing.live.shown.step, list(standing.told)))
    standing.go_to(1)
    assert standing.live.shown is None
    draw(standing, clock)
    assert notes == [(1, [])]
    assert standing.told == ["words", "curves"]


@pytest.mark.parametrize("standing", ["evenly"], indirect=True)
def test_the_history_is_drawn_with_the_picture(standing, clock, until):
    standing.go_to(1)
    draw(standing, clock)
    controls = standing.widget.panel.history
    assert controls.kept.value.startswith("1 picture,")
    controls.show()
    until(lambda: standing.runner.frames._asked_for.is_due())
    stack = controls.current.layer.layer
    notes = at_each_picture(standing, lambda: (len(stack.data), controls.kept.value[:2]))
    standing.go_to(2)
    clock.now += 100
    draw(standing, clock)
    assert notes == [(2, "1 ")]
    assert controls.kept.value.startswith("2 pictures")


def test_pictures_and_words_take_their_share_of_the_time(standing, clock):
    standing.go_to(1)
    draw(standing, clock)
    standing.go_to(2)
    draw(standing, clock, seconds=2)
    assert standing.live.shown.step == 2, "napari's making of a layer does not count"
    standing.go_to(3)
    clock.now += 3 / ration.SHARE - 1
    draw(standing, clock)
    assert standing.live.shown.step == 2
    assert standing.told == ["words", "curves"] * 2
    clock.now += 1
    draw(standing, clock)
    assert standing.live.shown.step == 3
    assert standing.told == ["words", "curves"] * 3


def test_of_a_run_that_has_ended_meanwhile_nothing_is_drawn(standing, clock):
    standing.go_to(1)
    standing.runner.frames._drawing.draw = delayed(standing.runner.frames._drawing.draw)
    standing.runner.frames._poll()
    active, standing.runner.active = standing.runner.active, None
    draw(standing, clock)
    assert standing.told == []
    assert standing.live.shown is None
    standing.runner.active = active


def delayed(draw):
    """Have something drawn as if a run made way late."""
    return lambda layers, rest, way, is_free, **other: draw(
        layers, rest, way, lambda: False, **other
    )


@pytest.mark.parametrize("asked", ["pause", "stop"])
def test_who_asks_for_something_does_not_wait_for_the_answer(standing, clock, asked):
    standing.go_to(1)
    draw(standing, clock)
    clock.now += 2 * pace.WORDS
    standing.go_to(2)
    draw(standing, clock, seconds=1)
    clock.now += 2 * pace.WORDS
    draw(standing, clock)
    assert standing.told == ["words", "curves"] * 2
    getattr(standing.runner, asked)()
    draw(standing, clock)
    # Of a run that has been stopped the end may have come meanwhile, with the last curves.
    assert standing.told[:5] == [*["words", "curves"] * 2, "words"]
    assert ("paused" in standing.widget.status_text) == (asked == "pause")


def test_what_is_not_new_waits_until_patience_ends(standing, clock):
    standing.seconds = 0.0
    standing.go_to(1)
    draw(standing, clock)
    clock.now += pace.CURVES + pace.WORDS
    draw(standing, clock)
    assert standing.told == ["words", "curves"]
    clock.now += pace.PATIENCE
    draw(standing, clock)
    assert standing.told == ["words", "curves", "words"]


def test_the_end_is_drawn_in_turns_between_which_others_have_theirs(standing, clock, until):
    runner, others, told = standing.runner, QTimer(), []
    for name in ("finished", "plotted", "ended"):
        signal = getattr(runner.frames if name == "plotted" else runner, name)
        signal.connect(lambda *_, name=name: told.append((name, runner.live.shown)))
    standing.go_to(1)
    draw(standing, clock)
    standing.go_to(2)
    told.clear()
    others.timeout.connect(lambda: told.append("another"))
    others.start(0)
    runner.stop()
    until(lambda: not standing.widget.running)
    others.stop()
    assert not runner.frames._timer.isActive(), "there is nothing more to look for"
    told = [one for one, _ in itertools.groupby(told)]
    last = runner.last
    assert last.step == 2
    in_turn = [("finished", last), "another", ("plotted", last), "another", ("ended", last)]
    assert told[told.index(in_turn[0]) :][:5] == in_turn


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
    run = RunThread(pytest.fail)
    run.newest = iteration(2, 4)
    seen.panel._show_progress(run)
    assert (bar.value(), bar.maximum()) == (2, 4)
    assert painted.count == before
    settle(painted)
    assert painted.count == before + 1


@pytest.mark.network
@pytest.mark.parametrize("history", ["as it was", "shown"])
def test_a_run_has_its_window_composed_once_for_each_drawing(
    seen, settle, until, monkeypatch, history
):
    monkeypatch.setattr(ration, "SHARE", float("inf"))
    seen.size.value, seen.min_size.value, seen.steps.value = 64, 0, 2000
    seen.device.value, seen.precision.value = "cpu", "float32"
    seen.keep_history.value = "evenly"
    runner, window = seen.panel.runner, seen.native.window()
    runner.frames._words = runner.frames._curves = SimpleNamespace(is_due=lambda state: True)
    seen.start()
    until(lambda: seen.panel.plot.findChild(QGraphicsView) is not None)
    if history == "shown":
        seen.panel.history.show()
    seen.panel.history._shown = runner.frames._words
    runner.frames._timer.stop()
    composed = Counted(window, QEvent.Type.UpdateRequest)
    turns = []
    for _ in range(5):
        made = len(runner.losses)
        until(lambda made=made: len(runner.losses) > made + 2)
        settle(composed)
        shown, before = runner.live.shown, composed.count
        QTimer.singleShot(
            1, runner.frames._poll
        )  # its own timer's turn, to which others are to be timed
        until(lambda shown=shown: runner.live.shown is not shown)
        settle(composed)
        turns.append(composed.count - before)
    runner.stop()
    until(lambda: not seen.running)
    # A stack that has grown has napari lay out its slider, and the canvas around it, in turns.
    assert statistics.median(turns) <= (3 if history == "shown" else 1), turns
