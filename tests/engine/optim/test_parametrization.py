"""Variables and images: there and back, and the gradient by the variables."""

import pytest
import torch

from napari_nst.engine.optim.bases import basis_of
from napari_nst.engine.optim.parametrization import Parametrization
from napari_nst.recipe import Recipe

RANGES = [("clip", False, 255.0), ("free", True, 1.0), ("tanh", False, 255.0), ("tanh", True, 1.0)]
SHAPE = (21, 50)
BASES = pytest.mark.parametrize("name", ["pixels", "laplacian", "decorrelated"])


def kind(name, image_range="clip", grey=False, unit=1.0, **fields):
    recipe = Recipe(parametrization=name, image_range=image_range, **fields)
    basis = basis_of(recipe, SHAPE, torch.zeros(1), grey=grey)
    return Parametrization(basis, image_range, grey, unit)


@BASES
@pytest.mark.parametrize(("image_range", "grey", "unit"), RANGES)
def test_an_image_comes_back_from_its_variables(random_image, name, image_range, grey, unit):
    image = random_image(*SHAPE)
    image = image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1) if grey else image
    one = kind(name, image_range, grey, unit)
    variables = one.variables(image)
    assert variables.shape[:2] == (1, 1 if grey else 3)
    assert variables.is_contiguous()
    torch.testing.assert_close(one.image(variables), image, atol=1e-3, rtol=0)


@BASES
@pytest.mark.parametrize(("image_range", "grey", "unit"), RANGES)
def test_the_gradient_is_that_of_autograd(random_image, name, image_range, grey, unit):
    one = kind(name, image_range, grey, unit)
    variables = one.variables(0.2 + 0.6 * random_image(*SHAPE))
    variables += torch.rand(variables.shape, generator=torch.Generator().manual_seed(2)) / 10
    by_image = random_image(*SHAPE, seed=1)
    leaf = variables.clone().requires_grad_()
    (expected,) = torch.autograd.grad(one.image(leaf), leaf, by_image)
    torch.testing.assert_close(one.gradient(variables, by_image.clone()), expected)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_black_and_white_have_a_gradient_with_tanh(value):
    one = kind("pixels", "tanh")
    variables = one.variables(torch.full((1, 3, *SHAPE), value))
    assert one.gradient(variables, torch.ones(1, 3, *SHAPE)).abs().min() > 1e-4


@BASES
@pytest.mark.parametrize("image_range", ["clip", "free", "tanh"])
def test_only_clip_limits_the_image_and_then_to_the_nearest_in_range(
    random_image, name, image_range
):
    one = kind(name, image_range, unit=255.0)
    variables = one.variables(random_image(*SHAPE))
    moved = variables + 100 * torch.randn(
        variables.shape, generator=torch.Generator().manual_seed(0)
    )
    limited = moved.clone()
    one.limit(limited)
    if image_range == "clip":
        expected = one.image(moved).clamp(0, 1)
        torch.testing.assert_close(one.image(limited), expected, atol=1e-5, rtol=0)
        assert not torch.equal(limited, moved)
    else:
        assert torch.equal(limited, moved)


@pytest.mark.parametrize("name", ["laplacian", "decorrelated"])
@pytest.mark.parametrize(("value", "sign"), [(0.0, 1), (1.0, -1)])
def test_clipped_pixels_do_not_push_others(random_image, name, value, sign):
    one = kind(name, unit=255.0)
    image = 0.2 + 0.6 * random_image(*SHAPE)
    image[..., :20] = value
    variables, by_image = one.variables(image), random_image(*SHAPE, seed=1)
    outwards = by_image.clone()
    outwards[..., :20] = sign  # a step of descent goes beyond black or white
    inwards, inside = outwards.clone(), outwards.clone()
    inwards[..., :20] = -sign
    inside[..., :20] = 0
    found = one.gradient(variables, outwards)
    torch.testing.assert_close(found, one.gradient(variables, inside))
    assert not torch.allclose(found, one.gradient(variables, inwards))
