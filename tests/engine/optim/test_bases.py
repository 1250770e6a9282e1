"""Laplacian bands and decorrelated colours."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from napari_nst.engine.images.convert import resize
from napari_nst.engine.optim.bases import COLOUR_ROOT, DecorrelatedColours, LaplacianBands, split
from napari_nst.engine.optim.optimizer import LBFGS, OPTIMIZERS, Adam
from napari_nst.recipe import Recipe
from tests.helpers.objectives import Differentiated, distance_to

ANY = torch.zeros(1, dtype=torch.float64)
NEW = pytest.mark.parametrize("name", ["laplacian", "decorrelated"])
EACH = pytest.mark.parametrize("optimizer", list(OPTIMIZERS))


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def steps(optimizer, count):
    return [sum(optimizer.step().values()) for _ in range(count)]


@pytest.mark.parametrize("shape", [(64, 96), (37, 50), (3, 1)])
def test_bands_are_enlarged_bilinearly_and_added(shape):
    bands = LaplacianBands(shape, ANY)
    coefficients = noise(1, 3, sum(h * w for h, w in bands.shapes))
    expected, *coarser = split(coefficients, bands.shapes)
    for level, band in enumerate(coarser, start=1):
        for finer in bands.shapes[:level][::-1]:
            band = interpolate(band, finer, mode="bilinear", align_corners=False)
        expected = expected + band
    torch.testing.assert_close(bands.image(coefficients), expected)


@pytest.mark.parametrize("shape", [(64, 96), (37, 50), (1, 3)])
def test_periodic_bands_continue_at_the_opposite_border(shape):
    bands = LaplacianBands(shape, ANY, periodic=True)
    coefficients = noise(1, 1, sum(h * w for h, w in bands.shapes))
    expected, *coarser = split(coefficients, bands.shapes)
    for level, band in enumerate(coarser, start=1):
        for finer in bands.shapes[:level][::-1]:
            size = (3 * finer[0], 3 * finer[1])
            band = interpolate(band.repeat(1, 1, 3, 3), size, mode="bilinear")
            band = band[..., finer[0] : 2 * finer[0], finer[1] : 2 * finer[1]]
        expected = expected + band
    torch.testing.assert_close(bands.image(coefficients), expected)


def test_how_an_image_is_shared_out_among_bands_changes_no_step(random_image):
    """So the start may be in the finest band alone, unlike in STROTSS."""
    target = random_image(40, 48, seed=1, dtype=torch.float64)
    recipe = Recipe(parametrization="laplacian", image_range="free")
    found = []
    for share in (0.0, 0.7):
        objective = Differentiated(distance_to(target))
        optimizer = Adam(recipe, random_image(40, 48, dtype=torch.float64), objective)
        shapes = optimizer.parametrization.basis.shapes
        finest, coarser, *_ = split(optimizer.variables.data, shapes)
        coarser += share * resize(finest, (20, 24))
        finest -= interpolate(coarser, (40, 48), mode="bilinear")
        steps(optimizer, 5)
        found.append(optimizer.image)
    torch.testing.assert_close(*found, atol=1e-6, rtol=0)


def test_a_step_of_bands_moves_areas_together(random_image):
    """One step of Adam moves each band by the learning rate, so even pixels by up to six."""
    recipe = Recipe(parametrization="laplacian", learning_rate=0.01, image_range="free")
    start = torch.full((1, 3, 64, 64), 0.5)
    optimizer = Adam(recipe, start, Differentiated(distance_to(start + 0.4)))
    optimizer.step()
    torch.testing.assert_close(optimizer.image, start + 0.06)


def test_decorrelated_coordinates_have_the_covariance_of_photographs():
    """Independent coefficients give the covariance of lucid's matrix, at the size of pixels."""
    basis = DecorrelatedColours((400, 400), ANY)
    image = basis.image(noise(1, 3, 400, 400))[0].flatten(1)
    found = np.cov(image.numpy())
    root = np.array(COLOUR_ROOT)
    expected = root @ root.T
    np.testing.assert_allclose(found / found.trace(), expected / expected.trace(), atol=0.01)
    assert found.trace() / 3 == pytest.approx(1, rel=0.02)


def test_grey_images_have_no_colours_to_decorrelate(random_image):
    objective = Differentiated(distance_to(random_image(6, 8)))
    found = [
        steps(Adam(Recipe(parametrization=name), random_image(6, 8), objective, grey=True), 3)
        for name in ("pixels", "decorrelated")
    ]
    assert found[0] == found[1]


@NEW
@EACH
@pytest.mark.parametrize(("image_range", "grey"), [("clip", False), ("tanh", True)])
def test_every_optimizer_reaches_a_target(name, optimizer, image_range, grey, random_image):
    target = 0.1 + 0.8 * random_image(40, 36)
    if grey:
        target = target.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    lr = 0 if optimizer == "lbfgs" else 0.02
    if image_range == "tanh" and optimizer != "lbfgs" and name == "decorrelated":
        lr = 0.05
    recipe = Recipe(
        parametrization=name, optimizer=optimizer, image_range=image_range, learning_rate=lr
    )
    made = OPTIMIZERS[optimizer](
        recipe, torch.full_like(target, 0.5), Differentiated(distance_to(target)), grey=grey
    )
    before = sum(made.losses.values())
    assert steps(made, 60)[-1] < (0.01 if optimizer == "lbfgs" else 0.1) * before


@NEW
@EACH
def test_a_clipped_image_reaches_a_target_beyond_its_range_where_it_can(
    name, optimizer, random_image
):
    target = 1.6 * random_image(32, 40).mean(dim=1, keepdim=True).expand(-1, 3, -1, -1) - 0.3
    recipe = Recipe(
        parametrization=name, optimizer=optimizer, learning_rate=0 if optimizer == "lbfgs" else 0.01
    )
    objective = Differentiated(distance_to(target))
    made = OPTIMIZERS[optimizer](recipe, torch.full_like(target, 0.5), objective)
    for _ in range(60):
        made.step()
        assert -1e-5 < made.image.min() <= made.image.max() < 1 + 1e-5
    assert target.min() < -0.05
    assert target.max() > 1.05
    assert (made.image - target.clamp(0, 1)).square().mean() < 3e-3


@NEW
def test_the_first_step_of_lbfgs_moves_pixels_by_one_level_on_average(name, random_image):
    start = 0.2 + 0.6 * random_image(32, 40)
    objective = Differentiated(distance_to(random_image(32, 40, seed=1)))
    made = LBFGS(Recipe(parametrization=name), start, objective)
    made.step()
    assert (made.image - start).abs().mean() * 255 == pytest.approx(1, rel=1e-3)


@NEW
def test_the_history_of_lbfgs_has_the_steps_that_limits_left(name, random_image):
    target = 3 * random_image(32, 40) - 1
    recipe = Recipe(parametrization=name)
    made = LBFGS(recipe, torch.full_like(target, 0.5), Differentiated(distance_to(target)))
    for _ in range(6):
        before = made.variables.detach().clone()
        made.step()
        step = made.optimizer.past[0, made.optimizer.row].float().view_as(before)
        torch.testing.assert_close(step, made.variables.detach() - before, atol=1e-3, rtol=0.01)


class Fixed(Differentiated):
    """An objective whose left half may not change."""

    def __init__(self, function, outside):
        super().__init__(function)
        self.outside = outside

    def with_fixed(self, image):
        return torch.cat([self.outside[..., :16], image[..., 16:]], dim=-1)

    def value_and_grad(self, image):
        losses, gradient = super().value_and_grad(self.with_fixed(image))
        gradient[..., :16] = 0
        return losses, gradient


@NEW
@EACH
def test_fixed_pixels_are_shown_as_they_are(name, optimizer, random_image):
    outside = random_image(32, 32)
    target = random_image(32, 32, seed=1)
    recipe = Recipe(parametrization=name, optimizer=optimizer)
    objective = Fixed(distance_to(target), outside)
    made = OPTIMIZERS[optimizer](recipe, torch.full_like(target, 0.5), objective)
    before = sum(made.losses.values())
    after = steps(made, 30)[-1]
    assert torch.equal(made.image[..., :16], outside[..., :16])
    assert after < before
    assert after == pytest.approx(sum(objective.values(made.image).values()), rel=1e-4)


@pytest.mark.parametrize("shape", [(64, 80), (20, 30)])
def test_adam_carries_the_moments_of_each_band(shape, random_image):
    recipe = Recipe(parametrization="laplacian")
    first = Adam(recipe, random_image(32, 40), Differentiated(distance_to(random_image(32, 40, 1))))
    steps(first, 4)
    target = Differentiated(distance_to(random_image(*shape)))
    second = Adam(recipe, random_image(*shape), target, moments=first.moments)
    old, new = first.moments, second.moments
    assert new.step == 4
    for before, after in zip(
        split(old.first, old.basis.shapes), split(new.first, new.basis.shapes), strict=True
    ):
        torch.testing.assert_close(after, resize(before, after.shape[2:]))
    assert new.second.min() >= 0
    second.step()
    assert second.moments.step == 5


def test_moments_of_other_variables_are_not_carried(random_image):
    objective = Differentiated(distance_to(random_image(32, 40)))
    made = {
        name: Adam(Recipe(parametrization=name), random_image(32, 40, 1), objective)
        for name in ("pixels", "laplacian", "decorrelated")
    }
    for one in made.values():
        one.step()
    for name, one in made.items():
        for other in made.keys() - {name}:
            next_one = Adam(
                Recipe(parametrization=other), random_image(32, 40), objective, moments=one.moments
            )
            assert next_one.moments is None
            next_one.step()


def rmsprops_steps(x, gradient_of, count, lr, decay, epsilon):
    """Lecture 6e of Tieleman & Hinton 2012."""
    mean_square = np.zeros_like(x)
    for _ in range(count):
        g = gradient_of(x)
        mean_square = decay * mean_square + (1 - decay) * g**2
        x = x - lr * g / (np.sqrt(mean_square) + epsilon)
    return x


@pytest.mark.parametrize("beta2", [0.99, 0.9])
def test_rmsprops_steps_are_those_of_its_authors(random_image, beta2):
    start = torch.full((1, 3, 5, 6), 0.5, dtype=torch.float64)
    target = random_image(5, 6, seed=2, dtype=torch.float64)
    objective = Differentiated(lambda image: {"tv": 7 * (image - target).pow(4).sum()})
    recipe = Recipe(optimizer="rmsprop", image_range="free", beta2=beta2, learning_rate=0.003)
    optimizer = OPTIMIZERS["rmsprop"](recipe, start, objective)
    steps(optimizer, 5)
    expected = rmsprops_steps(
        start.numpy(), lambda x: 28 * (x - target.numpy()) ** 3, 5, 0.003, beta2, 1e-8
    )
    np.testing.assert_allclose(optimizer.image, expected, rtol=1e-7)
