"""What a run says that it will take, before it begins."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.run import time_estimate as forecasts
from napari_nst.engine.run.time_estimate import Forecast
from napari_nst.engine.tiling import feature_bytes
from napari_nst.engine.tiling import memory_estimate as memory

RNG = np.random.default_rng(0)
CONTENT = RNG.random((48, 64, 3), dtype=np.float32)
STYLE = RNG.random((40, 40, 3), dtype=np.float32)


@pytest.fixture(autouse=True)
def nothing_measured(monkeypatch):
    monkeypatch.setattr(forecasts, "_PACES", {})


@pytest.fixture
def asked_at_once(monkeypatch):
    """Time even short runs, on a small picture."""
    monkeypatch.setattr(forecasts, "WORTH", 0)
    monkeypatch.setitem(forecasts.SIDES, "cpu", (24,))


def said_before(recipe, **arguments):
    said = []
    report = lambda message, done, total: said.append((message, done, total))  # noqa: E731
    first = next(nst.stylize(CONTENT, STYLE, recipe, progress=report, **arguments))
    return said, first


@pytest.mark.parametrize(
    ("size", "seconds", "tile", "sentence"),
    [
        (2.1e9, 240, 1024, "About 4 min and 2.1 GB on cpu, in tiles of 1024 pixels."),
        (812e6, 7.6, 0, "About 8 s and 810 MB on cpu."),
        (996e6, 99.6, 0, "About 2 min and 1.0 GB on cpu."),
        (5e5, 0.1, 0, "About 1 s and 10 MB on cpu."),
        (13e9, 7600, 512, "About 2.1 h and 13.0 GB on cpu, in tiles of 512 pixels."),
        (3e9, None, 0, "About 3.0 GB on cpu."),
    ],
)
def test_it_is_one_sentence(size, seconds, tile, sentence):
    assert str(Forecast(int(size), seconds, tile, "cpu")) == sentence


def test_it_is_said_before_the_first_step_and_kept_with_the_run(quick, asked_at_once):
    said, first = said_before(quick(tile=128))
    assert len(said) == 1
    facts = first.record()["forecast"]
    assert set(facts) == {"bytes", "seconds", "tile", "device", "on_host", "on_disk", "processes"}
    assert said == [(str(Forecast(**facts)), 0, 0)]
    assert facts["seconds"] > 0
    json.dumps(facts)


def test_a_run_that_is_over_at_once_is_not_timed(quick, monkeypatch):
    monkeypatch.setattr(forecasts, "_seconds_of_step", None)
    ((message, _, _),) = said_before(quick())[0]
    assert message.startswith("About ")
    assert message.endswith(" MB on cpu.")


def test_what_was_measured_serves_later_runs_of_the_same_kind(quick, asked_at_once, monkeypatch):
    measured = []
    seconds_of_step = forecasts._seconds_of_step

    def counted(*arguments):
        measured.append(arguments)
        return seconds_of_step(*arguments)

    monkeypatch.setattr(forecasts, "_seconds_of_step", counted)
    one = said_before(quick(steps=10))[1].facts["forecast"]["seconds"]
    two = said_before(quick(steps=21))[1].facts["forecast"]["seconds"]
    assert len(measured) == 1
    assert one < two < 2.2 * one
    searching = said_before(quick(steps=10, line_search=True))[1].facts["forecast"]["seconds"]
    assert 1.5 * one < searching < 2 * one
    said_before(quick(style_layers={"relu1_2": 1}))
    said_before(quick(precision="bfloat16"))
    assert len(measured) == 3


def timed_shapes(monkeypatch):
    """Return a list that the shapes of timed pictures are added to, without timing any."""
    shapes = []

    def noted(assembly, scale):
        shapes.append(scale.shape)
        return 1.0

    monkeypatch.setattr(forecasts, "_seconds_of_step", noted)
    return shapes


@pytest.mark.parametrize(
    ("fields", "side"),
    [
        pytest.param({"steps": 10}, 8, id="a short run"),
        pytest.param({"steps": 60}, 16, id="a longer one"),
        pytest.param({"steps": 1000}, 32, id="a long one"),
        pytest.param({"steps": 1000, "size": 24}, 16, id="a long one of a small picture"),
    ],
)
def test_of_a_longer_run_a_larger_picture_is_timed(quick, monkeypatch, fields, side):
    monkeypatch.setattr(forecasts, "WORTH", 0)
    monkeypatch.setattr(forecasts, "WORTH_MORE", 60)
    monkeypatch.setitem(forecasts.SIDES, "cpu", (8, 16, 32))
    shapes = timed_shapes(monkeypatch)

    next(nst.stylize(CONTENT[:48, :48], STYLE, quick(**{"size": 48, "min_size": 0, **fields})))

    assert shapes == [(side, side)]


def test_no_larger_picture_is_timed_than_a_tile(quick, monkeypatch):
    monkeypatch.setattr(forecasts, "WORTH", 0)
    monkeypatch.setattr(forecasts, "WORTH_MORE", 0)
    monkeypatch.setitem(forecasts.SIDES, "cpu", (8, 128, 160))
    shapes = timed_shapes(monkeypatch)
    content = np.zeros((192, 192, 3), np.float32) + 0.5

    next(nst.stylize(content, STYLE, quick(size=192, min_size=0, tile=128)))
    next(nst.stylize(content, STYLE, quick(size=192, min_size=0)))

    assert shapes == [(128, 128), (160, 160)]


def test_a_network_that_multiplies_less_is_timed_for_itself(quick, asked_at_once, monkeypatch):
    shapes = timed_shapes(monkeypatch)

    for precision in ("auto", "float32"):
        next(nst.stylize(CONTENT, STYLE, quick(precision=precision)))

    assert len(shapes) == 2


def test_measuring_changes_nothing_of_the_run(quick, asked_at_once, monkeypatch):
    recipe = quick(init="noise", style_loss="sliced_wasserstein", tv_weight=1.0)
    timed = [it.image for it in nst.stylize(CONTENT, STYLE, recipe)]
    monkeypatch.setattr(forecasts, "WORTH", np.inf)
    monkeypatch.setattr(forecasts, "_PACES", {})
    for one, it in zip(timed, nst.stylize(CONTENT, STYLE, recipe), strict=True):
        np.testing.assert_array_equal(one, it.image)


def test_regions_too_small_for_the_timed_picture_leave_the_time_open(quick, asked_at_once):
    guide = np.zeros(CONTENT.shape[:2], int)
    guide[:4, :4] = 1
    forecast = said_before(quick(), guide=guide)[1].facts["forecast"]
    assert forecast["seconds"] is None or forecast["seconds"] > 0


def test_a_step_costs_its_pixels_and_in_tiles_more(quick):
    from napari_nst.engine.job.build import order_to_stylize

    order = order_to_stylize(CONTENT, STYLE, quick(size=512))
    (scale,) = order.scales
    whole = forecasts.work_of_step(order, scale, 0)
    assert whole == 384 * 512
    twice, more = (forecasts.work_of_step(order, scale, tile) for tile in (256, 128))
    # The pixels that overlap, and but for one tile the way forward once more.
    assert whole * (1 + forecasts.FORWARD / 2) < twice < more < 2 * whole
    half, part = (forecasts.work_of_step(order, scale, 0, parts) for parts in (2, 3))
    assert whole / 2 < half < whole * 0.6
    assert whole / 3 < part < half


PEAK = """
import json, re, sys
import numpy as np
import torch, torchvision
from napari_nst import stylize
from napari_nst.recipe import Recipe

def bytes_of(key):
    status = open("/proc/self/status").read()
    return int(re.search(key + r":\\s+(\\d+)", status)[1]) * 1024

height, width, fields = json.loads(sys.argv[1])
rng = np.random.default_rng(0)
content, style = (rng.random((height, width, 3), dtype=np.float32) for _ in range(2))
before = bytes_of("VmRSS")
for it in stylize(content, style, Recipe(**fields)):
    pass
print(json.dumps([bytes_of("VmHWM") - before, it.facts["forecast"]["bytes"]]))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="asks Linux for the peak")
@pytest.mark.parametrize(
    "fields",
    [{"precision": "float32", "optimizer": "adam"}, {"precision": "auto", "tile": 256}],
    ids=str,
)
def test_memory_is_forecast_within_a_fifth(untrained_file, fields):
    fields = {
        "size": 512, "min_size": 0, "steps": 2, "device": "cpu", "weights": untrained_file,
        **fields,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PEAK, json.dumps([416, 512, fields])],
        capture_output=True, text=True, timeout=600, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )  # fmt: skip
    peak, expected = json.loads(done.stdout)
    assert expected == pytest.approx(peak, rel=0.2)


def test_what_a_scale_leaves_behind_counts_at_the_next_one():
    one, two, three = (
        memory.Footprint(picture=size, passes=size, past_step=0, past_steps=0, freed=size)
        for size in (100, 500, 480)
    )
    assert memory.peak_bytes([two]) == two.bytes
    assert memory.peak_bytes([one, two]) == two.bytes + 100 * memory.LEFT
    assert memory.peak_bytes([one, two, three]) == three.bytes + 500 * memory.LEFT


def test_formats_that_do_not_go_by_strips_have_a_border_beside_their_features():
    recipe, pixels = nst.preset("default"), 10**6
    wide, narrow = (
        feature_bytes.held_bytes(recipe, dtype, pixels) for dtype in (torch.float32, torch.bfloat16)
    )
    top = feature_bytes.AT_TOP * 64 * pixels
    assert wide >= 4 * top
    assert narrow >= 2 * (top + feature_bytes.BORDERED * 64 * pixels)


def test_libraries_take_more_where_the_processor_has_amx(monkeypatch):
    taken = {}
    for has in (False, True):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda has=has: {"amx_bf16": has}, raising=False
        )
        taken[has] = memory.Footprint(picture=1, passes=2, past_step=3, past_steps=4).bytes
    assert taken[True] - taken[False] == memory.WITH_AMX
    assert taken[False] == memory.OF_ANY_RUN + 1 + 2 + 3 * 4


def test_what_is_free_is_no_more_than_a_batch_job_may_take(monkeypatch, tmp_path):
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "memory.max").write_text("3000\n")
    (tmp_path / "job" / "memory.current").write_text("1000\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "cgroup")
    free = memory.free_bytes(torch.device("cpu"))
    assert free > 2000
    (tmp_path / "cgroup").write_text("0::/job\n")
    assert memory.free_bytes(torch.device("cpu")) == 2000
    (tmp_path / "job" / "memory.max").write_text("max\n")
    assert memory.free_bytes(torch.device("cpu")) > 2000
