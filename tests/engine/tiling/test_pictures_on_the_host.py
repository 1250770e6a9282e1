"""A picture in the host's memory, of which a device gets tiles.

There may be no such device here. Torch computes shapes, number formats and devices without one, and
refuses to mix those as the device would.
"""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from napari_nst.engine.distributed import Processes
from napari_nst.engine.job.build import order_to_stylize
from napari_nst.engine.losses import (
    ContentLoss,
    Exemplar,
    GramLoss,
    Moments,
    gradient_by_features,
    gram,
)
from napari_nst.engine.objective.from_recipe import WeightedLoss, image_losses
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.optim.lbfgs import LimitedMemoryBFGS
from napari_nst.engine.tiling import budget as tiling
from napari_nst.engine.tiling.budget import SHARE, Tiling, home_of
from napari_nst.engine.tiling.features import MeasuredStyle, features_by_tiles, grid_of
from napari_nst.engine.tiling.memory_estimate import footprint
from napari_nst.engine.tiling.objective import TiledObjective
from napari_nst.engine.vgg.network import VGG19
from napari_nst.engine.vgg.passes import stages_of
from napari_nst.recipe import preset

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")
BF16 = torch.bfloat16
IMAGE = np.zeros((60, 80, 3), np.float32)
GIGABYTE = 10**9


def order(size=16384, **fields):
    return order_to_stylize(IMAGE, IMAGE, preset(**{"size": size, "steps": 400, **fields}))


@pytest.fixture
def memory(monkeypatch):
    """Say how much memory the host and a device have."""

    def has(host, device):
        free = {"cpu": host * GIGABYTE, "cuda": device * GIGABYTE}
        monkeypatch.setattr(tiling, "free_bytes", lambda device: free[device.type])

    return has


# ── where a picture lies ─────────────────────────────────────────────────────────────────────


def test_a_picture_that_its_device_holds_lies_there(memory):
    memory(host=256, device=8)
    assert home_of(order(2048), GPU, BF16) == GPU
    assert home_of(order(2048), CPU, BF16) == CPU


def test_one_that_is_too_large_for_it_lies_on_the_host(memory):
    memory(host=256, device=24)
    assert home_of(order(), GPU, BF16) == CPU
    one = order()
    least = footprint(one, one.scales[-1], BF16, tile=tiling.USUAL_TILE)
    least = least.bytes - (least.past_steps - tiling.LEAST_HISTORY) * least.past_step
    memory(host=256, device=least / SHARE / GIGABYTE + 0.1)
    assert home_of(order(), GPU, BF16) == GPU
    memory(host=256, device=least / SHARE / GIGABYTE - 0.1)
    assert home_of(order(), GPU, BF16) == CPU


def test_what_cannot_be_tiled_and_what_several_devices_share_stays_on_the_device(
    memory, monkeypatch
):
    memory(host=256, device=4)
    assert home_of(order(style_loss="mrf"), GPU, BF16) == GPU
    monkeypatch.setattr(tiling, "present", lambda: Processes(0, 2))
    assert home_of(order(), GPU, BF16) == GPU


def test_tiles_are_those_that_the_device_has_room_for(memory):
    memory(host=512, device=8)
    one = order()
    plan = Tiling(GPU, CPU, BF16, print).plan(one)
    *_, (_, tile, taken) = plan
    assert 0 < tile < 16384
    assert taken.passes <= 8 * GIGABYTE * SHARE < taken.bytes
    assert taken.past_steps == 20
    coarse_tiles = [tile for scale, tile, _ in plan if max(scale.shape) < 1000]
    assert coarse_tiles == [0] * len(coarse_tiles)
    *_, (_, on_host, _) = Tiling(CPU, CPU, BF16, print).plan(one)
    assert on_host == 0, "the host has room for the whole"
    assert math.isinf(Tiling(CPU, CPU, BF16, print).for_passes)


def test_a_forecast_says_so(memory):
    from napari_nst.engine.run.time_estimate import Forecast

    text = str(Forecast(30 * GIGABYTE, None, 1024, "cuda:0 (a GPU)", on_host=True))
    assert text == (
        "About 30.0 GB on cuda:0 (a GPU), in tiles of 1024 pixels, with the picture in the "
        "host's memory."
    )


# ── what is computed where ───────────────────────────────────────────────────────────────────


@pytest.fixture
def pretend():
    """A mode in which tensors may be of a device that is not there: with all but numbers."""
    return FakeTensorMode(allow_non_fake_inputs=True)


@pytest.fixture
def made(untrained, pretend, monkeypatch):
    """A network on a device that is not there."""
    monkeypatch.setattr(gram, "energy", lambda target: 1.0)  # a number, of which there are none
    network = VGG19(["relu1_1", "relu2_1", "relu4_2"], weights=untrained)
    with pretend:
        for module in network.modules():
            for name, one in list(module.named_parameters(recurse=False)):
                kernels = torch.empty_strided(one.shape, one.stride(), device=GPU)
                setattr(module, name, nn.Parameter(kernels, requires_grad=False))
        for name in ("mean", "std"):
            network.register_buffer(name, torch.zeros(1, 3, 1, 1, device=GPU), persistent=False)
    network._stages = stages_of(network.features)
    return network


def objective(made, content, style, tile):
    contents = features_by_tiles(made, content, ["relu4_2"], grid_of(made, content.shape[2:], tile))
    if tile:
        measured = MeasuredStyle(made, style, tile)
        exemplars = {name: measured.exemplar(name, 1.0, None) for name in ("relu1_1", "relu2_1")}
    else:
        exemplars = {name: Exemplar(one) for name, one in made(style).items()}
    losses = {
        f"style/{name}": WeightedLoss(GramLoss([exemplars[name]]), 1.0)
        for name in ("relu1_1", "relu2_1")
    }
    losses["content/relu4_2"] = WeightedLoss(ContentLoss(contents["relu4_2"]), 1.0)
    return Objective(made, losses, image_losses(preset(tv_weight=1.0)))


def test_features_are_on_the_device_and_what_is_kept_of_a_large_content_on_the_host(pretend, made):
    with pretend:
        image = torch.rand(1, 3, 160, 96)
        assert {one.device for one in made(image).values()} == {GPU}
        kept = features_by_tiles(made, image, ["relu4_2"], grid_of(made, (160, 96), 64))
        assert kept["relu4_2"].device == CPU
        measured = MeasuredStyle(made, image, 64).exemplar("relu1_1", 1.0, None)
        assert measured.moments.first.device == GPU


@pytest.fixture
def no_way_back(monkeypatch):
    """Let gradients be like what they are by: torch has no way back on a device that is missing."""

    def grad(total, inputs, **options):
        found = tuple(map(torch.empty_like, inputs if isinstance(inputs, tuple) else (inputs,)))
        for one in found:
            one.requires_grad_(False)
        return found

    monkeypatch.setattr(torch.autograd, "grad", grad)


def test_a_tiled_objective_gets_its_tiles_from_the_host(pretend, made, no_way_back):
    with pretend:
        image, style = torch.rand(1, 3, 160, 96), torch.rand(1, 3, 80, 90)
        tiled = TiledObjective(objective(made, image, style, 64), 64)
        parts, gradient = tiled._computed(image)
    assert gradient.device == CPU
    assert gradient.shape == image.shape
    assert {part.device for part in parts.values()} == {CPU}


def test_what_pulls_at_features_is_where_they_are(pretend, made, no_way_back):
    with pretend, torch.no_grad():
        image, style = torch.rand(1, 3, 160, 96), torch.rand(1, 3, 80, 90)
        tiled = TiledObjective(objective(made, image, style, 64), 64)
        parts = {part: torch.zeros(()) for part in tiled.on_features}
        sums, (tile, *_) = {}, grid_of(made, (160, 96), 64)
        tiled._add_up(tile, image, sums)
        pulls = [style.pull(moments, parts) for style, moments in sums.items()]
        for layer, features in made.along(tile.cut(image), tile.joins):
            assert tiled._by_features(tile, layer, pulls, parts, features).device == GPU
    assert len(pulls) == 2
    assert {part.device for part in parts.values()} == {CPU}


def test_a_coarse_scale_is_seen_whole_by_the_device(pretend, made):
    with pretend:
        pixels = torch.rand(1, 3, 64, 64)
        parts = objective(made, pixels, torch.rand(1, 3, 80, 90), 0)(pixels)
    assert {part.device for part in parts.values()} == {CPU}


def test_a_mask_may_lie_with_the_picture(pretend):
    with pretend:
        features, mask = torch.rand(1, 64, 16, 24, device=GPU), torch.rand(1, 1, 16, 24)
        moments = Moments.of(features, mask, weight=1.0)
        first, second = moments.first, moments.second
        assert first.device == second.device == GPU
        assert gradient_by_features(features, mask, first, second).device == GPU


def test_the_optimisers_past_lies_with_the_picture(pretend):
    with pretend:
        pixels = torch.rand(1, 3, 64, 64).requires_grad_()
        assert LimitedMemoryBFGS(pixels, 1.0, 5, lambda numbers: None).past.device == CPU
