"""Shifts of the image against the pooling grid: an objective of the shifted image, exactly."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.job.build import order_to_stylize
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.objective.jitter import Jitter, moved
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.vgg.network import network_of

RNG = np.random.default_rng(0)
CONTENT, STYLE = RNG.random((2, 40, 48, 3), np.float32)
SHALLOW = nst.Recipe(
    content_layers={"relu2_1": 1},
    style_layers={"relu1_1": 0.5, "relu3_1": 0.5},
    size=0,
    min_size=0,
    precision="float32",
    jitter=8,
)


@pytest.fixture
def objective_of(untrained):
    """Return a function from changes of a recipe, and a tile, to an objective in float64."""

    def objective(tile=0, **changes):
        job = order_to_stylize(CONTENT, STYLE, SHALLOW.replace(**changes))
        network = network_of(job.recipe, network_layers(job.recipe), untrained, torch.float64)
        return RunSetup(job, network, torch.device("cpu")).objective(job.scales[0], tile)

    return objective


@pytest.mark.parametrize("number", [2, 4, 8, 16])
def test_shifts_have_all_remainders_equally_often(number):
    jitter, shifts = Jitter(number), []
    for _ in range(2 * number):
        shifts.append(jitter.shift)
        assert jitter.advance()
    for axis in zip(*shifts, strict=True):
        assert all(abs(one) <= number / 2 for one in axis)
        for period in (2, 4, 8, 16):
            if period <= number:
                counts = np.bincount(np.mod(axis, period), minlength=period)
                assert set(counts) == {2 * number // period}
    if number > 2:  # all four pairs of parities within four steps
        assert len({(y % 2, x % 2) for y, x in shifts[:4]}) == 4


@pytest.mark.parametrize("periodic", [False, True])
def test_the_gradient_is_moved_back(random_image, periodic):
    """<moved x, y> = <x, y moved back>: the latter is the adjoint of the former."""
    jitter = Jitter(8, periodic=periodic)
    x, y = random_image(12, 9, 1, torch.float64), random_image(12, 9, 2, torch.float64)
    for _ in range(8):
        there, back = (jitter.moved(x) * y).sum(), (x * jitter.moved_back(y)).sum()
        assert there.item() == pytest.approx(back.item(), rel=1e-12)
        jitter.advance()


def test_a_shift_moves_down_and_right_and_repeats_the_border():
    image = torch.arange(12.0).view(1, 1, 3, 4)
    assert moved(image, (1, -1))[0, 0].tolist() == [[1, 2, 3, 3], [1, 2, 3, 3], [5, 6, 7, 7]]
    periodic = moved(image, (1, -1), periodic=True)
    assert periodic[0, 0].tolist() == [[9, 10, 11, 8], [1, 2, 3, 0], [5, 6, 7, 4]]


@pytest.mark.parametrize("tile", [0, 16])
def test_losses_and_gradient_are_those_of_the_shifted_images(objective_of, random_image, tile):
    objective, whole = objective_of(tile), objective_of(jitter=0)
    content = torch.from_numpy(CONTENT).permute(2, 0, 1)[None].double()
    image = random_image(40, 48, 3, torch.float64)
    seen = set()
    for _ in range(2):
        shift = objective.jitter.shift
        losses, gradient = objective.value_and_grad(image)
        for name, weighted in whole.on_features.items():
            if name.startswith("content/"):
                weighted.loss.aim(whole.network(moved(content, shift))["relu2_1"])
        leaf = image.clone().requires_grad_()
        parts = whole(moved(leaf, shift))
        parts["tv"] = whole(leaf)["tv"]  # a loss of the image, which stays in its place
        (expected,) = torch.autograd.grad(sum(parts.values()), leaf)
        assert losses == pytest.approx({n: p.item() for n, p in parts.items()}, rel=1e-6)
        torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-9)
        seen.add(losses["content/relu2_1"])
        assert objective.redraw()
    assert len(seen) == 2


@pytest.mark.parametrize("loss", ["features", "self_similarity"])
def test_the_content_itself_has_no_content_loss_at_any_shift(objective_of, loss):
    objective = objective_of(content_loss=loss)
    content = torch.from_numpy(CONTENT).permute(2, 0, 1)[None].double()
    for _ in range(3):
        losses, _ = objective.value_and_grad(content)
        assert losses["content/relu2_1"] == pytest.approx(0, abs=1e-6)
        objective.redraw()


def test_fixed_pixels_stay_in_their_places(objective_of, random_image):
    objective = objective_of()
    mask = torch.zeros(1, 1, 40, 48, dtype=torch.bool)
    mask[..., 10:20, 12:30] = True
    objective.mask, objective.outside = mask, random_image(40, 48, 7, torch.float64)
    image = random_image(40, 48, 8, torch.float64)
    _, gradient = objective.value_and_grad(image)
    assert not gradient[:, :, ~mask[0, 0]].any()
    assert gradient[:, :, mask[0, 0]].all()
    outside = torch.where(mask, image, random_image(40, 48, 9, torch.float64))
    torch.testing.assert_close(objective.value_and_grad(outside)[1], gradient)
