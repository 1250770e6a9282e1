"""L-BFGS and Adam on objectives whose minimum is known, and on some that misbehave."""

import math

import pytest
import torch

from napari_nst.engine.images.convert import resize
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.optim.optimizer import LBFGS, OPTIMIZERS, Adam
from napari_nst.engine.vgg.network import VGG19
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe
from tests.helpers.transfer_objective import transfer_objective

BOTH = pytest.mark.parametrize("make", [LBFGS, Adam])


def image_of(value, shape=(6, 8)):
    return torch.full((1, 3, *shape), float(value))


def distance_to(target, weight=1.0):
    """Return an objective in two parts whose minimum, 0, is at `target`."""
    curvature = torch.linspace(1, 4, target.numel()).view_as(target) * weight

    def objective(image):
        square = curvature * (image - target).square()
        return {"left": square[..., :4].sum(), "right": square[..., 4:].sum()}

    return objective


def values(objective, image):
    return {name: part.item() for name, part in objective(image).items()}


class Misbehaving:
    """An objective that goes wrong at some evaluations, counted from 1."""

    def __init__(self, objective, wrong, value):
        self.objective, self.wrong, self.value = objective, wrong, value
        self.evaluations = 0

    def __call__(self, image):
        self.evaluations += 1
        parts = self.objective(image)
        if self.evaluations in self.wrong:
            parts = {name: part * self.value for name, part in parts.items()}
        return parts


def test_lbfgs_reaches_the_minimum_of_a_quadratic(random_image):
    target = random_image(6, 8)
    stepper = LBFGS(Recipe())
    stepper.begin(image_of(0.5), distance_to(target))
    for _ in range(40):
        losses = stepper.step()
    assert sum(losses.values()) < 1e-8
    torch.testing.assert_close(stepper.image, target, atol=1e-4, rtol=0)


@BOTH
@pytest.mark.parametrize("weight", [1e-6, 1.0, 1e9])
def test_the_size_of_the_loss_does_not_matter(make, weight, random_image):
    """Published weights range over fifteen orders of magnitude."""
    objective, start = distance_to(random_image(6, 8), weight), image_of(0.5)
    stepper = make(Recipe())
    stepper.begin(start, objective)
    losses = [sum(stepper.step().values()) for _ in range(20)]
    assert losses[-1] < 0.1 * sum(values(objective, start).values())


@BOTH
@pytest.mark.parametrize("weight", [1.0, 1e9])
def test_an_objective_too_coarse_for_tiny_steps_is_improved(make, weight, random_image):
    """In bfloat16 the network does not see a change of less than one part in 256."""
    exact, start = distance_to(random_image(6, 8), weight), image_of(0.5)
    stepper = make(Recipe())
    stepper.begin(start, lambda image: exact(image.bfloat16().float()))
    for _ in range(20):
        losses = stepper.step()
    assert sum(losses.values()) < 0.2 * sum(values(exact, start).values())


def test_adam_reaches_the_minimum_of_a_quadratic(random_image):
    target = random_image(6, 8)
    stepper = Adam(Recipe())
    stepper.begin(image_of(0.5), distance_to(target))
    for _ in range(300):
        losses = stepper.step()
    assert sum(losses.values()) < 1e-4
    torch.testing.assert_close(stepper.image, target, atol=5e-3, rtol=0)


@BOTH
def test_reported_losses_are_those_of_the_image(make, random_image):
    objective = distance_to(random_image(6, 8))
    stepper = make(Recipe())
    stepper.begin(image_of(0.2), objective)
    for _ in range(10):
        losses = stepper.step()
        assert losses == pytest.approx(values(objective, stepper.image), rel=1e-4)


@BOTH
def test_a_step_is_one_evaluation(make, random_image):
    objective = Misbehaving(distance_to(random_image(6, 8)), wrong=(), value=1)
    stepper = make(Recipe())
    stepper.begin(image_of(0.5), objective)
    for step in range(1, 8):
        stepper.step()
        assert objective.evaluations == step + 1


@BOTH
def test_the_image_is_a_copy_and_so_is_the_start(make, random_image):
    start = image_of(0.5)
    stepper = make(Recipe())
    stepper.begin(start, distance_to(random_image(6, 8)))
    before = stepper.image
    before_step = before.clone()
    stepper.step()
    assert torch.equal(before, before_step)
    assert torch.equal(start, image_of(0.5))
    stepper.image.zero_()
    assert stepper.image.abs().max() > 0.4


@pytest.mark.parametrize(("name", "make"), [("lbfgs", LBFGS), ("adam", Adam)])
def test_every_optimizer_of_a_recipe_exists(name, make):
    assert OPTIMIZERS[name] is make
    assert Recipe(optimizer=name).optimizer in OPTIMIZERS


@BOTH
def test_a_learning_rate_of_nought_is_the_usual_one(make):
    assert make(Recipe(learning_rate=0)).learning_rate == make.usual_learning_rate
    assert make(Recipe(learning_rate=0.3)).learning_rate == 0.3


@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_adams_first_step_is_as_long_as_its_learning_rate(rate):
    stepper = Adam(Recipe(learning_rate=rate))
    stepper.begin(image_of(0.5), distance_to(image_of(0.9)))
    stepper.step()
    torch.testing.assert_close(stepper.image, image_of(0.5 + rate))


def test_the_first_step_of_lbfgs_goes_downhill_as_far_as_its_learning_rate_says(random_image):
    start = image_of(0.5)
    slope = start.clone().requires_grad_()
    objective = distance_to(random_image(6, 8))
    sum(objective(slope).values()).backward()
    lengths = []
    for rate in (1.0, 0.25):
        stepper = LBFGS(Recipe(learning_rate=rate))
        stepper.begin(start, objective)
        stepper.step()
        moved = stepper.image - start
        lengths.append(moved.norm().item())
        cosine = torch.cosine_similarity(moved.flatten(), -slope.grad.flatten(), dim=0)
        assert cosine.item() == pytest.approx(1, abs=1e-3)
    assert lengths[0] == pytest.approx(4 * lengths[1], rel=1e-2)


def test_lbfgs_remembers_as_many_steps_as_it_is_told(random_image):
    stepper = LBFGS(Recipe(history=3))
    stepper.begin(image_of(0.5), distance_to(random_image(6, 8)))
    for _ in range(8):
        stepper.step()
    assert len(stepper.optimizer.order) == 2  # and the last, of which the change is not known yet


def test_adam_keeps_pixels_between_black_and_white():
    stepper = Adam(Recipe(learning_rate=0.3))
    target = torch.cat([image_of(-2, (6, 4)), image_of(3, (6, 4))], dim=-1)
    stepper.begin(image_of(0.5), distance_to(target))
    for _ in range(10):
        stepper.step()
        assert 0 <= stepper.image.min() <= stepper.image.max() <= 1
    assert torch.equal(stepper.image, target.clamp(0, 1))


@pytest.mark.parametrize("shape", [(12, 16), (3, 5), (6, 8)])
def test_adam_carries_its_moments_to_another_size(random_image, shape):
    stepper = Adam(Recipe())
    stepper.begin(image_of(0.5), distance_to(random_image(6, 8)))
    for _ in range(5):
        stepper.step()
    before = {k: v.clone() for k, v in stepper.optimizer.state[stepper.pixels].items()}
    stepper.begin(resize(stepper.image, shape), distance_to(random_image(*shape)))
    after = stepper.optimizer.state[stepper.pixels]
    assert after["step"] == before["step"] == 5
    assert after["exp_avg"].shape == after["exp_avg_sq"].shape == (1, 3, *shape)
    torch.testing.assert_close(after["exp_avg"], resize(before["exp_avg"], shape))
    assert after["exp_avg_sq"].min() >= 0
    assert after["exp_avg_sq"].mean().item() == pytest.approx(
        before["exp_avg_sq"].mean().item(), rel=0.3
    )
    stepper.step()
    assert stepper.optimizer.state[stepper.pixels]["step"] == 6


def test_lbfgs_starts_afresh_at_another_size(random_image):
    stepper = LBFGS(Recipe())
    stepper.begin(image_of(0.5), distance_to(random_image(6, 8)))
    for _ in range(5):
        stepper.step()
    target = random_image(9, 12)
    stepper.begin(resize(stepper.image, (9, 12)), distance_to(target))
    for _ in range(40):
        stepper.step()
    torch.testing.assert_close(stepper.image, target, atol=1e-4, rtol=0)


FAILURES = [
    pytest.param(LBFGS, math.nan, id="lbfgs-nan"),
    pytest.param(LBFGS, math.inf, id="lbfgs-inf"),
    pytest.param(LBFGS, 1e9, id="lbfgs-huge"),
    pytest.param(Adam, math.nan, id="adam-nan"),
    pytest.param(Adam, math.inf, id="adam-inf"),
]


@pytest.mark.parametrize(("make", "value"), FAILURES)
def test_an_explosion_is_taken_back(make, value, random_image):
    objective = distance_to(random_image(6, 8))
    stepper = make(Recipe())
    stepper.begin(image_of(0.5), Misbehaving(objective, {6}, value))
    before = [(stepper.step(), stepper.image) for _ in range(4)]
    losses, image = min(before, key=lambda pair: sum(pair[0].values()))
    rate = stepper.learning_rate

    assert stepper.step() == losses
    torch.testing.assert_close(stepper.image, image, rtol=0, atol=1e-7)
    assert stepper.learning_rate == rate / 2

    for _ in range(60):
        after = stepper.step()
        assert after == pytest.approx(values(objective, stepper.image), rel=1e-3, abs=1e-9)
    assert sum(after.values()) < 0.5 * sum(losses.values())
    assert stepper.learning_rate == rate / 2


@BOTH
def test_explosions_one_after_another_leave_the_best_image(make, random_image):
    stepper = make(Recipe())
    stepper.begin(
        image_of(0.5), Misbehaving(distance_to(random_image(6, 8)), range(5, 99), math.nan)
    )
    best = min(sum(stepper.step().values()) for _ in range(3))
    for _ in range(20):
        assert sum(stepper.step().values()) == pytest.approx(best)
        assert stepper.image.isfinite().all()


def test_an_excursion_is_no_explosion(random_image):
    """L-BFGS may go uphill for a while; taking that back would only slow it down."""
    objective, start = distance_to(random_image(6, 8)), image_of(0.5)
    stepper = LBFGS(Recipe())
    stepper.begin(start, Misbehaving(objective, {2}, 1.5))
    assert sum(stepper.step().values()) > 1.2 * sum(values(objective, start).values())
    assert not torch.equal(stepper.image, start)
    assert stepper.learning_rate == LBFGS.usual_learning_rate


@BOTH
def test_at_the_minimum_nothing_is_taken_back(make):
    """A reconstruction that starts from its target must still move at the next scale."""
    stepper = make(Recipe())
    stepper.begin(image_of(0.5), distance_to(image_of(0.5)))
    for _ in range(5):
        assert sum(stepper.step().values()) == 0
    assert torch.equal(stepper.image, image_of(0.5))
    assert stepper.learning_rate == make.usual_learning_rate


@BOTH
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_start_whose_loss_is_not_finite_is_an_error(make, value, random_image):
    objective = Misbehaving(distance_to(random_image(6, 8)), {1}, value)
    with pytest.raises(NstError, match=r"^The loss of the starting image is not finite"):
        make(Recipe()).begin(image_of(0.5), objective)


@pytest.mark.parametrize(("make", "every"), [(Adam, 1), (LBFGS, 10)])
def test_random_directions_are_drawn_anew_as_often_as_the_optimiser_can_take(
    untrained, random_image, make, every
):
    """And the losses are then those along the new ones."""
    recipe = Recipe(style_loss="sliced_wasserstein", projections=4, style_layers={"relu1_1": 1})
    network = VGG19(network_layers(recipe), untrained)
    objective = transfer_objective(recipe, network, random_image(16, 16, 1), [random_image(16, 16)])
    sliced = objective.on_features["style/relu1_1"].loss
    stepper = make(recipe)
    stepper.begin(random_image(16, 16, 2), objective)
    before, changed = sliced.directions.clone(), []
    for step in range(1, 21):
        losses = stepper.step()
        if not torch.equal(sliced.directions, before):
            changed.append(step)
        before = sliced.directions.clone()
        with torch.no_grad():
            assert losses == pytest.approx(values(objective, stepper.image), rel=1e-3)
    assert changed == list(range(every, 21, every))
