"""Runs that go on from a saved state end with exactly the image of an uninterrupted run."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.checkpoint import saved_runs
from napari_nst.engine.checkpoint.saved_runs import interrupted_runs, runs_folder
from napari_nst.engine.run import measure_styles
from napari_nst.engine.run import run as engine_run

RNG = np.random.default_rng(0)
CONTENT = RNG.integers(0, 256, (40, 48, 3), np.uint8)
STYLE = RNG.integers(0, 256, (48, 40, 3), np.uint8)
HOLE = np.zeros((40, 48), int)
HOLE[10:20, 12:30] = 1
HALVES = np.ones((40, 48), int)
HALVES[:, 24:] = 2
CLEAR = np.dstack([CONTENT, np.where(HOLE, 0, 255).astype(np.uint8)])
NOISE = {"steps": 4, "init": "noise"}
REFINED = {
    "own_sizes": "coarser",
    "terms": [{"content_layers": "relu1_2", "content_weight": 2}, {"style_loss": "gram"}],
    "phases": [
        {"sizes": "all", "pooling": "average"},
        {"optimizer": "adam", "style_loss": "sliced_wasserstein", "terms": []},
    ],
}
TWO = [STYLE, STYLE[::-1].copy()]


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch, untrained):
    monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path / "cache"))
    for module in (engine_run, measure_styles):
        monkeypatch.setattr(module, "load", lambda *_: untrained)
    monkeypatch.setattr(saved_runs, "SHARE", 0)  # every step is saved


def followed(run, copies):
    """Return the iterations of a run, and copy the state after each."""
    found = []
    for it in run:
        if found:  # the state is saved after the iteration is taken
            (path,) = runs_folder().iterdir()
            shutil.copy(path, copies / f"{found[-1].step}.safetensors")
        found.append(it)
        yield it


def restyle(steering):
    steering.change(style_weight=3.0, tv_weight=0.5)
    steering.restyle([STYLE[:, ::-1].copy()])
    steering.paint(np.zeros((40, 48, 3), np.float32), HOLE > 0)


RUNS = {
    "L-BFGS at three scales": (nst.stylize, (CONTENT, STYLE), {"min_size": 20, "steps": 9}),
    "line search": (nst.stylize, (CONTENT, STYLE), {"line_search": True, "steps": 5}),
    "Adam": (
        nst.stylize, (CONTENT, STYLE),
        {"optimizer": "adam", "ema": 0.9, "min_size": 24, "steps": 8},
    ),
    "Laplacian bands": (
        nst.stylize, (CONTENT, STYLE),
        {"parametrization": "laplacian", "optimizer": "adam", "min_size": 24, "steps": 8},
    ),
    "Laplacian bands and L-BFGS": (
        nst.stylize, (CONTENT[..., 0], STYLE),
        {"parametrization": "laplacian", "min_size": 24, "steps": 8},
    ),
    "RMSprop on decorrelated colours": (
        nst.stylize, (CONTENT, STYLE),
        {"parametrization": "decorrelated", "optimizer": "rmsprop", "min_size": 24, "steps": 8},
    ),
    "sliced Wasserstein": (
        nst.stylize, (CONTENT, STYLE),
        {
            "style_loss": "sliced_wasserstein", "terms": [{"style_loss": "sliced_rows"}],
            "optimizer": "adam", "steps": 6,
        },
    ),
    "sliced Wasserstein and L-BFGS": (
        nst.stylize, (CONTENT, STYLE), {"style_loss": "sliced_wasserstein", "steps": 13}
    ),
    "two-point correlation": (
        nst.stylize, (CONTENT, STYLE),
        {"terms": [{"style_loss": "two_point"}], "min_size": 24, "steps": 8},
    ),
    "sampled losses": (
        nst.stylize, (CONTENT, STYLE),
        {
            "style_loss": "remd", "content_loss": "self_similarity", "samples": 16,
            "optimizer": "adam", "steps": 5, "terms": [{"style_loss": "nn"}],
        },
    ),
    "jitter": (
        nst.stylize, (CONTENT, STYLE),
        {"jitter": 4, "optimizer": "adam", "min_size": 24, "steps": 8},
    ),
    "sampled losses and L-BFGS": (
        nst.stylize, (CONTENT, STYLE), {"style_loss": "remd", "samples": 16, "steps": 13}
    ),
    "terms and phases": (
        nst.stylize, (CONTENT, STYLE),
        {"min_size": 30, "scale_ratio": 1.5, "steps": 9, "refine_share": 0.6, **REFINED},
    ),
    "steps taken back": (nst.stylize, (CONTENT, STYLE), {"learning_rate": 300.0, "steps": 7}),
    "float16 and patches": (
        nst.stylize, (CONTENT, STYLE), {"precision": "float16", "style_loss": "mrf", "steps": 4},
    ),
    "tiles": (nst.stylize, (CONTENT, STYLE), {"size": 144, "tile": 128, "steps": 3}),
    "grey": (nst.stylize, (CONTENT[..., 0], STYLE), {"image_range": "tanh", "steps": 4}),
    "luminance and alpha": (nst.stylize, (CLEAR, STYLE), {"color": "luminance", "steps": 4}),
    "a filled region": (
        lambda *a, **k: nst.synthesize(*a, into=CONTENT, region=HOLE, **k),
        (None,), {"steps": 4, "min_size": 24},
    ),
    "guides": (
        lambda *a, **k: nst.stylize(*a, guide=HALVES, keep_unlabelled=False, **k),
        (CONTENT, TWO), {"steps": 4, "style_blend": (1, 2)},
    ),
    "kept pixels": (
        lambda *a, **k: nst.stylize(*a, guide=HOLE, keep_unlabelled=True, **k),
        (CONTENT, STYLE), {"steps": 4},
    ),
    "a style target": (
        lambda content, style, recipe, **k: nst.stylize(
            content, nst.StyleTarget.from_images([style], recipe), recipe, **k
        ),
        (CONTENT, STYLE),
        {"steps": 4, "min_size": 24, "terms": [{"style_loss": "remd", "style_samples": 64}]},
    ),
    "a texture": (nst.synthesize, (STYLE,), {"padding": "circular", "min_size": 24, **NOISE}),
    "a reconstruction": (nst.reconstruct, (CONTENT,), NOISE),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
def test_a_resumed_run_ends_with_exactly_the_image_of_an_uninterrupted_one(name, quick, tmp_path):
    function, images, fields = RUNS[name]
    fields = {"size": 48, **fields}
    *_, whole = function(*images, quick(**fields))
    steering = nst.Steering(save_every=1e-9)
    saved = list(followed(function(*images, quick(**fields), steering=steering), tmp_path))
    assert np.array_equal(saved[-1].picture, whole.picture)  # saving changes nothing
    assert not list(runs_folder().iterdir())
    for size in {it.shape for it in saved[:-1]}:
        at_size = [it for it in saved[:-1] if it.shape == size]
        before = at_size[len(at_size) // 2]
        first, *_, last = nst.resume(tmp_path / f"{before.step}.safetensors")
        assert np.array_equal(first.picture, before.picture)
        assert (first.step, first.losses) == (before.step, before.losses)
        assert np.array_equal(last.picture, whole.picture), before.step
        assert last.losses == whole.losses
        assert (last.step, last.steps) == (whole.step, whole.steps)


def test_a_resumed_run_keeps_what_was_changed_before_and_can_be_changed(quick, tmp_path):
    def steered(run, steering):
        for it in run:
            if it.step == 2:
                restyle(steering)
            if it.step == 5:
                steering.change(style_weight=9.0)
            yield it

    recipe = quick(size=48, steps=7)
    steering = nst.Steering(save_every=1e-9)
    run = steered(nst.stylize(CONTENT, STYLE, recipe, steering=steering), steering)
    *_, whole = followed(run, tmp_path)
    again = nst.Steering()
    resumed = nst.resume(tmp_path / "4.safetensors", steering=again)
    *_, last = steered(resumed, again)
    assert np.array_equal(last.picture, whole.picture)
    assert last.facts["steered"] == whole.facts["steered"]
    assert last.facts["inputs"] == whole.facts["inputs"]
    assert last.facts["recipe"] == whole.facts["recipe"]
    assert last.record()["resumed"] == [{"after_step": 4}]
    more = recipe.replace(steps=1)
    assert np.array_equal(
        next(nst.stylize(CONTENT, STYLE, more, after=last)).picture,
        next(nst.stylize(CONTENT, STYLE, more, after=whole)).picture,
    )
    *_, continued = followed(
        nst.stylize(
            CONTENT, STYLE, more.replace(steps=3), after=last,
            steering=nst.Steering(save_every=1e-9),
        ),
        tmp_path,
    )  # fmt: skip
    *_, resumed = nst.resume(tmp_path / "9.safetensors")
    assert np.array_equal(resumed.picture, continued.picture)
    assert (resumed.step, resumed.steps) == (10, 10)
    assert resumed.facts["recipe"] == continued.facts["recipe"]
    assert resumed.facts["resumed"] == [{"after_step": 4}, {"after_step": 9}]


def test_a_run_that_ends_deletes_its_state_and_a_run_that_fails_leaves_it(quick, monkeypatch):
    recipe = quick(size=48, steps=5)

    def begun(steering):
        run = nst.stylize(CONTENT, STYLE, recipe, steering=steering)
        next(run), next(run)
        assert len(list(runs_folder().iterdir())) == 1
        assert interrupted_runs() == []  # this process goes on with it
        return run

    steering = nst.Steering(save_every=1e-9)
    run = begun(steering)
    steering.stop()
    assert list(run) == []
    assert not list(runs_folder().iterdir())
    begun(nst.Steering(save_every=1e-9)).close()
    assert not list(runs_folder().iterdir())

    run = begun(nst.Steering(save_every=1e-9, about={"title": "a × b"}))
    with monkeypatch.context() as patched:
        patched.setattr(engine_run, "summarise", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            next(run)
    (left,) = interrupted_runs()
    assert (left.title, left.job, left.step, left.steps) == ("a × b", "stylize", 2, 5)


def test_a_run_stopped_before_its_saved_image_was_taken_can_be_resumed_again(quick):
    steering = nst.Steering(save_every=1e-9)
    run = nst.stylize(CONTENT, STYLE, quick(size=48, steps=5), steering=steering)
    next(run), next(run)
    (path,) = runs_folder().iterdir()
    saved_runs.release(path)
    (left,) = interrupted_runs()
    steering = nst.Steering()
    resumed = nst.resume(left.path, steering=steering)
    assert interrupted_runs() == []
    steering.stop()
    assert list(resumed) == []
    (left,) = interrupted_runs()
    resumed = nst.resume(left.path)
    next(resumed)
    resumed.close()
    assert interrupted_runs() == []


def test_another_machine_is_named_and_another_network_refused(quick, tmp_path, monkeypatch):
    said = []
    run = nst.stylize(
        CONTENT, STYLE, quick(size=48, steps=5), steering=nst.Steering(save_every=1e-9)
    )
    list(followed(run, tmp_path))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 77)
    *_, last = nst.resume(tmp_path / "3.safetensors", steering=nst.Steering(said.append))
    assert len(said) == 1
    assert "77" in said[0]
    assert "77" in last.facts["resumed"][0]["changed"][0]
    other = dataclasses.replace(engine_run.load(), sha256="other")
    monkeypatch.setattr(engine_run, "load", lambda *_: other)
    with pytest.raises(ValueError, match="another network"):
        next(nst.resume(tmp_path / "3.safetensors"))
