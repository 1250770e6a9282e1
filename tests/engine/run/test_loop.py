"""The loop: numbering, sizes, time, and images that belong to the caller."""

import dataclasses
import gc
import weakref

import numpy as np
import pytest
import torch

from napari_nst.engine.images.convert import resize
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.optim.optimizer import LBFGS, OPTIMIZERS, Adam
from napari_nst.engine.run.loop import optimize
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import Recipe
from tests.helpers.transfer_objective import transfer_objective

SCALES = [Scale(8, (8, 6), 3), Scale(12, (12, 9), 2), Scale(16, (16, 12), 4)]


def towards_stripes(scale):
    """Return an objective on pixels, the same at every scale but for its size."""
    stripes = torch.linspace(0, 1, scale.shape[1]).expand(1, 3, *scale.shape)

    def objective(image):
        return {
            "content/pixels": (image - stripes).square().mean(),
            "tv": 0.01 * image.diff(dim=3).square().mean(),
        }

    return objective


def run(stepper=None, scales=SCALES, objective_at=towards_stripes):
    start = torch.full((1, 3, 8, 6), 0.5)
    return optimize(start, scales, objective_at, stepper or Adam(Recipe()))


def test_steps_are_numbered_through_all_scales():
    iterations = list(run())
    assert [it.step for it in iterations] == list(range(1, 10))
    assert {it.steps for it in iterations} == {9}


def test_every_step_says_the_size_it_worked_at():
    iterations = list(run())
    assert [it.shape for it in iterations] == [(8, 6)] * 3 + [(12, 9)] * 2 + [(16, 12)] * 4
    for it in iterations:
        assert it.image.shape == (*it.shape, 3)


def test_seconds_go_on_through_all_scales():
    seconds = [it.seconds for it in run()]
    assert seconds[0] > 0
    assert seconds == sorted(set(seconds))


def test_the_time_left_goes_by_the_pixels_left():
    done, whole = 0, 3 * 8 * 6 + 2 * 12 * 9 + 4 * 16 * 12
    for it in run():
        done += it.shape[0] * it.shape[1]
        assert it.seconds_left == pytest.approx(it.seconds * (whole - done) / done, abs=1e-9)
    assert it.seconds_left == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("make", OPTIMIZERS.values())
def test_images_are_float32_rgb_in_range(make):
    for it in run(make(Recipe(learning_rate=0.5))):
        assert it.image.dtype == np.float32
        assert it.image.flags.c_contiguous
        assert 0 <= it.image.min() <= it.image.max() <= 1


@pytest.mark.parametrize("make", OPTIMIZERS.values())
def test_a_caller_may_change_the_image_without_changing_the_run(make):
    undisturbed = [it.image for it in run(make(Recipe()))]
    for it, expected in zip(run(make(Recipe())), undisturbed, strict=True):
        np.testing.assert_array_equal(it.image, expected)
        it.image[:] = 0


@pytest.mark.parametrize("make", OPTIMIZERS.values())
def test_an_image_stays_what_it_was_when_the_run_goes_on(make):
    late = [it.image for it in list(run(make(Recipe())))]  # fetched after the last step
    prompt = [it.image for it in run(make(Recipe()))]
    for one, other in zip(late, prompt, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(late[0], late[1])


def test_losses_are_those_of_the_image_and_add_up():
    objective_of = {scale.shape: towards_stripes(scale) for scale in SCALES}
    for it in run():
        pixels = torch.from_numpy(it.image).permute(2, 0, 1)[None]
        parts = {name: part.item() for name, part in objective_of[it.shape](pixels).items()}
        assert it.losses == pytest.approx(
            {"total": sum(parts.values()), "content": parts["content/pixels"], "style": 0, **parts}
        )


def test_targets_are_computed_once_for_each_scale_when_it_is_reached():
    reached = []

    def objective_at(scale):
        reached.append(scale)
        return towards_stripes(scale)

    for it in run(objective_at=objective_at):
        assert [scale.shape for scale in reached][-1] == it.shape
    assert reached == SCALES


def test_each_scale_goes_on_from_the_image_before():
    started_from = []

    def objective_at(scale):
        objective = towards_stripes(scale)

        def recording(image):
            if len(started_from) < len(reached):
                started_from.append(image.detach().clone())
            return objective(image)

        reached.append(scale)
        return recording

    reached = []
    last_of = {it.shape: it.pixels for it in run(objective_at=objective_at)}
    for before, after, image in zip(SCALES, SCALES[1:], started_from[1:], strict=False):
        expected = resize(last_of[before.shape], after.shape).clamp(0, 1)
        torch.testing.assert_close(image, expected)


def test_adam_counts_on_through_all_scales():
    stepper = Adam(Recipe())
    for it in run(stepper):
        assert stepper.optimizer.state[stepper.pixels]["step"] == it.step


def test_the_start_is_resized_and_not_changed():
    start = torch.rand(1, 3, 20, 15, generator=torch.Generator().manual_seed(0))
    before = start.clone()
    first = next(optimize(start, SCALES, towards_stripes, LBFGS(Recipe(learning_rate=1e-9))))
    assert first.shape == (8, 6)
    torch.testing.assert_close(first.pixels, resize(start, (8, 6)), atol=1e-5, rtol=0)
    assert torch.equal(start, before)


def test_nothing_happens_before_the_first_step_or_after_the_last_that_is_wanted():
    calls = []

    def objective_at(scale):
        calls.append(scale)
        return towards_stripes(scale)

    iterations = run(objective_at=objective_at)
    assert calls == []
    next(iterations)
    iterations.close()
    assert calls == SCALES[:1]
    assert list(iterations) == []


def test_an_iteration_is_frozen_and_short_to_print():
    it = next(run())
    with pytest.raises(dataclasses.FrozenInstanceError):
        it.step = 2
    assert repr(it).startswith("Iteration(step=1, steps=9, losses={'total': ")
    assert "tensor" not in repr(it)
    assert len(repr(it)) < 400
    assert isinstance(it, Iteration)


@pytest.mark.network
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_with_the_real_network_parts_add_up_and_fall(gatys, random_image, optimizer):
    recipe = Recipe(optimizer=optimizer, tv_weight=1.0)
    network = VGG19(network_layers(recipe), gatys, recipe.pooling, recipe.padding)
    content, style = random_image(48, 64, 1), random_image(64, 64, 2).square()

    def objective_at(scale):
        return transfer_objective(recipe, network, resize(content, scale.shape), [style])

    scales = [Scale(45, (34, 45), 5), Scale(64, (48, 64), 5)]
    iterations = list(optimize(content, scales, objective_at, OPTIMIZERS[optimizer](recipe)))
    for it in iterations:
        parts = {name: value for name, value in it.losses.items() if "/" in name or name == "tv"}
        assert set(parts) == {
            *(f"content/{layer}" for layer in recipe.content_layers),
            *(f"style/{layer}" for layer in recipe.style_layers),
            "tv",
        }
        assert it.losses["total"] == pytest.approx(sum(parts.values()))
        sums = (it.losses[kind] for kind in ("content", "style", "tv"))
        assert it.losses["total"] == pytest.approx(sum(sums))
    for first, last in ((iterations[0], iterations[4]), (iterations[5], iterations[9])):
        assert last.losses["total"] < first.losses["total"]


@pytest.mark.parametrize("name", ["lbfgs", "adam"])
def test_a_scale_begins_without_what_belonged_to_the_one_before(name, monkeypatch):
    """Of the largest, and of what is as large as the picture there, there is one at a time."""
    recipe = Recipe(optimizer=name, steps=4)
    stepper, kept = OPTIMIZERS[name](recipe), []

    def objective_at(scale):
        gc.collect()
        kept.append([one() is not None for one in former])
        return lambda image: {"total": (image - 0.25).square().sum()}

    former = []
    scales = [Scale(16, (16, 16), 2), Scale(32, (32, 32), 2)]
    run = optimize(torch.rand(1, 3, 16, 16), scales, objective_at, stepper)
    for step in run:
        if step.step == 2:
            former += map(weakref.ref, (stepper.objective, stepper._best[0], stepper.pixels.grad))
            if name == "lbfgs":
                former.append(weakref.ref(stepper.optimizer.past))
        del step
    assert kept[0] == []
    assert kept[1] == [False] * len(former)
    assert len(former) == (4 if name == "lbfgs" else 3)
