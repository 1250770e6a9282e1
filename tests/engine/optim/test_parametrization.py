"""Free numbers and the image they stand for, alone and under an optimiser."""

import numpy as np
import pytest
import torch

from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.optim.optimizer import LBFGS, OPTIMIZERS, Adam
from napari_nst.engine.optim.parametrization import Parametrization
from napari_nst.engine.run.loop import optimize
from napari_nst.recipe import Recipe

RANGES = pytest.mark.parametrize("image_range", ["clip", "free", "tanh"])
GREY = pytest.mark.parametrize("grey", [False, True], ids=["rgb", "grey"])


def grey_image(random_image, *shape):
    return random_image(*shape).mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)


@RANGES
@GREY
def test_an_image_is_what_its_numbers_stand_for(random_image, image_range, grey):
    image = grey_image(random_image, 5, 7) if grey else random_image(5, 7)
    canvas = Parametrization(image_range, grey=grey)
    numbers = canvas.numbers(image)
    assert numbers.shape == (1, 1 if grey else 3, 5, 7)
    again = canvas.image(numbers)
    assert again.shape == (1, 3, 5, 7)
    # Black and white themselves are out of tanh's reach.
    torch.testing.assert_close(again, image, atol=6e-4 if image_range == "tanh" else 1e-6, rtol=0)


def test_a_colourful_image_becomes_the_mean_of_its_channels(random_image):
    image = random_image(4, 4)
    canvas = Parametrization(grey=True)
    expected = np.repeat(image.numpy().mean(axis=1, keepdims=True), 3, axis=1)
    np.testing.assert_allclose(canvas.image(canvas.numbers(image)), expected, atol=1e-6)


def test_tanh_is_its_formula(random_image):
    numbers = 6 * random_image(4, 4) - 3
    expected = (np.tanh(numbers.double().numpy()) + 1) / 2
    np.testing.assert_allclose(Parametrization("tanh").image(numbers), expected, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_have_a_slope_under_tanh(value):
    canvas = Parametrization("tanh")
    numbers = canvas.numbers(torch.full((1, 3, 2, 2), value)).requires_grad_()
    assert numbers.isfinite().all()
    canvas.image(numbers).sum().backward()
    assert numbers.grad.min() > 5e-4  # a thousandth of mid-grey's


@RANGES
@GREY
def test_the_gradient_reaches_the_numbers(random_image, image_range, grey):
    canvas = Parametrization(image_range, grey=grey)
    numbers = canvas.numbers(random_image(3, 4)).double().requires_grad_()
    weights = random_image(3, 4, seed=1, dtype=torch.float64)
    (canvas.image(numbers) * weights).sum().backward()
    slope = (1 - numbers.detach().tanh().square()) / 2 if image_range == "tanh" else 1.0
    expected = weights.sum(dim=1, keepdim=True) if grey else weights
    torch.testing.assert_close(numbers.grad, expected * slope)


@pytest.mark.parametrize("unit", [1.0, 255.0])
def test_only_clip_cuts_numbers_off(unit):
    numbers = torch.tensor([-0.5, 0.25, 1.5]).view(1, 3, 1, 1) * unit
    for image_range, expected in [
        ("clip", [0, 0.25, 1]),
        ("free", [-0.5, 0.25, 1.5]),
        ("tanh", [-0.5, 0.25, 1.5]),
    ]:
        kept = numbers.clone()
        Parametrization(image_range).keep_in_range(kept, unit)
        assert (kept.flatten() / unit).tolist() == expected


def towards(target):
    return lambda image: {"content/pixels": (image - target).square().sum()}


@pytest.mark.parametrize("make", OPTIMIZERS.values())
@RANGES
def test_steps_keep_the_range_that_the_recipe_says(make, image_range):
    """Towards a colour beyond white, and then what is shown."""
    stepper = make(Recipe(image_range=image_range, learning_rate=0.3))
    stepper.begin(torch.full((1, 3, 4, 4), 0.5), towards(1.5))
    for _ in range(12):
        stepper.step()
    highest = stepper.image.max().item()
    if image_range == "free":
        assert highest > 1.1
    elif image_range == "clip":
        assert highest == 1
    else:
        assert 0.8 < highest <= 1


@pytest.mark.parametrize("make", OPTIMIZERS.values())
@RANGES
def test_every_range_reaches_a_target_within_it(make, image_range, random_image):
    target = random_image(6, 8) * 0.8 + 0.1
    stepper = make(Recipe(image_range=image_range))
    stepper.begin(torch.full((1, 3, 6, 8), 0.5), towards(target))
    for _ in range(200 if make is Adam else 60):
        stepper.step()
    torch.testing.assert_close(stepper.image, target, atol=0.01, rtol=0)


@pytest.mark.parametrize("make", OPTIMIZERS.values())
@RANGES
def test_a_grey_picture_stays_grey_through_all_scales(make, image_range, random_image):
    """Though the target is colourful: without colour noise, and not by averaging afterwards."""
    scales = [Scale(8, (8, 6), 4), Scale(11, (11, 8), 4), Scale(16, (16, 12), 4)]
    stepper = make(Recipe(image_range=image_range), Parametrization(image_range, grey=True))

    def objective_at(scale):
        return towards(random_image(*scale.shape, seed=3))

    start = random_image(8, 6)
    for it in optimize(start, scales, objective_at, stepper):
        assert stepper.pixels.shape == (1, 1, *it.shape)
        assert it.image.shape == (*it.shape, 3)
        np.testing.assert_array_equal(it.image, it.image[..., :1].repeat(3, axis=2))
    assert it.image.std() > 0.05


@pytest.mark.parametrize("make", [LBFGS, Adam])
def test_a_grey_picture_finds_the_grey_that_is_nearest(make, random_image):
    target = random_image(6, 8)
    stepper = make(Recipe(), Parametrization(grey=True))
    stepper.begin(torch.full((1, 3, 6, 8), 0.5), towards(target))
    for _ in range(200 if make is Adam else 40):
        stepper.step()
    expected = target.numpy().mean(axis=1, keepdims=True).repeat(3, axis=1)
    np.testing.assert_allclose(stepper.image, expected, atol=5e-3)
