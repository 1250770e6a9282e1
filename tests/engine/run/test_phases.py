"""Runs of several phases, and of recipes with further terms."""

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine.run import time_estimate
from napari_nst.engine.steering import Steering

RNG = np.random.default_rng(0)
CONTENT = RNG.integers(0, 256, (40, 48, 3), np.uint8)
STYLE = RNG.integers(0, 256, (48, 40, 3), np.uint8)
GUIDE = np.repeat([1, 2], 24)[None, :] * np.ones((40, 1), int)

PATCHES = {"style_loss": "mrf", "style_layers": "relu1_2", "style_weight": 0.5}
SHALLOW = {"content_layers": "relu1_1", "content_weight": 3}
LATER = {"optimizer": "adam", "learning_rate": 0.01, "pooling": "average", "terms": [PATCHES]}


def losses_of(job_recipe, **arguments):
    return next(nst.stylize(CONTENT, STYLE, job_recipe, **arguments)).losses


@pytest.mark.parametrize("guided", [False, True])
def test_the_losses_of_terms_are_those_of_recipes_of_their_own(quick, guided):
    arguments = {"guide": GUIDE} if guided else {}
    fields = {"learning_rate": 1e-9, "steps": 1}
    terms = [PATCHES, SHALLOW, {**PATCHES, "style_weight": 1}, {"style_loss": "mrf"}]
    recipe = quick(terms=terms, **fields)
    losses = losses_of(recipe, **arguments)
    assert list(losses)[4:] == [
        "content/relu2_1", "style/relu1_1", "style/relu2_1", "style/relu1_2/mrf",
        "content/relu1_1/features", "style/relu1_2/mrf/2", "style/relu1_1/mrf", "style/relu2_1/mrf",
    ]  # fmt: skip
    assert losses["style/relu1_2/mrf/2"] == pytest.approx(2 * losses["style/relu1_2/mrf"])
    own, *others = recipe.with_terms()
    for name, value in losses_of(own, **arguments).items():
        if "/" in name or name == "tv":
            assert losses[name] == pytest.approx(value, rel=1e-4)
    for term, name in zip(others, ("style/relu1_2/mrf", "content/relu1_1/features"), strict=False):
        alone = losses_of(term.replace(tv_weight=1e-9), **arguments)
        assert losses[name] == pytest.approx(alone[name.rpartition("/")[0]], rel=1e-4)
    total = sum(losses[kind] for kind in ("content", "style", "tv"))
    assert losses["total"] == pytest.approx(total)


def test_terms_are_computed_in_tiles(quick):
    fields = {"size": 160, "steps": 2, "terms": [SHALLOW, {"style_loss": "gram"}]}
    whole, tiled = (
        [it.losses for it in nst.stylize(CONTENT, STYLE, quick(tile=tile, **fields))]
        for tile in (0, 128)
    )
    for one, other in zip(whole, tiled, strict=True):
        assert one == pytest.approx(other, rel=1e-3)


def test_a_later_phase_is_a_run_of_its_recipe_on_the_result_of_the_phase_before(quick):
    recipe = quick(steps=6, min_size=20, refine_share=0.5, refine_strength=2, phases=[LATER])
    found = list(nst.stylize(CONTENT, STYLE, recipe))
    assert [it.facts["phase"] for it in found] == [0, 0, 0, 1, 1, 1]
    assert recipe.to_dict() == found[0].facts["recipe"] == found[-1].record()["recipe"]
    second = recipe.phase(1)
    assert second.style_weight == 2 * recipe.style_weight
    alone = list(
        nst.stylize(
            CONTENT, STYLE, second.replace(init="image", min_size=0, steps=3),
            init_image=found[2].image,
        )
    )  # fmt: skip
    for one, other in zip(found[3:], alone, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-3)
        np.testing.assert_allclose(one.image, other.image, atol=2e-3)


def test_a_phase_of_another_learning_rate_begins_as_any_other_phase(quick):
    remd = {"style_loss": "remd", "style_layers": "relu2_1", "samples": 64}
    phase = {"optimizer": "adam", "learning_rate": 0.02, "jitter": 4, "terms": [remd]}
    phases = [phase, {**phase, "learning_rate": 0.001}]
    recipe = quick(steps=9, min_size=20, refine_share=0.7, phases=phases)
    found = list(nst.stylize(CONTENT, STYLE, recipe))
    before, *rest = [it for it in found if it.facts["phase"] > 0][2:]
    assert [it.facts["phase"] for it in (before, *rest)] == [1, 2, 2, 2]
    third = recipe.phase(2).replace(init="image", min_size=0, steps=3)
    alone = nst.stylize(CONTENT, STYLE, third, init_image=before.image)
    for one, other in zip(rest, alone, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-3)


def test_a_run_of_one_phase_does_not_say_so(quick):
    assert "phase" not in next(nst.stylize(CONTENT, STYLE, quick())).record()


@pytest.mark.parametrize("steps", [1, 2, 4])
def test_textures_reconstructions_and_filled_regions_have_phases(quick, steps):
    region = np.zeros((40, 48), int)
    region[10:20, 12:30] = 1
    recipe = quick(steps=steps, init="noise", own_sizes="coarser", phases=[LATER], min_size=24)
    for run in (
        nst.synthesize(STYLE, recipe),
        nst.synthesize(None, recipe, into=CONTENT, region=region),
        nst.reconstruct(CONTENT, recipe),
        nst.stylize(CONTENT, [STYLE, STYLE], recipe, guide=region, keep_unlabelled=True),
    ):
        *_, last = run
        assert last.shape == last.full_shape
        assert (last.step, last.steps, last.facts["phase"]) == (steps, steps, int(steps > 1))


def test_a_steered_weight_is_that_of_all_phases_and_a_later_phase_can_be_changed(quick):
    def run(recipe, changes):
        steering, found = Steering(), []
        for it in nst.stylize(CONTENT, STYLE, recipe, steering=steering):
            found.append(it)
            if it.step in changes:
                steering.change(**changes[it.step])
        return found

    recipe = quick(steps=6, refine_share=0.5, phases=[LATER])
    plain = run(recipe, {})
    changes = {1: {"refine_strength": 5}, 2: {"phases": [{**LATER, "style_weight": 2}]}}
    later = run(recipe, changes)
    for one, other in zip(plain[:3], later[:3], strict=True):  # L-BFGS keeps its history
        np.testing.assert_array_equal(one.image, other.image)
    assert [change["after_step"] for change in later[-1].facts["steered"]] == [1, 2]
    ratio = later[3].losses["style/relu1_2/mrf"] / plain[3].losses["style/relu1_2/mrf"]
    assert 5 < ratio < 11
    steered = run(recipe, {3: {"style_weight": 0.0, "content_weight": 2.0}})
    assert steered[-1].losses["style"] == 0
    assert steered[-1].facts["phase"] == 1


def test_the_schedule_of_phases_cannot_change_during_a_run(quick):
    said = []
    steering = Steering(said.append)
    recipe = quick(phases=[LATER])
    for it in nst.stylize(CONTENT, STYLE, recipe, steering=steering):
        if it.step == 1:
            steering.change(phases=[LATER, LATER])
    assert len(said) == 1
    assert it.facts["recipe"] == recipe.to_dict()


def test_a_continued_run_goes_on_in_the_last_phase(quick):
    recipe = quick(phases=[LATER])
    *_, last = nst.stylize(CONTENT, STYLE, recipe)
    more = list(nst.stylize(CONTENT, STYLE, recipe.replace(steps=2), after=last))
    assert [(it.step, it.facts["phase"]) for it in more] == [(4, 1), (5, 1)]
    assert "style/relu1_2/mrf" in more[0].losses


def test_each_phase_is_timed(quick, monkeypatch):
    monkeypatch.setattr(time_estimate, "WORTH", 0)
    monkeypatch.setitem(time_estimate.SIDE, "cpu", 24)

    def seconds(setup, scale):
        return 5.0 if setup.job.recipe.optimizer == "adam" else 1.0

    monkeypatch.setattr(time_estimate, "_seconds_of_step", seconds)
    recipe = quick(steps=20, refine_share=0.5, phases=[{"optimizer": "adam"}])
    first = next(nst.stylize(CONTENT, STYLE, recipe))
    alone = next(nst.stylize(CONTENT, STYLE, recipe.replace(phases=())))
    ratio = first.facts["forecast"]["seconds"] / alone.facts["forecast"]["seconds"]
    assert 2.7 < ratio < 3.6
    assert first.seconds_left == pytest.approx(first.seconds * (9 + 10 * 5))


def test_the_memory_is_that_of_the_phase_that_needs_most(quick):
    def memory(**fields):
        recipe = quick(size=200, optimizer="adam", **fields)
        return next(nst.stylize(CONTENT, STYLE, recipe)).facts["forecast"]["bytes"]

    large = {"optimizer": "lbfgs", "history": 30, "steps": 1}
    assert memory() < memory(steps=60, refine_share=0.6, phases=[large, {}])


def test_loss_maps_are_those_of_the_last_phase(quick):
    recipe = quick(phases=[LATER])
    *_, last = nst.stylize(CONTENT, STYLE, recipe)
    maps = nst.loss_maps(nst.order_to_stylize(CONTENT, STYLE, recipe), last.picture)
    parts = {name: value for name, value in last.losses.items() if name in maps}
    assert {name: image.sum() for name, image in maps.items()} == pytest.approx(parts, rel=1e-3)
    assert "style/relu1_2/mrf" in maps


@pytest.mark.parametrize("loss", ["remd", "nn"])
def test_a_loss_of_joined_layers_has_a_map(quick, loss):
    recipe = quick(style_loss=loss, hypercolumns=True, content_weight=0.1, style_samples=65536)
    *_, last = nst.stylize(CONTENT, STYLE, recipe)
    maps = nst.loss_maps(nst.order_to_stylize(CONTENT, STYLE, recipe), last.picture)
    whole = last.losses["style/hypercolumns"]
    assert maps["style/hypercolumns"].sum() == pytest.approx(whole, rel=1e-3)
