"""float16: gradients that it cannot hold unscaled, and runs in it."""

import pytest
import skimage.data
import torch

import napari_nst as nst
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.vgg.network import network_of
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe, preset, preset_names, published

SHALLOW = Recipe(
    content_layers={"relu2_2": 1},
    style_layers={"relu1_1": 1, "relu2_1": 1},
    tv_weight=0,
    precision="float16",
    device="cpu",
    size=64,
    min_size=0,
)
CONTENT = skimage.data.astronaut()[100:148, 200:264]
STYLE = skimage.data.coffee()[150:190, 100:153]


def gradient(job, weights, dtype, image, tile=0, scale=None):
    """Return the gradient of a job's objective, and the scale that it was computed with."""
    network = network_of(job.recipe, network_layers(job.recipe), weights, dtype)
    objective = RunSetup(job, network, torch.device("cpu")).objective(job.scales[-1], tile)
    objective.gradient_scale = scale or objective.gradient_scale
    _, found = objective.value_and_grad(image)
    return found, objective.gradient_scale


def distance(found, wanted):
    return float((found - wanted).norm() / wanted.norm())


@pytest.mark.parametrize("tile", [0, 16], ids=["whole", "in tiles"])
@pytest.mark.parametrize("weight", [1e-8, 1.0, 1e8])
def test_gradients_that_plain_float16_would_lose(untrained, random_image, tile, weight):
    recipe = SHALLOW.replace(content_weight=weight, style_weight=8 * weight)
    job, image = nst.order_to_stylize(CONTENT, STYLE, recipe), random_image(48, 64, seed=3)
    exact, no_scale = gradient(job, untrained, torch.float32, image)
    assert no_scale == 1
    found, scale = gradient(job, untrained, torch.float16, image, tile)
    assert distance(found, exact) < 0.05
    assert (scale < 1) == (weight == 1e8)  # a smaller one is tried after an infinite gradient
    if weight < 1:
        lost, _ = gradient(job, untrained, torch.float16, image, tile, scale=1.0)
        assert distance(lost, exact) > 0.1


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("pooling", ["max", "l2"])
def test_runs_in_it(quick, optimizer, pooling):
    fields = {"optimizer": optimizer, "pooling": pooling, "size": 64, "min_size": 45, "steps": 8}
    half = list(nst.stylize(CONTENT, STYLE, quick(**fields, precision="float16")))
    exact = list(nst.stylize(CONTENT, STYLE, quick(**fields)))
    assert half[-1].record()["precision"] == "float16"
    assert half[0].losses == pytest.approx(exact[0].losses, rel=0.02)
    assert half[-1].losses["total"] == pytest.approx(exact[-1].losses["total"], rel=0.05)


def test_features_beyond_its_range_are_refused_with_the_cure(untrained, tmp_path, quick):
    first = {"conv1_1.weight": untrained.parameters["conv1_1.weight"] * 1e6}
    torch.save({**untrained.parameters, **first}, tmp_path / "loud.pth")
    recipe = quick(precision="float16", weights=str(tmp_path / "loud.pth"))
    with pytest.raises(NstError, match="precision"):
        next(nst.stylize(CONTENT, STYLE, recipe))
    next(nst.stylize(CONTENT, STYLE, recipe.replace(precision="float32")))


@pytest.mark.network
@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_be_run_in_it(gatys, name):
    """Their losses, and so their gradients, differ by ten orders of magnitude."""
    recipe = preset(name, size=48, min_size=0, init="noise", device="cpu")
    kind = published(name).job
    if kind == "transfer":
        job = nst.order_to_stylize(CONTENT, STYLE, recipe)
    elif kind in ("texture", "solid"):
        job = nst.order_to_synthesize(STYLE, recipe)
    else:
        job = nst.order_to_reconstruct(STYLE, recipe)
    network = network_of(recipe, network_layers(recipe), gatys)
    image = RunSetup(job, network, torch.device("cpu")).initial_image(job.scales[-1].shape)
    exact, half, brain = (
        gradient(job, gatys, dtype, image)[0]
        for dtype in (torch.float32, torch.float16, torch.bfloat16)
    )
    assert distance(half, exact) < max(0.02, distance(brain, exact))
