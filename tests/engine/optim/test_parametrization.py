"""Variables and images: there and back, and the gradient by the variables."""

import pytest
import torch

from napari_nst.engine.optim.parametrization import Parametrization

KINDS = pytest.mark.parametrize(
    ("image_range", "grey", "unit"),
    [("clip", False, 255.0), ("free", True, 1.0), ("tanh", False, 255.0), ("tanh", True, 1.0)],
)


@KINDS
def test_an_image_comes_back_from_its_variables(random_image, image_range, grey, unit):
    image = random_image(4, 5)
    image = image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1) if grey else image
    one = Parametrization(image_range, grey, unit)
    variables = one.variables(image)
    assert variables.shape == (1, 1 if grey else 3, 4, 5)
    torch.testing.assert_close(one.image(variables), image, atol=1e-3, rtol=0)


@KINDS
def test_the_gradient_is_that_of_autograd(random_image, image_range, grey, unit):
    one = Parametrization(image_range, grey, unit)
    variables = one.variables(random_image(4, 5)).requires_grad_()
    by_image = random_image(4, 5, seed=1)
    (expected,) = torch.autograd.grad(one.image(variables), variables, by_image)
    found = one.gradient(variables.detach(), by_image.clone())
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_have_a_gradient_with_tanh(value):
    one = Parametrization("tanh")
    variables = one.variables(torch.full((1, 3, 2, 2), value))
    assert one.gradient(variables, torch.ones(1, 3, 2, 2)).abs().min() > 1e-4


def test_only_clip_limits_variables():
    for image_range in ("clip", "free", "tanh"):
        variables = torch.tensor([-1.0, 300.0])
        Parametrization(image_range, unit=255.0).limit(variables)
        assert variables.tolist() == ([0, 255] if image_range == "clip" else [-1, 300])
