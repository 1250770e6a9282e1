"""A run without a window: what the worker thread does."""

import gc
import threading
import time
from dataclasses import replace

import pytest
import torch

from napari_nst.engine.steering import TileDone
from napari_nst.errors import Cancelled, NstError
from napari_nst.viewer.loss_plot.trace import LossTrace
from napari_nst.viewer.run.status import finished_text
from napari_nst.viewer.run.worker import RunThread
from tests.helpers.fake_iterations import iteration


def counting(steps, seen=None):
    for step in range(1, steps + 1):
        if seen is not None:
            seen.append(step)
        yield iteration(step, steps)


def test_a_trace_keeps_every_number():
    trace = LossTrace()
    for step in range(1, 101):
        trace.append(iteration(step, 100).losses)
    assert len(trace) == 100
    assert list(trace.columns) == ["total", "content", "style", "tv"]
    assert trace.columns["style"][49] == pytest.approx(2 / 50)


def test_a_run_keeps_all_losses_and_the_newest_picture():
    run = RunThread(lambda *_: counting(30))
    assert sum(1 for _ in run.work()) == 30
    assert len(run.losses) == 30
    assert run.newest.step == 30
    assert finished_text(run).startswith("30 iterations in")


def test_what_was_made_before_the_first_iteration_is_not_gone_through_for_garbage():
    frozen = []

    def start(progress, steering):
        imported = [[] for _ in range(5000)]
        frozen.append(gc.get_freeze_count())
        later = []
        for one in counting(3):
            yield one
            frozen.append(gc.get_freeze_count())
            later.append([[] for _ in range(5000)])
        assert len(imported) == 5000

    for _ in RunThread(start).work():
        pass
    assert frozen[0] > 0
    assert frozen[1] >= frozen[0] + 5000
    # Some of what was there before may have gone.
    assert frozen[2] < frozen[1] + 1000, "what comes later may be garbage"


def test_the_last_of_each_of_several_pictures_waits_to_be_drawn():
    made = [iteration(step, 9, panel=(step - 1) // 3, panels="abc") for step in range(1, 10)]
    run = RunThread(lambda *_: iter(made))
    for _ in run.work():
        pass
    assert list(run.completed) == [made[2], made[5]]
    assert run.newest is run.picture is made[8]


def test_a_stopped_run_returns_and_closes_its_iterations():
    closed = []

    def start(progress, steering):
        try:
            yield from counting(1000)
        finally:
            closed.append(True)

    run = RunThread(start)
    for _ in run.work():
        if run.newest.step == 5:
            run.stop()
    assert run.newest.step == 6
    assert closed == [True]
    assert finished_text(run).startswith("6 of 1000 iterations in")


def test_a_window_that_closes_stops_the_run_too():
    run = RunThread(lambda *_: counting(1000))
    run.quit_requested = lambda: run.newest is not None and run.newest.step >= 7
    assert sum(1 for _ in run.work()) == 6
    assert run.newest.step == 7


@pytest.mark.parametrize("how", ["Stop", "the window"])
def test_a_run_is_stopped_within_an_iteration(how):
    def start(progress, steering):
        yield from (iteration(step, 9) for step in range(1, 6))
        assert not steering.stopped
        if how == "Stop":
            run.stop()
        else:
            run.quit_requested = lambda: True
        assert steering.stopped
        raise Cancelled("Stopped by the user.")

    run = RunThread(start)
    for _ in run.work():
        pass
    assert run.newest.step == 5
    assert run.picture is run.newest
    assert not run.failed
    assert "stopped by you" in finished_text(run)


def test_a_tile_is_known_until_its_step_is_over_and_its_pixels_are_not_kept():
    def start(progress, steering):
        yield iteration(1, 3)
        window = slice(0, 8), slice(0, 8)
        steering.watch(TileDone(2, 7, 12, window, torch.ones(1, 3, 8, 8), (48, 64)))
        assert (run.tile.step, run.tile.done, run.tile.total) == (2, 7, 12)
        assert run.tile.pixels is None
        yield iteration(2, 3)
        steering.watch(TileDone(3, 1, 12, None, None, (48, 64)))

    run = RunThread(start)
    worked = run.work()
    next(worked)
    next(worked)
    assert run.tile is None
    assert list(worked) == []
    assert run.tile is None


def test_what_is_forecast_stays_while_other_messages_pass():
    def start(progress, steering):
        progress("reading the layers", 0, 0)
        assert run.forecast == ""
        progress("About 4 min and 2.1 GB on cpu.", 0, 0)
        progress("measuring", 0, 0)
        yield iteration(1, 1)

    run = RunThread(start)
    list(run.work())
    assert run.forecast == "About 4 min and 2.1 GB on cpu."


def test_news_are_what_a_report_would_tell_and_hold_no_pixels():
    told = []

    def start(progress, steering):
        progress("downloading", 10, 100)
        told.append(run.news)
        progress("downloading", 20, 100)
        told.append(run.news)
        yield iteration(1, 2)
        steering.watch(TileDone(2, 1, 12, None, None, (48, 64)))
        told.append(run.news)
        steering.watch(TileDone(2, 2, 12, None, None, (48, 64)))
        told.append(run.news)
        yield iteration(2, 2)

    run = RunThread(start)
    told.append(run.news)
    for _ in run.work():
        told.append(run.news)
    run.note("Size counts from the next run on.")
    told.append(run.news)
    run.pause(True)
    told.append(run.news)
    run.stop()
    told.append(run.news)
    assert len(set(told)) == len(told) == 10
    assert run.news == told[-1]
    assert run.newest not in run.news


def test_the_time_left_passes_while_an_iteration_takes_its_time(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    run = RunThread(lambda *_: iter([replace(iteration(1, 9), seconds_left=50.0)]))
    worked = run.work()
    next(worked)
    assert run.seconds_left == pytest.approx(50)
    now[0] += 20
    assert run.seconds_left == pytest.approx(30)


def test_progress_stops_what_is_slow_before_the_first_iteration():
    def start(progress, steering):
        progress("downloading", 10, 100)
        assert (run.message, run.done, run.total) == ("downloading", 10, 100)
        run.stop()
        with pytest.raises(Cancelled):
            progress("downloading", 20, 100)
        progress("downloading", 30, 100)
        yield

    run = RunThread(start)
    assert list(run.work()) == []
    assert not run.failed
    assert finished_text(run) == "Stopped by you before the first iteration."


def test_runtime_errors_change_their_name_and_others_keep_it():
    def fail_with(error):
        def start(progress, steering):
            yield iteration(1, 2)
            raise error

        return RunThread(start)

    with pytest.raises(NstError, match="CUDA error") as told:
        list((run := fail_with(RuntimeError("CUDA error"))).work())
    assert not isinstance(told.value, RuntimeError)
    assert run.failed
    with pytest.raises(ValueError, match="too small"):
        list(fail_with(ValueError("too small")).work())


def test_the_iterations_are_closed_when_one_fails():
    closed = []

    class Failing:
        def __iter__(self):
            yield iteration(1, 2)
            raise ValueError("too small")

        def close(self):
            closed.append(True)

    with pytest.raises(ValueError, match="too small"):
        list(RunThread(lambda *_: Failing()).work())
    assert closed == [True]


def test_pause_holds_and_does_not_count_as_time():
    run = RunThread(lambda *_: counting(20, seen))
    seen = []
    run.pause(True)
    thread = threading.Thread(target=lambda: list(run.work()))
    thread.start()
    while not len(run.losses):
        time.sleep(0.01)
    time.sleep(0.3)
    assert seen == [1]
    assert run.paused
    run.pause(False)
    thread.join(10)
    assert len(seen) == 20
    assert run.paused_seconds > 0.2
    assert run.rate > 0


def test_what_is_held_is_ready_to_be_drawn_whenever_pause_was_pressed():
    def pressed(newest):  # once it has been decided which iteration to prepare
        if newest.step == 7:
            run.pause(True)

    run = RunThread(lambda *_: counting(20), watch=pressed)
    thread = threading.Thread(target=lambda: list(run.work()))
    thread.start()
    while not run.holding:
        time.sleep(0.01)
    assert run.newest.step == 7
    assert run.picture is run.newest
    run.pause(False)
    thread.join(10)
    assert run.newest.step == 20
