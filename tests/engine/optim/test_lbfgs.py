"""The step of our L-BFGS, against the two-loop recursion of textbooks."""

import pytest
import torch

from napari_nst.engine.optim.bases import Pixels
from napari_nst.engine.optim.lbfgs import DiagonalScaling, LimitedMemoryBFGS
from napari_nst.engine.optim.parametrization import Parametrization


def minimiser(start, history=5, image_range="free", chunk=None):
    variables = start.clone().requires_grad_()
    parametrization = Parametrization(Pixels(start.shape[2:]), image_range)
    optimizer = LimitedMemoryBFGS(variables, 1.0, history, parametrization)
    if chunk:
        optimizer.chunk = chunk
    return variables, optimizer


def steps_on(loss, variables, optimizer, steps):
    totals = []
    for _ in range(steps):
        variables.grad = None
        total = loss(variables)
        total.backward()
        totals.append(total.item())
        optimizer.step()
    return totals


def valley(variables):
    """Rosenbrock's function of neighbouring variables."""
    left, right = variables[..., :-1], variables[..., 1:]
    return (10 * (right - left.square()).square() + (1 - left).square()).sum()


def two_loops(gradient, steps, changes, scaling):
    """Nocedal & Wright, Numerical Optimization, algorithm 7.4, started from γ · scaling."""
    pairs = list(zip(steps, changes, strict=True))
    direction, factors = gradient.clone(), []
    for step, change in reversed(pairs):
        factors.append((step @ direction) / (step @ change))
        direction -= factors[-1] * change
    step, change = pairs[-1]
    direction *= (step @ change) / (change @ (scaling * change)) * scaling
    for (step, change), factor in zip(pairs, reversed(factors), strict=True):
        direction += step * (factor - (change @ direction) / (step @ change))
    return direction


@pytest.mark.parametrize("steps", [2, 7])
def test_a_step_is_that_of_the_two_loop_recursion(random_image, steps):
    variables, optimizer = minimiser(random_image(40, 36), chunk=1000)
    steps_on(valley, variables, optimizer, steps)
    before = variables.detach().clone()
    variables.grad = None
    valley(variables).backward()
    last = variables.grad - optimizer.previous.view_as(variables)
    past = optimizer.past.double().flatten(2)
    kept = [*optimizer.order, optimizer.row]  # the last step is learned from by the next
    past[1, optimizer.row] = last.bfloat16().double().flatten()
    optimizer.step()
    scaling = optimizer.scaling.of_pixels.double().repeat(3)
    expected = two_loops(
        variables.grad.double().flatten(), past[0, kept], past[1, kept], scaling
    ).view_as(variables)
    assert len(kept) == min(steps, 5)
    assert scaling.max() > 1.05 * scaling.min()
    torch.testing.assert_close(
        (before - variables.detach()).double(),
        expected,
        rtol=1e-3,
        atol=1e-4 * expected.abs().max(),
    )


def test_the_size_of_chunks_does_not_matter(random_image):
    found = []
    for chunk in (7 * 5, 2**19):
        variables, optimizer = minimiser(random_image(20, 24), chunk=chunk)
        found.append(steps_on(valley, variables, optimizer, 12)[-1])
    assert found[0] == pytest.approx(found[1], rel=1e-2)


def test_every_step_goes_downhill(random_image):
    variables, optimizer = minimiser(random_image(20, 24))
    for _ in range(30):
        before = variables.detach().clone()
        steps_on(valley, variables, optimizer, 1)
        assert ((variables.detach() - before) * variables.grad).sum() < 0


def test_the_first_step_is_a_unit_long_on_average(random_image):
    variables, optimizer = minimiser(random_image(20, 24))
    steps_on(lambda x: 1e6 * x.pow(2).sum(), variables, optimizer, 1)
    assert (variables.detach() - random_image(20, 24)).abs().mean().item() == pytest.approx(1)


def test_the_history_takes_four_bytes_per_variable_and_step(random_image):
    _, optimizer = minimiser(random_image(20, 24), history=7)
    assert optimizer.past.nbytes == 7 * 4 * 3 * 20 * 24


def test_the_history_holds_what_the_limits_leave_of_a_step(random_image):
    start = random_image(20, 24)
    variables, optimizer = minimiser(start, image_range="clip")
    steps_on(lambda x: (x - 3).square().sum(), variables, optimizer, 1)
    moved = (variables.detach() - start).flatten()
    assert variables.max() == 1
    torch.testing.assert_close(optimizer.past[0, 0].flatten().float(), moved, rtol=5e-3, atol=1e-6)


def test_negative_curvature_is_not_stored(random_image):
    variables, optimizer = minimiser(random_image(20, 24))
    for _ in range(4):
        before = variables.detach().clone()
        steps_on(lambda x: -x.square().sum(), variables, optimizer, 1)
        assert optimizer.order == []
        assert (variables.detach() - before).abs().mean().item() == pytest.approx(1, rel=1e-2)


@pytest.mark.parametrize("loss", [lambda x: 0 * x.sum(), lambda x: x.sum()], ids=["flat", "ramp"])
def test_without_curvature_variables_stay_finite(random_image, loss):
    variables, optimizer = minimiser(random_image(20, 24))
    steps_on(loss, variables, optimizer, 5)
    assert variables.isfinite().all()


def bowls(variables):
    """A bowl at each pixel, on the left a hundred times as steep as on the right."""
    steep = torch.ones(variables.shape[-1])
    steep[: len(steep) // 2] = 100
    # Neighbours matter too, or every variable would be a problem of its own.
    return (steep * (variables - 0.3 * variables.roll(1, -2) - 0.5).square()).sum()


def test_the_scaling_is_the_inverse_of_the_curvature(random_image):
    variables, optimizer = minimiser(random_image(64, 96))
    steps_on(bowls, variables, optimizer, 8)
    scaling = optimizer.scaling.of_pixels.view(64, 96)
    assert 10 < scaling[:, 60:].mean() / scaling[:, :36].mean() < 200


def test_the_scaling_saves_steps(random_image, monkeypatch):
    def loss_after(steps):
        variables, optimizer = minimiser(random_image(64, 96))
        return steps_on(bowls, variables, optimizer, steps)[-1]

    with_scaling = loss_after(12)
    monkeypatch.setattr(DiagonalScaling, "update", lambda self: None)
    assert with_scaling < 0.5 * loss_after(12)
