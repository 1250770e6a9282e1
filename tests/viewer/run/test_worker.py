"""A run without a window: what the worker thread does."""

import subprocess
import sys
import threading
import time
import warnings
from functools import partial
from pathlib import Path

import pytest
import torch

from napari_nst.engine.steering import TileDone
from napari_nst.errors import Cancelled, NstError
from napari_nst.viewer.run.status import finished_text, how_far
from napari_nst.viewer.run.worker import RunThread, run_in_background
from tests.helpers.fake_iterations import iteration


def counting(steps, seen=None):
    for step in range(1, steps + 1):
        if seen is not None:
            seen.append(step)
        yield iteration(step, steps)


def test_a_run_keeps_all_losses_and_the_newest_image():
    run = RunThread(lambda *_: counting(30))
    run.work()
    assert len(run.losses) == 30
    assert run.newest.step == 30
    assert finished_text(run).startswith("30 iterations in")


def test_the_last_iteration_of_each_image_waits_to_be_drawn():
    made = [iteration(step, 9, panel=(step - 1) // 3, panels="abc") for step in range(1, 10)]
    run = RunThread(lambda *_: iter(made))
    run.work()
    assert list(run.completed) == [made[2], made[5]]
    assert run.newest is run.picture is made[8]


def test_a_stopped_run_returns_and_closes_its_iterations():
    closed = []

    def start(progress, steering):
        try:
            yield from counting(1000)
        finally:
            closed.append(True)

    run = RunThread(start, watch=lambda newest: newest.step == 5 and run.stop())
    run.work()
    assert run.newest.step == 5
    assert closed == [True]
    assert finished_text(run).startswith("5 of 1000 iterations in")


def test_closing_the_window_stops_the_run():
    run = RunThread(lambda *_: counting(1000))
    run.work(lambda: run.newest is not None and run.newest.step >= 7)
    assert run.newest.step == 7


@pytest.mark.parametrize("how", ["Stop", "the window"])
def test_a_run_is_stopped_within_an_iteration(how):
    def start(progress, steering):
        yield from (iteration(step, 9) for step in range(1, 6))
        assert not steering.stopped
        if how == "Stop":
            run.stop()
        else:
            closing.append(True)
        assert steering.stopped
        raise Cancelled("Stopped by the user.")

    closing = []
    run = RunThread(start)
    run.work(lambda: bool(closing))
    assert run.newest.step == 5
    assert run.picture is run.newest
    assert not run.failed
    assert "stopped by you" in finished_text(run)


def test_a_tile_is_kept_until_its_step_ends_and_without_its_pixels():
    def start(progress, steering):
        yield iteration(1, 3)
        window = slice(0, 8), slice(0, 8)
        steering.watch(TileDone(2, 7, 12, window, torch.ones(1, 3, 8, 8), (48, 64)))
        assert (run.tile.step, run.tile.done, run.tile.total) == (2, 7, 12)
        assert run.tile.pixels is None
        yield iteration(2, 3)
        steering.watch(TileDone(3, 1, 12, None, None, (48, 64)))

    tiles = []
    run = RunThread(start, watch=lambda newest: tiles.append(run.tile))
    run.work()
    assert [*tiles, run.tile] == [None, None, None]


def test_a_reader_never_sees_more_steps_than_there_are():
    """The main thread may read between any two assignments of the run's thread."""
    seen = []

    class ReadRun(RunThread):
        def __setattr__(self, name, given):
            super().__setattr__(name, given)
            if self.__dict__.get("newest") is not None:
                most, value = how_far(self)
                seen.append(value / most)

    def start(progress, steering):
        for step in range(1, 5):
            for done in (1, 2):
                steering.watch(TileDone(step, done, 2, None, None, (48, 64)))
            yield iteration(step, 4)

    ReadRun(start).work()
    assert max(seen) == 1


def test_the_state_changes_with_all_that_is_drawn_and_holds_no_pixels():
    states = []

    def start(progress, steering):
        progress("downloading", 10, 100)
        states.append(run.state)
        progress("downloading", 20, 100)
        states.append(run.state)
        yield iteration(1, 2)
        steering.watch(TileDone(2, 1, 12, None, None, (48, 64)))
        states.append(run.state)
        steering.watch(TileDone(2, 2, 12, None, None, (48, 64)))
        states.append(run.state)
        yield iteration(2, 2)

    run = RunThread(start, watch=lambda newest: states.append(run.state))
    states.append(run.state)
    run.work()
    run.note("Size counts from the next run on.")
    states.append(run.state)
    run.pause(True)
    states.append(run.state)
    run.stop()
    states.append(run.state)
    assert len(set(states)) == len(states) == 10
    assert run.state == states[-1]
    assert run.newest not in run.state


def test_stop_works_before_the_first_iteration():
    def start(progress, steering):
        progress("downloading", 10, 100)
        assert (run.message, run.done, run.total) == ("downloading", 10, 100)
        run.stop()
        with pytest.raises(Cancelled):
            progress("downloading", 20, 100)
        progress("downloading", 30, 100)
        yield

    run = RunThread(start)
    run.work()
    assert not run.failed
    assert finished_text(run) == "Stopped by you before the first iteration."


def test_runtime_errors_become_errors_of_ours_and_others_stay():
    def fail_with(error):
        def start(progress, steering):
            yield iteration(1, 2)
            raise error

        return RunThread(start)

    with pytest.raises(NstError, match="CUDA error") as raised:
        (run := fail_with(RuntimeError("CUDA error"))).work()
    assert not isinstance(raised.value, RuntimeError)
    assert run.failed
    with pytest.raises(ValueError, match="too small"):
        fail_with(ValueError("too small")).work()


def test_the_iterations_are_closed_when_one_fails():
    closed = []

    class Failing:
        def __iter__(self):
            yield iteration(1, 2)
            raise ValueError("too small")

        def close(self):
            closed.append(True)

    with pytest.raises(ValueError, match="too small"):
        RunThread(lambda *_: Failing()).work()
    assert closed == [True]


def test_pause_holds_and_does_not_count_as_time():
    run = RunThread(lambda *_: counting(20, seen))
    seen = []
    run.pause(True)
    thread = threading.Thread(target=run.work)
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


def test_a_paused_iteration_is_ready_to_be_drawn_whenever_pause_was_pressed():
    def pressed(newest):  # once it has been decided which iteration to prepare
        if newest.step == 7:
            run.pause(True)

    run = RunThread(lambda *_: counting(20), watch=pressed)
    thread = threading.Thread(target=run.work)
    thread.start()
    while not run.holding:
        time.sleep(0.01)
    assert run.newest.step == 7
    assert run.picture is run.newest
    run.pause(False)
    thread.join(10)
    assert run.newest.step == 20


@pytest.mark.window
def test_a_function_runs_in_the_background_and_its_runtime_errors_are_reported(until):
    events = []

    def fail(is_closing):
        raise RuntimeError("CUDA error")

    def start(function):
        before = events.count("finished")
        run_in_background(
            function,
            returned=lambda result: events.append(("returned", result)),
            failed=lambda error: events.append(("failed", str(error))),
            finished=lambda: events.append("finished"),
        )
        until(lambda: events.count("finished") > before)

    start(lambda is_closing: (threading.current_thread() is threading.main_thread(), is_closing()))
    start(fail)
    assert events == [
        ("returned", (False, False)),
        "finished",
        ("failed", "CUDA error"),
        "finished",
    ]


@pytest.mark.window
def test_workers_that_overlap_leave_the_warning_filters(until):
    """With napari's own worker, the filters of the first would remain after the second."""
    before = list(warnings.filters), warnings.showwarning
    ends, finished = [threading.Event(), threading.Event()], []
    started = threading.Semaphore(0)

    def work(is_closing, end):
        started.release()
        assert end.wait(10)

    for index, end in enumerate(ends):
        run_in_background(
            partial(work, end=end), failed=finished.append, finished=partial(finished.append, index)
        )
        assert started.acquire(timeout=10)
    for index, end in enumerate(ends, start=1):
        end.set()
        until(lambda: len(finished) == index)  # noqa: B023
    assert finished == [0, 1]
    assert (warnings.filters, warnings.showwarning) == before


@pytest.mark.window
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux only")
def test_torch_makes_an_optimizer_beside_a_drawn_canvas():
    code = """
import napari, numpy as np
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
viewer.add_image(np.eye(9))
for _ in range(20):
    QApplication.processEvents()
from napari_nst.viewer.run.worker import keep_triton_out
keep_triton_out()
import torch, torchvision
torch.optim.Adam([torch.zeros(1, requires_grad=True)]).zero_grad()
viewer.close()
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.window
def test_a_program_ends_cleanly_while_a_run_of_a_closed_window_ends():
    code = """
import time, napari
from napari_nst.viewer.run.worker import run_in_background
viewer = napari.Viewer()
run_in_background(lambda _: time.sleep(3), viewer=viewer, failed=print, finished=lambda: None)
viewer.close()
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    assert "Error" not in ended.stderr
