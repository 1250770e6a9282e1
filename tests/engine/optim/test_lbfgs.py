"""L-BFGS's own step, against the two-loop recursion as textbooks have it."""

import pytest
import torch

from napari_nst.engine.optim.lbfgs import LimitedMemoryBFGS, Reach


def untouched(numbers):
    """Every number may have any value."""


def minimiser(start, history=5, constrain=untouched, chunk=None):
    numbers = start.clone().requires_grad_()
    optimizer = LimitedMemoryBFGS(numbers, 1.0, history, constrain)
    if chunk:
        optimizer.chunk = chunk
    return numbers, optimizer


def steps_on(loss, numbers, optimizer, steps):
    totals = []
    for _ in range(steps):
        numbers.grad = None
        total = loss(numbers)
        total.backward()
        totals.append(total.item())
        optimizer.step()
    return totals


def valley(numbers):
    """Rosenbrock's function of neighbouring numbers."""
    left, right = numbers[..., :-1], numbers[..., 1:]
    return (10 * (right - left.square()).square() + (1 - left).square()).sum()


def two_loops(gradient, steps, changes, reach):
    """Nocedal & Wright, Numerical Optimization, algorithm 7.4, started from γ · reach."""
    pairs = list(zip(steps, changes, strict=True))
    direction, factors = gradient.clone(), []
    for step, change in reversed(pairs):
        factors.append((step @ direction) / (step @ change))
        direction -= factors[-1] * change
    step, change = pairs[-1]
    direction *= (step @ change) / (change @ (reach * change)) * reach
    for (step, change), factor in zip(pairs, reversed(factors), strict=True):
        direction += step * (factor - (change @ direction) / (step @ change))
    return direction


@pytest.mark.parametrize("steps", [2, 4, 7, 20])
def test_a_step_is_that_of_the_two_loop_recursion(random_image, steps):
    numbers, optimizer = minimiser(random_image(40, 36), chunk=1000)
    steps_on(valley, numbers, optimizer, steps)
    before = numbers.detach().clone()
    numbers.grad = None
    valley(numbers).backward()
    last = numbers.grad - optimizer.before.view_as(numbers)
    past = optimizer.past.double().flatten(2)
    kept = [*optimizer.order, optimizer.row]  # the last step is learned from by the next
    past[1, optimizer.row] = last.bfloat16().double().flatten()
    optimizer.step()
    reach = optimizer.reach.of_pixels.double().repeat(3)
    expected = two_loops(
        numbers.grad.double().flatten(), past[0, kept], past[1, kept], reach
    ).view_as(numbers)
    assert len(kept) == min(steps, 5)
    assert reach.max() > 1.05 * reach.min()
    torch.testing.assert_close(
        (before - numbers.detach()).double(), expected, rtol=1e-3, atol=1e-4 * expected.abs().max()
    )


def test_how_many_numbers_are_looked_at_at_once_does_not_matter(random_image):
    found = []
    for chunk in (7 * 5, 2**19):
        numbers, optimizer = minimiser(random_image(20, 24), chunk=chunk)
        found.append(steps_on(valley, numbers, optimizer, 12)[-1])
    assert found[0] == pytest.approx(found[1], rel=1e-2)


def test_it_goes_downhill(random_image):
    numbers, optimizer = minimiser(random_image(20, 24))
    for _ in range(30):
        before = numbers.detach().clone()
        steps_on(valley, numbers, optimizer, 1)
        assert ((numbers.detach() - before) * numbers.grad).sum() < 0


def test_the_first_step_is_a_unit_long_on_average(random_image):
    numbers, optimizer = minimiser(random_image(20, 24))
    steps_on(lambda x: 1e6 * x.pow(2).sum(), numbers, optimizer, 1)
    assert (numbers.detach() - random_image(20, 24)).abs().mean().item() == pytest.approx(1)


def test_the_past_takes_four_bytes_per_number_and_step(random_image):
    _, optimizer = minimiser(random_image(20, 24), history=7)
    assert optimizer.past.nbytes == 7 * 4 * 3 * 20 * 24


def test_what_is_remembered_is_what_the_range_leaves_of_a_step(random_image):
    start = random_image(20, 24)
    numbers, optimizer = minimiser(start, constrain=lambda x: x.clamp_(0, 1))
    steps_on(lambda x: (x - 3).square().sum(), numbers, optimizer, 1)
    moved = (numbers.detach() - start).flatten()
    assert numbers.max() == 1
    torch.testing.assert_close(optimizer.past[0, 0].flatten().float(), moved, rtol=5e-3, atol=1e-6)


def test_hills_teach_it_nothing(random_image):
    numbers, optimizer = minimiser(random_image(20, 24))
    for _ in range(4):
        before = numbers.detach().clone()
        steps_on(lambda x: -x.square().sum(), numbers, optimizer, 1)
        assert optimizer.order == []
        assert (numbers.detach() - before).abs().mean().item() == pytest.approx(1, rel=1e-2)


@pytest.mark.parametrize("loss", [lambda x: 0 * x.sum(), lambda x: x.sum()], ids=["flat", "ramp"])
def test_without_any_curvature_numbers_stay_finite(random_image, loss):
    numbers, optimizer = minimiser(random_image(20, 24))
    steps_on(loss, numbers, optimizer, 5)
    assert numbers.isfinite().all()


def bowls(numbers):
    """A bowl at each pixel; to the left they are a hundred times as steep as to the right."""
    steep = torch.ones(numbers.shape[-1])
    steep[: len(steep) // 2] = 100
    # What neighbours do matters too, or every number would be a problem of its own.
    return (steep * (numbers - 0.3 * numbers.roll(1, -2) - 0.5).square()).sum()


def test_pixels_reach_as_far_as_their_own_curvature_says(random_image):
    numbers, optimizer = minimiser(random_image(64, 96))
    steps_on(bowls, numbers, optimizer, 8)
    reach = optimizer.reach.of_pixels.view(64, 96)
    assert 10 < reach[:, 60:].mean() / reach[:, :36].mean() < 200


def test_reach_takes_fewer_steps_to_the_same_loss(random_image, monkeypatch):
    def loss_after(steps):
        numbers, optimizer = minimiser(random_image(64, 96))
        return steps_on(bowls, numbers, optimizer, steps)[-1]

    with_reach = loss_after(12)
    monkeypatch.setattr(Reach, "renew", lambda self: None)
    assert with_reach < 0.5 * loss_after(12)
