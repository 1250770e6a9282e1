"""An objective in tiles: the parts and the gradient of the whole, a tile in memory at a time."""

import numpy as np
import pytest
import torch

from napari_nst.engine import api as jobs
from napari_nst.engine.job.build import order_to_reconstruct, order_to_stylize, order_to_synthesize
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.losses import STYLE_LOSSES, Moments
from napari_nst.engine.run.targets import RunSetup
from napari_nst.engine.tiling import tiled_losses
from napari_nst.engine.tiling.objective import TiledObjective
from napari_nst.engine.vgg.network import PADDINGS, VGG19, network_of
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import MOMENT_LOSSES, NORMS
from tests.helpers.transfer_objective import transfer_objective

SHALLOW = Recipe(
    content_layers={"relu2_1": 1},
    style_layers={"relu1_1": 0.5, "relu2_2": 0.3, "relu3_1": 0.2},
    size=0,
    min_size=0,
    device="cpu",
    precision="float32",
)
"""To a depth where tiles of 16 pixels reach 12 farther."""

RNG = np.random.default_rng(0)


def picture(height, width, channels=3):
    return RNG.random((height, width, channels), np.float32)


def compared(whole, tiled, image):
    """Return both totals' parts, and how far apart the gradients are."""
    found = []
    for objective in (whole, tiled):
        pixels = image.clone().requires_grad_()
        parts = objective(pixels)
        torch.stack(list(parts.values())).sum().backward()
        found.append(({name: part.item() for name, part in parts.items()}, pixels.grad))
    (of_whole, expected), (of_tiled, gradient) = found
    assert list(of_tiled) == list(of_whole)
    return of_whole, of_tiled, ((gradient - expected).norm() / expected.norm()).item()


def assert_alike(whole, tiled, image, tolerance=1e-9):
    of_whole, of_tiled, distance = compared(whole, tiled, image)
    assert isinstance(tiled, TiledObjective)
    assert distance < tolerance
    # Single precision leaves a part that is nearly 0 few digits.
    nothing = tolerance * sum(of_whole.values())
    assert of_tiled == pytest.approx(of_whole, rel=tolerance, abs=nothing)


@pytest.fixture
def assembled(untrained):
    """Return a function from an order and a tile to the objective of its last scale, in float64."""

    def objective(order, tile):
        recipe = order.recipe
        network = network_of(recipe, network_layers(recipe), untrained, torch.float64)
        assembly = RunSetup(order, network, torch.device("cpu"))
        assembly.tile = tile
        return assembly.objective_at(order.scales[-1])

    return objective


@pytest.fixture
def assert_tiled_is_whole(assembled, random_image):
    """Return a function that compares an order's objective in tiles with the whole."""

    def check(order, tile=24, tolerance=1e-9):
        image = random_image(*order.scales[-1].shape, seed=5, dtype=torch.float64)
        assert_alike(assembled(order, 0), assembled(order, tile), image, tolerance)

    return check


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("shape", [(61, 47), (75, 13), (33, 79)])
def test_every_padding_at_sizes_that_do_not_divide(assert_tiled_is_whole, shape, padding):
    recipe = SHALLOW.replace(padding=padding)
    assert_tiled_is_whole(order_to_stylize(picture(*shape), picture(40, 53), recipe))


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("padding", ["replicate", "circular"])
def test_every_pooling(assert_tiled_is_whole, pooling, padding):
    recipe = SHALLOW.replace(padding=padding, pooling=pooling)
    assert_tiled_is_whole(order_to_stylize(picture(45, 51), picture(40, 53), recipe), tile=20)


@pytest.mark.parametrize(
    ("loss", "norm"), [(loss, norm) for loss in MOMENT_LOSSES for norm in NORMS[loss]]
)
def test_every_loss_of_sums_and_every_norm(assert_tiled_is_whole, loss, norm):
    recipe = SHALLOW.replace(style_loss=loss, style_norm=norm, style_blend=(0.7, 0.3))
    styles = [picture(40, 53), picture(21, 30)]
    assert_tiled_is_whole(order_to_stylize(picture(33, 42), styles, recipe))


@pytest.mark.parametrize("norm", ["relative", "mean", "sum"])
def test_content_alone_takes_one_pass(assembled, assert_tiled_is_whole, random_image, norm):
    recipe = SHALLOW.replace(content_norm=norm, content_layers={"conv1_2": 1, "pool2": 2})
    order = order_to_reconstruct(picture(45, 51), recipe.replace(init="noise"))
    assert_tiled_is_whole(order)
    tiled = assembled(order, 16)
    told = []
    tiled.watch = lambda *tile: told.append(tile)
    tiled(random_image(45, 51))
    assert [done for done, *_ in told] == list(range(1, 10))
    assert all(total == 9 and window is not None for _, total, window, _ in told)


def test_a_texture_alone(assert_tiled_is_whole):
    recipe = SHALLOW.replace(padding="circular", tv_loss="nine_point", init="noise")
    assert_tiled_is_whole(order_to_synthesize(picture(50, 40), recipe, (43, 57)))


def test_guides_of_content_and_styles(assert_tiled_is_whole):
    content = np.ones((53, 45), int)
    content[:20, 5:30], content[40:, :] = 2, 3
    style = np.ones((40, 40), int)
    style[15:, 22:], style[25:, :20] = 2, 3
    for loss, norm in [("mean_covariance", "relative"), ("gram", "raw")]:
        recipe = SHALLOW.replace(style_loss=loss, style_norm=norm)
        order = order_to_stylize(
            picture(53, 45), [picture(40, 40), picture(33, 38)], recipe,
            guide=content, style_guides=[style, None],
        )  # fmt: skip
        assert_tiled_is_whole(order, tolerance=1e-5)  # masks are in single precision


def test_a_tile_is_asked_for_its_own_regions_alone(assembled, random_image, monkeypatch):
    guide = np.ones((64, 64), int)
    guide[:, 32:] = 2
    order = order_to_stylize(
        picture(64, 64), [picture(40, 40), picture(33, 38)], SHALLOW, guide=guide
    )
    objective = assembled(order, 32)
    summed, pulled = [], []
    of, by_features = Moments.of, tiled_losses.gradient_by_features
    monkeypatch.setattr(Moments, "of", lambda *given: summed.append(1) or of(*given))
    monkeypatch.setattr(
        tiled_losses, "gradient_by_features", lambda *given: pulled.append(1) or by_features(*given)
    )
    sum(objective(random_image(64, 64).requires_grad_()).values()).backward()
    # Three layers of four tiles, each with one region of two.
    assert len(summed) == len(pulled) == 3 * 4


def test_pixels_that_are_kept(assembled, assert_tiled_is_whole, random_image):
    guide = np.ones((53, 45), int)
    guide[10:30, 8:40] = 0
    order = order_to_stylize(
        picture(53, 45), picture(30, 33), SHALLOW, guide=guide, keep_unlabelled=True
    )
    assert_tiled_is_whole(order)
    image = random_image(53, 45).requires_grad_()
    sum(assembled(order, 16)(image).values()).backward()
    assert (image.grad[0].abs().sum(dim=0) == 0).numpy()[guide == 0].all()


def test_a_hole_filled_seamlessly(assert_tiled_is_whole):
    hole = np.zeros((64, 64), bool)
    hole[18:44, 20:47] = True
    recipe = SHALLOW.replace(init="noise")
    assert_tiled_is_whole(order_to_synthesize(None, recipe, into=picture(64, 64), region=hole))


def test_what_is_transparent_does_not_count(assert_tiled_is_whole):
    content, style = picture(53, 45, 4), picture(40, 33, 4)
    content[..., 3] = np.linspace(0, 1, 45) > 0.3
    content[:20, :, 3] = 0  # nothing of the first tiles can be seen
    style[..., 3] = np.linspace(0, 1, 40)[:, None]
    order = order_to_stylize(content, style, SHALLOW)
    assert_tiled_is_whole(order, tolerance=1e-5)  # masks are in single precision


@pytest.mark.parametrize("fields", [{"channels": "grey"}, {"color": "luminance"}])
def test_grey_pictures(assert_tiled_is_whole, fields):
    order = order_to_stylize(picture(45, 51), picture(40, 53), SHALLOW.replace(**fields))
    assert_tiled_is_whole(order)


def test_total_variation_alone_beside_a_style(assert_tiled_is_whole):
    recipe = SHALLOW.replace(content_weight=0, tv_loss="sum", tv_exponent=1.5)
    assert_tiled_is_whole(order_to_stylize(picture(45, 51), picture(40, 53), recipe))


def test_half_precision_is_that_of_the_whole(untrained, random_image):
    network = VGG19(network_layers(SHALLOW), untrained, padding="zeros", dtype=torch.bfloat16)
    images = random_image(48, 64, seed=1), [random_image(40, 53, seed=2)]
    whole = transfer_objective(SHALLOW, network, *images)
    tiled = TiledObjective(whole, 16)
    of_whole, of_tiled, distance = compared(whole, tiled, random_image(48, 64, seed=3))
    assert distance < 0.02
    assert of_tiled == pytest.approx(of_whole, rel=1e-3)
    assert all(part.dtype == torch.float32 for part in tiled(random_image(48, 64)).values())


def test_a_run_in_tiles_makes_the_picture_of_one_without(quick):
    content, style = picture(132, 100), picture(60, 60)
    recipe = quick(size=0, steps=1)  # further ones make more of rounding errors
    runs = [jobs.stylize(content, style, recipe.replace(tile=tile)) for tile in (0, 128)]
    whole, tiled = (next(run) for run in runs)
    np.testing.assert_allclose(tiled.image, whole.image, atol=1e-5)
    assert tiled.losses == pytest.approx(whole.losses, rel=1e-4)


# ── with the real network ────────────────────────────────────────────────────────────────────────


@pytest.mark.network
@pytest.mark.parametrize("padding", PADDINGS)
def test_the_default_recipe_in_single_precision(gatys, random_image, padding):
    # What auto may take on processors rounds each window otherwise, and tiles have other windows.
    recipe = Recipe(padding=padding, size=0, min_size=0, precision="float32")
    network = network_of(recipe, network_layers(recipe), gatys)
    order = order_to_stylize(picture(771, 165), picture(270, 90), recipe)
    assembly = RunSetup(order, network, torch.device("cpu"))
    whole = assembly.objective_at(order.scales[-1])
    assembly.tile = 256
    tiled = assembly.objective_at(order.scales[-1])
    assert_alike(whole, tiled, random_image(771, 165), tolerance=1e-5)


# ── what is in memory ────────────────────────────────────────────────────────────────────────────


def test_the_network_never_sees_more_than_a_tile(assembled, random_image, monkeypatch):
    seen = []
    along = VGG19.along

    def record(self, image, *args):
        seen.append(tuple(image.shape[-2:]))
        return along(self, image, *args)

    monkeypatch.setattr(VGG19, "along", record)
    order = order_to_stylize(picture(96, 128), picture(90, 128), SHALLOW)
    objective = assembled(order, 32)
    sum(objective(random_image(96, 128).requires_grad_()).values()).backward()
    # Style, content, and two passes through the picture, of which the second begins where the
    # first one ends; each tile reaches 12 pixels farther.
    assert len(seen) == 4 * 12 - 1
    assert max(max(shape) for shape in seen) == 32 + 2 * 12


def test_what_is_no_larger_than_a_tile_is_computed_whole(assembled):
    order = order_to_stylize(picture(32, 48), picture(40, 64), SHALLOW)
    assert not isinstance(assembled(order, 48), TiledObjective)
    assert isinstance(assembled(order, 47), TiledObjective)
    assert not isinstance(assembled(order, 0), TiledObjective)


def test_a_recipes_tile_is_what_is_taken(untrained):
    recipe = SHALLOW.replace(tile=128)
    network = network_of(recipe, network_layers(recipe), untrained)
    order = order_to_stylize(picture(130, 140), picture(20, 20), recipe)
    objective = RunSetup(order, network, torch.device("cpu")).objective_at(order.scales[-1])
    assert isinstance(objective, TiledObjective)
    assert objective.tile == 128


# ── what is told, and what is refused ────────────────────────────────────────────────────────────


def test_tiles_are_told_of_as_they_are_done(assembled, random_image):
    order = order_to_stylize(picture(45, 51), picture(40, 53), SHALLOW)
    tiled, image = assembled(order, 16), random_image(45, 51)
    told = []
    tiled.watch = lambda *tile: told.append(tile)
    tiled(image)
    assert [done for done, *_ in told] == list(range(1, 19))
    assert {total for _, total, *_ in told} == {18}
    assert all(window is None and pixels is None for *_, window, pixels in told[:9])
    shown = torch.full_like(image, -1)
    for *_, window, pixels in told[9:]:
        shown[(..., *window)] = pixels
    assert torch.equal(shown, image)


def test_whoever_watches_may_end_it(assembled, random_image):
    order = order_to_stylize(picture(45, 51), picture(40, 53), SHALLOW)
    tiled = assembled(order, 16)

    def stop(*tile):
        raise KeyboardInterrupt

    tiled.watch = stop
    with pytest.raises(KeyboardInterrupt):
        tiled(random_image(45, 51))


@pytest.mark.parametrize("loss", sorted(set(STYLE_LOSSES) - set(MOMENT_LOSSES)))
def test_losses_that_are_no_sums_are_refused(untrained, random_image, loss):
    recipe = SHALLOW.replace(style_loss=loss, style_norm="relative")
    network = VGG19(network_layers(recipe), untrained)
    whole = transfer_objective(recipe, network, random_image(32, 32), [random_image(32, 32)])
    with pytest.raises(ValueError, match=r"^style/relu1_1 is no function of sums .* or tile 0\.$"):
        TiledObjective(whole, 16)


def test_the_parts_have_no_gradients_of_their_own(assembled, random_image):
    order = order_to_stylize(picture(45, 51), picture(40, 53), SHALLOW)
    parts = assembled(order, 16)(random_image(45, 51).requires_grad_())
    with pytest.raises(ValueError, match=r"^The parts of a tiled objective have no gradients of "):
        parts["tv"].backward()


def test_the_total_may_be_scaled(assembled, random_image):
    order = order_to_stylize(picture(45, 51), picture(40, 53), SHALLOW)
    gradients = []
    for factor in (1, -3):
        image = random_image(45, 51).requires_grad_()
        (factor * sum(assembled(order, 16)(image).values())).backward()
        gradients.append(image.grad)
    torch.testing.assert_close(gradients[1], -3 * gradients[0])
