"""L-BFGS and Adam on objectives whose minimum is known, and on some that misbehave."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from napari_nst.engine.images.convert import resize
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.optim.optimizer import LBFGS, OPTIMIZERS, Adam, RMSprop
from napari_nst.engine.vgg.network import VGG19
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe
from tests.helpers.objectives import Differentiated, Misbehaving, Redrawn, distance_to, valley
from tests.helpers.transfer_objective import transfer_objective

BOTH = pytest.mark.parametrize("make", [LBFGS, Adam])


def image_of(value, shape=(6, 8)):
    return torch.full((1, 3, *shape), float(value))


def total(losses):
    return sum(losses.values())


def steps(optimizer, count):
    return [optimizer.step() for _ in range(count)]


@pytest.mark.parametrize(("make", "count", "atol"), [(LBFGS, 40, 1e-4), (Adam, 300, 5e-3)])
def test_the_minimum_of_a_quadratic_is_reached(make, count, atol, random_image):
    target = random_image(6, 8)
    optimizer = make(Recipe(), image_of(0.5), Differentiated(distance_to(target)))
    steps(optimizer, count)
    torch.testing.assert_close(optimizer.image, target, atol=atol, rtol=0)


@BOTH
@pytest.mark.parametrize("weight", [1e-6, 1e9])
def test_the_size_of_the_loss_does_not_matter(make, weight, random_image):
    """Published weights range over fifteen orders of magnitude."""
    objective = Differentiated(distance_to(random_image(6, 8), weight))
    optimizer = make(Recipe(), image_of(0.5), objective)
    before = total(optimizer.losses)
    assert total(steps(optimizer, 20)[-1]) < 0.1 * before


@BOTH
def test_an_objective_too_coarse_for_tiny_steps_is_improved(make, random_image):
    """In bfloat16 the network does not notice a change of less than one part in 256."""
    exact = distance_to(random_image(6, 8))
    coarse = Differentiated(lambda image: exact(image.bfloat16().float()))
    optimizer = make(Recipe(), image_of(0.5), coarse)
    before = total(optimizer.losses)
    assert total(steps(optimizer, 20)[-1]) < 0.2 * before


@BOTH
def test_losses_are_those_of_the_image_and_a_step_is_one_evaluation(make, random_image):
    objective = Differentiated(distance_to(random_image(6, 8)))
    optimizer = make(Recipe(), image_of(0.2), objective)
    for step in range(1, 10):
        losses = optimizer.step()
        assert losses == pytest.approx(objective.values(optimizer.image), rel=1e-4)
        assert objective.evaluations == step + 1


@BOTH
def test_the_image_is_a_copy_and_so_is_the_start(make, random_image):
    start = image_of(0.5)
    optimizer = make(Recipe(), start, Differentiated(distance_to(random_image(6, 8))))
    before = optimizer.image
    kept = before.clone()
    optimizer.step()
    assert torch.equal(before, kept)
    assert torch.equal(start, image_of(0.5))
    optimizer.image.zero_()
    assert optimizer.image.abs().max() > 0.4


def test_every_optimizer_of_a_recipe_exists():
    assert {"lbfgs": LBFGS, "adam": Adam, "rmsprop": RMSprop} == OPTIMIZERS
    for name in OPTIMIZERS:
        assert Recipe(optimizer=name).optimizer == name


@pytest.mark.parametrize(("lr", "expected"), [(0, Adam.default_lr), (0.1, 0.1)])
def test_adams_first_step_is_as_long_as_its_learning_rate(lr, expected):
    objective = Differentiated(distance_to(image_of(0.9)))
    optimizer = Adam(Recipe(learning_rate=lr), image_of(0.5), objective)
    optimizer.step()
    torch.testing.assert_close(optimizer.image, image_of(0.5 + expected))


def test_the_first_step_of_lbfgs_follows_the_gradient_as_far_as_the_learning_rate(random_image):
    start, objective = image_of(0.5), Differentiated(distance_to(random_image(6, 8)))
    _, gradient = objective.value_and_grad(start)
    lengths = []
    for lr in (1.0, 0.25):
        optimizer = LBFGS(Recipe(learning_rate=lr), start, objective)
        optimizer.step()
        moved = optimizer.image - start
        lengths.append(moved.norm().item())
        cosine = torch.cosine_similarity(moved.flatten(), -gradient.flatten(), dim=0)
        assert cosine.item() == pytest.approx(1, abs=1e-3)
    assert lengths[0] == pytest.approx(4 * lengths[1], rel=1e-2)


def test_adam_keeps_pixels_between_black_and_white():
    target = torch.cat([image_of(-2, (6, 4)), image_of(3, (6, 4))], dim=-1)
    objective = Differentiated(distance_to(target))
    optimizer = Adam(Recipe(learning_rate=0.3), image_of(0.5), objective)
    for _ in range(10):
        optimizer.step()
        assert 0 <= optimizer.image.min() <= optimizer.image.max() <= 1
    assert torch.equal(optimizer.image, target.clamp(0, 1))


@pytest.mark.parametrize("shape", [(12, 16), (3, 5), (6, 8)])
def test_adam_carries_its_moments_to_another_size(random_image, shape):
    optimizer = Adam(Recipe(), image_of(0.5), Differentiated(distance_to(random_image(6, 8))))
    steps(optimizer, 5)
    before = optimizer.moments
    first, second, count = (one.clone() for one in before[:3])
    image = resize(optimizer.image, shape)
    objective = Differentiated(distance_to(random_image(*shape)))
    larger = Adam(Recipe(), image, objective, moments=before)
    assert larger.moments.step == count == 5
    torch.testing.assert_close(larger.moments.first, resize(first, shape))
    assert larger.moments.second.min() >= 0
    assert larger.moments.second.mean().item() == pytest.approx(second.mean().item(), rel=0.3)
    larger.step()
    assert larger.moments.step == 6


def test_moments_of_a_colour_image_are_no_use_to_a_grey_one(random_image):
    objective = Differentiated(distance_to(random_image(6, 8)))
    optimizer = Adam(Recipe(), image_of(0.5), objective)
    optimizer.step()
    grey = Adam(Recipe(), optimizer.image, objective, grey=True, moments=optimizer.moments)
    assert grey.moments is None
    grey.step()
    assert grey.moments.first.shape[1] == 1


@pytest.mark.parametrize(
    ("make", "value"),
    [(LBFGS, math.nan), (LBFGS, math.inf), (LBFGS, 1e9), (Adam, math.nan), (Adam, math.inf)],
)
def test_an_explosion_is_taken_back(make, value, random_image):
    objective = Misbehaving(distance_to(random_image(6, 8)), {6}, value)
    optimizer = make(Recipe(), image_of(0.5), objective)
    before = [(optimizer.step(), optimizer.image) for _ in range(4)]
    losses, image = min(before, key=lambda pair: total(pair[0]))
    lr = optimizer.lr
    assert optimizer.step() == losses
    torch.testing.assert_close(optimizer.image, image, rtol=0, atol=1e-7)
    assert optimizer.lr == lr / 2
    assert total(steps(optimizer, 60)[-1]) < 0.5 * total(losses)
    assert optimizer.lr == lr / 2


@BOTH
def test_explosions_one_after_another_leave_the_best_image(make, random_image):
    objective = Misbehaving(distance_to(random_image(6, 8)), range(5, 99), math.nan)
    optimizer = make(Recipe(), image_of(0.5), objective)
    best = min(map(total, steps(optimizer, 3)))
    for losses in steps(optimizer, 20):
        assert total(losses) == pytest.approx(best)
    assert optimizer.image.isfinite().all()


@pytest.mark.parametrize("fields", [{}, {"line_search": True}, {"optimizer": "adam"}], ids=str)
@pytest.mark.parametrize("value", [math.nan, math.inf, 1e38])
def test_a_gradient_that_is_not_finite_is_taken_back(fields, value, random_image):
    """Even of one pixel, and with a loss that is finite."""
    objective = Differentiated(distance_to(random_image(6, 8)))
    recipe = Recipe(**fields)
    optimizer = OPTIMIZERS[recipe.optimizer](recipe, image_of(0.5), objective)
    steps(optimizer, 3)
    right = objective.value_and_grad

    def wrong(image):
        losses, gradient = right(image)
        gradient[0, 1, 2, 3] = value
        return losses, gradient

    objective.value_and_grad = wrong
    for failures in (1, 2):
        before = total(optimizer.losses)
        assert total(optimizer.step()) <= before
        assert optimizer.failures == failures
        assert optimizer.image.isfinite().all()
    objective.value_and_grad = right
    for _ in range(60):
        optimizer.step()
        assert optimizer.failures == 0
    assert total(optimizer.losses) < before
    assert optimizer.image.isfinite().all()


@BOTH
def test_an_image_that_is_not_finite_is_restored(make, random_image):
    """The loss may depend on some of its pixels only."""
    half = random_image(6, 8)
    objective = Differentiated(lambda image: {"left": (image - half)[..., :4].square().sum()})
    optimizer = make(Recipe(ema=0.5), image_of(0.5), objective)
    steps(optimizer, 3)
    with torch.no_grad():
        optimizer.variables[0, 0, 0, 7] = math.nan
    optimizer.step()
    assert optimizer.failures == 1
    assert optimizer.current.isfinite().all()
    assert optimizer.image.isfinite().all()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_adams_moments_that_are_not_finite_end_with_their_scale(value, random_image):
    objective = Differentiated(distance_to(random_image(6, 8)))
    first = Adam(Recipe(), image_of(0.5), objective)
    steps(first, 2)
    first.moments.second[0, 0, 0, 0] = value
    second = Adam(Recipe(), image_of(0.5), objective, moments=first.moments)
    before = total(second.losses)
    assert total(steps(second, 20)[-1]) < 0.7 * before
    assert second.failures == 0


def test_a_small_rise_is_no_explosion(random_image):
    """L-BFGS may go uphill for a while; taking that back would only slow it down."""
    objective = Misbehaving(distance_to(random_image(6, 8)), {2}, 1.5)
    optimizer = LBFGS(Recipe(), image_of(0.5), objective)
    before = total(optimizer.losses)
    assert total(optimizer.step()) > 1.2 * before
    assert not torch.equal(optimizer.image, image_of(0.5))
    assert optimizer.lr == LBFGS.default_lr


@BOTH
def test_at_the_minimum_nothing_is_taken_back(make):
    """A reconstruction that starts from its target must still move at the next scale."""
    optimizer = make(Recipe(), image_of(0.5), Differentiated(distance_to(image_of(0.5))))
    assert [total(losses) for losses in steps(optimizer, 5)] == [0] * 5
    assert torch.equal(optimizer.image, image_of(0.5))
    assert optimizer.lr == make.default_lr


@BOTH
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_start_whose_loss_is_not_finite_is_an_error(make, value, random_image):
    objective = Misbehaving(distance_to(random_image(6, 8)), {1}, value)
    with pytest.raises(NstError, match="of the starting image is not finite"):
        make(Recipe(), image_of(0.5), objective)


@pytest.mark.parametrize(("make", "every"), [(Adam, 1), (LBFGS, 10)])
def test_random_directions_are_redrawn_as_often_as_the_optimizer_can_take(
    untrained, random_image, make, every
):
    recipe = Recipe(
        style_loss="sliced_wasserstein",
        projections=4,
        style_layers={"relu1_1": 1},
        content_layers={"relu1_1": 1},
    )
    network = VGG19(network_layers(recipe), untrained)
    objective = transfer_objective(recipe, network, random_image(16, 16, 1), [random_image(16, 16)])
    sliced = objective.on_features["style/relu1_1"].loss
    optimizer = make(recipe, random_image(16, 16, 2), objective)
    before, changed = sliced.directions.clone(), []
    for step in range(1, 21):
        losses = optimizer.step()
        if not torch.equal(sliced.directions, before):
            changed.append(step)
        before = sliced.directions.clone()
        expected, _ = objective.value_and_grad(optimizer.image)
        assert losses == pytest.approx(expected, rel=1e-3)
    assert changed == list(range(every, 21, every))


@pytest.mark.parametrize("line_search", [False, True])
def test_a_redraw_is_not_taken_for_curvature(line_search, random_image):
    objective = Redrawn(random_image(6, 8))
    recipe = Recipe(line_search=line_search, image_range="free")
    optimizer = LBFGS(recipe, image_of(0.5), objective)
    steps(optimizer, 13)  # three after the redraw
    if line_search:
        state = optimizer.optimizer.state[optimizer.variables]
        past, changes = state["old_stps"], state["old_dirs"]
    else:
        past, changes = optimizer.optimizer.past.flatten(2)[:, optimizer.optimizer.order]
    assert len(past) == 12
    curvature = objective.curvature.flatten() * optimizer.gradient_scale / LBFGS.unit**2
    for step, change in zip(past, changes, strict=True):
        expected = (curvature * step.float()).norm()
        assert (change.float() - curvature * step.float()).norm() < 0.02 * expected


# ── Adam, against the formula of Kingma & Ba 2015 ───────────────────────────────────────────────


def adams_steps(x, gradient_of, count, lr, beta1, beta2, epsilon):
    """Algorithm 1 of Kingma & Ba 2015."""
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, count + 1):
        g = gradient_of(x)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        x = x - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return x


@pytest.mark.parametrize(
    "settings",
    [
        {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        {"beta1": 0.99, "beta2": 0.999, "epsilon": 0.1},  # the TensorFlow tutorial's
        {"beta1": 0.0, "beta2": 0.0, "epsilon": 1e-8},
    ],
    ids=str,
)
def test_adams_steps_are_those_of_the_paper(random_image, settings):
    target = random_image(5, 6, seed=2, dtype=torch.float64)
    start = torch.full((1, 3, 5, 6), 0.5, dtype=torch.float64)
    objective = Differentiated(lambda image: {"tv": 7 * (image - target).pow(4).sum()})
    recipe = Recipe(learning_rate=0.03, image_range="free", **settings)
    optimizer = Adam(recipe, start, objective)
    steps(optimizer, 5)
    x, y = start.numpy(), target.numpy()
    expected = adams_steps(x, lambda x: 28 * (x - y) ** 3, 5, 0.03, **settings)
    np.testing.assert_allclose(optimizer.image, expected, rtol=1e-7)


def test_with_tanh_adam_steps_in_its_own_variables():
    objective = Differentiated(lambda image: {"tv": (1 - image).sum()})
    recipe = Recipe(learning_rate=0.1, image_range="tanh")
    optimizer = Adam(recipe, torch.full((1, 3, 4, 4), 0.5), objective)
    optimizer.step()
    np.testing.assert_allclose(optimizer.image, (np.tanh(0.1) + 1) / 2, atol=1e-5)


# ── line search ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("image_range", ["free", "tanh"])
@pytest.mark.parametrize("weight", [1e-6, 1e9])
def test_with_a_line_search_the_loss_never_rises(random_image, weight, image_range):
    objective = Differentiated(lambda x: {name: p * weight for name, p in valley(x).items()})
    recipe = Recipe(line_search=True, image_range=image_range)
    optimizer = LBFGS(recipe, random_image(6, 8), objective)
    totals = [total(optimizer.losses), *map(total, steps(optimizer, 40))]
    assert all(after <= before * (1 + 1e-5) for before, after in pairwise(totals))
    assert totals[-1] < 0.2 * totals[0]


def test_without_a_line_search_the_loss_may_rise(random_image):
    """The valley is bent enough for the test above to say something."""
    optimizer = LBFGS(Recipe(image_range="tanh"), random_image(6, 8), Differentiated(valley))
    totals = list(map(total, steps(optimizer, 40)))
    assert any(after > 1.01 * before for before, after in pairwise(totals))


def test_losses_belong_to_the_image_that_the_line_search_ended_at(random_image):
    objective = Differentiated(valley)
    recipe = Recipe(line_search=True, image_range="free")
    optimizer = LBFGS(recipe, random_image(6, 8), objective)
    for _ in range(7):
        before = objective.evaluations
        losses = optimizer.step()
        assert 2 <= objective.evaluations - before <= 30
        assert losses == pytest.approx(objective.values(optimizer.image), rel=1e-4)


# ── image ranges, grey images, moving averages ──────────────────────────────────────────────────


@BOTH
@pytest.mark.parametrize("image_range", ["clip", "free", "tanh"])
def test_every_range_reaches_a_target_within_it(make, image_range, random_image):
    target = 0.2 + 0.6 * random_image(6, 8)
    recipe = Recipe(image_range=image_range, learning_rate=0.1 if make is Adam else 0)
    optimizer = make(recipe, image_of(0.5), Differentiated(distance_to(target)))
    steps(optimizer, 100)
    torch.testing.assert_close(optimizer.image, target, atol=0.02, rtol=0)


@BOTH
@pytest.mark.parametrize("image_range", ["clip", "tanh"])
def test_a_grey_image_finds_the_nearest_grey(make, image_range, random_image):
    target = 0.2 + 0.6 * random_image(6, 8)
    objective = Differentiated(lambda image: {"left": (image - target).square().sum()})
    recipe = Recipe(image_range=image_range, learning_rate=0.1 if make is Adam else 0)
    optimizer = make(recipe, image_of(0.5), objective, grey=True)
    steps(optimizer, 100)
    expected = target.mean(dim=1, keepdim=True).expand_as(target)
    torch.testing.assert_close(optimizer.image, expected, atol=0.02, rtol=0)


@BOTH
def test_the_image_is_the_average_and_the_losses_are_the_current_ones(make, random_image):
    objective = Differentiated(distance_to(random_image(6, 8)))
    optimizer = make(Recipe(ema=0.8), image_of(0.5), objective)
    plain = make(Recipe(), image_of(0.5), objective)
    weights, images = [0.2], [optimizer.current]
    for _ in range(6):
        assert optimizer.step() == plain.step()  # the average does not steer the steps
        weights = [0.8 * weight for weight in weights] + [0.2]
        images.append(optimizer.current)
    expected = sum(w * i for w, i in zip(weights, images, strict=True)) / sum(weights)
    torch.testing.assert_close(optimizer.image, expected)
