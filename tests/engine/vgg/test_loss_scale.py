"""float16: gradients that it cannot hold as they are, and runs in it."""

import math

import pytest
import skimage.data
import torch
from torch import nn

import napari_nst as nst
from napari_nst.engine.job.build import (
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.objective.from_recipe import WeightedLoss
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.optim.optimizer import LBFGS
from napari_nst.engine.run.run import Run
from napari_nst.engine.steering import Steering
from napari_nst.engine.tiling.objective import TiledObjective
from napari_nst.engine.vgg.loss_scale import LEAST, LossScale
from napari_nst.engine.vgg.network import network_of
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe, preset, preset_names
from tests.helpers.transfer_objective import transfer_objective

SHALLOW = Recipe(
    content_layers={"relu2_2": 1},
    style_layers={"relu1_1": 1, "relu2_1": 1},
    tv_weight=0,
    precision="float16",
    device="cpu",
)
CONTENT = skimage.data.astronaut()[100:148, 200:264]
STYLE = skimage.data.coffee()[150:190, 100:153]


def objective(recipe, weights, random_image, dtype, tile=0):
    network = network_of(recipe, network_layers(recipe), weights, dtype)
    whole = transfer_objective(
        recipe, network, random_image(48, 64, seed=1), [random_image(40, 53, seed=2)]
    )
    return TiledObjective(whole, tile) if tile else whole


def gradient(of, image):
    pixels = image.clone().requires_grad_()
    torch.stack(list(of(pixels).values())).sum().backward()
    return pixels.grad


def distance(found, wanted):
    return float((found - wanted).norm() / wanted.norm())


def test_it_changes_gradients_on_their_way_and_nothing_else():
    scale = LossScale(torch.float16)
    seen = []
    image = torch.full((2,), 3.0, requires_grad=True)
    read = scale.reduced(image)
    read.register_hook(lambda slope: seen.append(slope.clone()))
    loss = scale.magnified(read.square().sum())
    assert torch.equal(read, image)
    assert loss == 18
    loss.backward()
    assert torch.equal(image.grad, torch.full((2,), 6.0))
    assert torch.equal(seen[0], image.grad * scale.factor)
    assert scale.factor > 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_formats_with_a_large_range_do_without(dtype):
    scale = LossScale(dtype)
    scale.begin()
    image = torch.ones(2, requires_grad=True)
    assert scale.factor == 1
    assert scale.reduced(image) is image
    assert scale.magnified(image) is image
    assert not scale.lower()


def test_it_tries_more_again_with_each_scale(untrained, random_image):
    half = objective(SHALLOW, untrained, random_image, torch.float16)
    stepper = LBFGS(SHALLOW)
    factors = []
    for size in (24, 32, 48):
        stepper.begin(random_image(48, 64, seed=size), half)
        factors.append(half.network.loss_scale.factor)
    assert factors == [factors[0] * 2**scale for scale in range(3)]


def test_it_takes_less_until_that_is_not_worth_a_try():
    scale = LossScale(torch.float16)
    factors = [scale.factor]
    while scale.lower():
        factors.append(scale.factor)
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] <= LEAST
    assert len(factors) < 10
    assert all(math.log2(factor).is_integer() for factor in factors)


@pytest.mark.parametrize("tile", [0, 16], ids=["whole", "in tiles"])
@pytest.mark.parametrize("weight", [1e-4, 1.0, 1e4])
def test_gradients_that_float16_alone_would_lose(untrained, random_image, tile, weight):
    recipe = SHALLOW.replace(content_weight=weight, style_weight=8 * weight)
    image = random_image(48, 64, seed=3)
    exact = gradient(objective(recipe, untrained, random_image, torch.float32), image)
    half = objective(recipe, untrained, random_image, torch.float16, tile)
    half.network.loss_scale.factor = 2.0**20 / weight  # about as a run has it
    found = gradient(half, image)
    assert distance(found, exact) < 0.05
    half.network.loss_scale.factor = 1.0
    if weight < 1:
        assert distance(gradient(half, image), exact) > 0.1


@pytest.mark.parametrize("tile", [0, 16], ids=["whole", "in tiles"])
def test_a_gradient_that_is_infinite_is_computed_once_more(untrained, random_image, tile):
    recipe = SHALLOW.replace(content_weight=1e8, style_weight=1e9)
    image = random_image(48, 64, seed=3)
    half = objective(recipe, untrained, random_image, torch.float16, tile)
    assert not gradient(half, image).isfinite().all()
    stepper = LBFGS(recipe)
    stepper.begin(image, half)
    assert half.network.loss_scale.factor < 1
    exact = gradient(objective(recipe, untrained, random_image, torch.float32), image)
    found = stepper.pixels.grad / stepper.gradient_scale * stepper.unit
    assert distance(found, exact) < 0.05


def test_a_gradient_that_is_infinite_whatever_is_done_ends_the_attempts(untrained):
    class Root(nn.Module):
        def forward(self, image):
            return (image - image.detach()).square().sum().sqrt()

    network = network_of(SHALLOW, ["relu1_1"], untrained, torch.float16)
    steep = Objective(network, {}, {"tv": WeightedLoss(Root(), 1.0)})
    stepper = LBFGS(SHALLOW)
    stepper.begin(torch.full((1, 3, 8, 8), 0.5), steep)
    assert network.loss_scale.factor <= LEAST
    assert not stepper.pixels.grad.isfinite().any()


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_runs_in_it(quick, optimizer, pooling):
    fields = {"optimizer": optimizer, "pooling": pooling, "size": 64, "min_size": 45, "steps": 12}
    half = list(nst.stylize(CONTENT, STYLE, quick(**fields, precision="float16")))
    exact = list(nst.stylize(CONTENT, STYLE, quick(**fields)))
    assert half[-1].record()["precision"] == "float16"
    assert half[0].losses == pytest.approx(exact[0].losses, rel=0.02)
    assert half[-1].losses["total"] == pytest.approx(exact[-1].losses["total"], rel=0.05)


def test_features_beyond_its_range_are_refused_with_the_cure(quick, untrained, monkeypatch):
    first = untrained.parameters["conv1_1.weight"] * 1e6
    monkeypatch.setitem(untrained.parameters, "conv1_1.weight", first)
    with pytest.raises(NstError, match=r"starting image is not finite; take precision float32\.$"):
        next(nst.stylize(CONTENT, STYLE, quick(precision="float16")))
    next(nst.stylize(CONTENT, STYLE, quick()))


@pytest.fixture
def first_gradient(gatys):
    """Return a function for the gradient that a recipe's first step follows."""

    def gradient(recipe):
        if recipe.has_content and recipe.has_style:
            order = order_to_stylize(CONTENT, STYLE, recipe)
        elif recipe.has_style:
            order = order_to_synthesize(STYLE, recipe)
        else:
            order = order_to_reconstruct(STYLE, recipe)
        course = Run(order, gatys, Steering(), None)
        (scale,) = order.scales
        stepper = course.stepper
        stepper.begin(course.assembly.first_image(scale.shape), course.objective_at(scale))
        return stepper.pixels.grad

    return gradient


@pytest.mark.network
@pytest.mark.parametrize("name", preset_names())
def test_every_recipe_can_be_run_in_it(first_gradient, name):
    """Their losses, and so their gradients, differ by ten orders of magnitude."""
    recipe = preset(name, size=48, min_size=0, init="noise", device="cpu")
    exact, half, brain = (
        first_gradient(recipe.replace(precision=precision))
        for precision in ("float32", "float16", "bfloat16")
    )
    assert distance(half, exact) < max(0.7 * distance(brain, exact), 0.005)
