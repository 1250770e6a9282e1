"""The moving average, as crowsonkb has it, and what a run with one shows."""

import numpy as np
import pytest
import torch

from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.optim.ema import MovingAverage
from napari_nst.engine.optim.optimizer import OPTIMIZERS, Adam
from napari_nst.engine.run.loop import optimize
from napari_nst.recipe import Recipe


def crowsons_average(values, decay):
    """What `EMA.get` of crowsonkb/style-transfer-pytorch, e7e2c71, comes to after some updates.

    Each value fades by the decay per update after it, and the sum of what is left of them all,
    1 − decayⁿ, is divided out.
    """
    ages = np.arange(len(values))[::-1]
    faded = (1 - decay) * decay ** ages.astype(float)
    return np.tensordot(faded, np.array(values, float), axes=1) / (1 - decay ** len(values))


@pytest.mark.parametrize("decay", [0.1, 0.5, 0.99, 0.9999])
def test_it_is_crowsons(random_image, decay):
    values = [random_image(3, 4, seed=seed, dtype=torch.float64) for seed in range(7)]
    average = MovingAverage(decay, values[0])
    np.testing.assert_allclose(average.value, values[0])
    for number, value in enumerate(values[1:], start=2):
        average.update(value)
        np.testing.assert_allclose(
            average.value, crowsons_average(values[:number], decay), rtol=1e-9
        )


def test_it_keeps_single_precision(random_image):
    values = [random_image(3, 4, seed=seed) for seed in range(200)]
    average = MovingAverage(0.9999, values[0])
    for value in values[1:]:
        average.update(value)
    # With so long a memory it is nearly the plain mean.
    torch.testing.assert_close(average.value, torch.stack(values).mean(dim=0), atol=5e-3, rtol=0)


def test_it_shares_no_memory(random_image):
    first = random_image(3, 4)
    average = MovingAverage(0.9, first)
    before = average.value.clone()
    first.zero_()
    average.value.zero_()
    torch.testing.assert_close(average.value, before)


TARGET = torch.linspace(0, 1, 3 * 6 * 8).view(1, 3, 6, 8)


def towards_target(image):
    return {"content/pixels": (image - TARGET).square().sum()}


@pytest.mark.parametrize("make", OPTIMIZERS.values())
def test_the_image_is_the_average_and_the_losses_are_the_iterates(make):
    stepper = make(Recipe(ema=0.8))
    stepper.begin(torch.full_like(TARGET, 0.5), towards_target)
    iterates = [stepper.current.numpy()]
    for _ in range(6):
        losses = stepper.step()
        iterates.append(stepper.current.numpy())
        np.testing.assert_allclose(stepper.image, crowsons_average(iterates, 0.8), atol=1e-6)
        assert losses == pytest.approx(
            {"content/pixels": towards_target(stepper.current)["content/pixels"].item()}, rel=1e-4
        )
    assert not torch.allclose(stepper.image, stepper.current, atol=1e-3)


def test_without_one_the_image_is_the_iterate():
    stepper = Adam(Recipe(ema=0))
    stepper.begin(torch.full_like(TARGET, 0.5), towards_target)
    stepper.step()
    assert torch.equal(stepper.image, stepper.current)


def test_the_average_does_not_steer_the_steps():
    ends = []
    for ema in (0.0, 0.9):
        stepper = Adam(Recipe(ema=ema))
        stepper.begin(torch.full_like(TARGET, 0.5), towards_target)
        for _ in range(5):
            stepper.step()
        ends.append(stepper.current)
    assert torch.equal(*ends)


def test_each_scale_starts_from_the_average_and_with_a_new_one():
    stepper = Adam(Recipe(ema=0.9, learning_rate=0.1))
    scales = [Scale(6, (6, 8), 4), Scale(12, (12, 16), 2)]
    started = []

    def objective_at(scale):
        target = torch.nn.functional.interpolate(TARGET, scale.shape)

        def objective(image):
            started.append(image.detach().clone())
            return {"content/pixels": (image - target).square().sum()}

        return objective

    shown = []
    for it in optimize(torch.full_like(TARGET, 0.5), scales, objective_at, stepper):
        shown.append(it.pixels)
        if it.step == 4:
            last_iterate = stepper.current
        if it.step == 5:
            first = next(image for image in started if image.shape[-2:] == (12, 16))
            iterates = [first.numpy(), stepper.current.numpy()]
            np.testing.assert_allclose(it.pixels, crowsons_average(iterates, 0.9), atol=1e-6)
    small = torch.nn.functional.avg_pool2d(first, 2)
    from_average, from_iterate = (
        (small - image).abs().mean() for image in (shown[3], last_iterate)
    )
    assert from_average < 0.2 * from_iterate


def test_it_takes_out_the_shaking_of_a_step_too_long():
    """At a constant rate Adam shakes around the minimum; the average lies in the middle."""
    stepper = Adam(Recipe(ema=0.9, learning_rate=0.1, beta1=0.0, beta2=0.5))
    stepper.begin(torch.full_like(TARGET, 0.5), towards_target)
    for _ in range(80):
        stepper.step()
    shaking, averaged = ((i - TARGET).square().mean() for i in (stepper.current, stepper.image))
    assert averaged < 0.3 * shaking
