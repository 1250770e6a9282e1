"""L-BFGS that tries several lengths of each step."""

from itertools import pairwise

import pytest
import torch

from napari_nst.engine.optim.optimizer import LBFGS
from napari_nst.engine.optim.parametrization import Parametrization
from napari_nst.recipe import Recipe


class Counted:
    """An objective that counts how often it is evaluated."""

    def __init__(self, objective):
        self.objective, self.evaluations = objective, 0

    def __call__(self, image):
        self.evaluations += 1
        return self.objective(image)


def valley(image):
    """Rosenbrock's function of neighbouring pixels: long, narrow and bent."""
    left, right = image[..., :-1] * 4 - 2, image[..., 1:] * 4 - 2
    return {
        "content/walls": 100 * (right - left.square()).square().mean(),
        "tv": (1 - left).square().mean(),
    }


def bowl(image):
    curvature = torch.logspace(-2, 2, image.numel()).view_as(image)
    return {"content/pixels": (curvature * (image - 0.7).square()).sum()}


def totals_of(objective, image, steps, **fields):
    recipe = Recipe(line_search=True, **fields)
    stepper = LBFGS(recipe, Parametrization(recipe.image_range))
    stepper.begin(image, objective)
    totals = [sum(part.item() for part in objective(image).values())]
    totals += [sum(stepper.step().values()) for _ in range(steps)]
    return totals, stepper


@pytest.mark.parametrize("image_range", ["free", "tanh"])
@pytest.mark.parametrize("weight", [1e-6, 1.0, 1e9])
@pytest.mark.parametrize("objective", [valley, bowl], ids=["valley", "bowl"])
def test_the_loss_never_rises(random_image, objective, weight, image_range):
    def weighted(image):
        return {name: part * weight for name, part in objective(image).items()}

    totals, _ = totals_of(weighted, random_image(6, 8), 40, image_range=image_range)
    for before, after in pairwise(totals):
        assert after <= before * (1 + 1e-5)
    assert totals[-1] < 0.2 * totals[0]


def test_without_it_the_loss_may_rise(random_image):
    """The valley is bent enough for the tests above to say something."""
    stepper = LBFGS(Recipe(image_range="tanh"))
    stepper.begin(random_image(6, 8), valley)
    totals = [sum(stepper.step().values()) for _ in range(40)]
    assert any(after > 1.01 * before for before, after in pairwise(totals))


@pytest.mark.parametrize("line_search", [True, False])
def test_a_step_takes_several_evaluations_with_it_and_one_without(random_image, line_search):
    counted = Counted(valley)
    stepper = LBFGS(Recipe(line_search=line_search, image_range="tanh"))
    stepper.begin(random_image(6, 8), counted)
    taken = []
    for _ in range(20):
        before = counted.evaluations
        stepper.step()
        taken.append(counted.evaluations - before)
    if line_search:
        assert 2 <= min(taken) < max(taken) <= 30  # as many as a step needs
    else:
        assert set(taken) == {1}


def test_losses_and_gradient_belong_to_the_image_that_the_search_ended_at(random_image):
    _, stepper = totals_of(valley, random_image(6, 8), 7, image_range="free")
    image = stepper.image.requires_grad_()
    parts = valley(image)
    assert stepper.parts == pytest.approx({k: v.item() for k, v in parts.items()}, rel=1e-4)
    sum(parts.values()).backward()
    cosine = torch.cosine_similarity(stepper.pixels.grad.flatten(), image.grad.flatten(), dim=0)
    assert cosine.item() == pytest.approx(1, abs=1e-4)


def test_pixels_that_are_cut_off_stay_in_range(random_image):
    def towards_beyond(image):
        return {"content/pixels": (image - 1.5).square().sum()}

    totals, stepper = totals_of(towards_beyond, random_image(6, 8), 10)
    assert 0 <= stepper.image.min() <= stepper.image.max() <= 1
    assert totals[-1] == pytest.approx(0.25 * stepper.image.numel())
