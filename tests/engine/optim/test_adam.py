"""Adam's settings, and its steps against the formula of Kingma & Ba 2015 in NumPy."""

import numpy as np
import pytest
import torch

from napari_nst.engine.optim.optimizer import Adam
from napari_nst.recipe import Recipe


def adams_steps(x, gradient_of, steps, rate, beta1, beta2, epsilon):
    """Algorithm 1 of Kingma & Ba 2015."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, steps + 1):
        g = gradient_of(x)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        x = x - rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return x


@pytest.mark.parametrize(
    "settings",
    [
        {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        {"beta1": 0.99, "beta2": 0.999, "epsilon": 0.1},  # the TensorFlow tutorial's
        {"beta1": 0.0, "beta2": 0.0, "epsilon": 1e-8},
        {"beta1": 0.5, "beta2": 0.9, "epsilon": 30.0},
    ],
    ids=str,
)
@pytest.mark.parametrize("steps", [1, 5])
def test_steps_are_those_of_the_paper(random_image, settings, steps):
    target = random_image(5, 6, seed=2, dtype=torch.float64)
    start = torch.full((1, 3, 5, 6), 0.5, dtype=torch.float64)
    stepper = Adam(Recipe(learning_rate=0.03, image_range="free", **settings))
    stepper.begin(start, lambda image: {"tv": 7 * (image - target).pow(4).sum()})
    for _ in range(steps):
        stepper.step()
    x, y = start.numpy(), target.numpy()
    expected = adams_steps(x, lambda x: 28 * (x - y) ** 3, steps, 0.03, **settings)
    np.testing.assert_allclose(stepper.image, expected, rtol=1e-7)
    assert not np.allclose(expected, x, atol=1e-5)


def test_epsilon_keeps_pixels_still_where_the_gradient_is_small():
    """What a large one is for, in the TensorFlow tutorial: it scales with the loss."""
    moved = {}
    for epsilon in (1e-8, 1.0):
        stepper = Adam(Recipe(epsilon=epsilon, learning_rate=0.1))
        start = torch.full((1, 3, 4, 4), 0.5)
        stepper.begin(start, lambda image: {"tv": 1e-4 * image.sum()})
        stepper.step()
        moved[epsilon] = (stepper.image - start).abs().max().item()
    assert moved[1e-8] == pytest.approx(0.1, rel=1e-3)
    assert moved[1.0] == pytest.approx(0.1 * 1e-4, rel=1e-2)


def test_a_tanh_canvas_takes_the_steps_in_its_own_numbers():
    stepper = Adam(Recipe(learning_rate=0.1, image_range="tanh"))
    stepper.begin(torch.full((1, 3, 4, 4), 0.5), lambda image: {"tv": (1 - image).sum()})
    stepper.step()
    np.testing.assert_allclose(stepper.image, (np.tanh(0.1) + 1) / 2, atol=1e-5)
