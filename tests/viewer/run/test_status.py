"""The texts about a run."""

import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from napari_nst.engine.steering import TileDone
from napari_nst.viewer.run.status import finished_text, how_far, progress_text
from napari_nst.viewer.run.worker import RunThread
from tests.helpers.fake_iterations import iteration

LOSSES = {"total": 0.155, "content": 0.12345, "style": 0.0312, "tv": 0.0}


def run(step, steps, seconds, *, losses=LOSSES, paused=0.0, **options):
    newest = replace(iteration(step, steps, **options), seconds=seconds, losses=losses)
    return SimpleNamespace(newest=newest, paused_seconds=paused)


@pytest.mark.parametrize(
    ("ended", "sentence"),
    [
        (
            run(150, 150, 91, losses={**LOSSES, "tv": 0.004}),
            "150 iterations in 1 min 31 s; losses content 0.123, style 0.0312, tv 0.004.",
        ),
        (
            run(120, 150, 60, paused=12),
            "120 of 150 iterations in 48 s, stopped by you; losses content 0.123, style 0.0312.",
        ),
        (
            run(1, 1, 0.25, losses={**LOSSES, "content": 0.0}),
            "1 iteration in 0.2 s; losses style 0.0312.",
        ),
        (run(3, 3, 12, losses=dict.fromkeys(LOSSES, 0.0)), "3 iterations in 12 s; losses 0."),
        (
            run(210, 210, 245, panels=[f"conv{i}" for i in range(21)], panel=20),
            "21 pictures, 210 iterations in 4 min 5 s.",
        ),
        (
            run(35, 210, 48, panels=[f"conv{i}" for i in range(21)], panel=3),
            "35 of 210 iterations in 48 s, stopped by you in picture 4 of 21.",
        ),
        (SimpleNamespace(newest=None), "Stopped by you before the first iteration."),
    ],
    ids=["whole", "stopped", "one", "nothing left", "pictures", "pictures stopped", "before"],
)
def test_the_end_of_a_run_in_one_sentence(ended, sentence):
    assert finished_text(ended) == sentence


def under_way(
    newest, tile=None, message="", forecast="", seconds_left=4000.0, times=(), amount=(0, 0)
):
    run = RunThread(pytest.fail)
    run.message, run.forecast = message, forecast
    run.done, run.total = amount
    run.newest = newest and replace(newest, seconds_left=seconds_left)
    run._arrived = time.perf_counter()
    run._recent.extend(times)
    run.tile = tile and TileDone(*tile, None, None, (48, 64))
    return run


@pytest.mark.parametrize(
    ("run", "line", "bar"),
    [
        (
            {"newest": iteration(2, 40), "times": [0, 0.5]},
            "2/40 · 2.0 it/s · 1:06:40 left",
            (40, 2),
        ),
        (
            {"newest": iteration(2, 40), "tile": (3, 12, 32), "times": [0, 90]},
            "step 3 of 40, tile 12 of 32 · 0.011 it/s · 1:06:40 left",
            (40 * 32, 2 * 32 + 12),
        ),
        ({"newest": iteration(2, 40), "tile": (3, 12, 32), "seconds_left": 65.0},
         "step 3 of 40, tile 12 of 32 · 1:05 left", (1280, 76)),
        ({"newest": iteration(22, 40, panel=1, panels=("a", "b")), "tile": (3, 12, 32)},
         "step 23 of 40, tile 12 of 32 · 1:06:40 left", (1280, 716)),
        ({"newest": None, "tile": (1, 12, 32)}, "Step 1, tile 12 of 32 …", (32, 12)),
        ({"newest": None, "message": "reading the layers"}, "Reading the layers …", (1, 0)),
        ({"newest": None, "message": "fetching gatys", "amount": (3 << 20, 75 << 20)},
         "Fetching gatys 3 of 79 MB …", (75 << 10, 3 << 10)),
        ({"newest": None, "message": "About 2 GB on cpu.", "forecast": "About 2 GB on cpu."},
         "About 2 GB on cpu.", (1, 0)),
    ],
    ids=[
        "whole", "tiles", "second step", "second picture", "first step", "before", "download",
        "forecast",
    ],
)  # fmt: skip
def test_how_far_a_run_is(run, line, bar):
    run = under_way(**run)
    assert progress_text(run).split("\n")[0] == line
    assert how_far(run) == bar


def test_the_size_is_that_of_the_step_under_way():
    coarse = iteration(2, 40, (24, 32))
    assert "\n32 × 24 px on" in progress_text(under_way(coarse))
    assert "\n64 × 48 px on" in progress_text(under_way(coarse, (3, 12, 32)))


def test_what_computes_is_named_not_where_the_picture_lies():
    facts = {"device": "cuda:0 (Imaginary 1)", "precision": "float16"}
    said = progress_text(under_way(iteration(2, 40, facts=facts)))
    assert said.endswith("px on cuda:0 (Imaginary 1), float16")


@pytest.mark.parametrize(("step", "left"), [(39, "0:01"), (40, "0:00")])
def test_nothing_is_left_only_at_the_end(step, left):
    text = progress_text(under_way(iteration(step, 40), seconds_left=0.2))
    assert f"{left} left" in text
