"""Losses of samples in an objective: joined layers, rotated styles, regions, fixed targets."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.losses import NearestNeighbourLoss
from tests.helpers.small_images import CONTENT, STYLE

LAYERS = {"relu2_1": 0.5, "relu1_1": 2.0}
JOINED = {"style_loss": "remd", "style_layers": LAYERS, "hypercolumns": True}
BOTH_SIDES = np.repeat([[1, 2]], CONTENT.shape[0], axis=0).repeat(CONTENT.shape[1] // 2, axis=1)


def job(recipe, style=STYLE, **arguments):
    return nst.order_to_stylize(CONTENT, style, recipe, **arguments)


def image_of(of_job, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = (1, 3, *of_job.scales[-1].shape)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def test_joined_layers_are_one_part_and_weights_of_layers_are_factors(quick, objective_of):
    recipe = quick(**JOINED, content_loss="self_similarity", content_norm="relative")
    objective = objective_of(job(recipe))
    parts, _ = objective.value_and_grad(image_of(job(recipe)))
    assert list(parts) == ["content/hypercolumns", "style/hypercolumns", "tv"]
    loss = objective.on_features["style/hypercolumns"]
    assert dict(loss.loss.layers) == {"relu1_1": 2.0, "relu2_1": 0.5}
    assert list(loss.loss.layers) == ["relu1_1", "relu2_1"]
    assert loss.weight == recipe.style_weight
    assert loss.loss.styles.shape[1] == 64 + 128


@pytest.mark.parametrize("tile", [0, 24])
def test_a_single_layer_can_be_joined_and_has_a_factor(quick, objective_of, tile):
    fields = {"content_loss": "self_similarity", "content_norm": "relative", "tv_weight": 0.0}
    alone = quick(style_loss="moments", style_layers={"relu2_1": 1}, **fields)
    plain, same, other = (
        objective_of(job(recipe), tile).value_and_grad(image_of(job(recipe)))[0]
        for recipe in (
            alone,
            alone.replace(hypercolumns=True),
            alone.replace(hypercolumns=True, style_layers={"relu2_1": 3}),
        )
    )
    assert list(same) == ["content/hypercolumns", "style/hypercolumns"]
    assert list(same.values()) == pytest.approx(list(plain.values()))
    assert list(other.values()) == pytest.approx(list(plain.values()))  # relative to the style


@pytest.mark.parametrize("loss", ["remd", "nn", "moments"])
def test_gradients_of_joined_layers(quick, objective_of, loss):
    of_job = job(quick(**{**JOINED, "style_loss": loss}, content_weight=0.0, samples=200))
    objective, image = objective_of(of_job), image_of(of_job)
    _, gradient = objective.value_and_grad(image)
    step = torch.randn_like(image) * 1e-6
    values = [sum(objective.value_and_grad(image + sign * step)[0].values()) for sign in (1, -1)]
    slope = (gradient * step).sum().item() * 2
    assert values[0] - values[1] == pytest.approx(slope, rel=1e-2)


def test_a_rotated_style_is_compared_in_all_directions(quick, objective_of):
    recipe = quick(**JOINED, content_weight=0.0, tv_weight=0.0, samples=65536, style_samples=65536)
    style = np.ascontiguousarray(np.rot90(CONTENT))
    plain = objective_of(job(recipe, style))
    turned = objective_of(job(recipe.replace(style_rotations=True), style))
    image = torch.from_numpy(CONTENT).permute(2, 0, 1)[None].double() / 255
    image = torch.nn.functional.interpolate(image, job(recipe).scales[-1].shape)
    of_plain, of_turned = (one.value_and_grad(image)[0] for one in (plain, turned))
    assert sum(of_turned.values()) < sum(of_plain.values())


@pytest.mark.parametrize("hypercolumns", [False, True])
@pytest.mark.parametrize("loss", ["remd", "nn", "moments"])
def test_each_region_compares_with_its_own_style(quick, objective_of, loss, hypercolumns):
    recipe = quick(
        style_loss=loss, hypercolumns=hypercolumns, content_weight=0.0, tv_weight=0.0,
        style_layers=LAYERS, nn_targets="step",
    )  # fmt: skip
    guided = job(recipe, [STYLE, STYLE[::-1].copy()], guide=BOTH_SIDES)
    objective, image = objective_of(guided), image_of(guided)
    for part in objective.on_features.values():
        assert len(part.loss.summands) == 2
        assert all(one.mask is not None for _, one in part.loss.summands)
    _, gradient = objective.value_and_grad(image)
    assert gradient.abs().amax(dim=1).gt(0).float().mean() > 0.2


def test_targets_of_a_scale_are_chosen_once_near_the_content_and_saved(quick, objective_of):
    recipe = quick(style_loss="nn", hypercolumns=True, style_layers=LAYERS)
    of_job = job(recipe)
    first, second, third = (objective_of(of_job) for _ in range(3))
    images = [image_of(of_job, seed) for seed in range(2)]
    first.value_and_grad(images[0])
    (loss,) = (one for one in first.modules() if isinstance(one, NearestNeighbourLoss))
    chosen = loss.targets.clone()
    height, width = of_job.scales[-1].shape
    assert len(chosen) == -(-height // 4) * -(-width // 4)
    expected = first.value_and_grad(images[1])
    assert torch.equal(loss.targets, chosen)
    second.load_state(first.state())
    assert torch.equal(second.value_and_grad(images[1])[1], expected[1])
    third.content = images[1]  # so that this is the image whose neighbours are chosen
    third.value_and_grad(images[1])
    (other,) = (one for one in third.modules() if isinstance(one, NearestNeighbourLoss))
    assert not torch.equal(other.targets, chosen)
    other.targets = None
    first.content = images[1]
    loss.targets = None
    blended = images[1] * 0.75 + images[0] * 0.25
    first.value_and_grad(images[0])
    third.content = None
    third.value_and_grad(blended)
    assert (other.targets == loss.targets).double().mean() > 0.95


def test_layers_are_joined_only_by_losses_that_can(quick, objective_of):
    recipe = quick(style_loss="gram", hypercolumns=True, style_layers=LAYERS, content_weight=0.0)
    assert {f"style/{layer}" for layer in LAYERS} <= set(objective_of(job(recipe)).on_features)
