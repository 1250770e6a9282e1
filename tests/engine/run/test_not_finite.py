"""Numbers that are not finite during a run: a restored image, and a run that ends with it."""

import math

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.steering import Steering

RNG = np.random.default_rng(0)
CONTENT = RNG.random((32, 32, 3), dtype=np.float32)
STYLE = RNG.random((32, 32, 3), dtype=np.float32)

OPTIMIZERS = pytest.mark.parametrize("fields", [{}, {"line_search": True}, {"optimizer": "adam"}])


@pytest.fixture
def not_finite(monkeypatch):
    """Return a function that makes gradients NaN at some of the steps of a run, from 1."""

    def choose(steps):
        right, now = Objective.value_and_grad, [1]

        def wrong(objective, image):
            losses, gradient = right(objective, image)
            return losses, gradient * math.nan if now[0] in steps else gradient

        monkeypatch.setattr(Objective, "value_and_grad", wrong)
        return now

    return choose


def run(recipe, now=(0,), call=nst.stylize, arguments=(CONTENT, STYLE)):
    said, found = [], []
    for it in call(*arguments, recipe, steering=Steering(said.append)):
        found.append(it)
        now[0] = it.step + 1
    return found, said


@OPTIMIZERS
def test_the_best_image_is_restored_and_the_user_told_once(quick, not_finite, fields):
    now = not_finite({3, 6})
    found, said = run(quick(steps=8, **fields), now)
    assert [it.step for it in found] == list(range(1, 9))
    assert len(said) == 1
    for it in found:
        assert np.isfinite(it.image).all()
        assert math.isfinite(it.losses["total"])
    best = min(found[:2], key=lambda it: it.losses["total"])
    np.testing.assert_allclose(found[2].image, best.image, atol=1e-6)
    assert found[2].losses == best.losses
    assert found[-1].losses["total"] < best.losses["total"]


@OPTIMIZERS
def test_three_such_steps_in_a_row_end_the_run_with_the_best_image(quick, not_finite, fields):
    now = not_finite(range(4, 99))
    found, said = run(quick(steps=50, **fields), now)
    assert len(found) == 6
    assert len(said) == 2
    last = found[-1]
    assert (last.step, last.steps, last.seconds_left) == (6, 6, 0)  # as the last of any run
    best = min(found[:3], key=lambda it: it.losses["total"])
    np.testing.assert_allclose(last.image, best.image, atol=1e-6)


def test_other_images_made_in_turn_go_on(quick, not_finite):
    now = not_finite(range(3, 6))
    found, _ = run(
        quick(steps=10, init="noise"),
        now,
        lambda image, recipe, steering: nst.compare_reconstructions(
            image, recipe, layers=["relu1_1", "relu2_1"], steering=steering
        ),
        [CONTENT],
    )
    assert [it.panel for it in found] == [0] * 5 + [1] * 10
    assert found[-1].step == found[-1].steps == 20


@pytest.mark.parametrize("fields", [{}, {"optimizer": "adam"}], ids=str)
def test_a_change_whose_loss_is_not_finite_leaves_the_run_as_it_was(quick, fields):
    recipe, said, found = quick(steps=6, **fields), [], []
    steering = Steering(said.append)
    for it in nst.stylize(CONTENT, STYLE, recipe, steering=steering):
        found.append(it)
        if it.step == 3:
            steering.change(style_weight=1e38)
    assert len(said) == 1
    assert said[0].startswith("Not changed: ")
    assert len(found) == 6
    assert found[-1].losses["total"] < found[2].losses["total"]
    assert found[-1].facts["recipe"]["style_weight"] == recipe.style_weight
    assert "steered" not in found[-1].facts
