"""A run: numbering, sizes, time, images that belong to the caller, and how it ends."""

import itertools
import json

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.run import time_estimate
from napari_nst.engine.run.time_estimate import Estimate, duration_text
from napari_nst.engine.steering import Steering
from napari_nst.engine.tiling.memory_estimate import memory_text
from napari_nst.engine.vgg.network import VGG19

RNG = np.random.default_rng(0)
CONTENT = RNG.random((48, 64, 3), dtype=np.float32)
STYLE = RNG.random((40, 40, 3), dtype=np.float32)
LARGE = RNG.random((150, 200, 3), dtype=np.float32)

OPTIMIZERS = pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])


def test_steps_and_sizes_are_those_of_the_scales(quick):
    found = list(nst.stylize(CONTENT, STYLE, quick(size=64, min_size=32, steps=6)))
    assert [it.step for it in found] == [1, 2, 3, 4, 5, 6]
    assert {it.steps for it in found} == {6}
    sizes = [it.shape[1] for it in found]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] == 64
    assert all(it.image.shape == (*it.shape, 3) for it in found)
    assert {it.full_shape for it in found} == {(48, 64)}


def test_seconds_grow_and_the_time_left_shrinks_to_nothing(quick):
    found = list(nst.stylize(CONTENT, STYLE, quick(size=64, min_size=32, steps=6)))
    seconds = [it.seconds for it in found]
    assert seconds == sorted(seconds)
    assert found[0].seconds_left > 0
    assert found[-1].seconds_left == 0


@OPTIMIZERS
def test_images_belong_to_the_caller(quick, optimizer):
    recipe = quick(steps=4, optimizer=optimizer)
    expected = [it.image for it in nst.stylize(CONTENT, STYLE, recipe)]
    for it, image in zip(nst.stylize(CONTENT, STYLE, recipe), expected, strict=True):
        assert it.image.dtype == np.float32
        assert 0 <= it.image.min() <= it.image.max() <= 1
        np.testing.assert_array_equal(it.image, image)
        it.image[:] = 0
        it.pixels.zero_()


def test_parts_add_up(quick):
    for it in nst.stylize(CONTENT, STYLE, quick(tv_weight=3)):
        sums = it.losses["content"] + it.losses["style"] + it.losses["tv"]
        assert it.losses["total"] == pytest.approx(sums)
        parts = [value for name, value in it.losses.items() if "/" in name]
        assert sum(parts) + it.losses["tv"] == pytest.approx(sums)


def test_each_scale_starts_from_the_image_before(quick):
    recipe = quick(size=64, min_size=32, steps=6, optimizer="adam", learning_rate=1e-6)
    found = list(nst.stylize(CONTENT, STYLE, recipe))
    first = [it for it in found if it.shape == found[0].shape][-1]
    second = next(it for it in found if it.shape != first.shape)
    from napari_nst.engine.images.convert import resize

    carried = resize(first.pixels, second.shape).clamp(0, 1)
    torch.testing.assert_close(second.pixels, carried, atol=1e-4, rtol=0)


def test_nothing_slow_happens_before_the_first_step(no_network):
    nst.stylize(CONTENT, STYLE, nst.preset(size=64))  # no weights are needed yet


def test_an_iteration_is_frozen_and_short_to_print(quick):
    it = next(nst.stylize(CONTENT, STYLE, quick()))
    with pytest.raises(AttributeError):
        it.step = 3
    assert len(repr(it)) < 1000


@pytest.mark.network
@OPTIMIZERS
def test_with_the_real_network_the_loss_falls(real, optimizer):
    recipe = nst.Recipe(size=64, min_size=45, steps=12, device="cpu", optimizer=optimizer)
    found = list(nst.stylize(CONTENT, STYLE, recipe))
    of_last = [it.losses["total"] for it in found if it.shape == found[-1].shape]
    assert of_last[-1] < 0.9 * of_last[0]


# ── within a step ───────────────────────────────────────────────────────────────────────────────


def watched(recipe):
    tiles = []
    found = list(nst.stylize(LARGE, STYLE, recipe, steering=Steering(watch=tiles.append)))
    return found, tiles


def test_tiles_are_told_with_their_pixels(quick):
    found, tiles = watched(quick(size=200, steps=2, tile=128, learning_rate=3))
    for it in found:
        of_step = [tile for tile in tiles if tile.step == it.step][-8:]
        assert [tile.done for tile in of_step] == list(range(1, 9))
        assert {tile.total for tile in of_step} == {8}
        assert {tile.shape for tile in of_step} == {it.shape}
        assert [tile.pixels is None for tile in of_step] == [True] * 4 + [False] * 4
        shown = torch.zeros_like(it.pixels)
        for tile in of_step[4:]:
            shown[(..., *tile.window)] = tile.pixels
        np.testing.assert_array_equal(shown, it.pixels.clamp(0, 1))


@pytest.mark.parametrize("fields", [{"color": "luminance"}, {"ema": 0.9}], ids=str)
def test_pixels_that_are_not_shown_are_not_told(quick, fields):
    _, tiles = watched(quick(size=200, steps=1, tile=128, **fields))
    assert tiles[-1].window is not None
    assert all(tile.pixels is None for tile in tiles)


@pytest.mark.parametrize("tile", [128, 0])
@pytest.mark.parametrize("after", [0, 2])
def test_stop_ends_a_run_within_its_step(quick, monkeypatch, tile, after):
    steering, layers = Steering(), []
    iterations = nst.stylize(LARGE, STYLE, quick(size=200, tile=tile), steering=steering)
    found = [next(iterations) for _ in range(after)]
    forward = VGG19.iter_features

    def stop_at_the_first_layer(network, *arguments):
        for layer in forward(network, *arguments):
            layers.append(layer)
            steering.stop()
            yield layer

    monkeypatch.setattr(VGG19, "iter_features", stop_at_the_first_layer)
    found += list(iterations)  # ends without an error
    assert len(found) == after
    assert len(layers) == 1


# ── the estimate ────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def timed_at_once(monkeypatch):
    """Time even short runs, on a small image."""
    monkeypatch.setattr(time_estimate, "WORTH", 0)
    monkeypatch.setitem(time_estimate.SIDE, "cpu", 24)


def first_of(recipe, **arguments):
    reports = []
    report = lambda *news: reports.append(news)  # noqa: E731
    return reports, next(nst.stylize(CONTENT, STYLE, recipe, progress=report, **arguments))


def test_amounts_are_rounded():
    assert [memory_text(n) for n in (812e6, 996e6, 5e5)] == ["810 MB", "1.0 GB", "10 MB"]
    assert [duration_text(s) for s in (0.1, 7.6, 99.6, 7600)] == ["1 s", "8 s", "2 min", "2.1 h"]


def test_the_estimate_is_reported_before_the_first_step_and_recorded(quick, timed_at_once):
    [(sentence, done, total)], first = first_of(quick(tile=128))
    metadata = first.record()["forecast"]
    assert sentence == str(Estimate(**metadata))
    assert (done, total) == (0, 0)  # no share of a download
    assert metadata["seconds"] > 0
    json.dumps(metadata)


def test_a_run_that_is_over_at_once_is_not_timed(quick):
    assert first_of(quick())[1].facts["forecast"]["seconds"] is None


def test_the_estimate_counts_steps(quick, timed_at_once, monkeypatch):
    monkeypatch.setattr(time_estimate, "_seconds_of_step", lambda *_: 1.0)
    seconds = [
        first_of(quick(**fields))[1].facts["forecast"]["seconds"]
        for fields in ({"steps": 10}, {"steps": 21}, {"steps": 10, "line_search": True})
    ]
    assert seconds[0] < seconds[1] < 2.2 * seconds[0]
    assert 1.5 * seconds[0] < seconds[2] < 2 * seconds[0]


def test_a_time_measured_on_a_busy_machine_is_not_kept_for_later_runs(
    quick, timed_at_once, monkeypatch
):
    now = itertools.count(step=1000)
    with monkeypatch.context() as busy:
        busy.setattr(time_estimate.time, "perf_counter", lambda: next(now))
        first = first_of(quick(steps=10))[1]
    later = first_of(quick(steps=10))[1]
    assert first.facts["forecast"]["seconds"] > 1000
    assert later.facts["forecast"]["seconds"] < 100


def test_the_time_left_is_that_of_the_runs_own_steps(quick, timed_at_once, monkeypatch):
    monkeypatch.setattr(time_estimate, "_seconds_of_step", lambda *_: 1000.0)
    _, first = first_of(quick(steps=10))
    assert first.facts["forecast"]["seconds"] > 1000
    assert first.seconds_left == pytest.approx(first.seconds * 9)


def test_timing_changes_nothing_of_the_run(quick, timed_at_once, monkeypatch):
    recipe = quick(init="noise", style_loss="sliced_wasserstein", tv_weight=1.0)
    timed = [it.image for it in nst.stylize(CONTENT, STYLE, recipe)]
    monkeypatch.setattr(time_estimate, "WORTH", np.inf)
    for image, it in zip(timed, nst.stylize(CONTENT, STYLE, recipe), strict=True):
        np.testing.assert_array_equal(image, it.image)


def test_regions_too_small_for_the_timed_image_leave_the_time_open(quick, timed_at_once):
    guide = np.zeros(CONTENT.shape[:2], int)
    guide[:4, :4] = 1
    seconds = first_of(quick(), guide=guide)[1].facts["forecast"]["seconds"]
    assert seconds is None or seconds > 0


def test_a_step_in_tiles_costs_its_halos(quick):
    from napari_nst.engine.job.build import order_to_stylize
    from napari_nst.engine.tiling.budget import work_of_step

    job = order_to_stylize(CONTENT, STYLE, quick(size=512))
    costs = [work_of_step(job, job.scales[-1], tile) for tile in (0, 256, 128)]
    assert costs[0] == 384 * 512
    assert 1.2 * costs[0] < costs[1] < costs[2] < 2 * costs[0]
