"""An objective in tiles: the parts and the gradient of the whole, one tile in memory at a time."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.job.build import order_to_reconstruct, order_to_stylize, order_to_synthesize
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.losses import STYLE_LOSSES
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.tiling.objective import TiledObjective
from napari_nst.engine.vgg.network import PADDINGS, VGG19, network_of
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import MOMENT_LOSSES, NORMS, TILED_LOSSES

SHALLOW = Recipe(
    content_layers={"relu2_1": 1},
    style_layers={"relu1_1": 0.5, "relu2_2": 0.3, "relu3_1": 0.2},
    size=0,
    min_size=0,
    device="cpu",
    precision="float32",
)
"""At this depth, tiles of 16 pixels have a halo of 12."""

RNG = np.random.default_rng(0)


def picture(height, width, channels=3):
    return RNG.random((height, width, channels), np.float32)


def compared(whole, tiled, image):
    """Return the parts of both, and the relative distance of their gradients."""
    of_whole, expected = whole.value_and_grad(image)
    of_tiled, gradient = tiled.value_and_grad(image)
    assert list(of_tiled) == list(of_whole)
    return of_whole, of_tiled, ((gradient - expected).norm() / expected.norm()).item()


def assert_equal(whole, tiled, image, tolerance=1e-9):
    of_whole, of_tiled, distance = compared(whole, tiled, image)
    assert isinstance(tiled, TiledObjective)
    assert distance < tolerance
    # float32 leaves a part that is nearly 0 few digits.
    nothing = tolerance * sum(of_whole.values())
    assert of_tiled == pytest.approx(of_whole, rel=tolerance, abs=nothing)


@pytest.fixture
def setup_of(untrained):
    """Return a function that sets up a job with the untrained network."""

    def setup(job, dtype=torch.float64):
        network = network_of(job.recipe, network_layers(job.recipe), untrained, dtype)
        return RunSetup(job, network, torch.device("cpu"))

    return setup


@pytest.fixture
def objective_of(setup_of):
    """Return a function from a job and a tile to the objective of its last scale, in float64."""
    return lambda job, tile, **kwargs: setup_of(job).objective(job.scales[-1], tile, **kwargs)


@pytest.fixture
def assert_tiled_is_whole(objective_of, random_image):
    """Return a function that compares a job's objective in tiles with the whole."""

    def check(job, tile=24, tolerance=1e-9):
        image = random_image(*job.scales[-1].shape, seed=5, dtype=torch.float64)
        assert_equal(objective_of(job, 0), objective_of(job, tile), image, tolerance)

    return check


@pytest.mark.parametrize(
    ("shape", "padding"),
    [*(((61, 47), padding) for padding in PADDINGS), ((75, 13), "circular"), ((33, 79), "reflect")],
)
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
def test_every_loss_of_moments_and_every_norm(assert_tiled_is_whole, loss, norm):
    recipe = SHALLOW.replace(style_loss=loss, style_norm=norm, style_blend=(0.7, 0.3))
    styles = [picture(40, 53), picture(21, 30)]
    assert_tiled_is_whole(order_to_stylize(picture(33, 42), styles, recipe))


@pytest.mark.parametrize("hypercolumns", [False, True])
@pytest.mark.parametrize("loss", ["remd", "nn", "moments", "sampled_wasserstein"])
def test_samples(assert_tiled_is_whole, loss, hypercolumns):
    recipe = SHALLOW.replace(
        style_loss=loss, style_norm="relative", hypercolumns=hypercolumns, samples=200,
        style_samples=300, style_blend=(0.7, 0.3), content_loss="self_similarity",
        content_layers={"relu2_1": 1, "relu3_1": 0.5},
    )  # fmt: skip
    styles = [picture(40, 53), picture(21, 30)]
    assert_tiled_is_whole(order_to_stylize(picture(33, 42), styles, recipe))


def test_samples_beside_moments_and_of_a_rotated_style(assert_tiled_is_whole):
    term = {"style_loss": "remd", "style_weight": 2.0, "hypercolumns": True, "samples": 100}
    recipe = SHALLOW.replace(style_rotations=True, terms=[term, {**term, "hypercolumns": False}])
    assert_tiled_is_whole(order_to_stylize(picture(33, 42), picture(40, 53), recipe))


def test_samples_of_regions_and_of_their_rotated_styles(assert_tiled_is_whole):
    content = np.repeat([[1, 2]], 20, axis=0).repeat(17, axis=1)
    style = np.repeat([[1, 2]], 24, axis=0).repeat([15, 9], axis=1)
    recipe = SHALLOW.replace(style_loss="remd", style_rotations=True, samples=100)
    images = picture(20, 34), picture(24, 24)
    job = order_to_stylize(*images, recipe, guide=content, style_guides=style)
    assert_tiled_is_whole(job, tolerance=1e-5)  # masks are in single precision


@pytest.mark.parametrize("norm", ["relative", "mean", "sum"])
def test_content_alone_takes_one_pass(objective_of, assert_tiled_is_whole, random_image, norm):
    recipe = SHALLOW.replace(content_norm=norm, content_layers={"conv1_2": 1, "pool2": 2})
    job = order_to_reconstruct(picture(45, 51), recipe.replace(init="noise"))
    assert_tiled_is_whole(job)
    told = []
    tiled = objective_of(job, 16, on_tile=lambda *tile: told.append(tile))
    tiled.value_and_grad(random_image(45, 51, dtype=torch.float64))
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
        job = order_to_stylize(
            picture(53, 45), [picture(40, 40), picture(33, 38)], recipe,
            guide=content, style_guides=[style, None],
        )  # fmt: skip
        assert_tiled_is_whole(job, tolerance=1e-5)  # masks are in single precision


def test_pixels_kept_outside_the_labels(objective_of, assert_tiled_is_whole, random_image):
    guide = np.ones((53, 45), int)
    guide[10:30, 8:40] = 0
    job = order_to_stylize(
        picture(53, 45), picture(30, 33), SHALLOW, guide=guide, keep_unlabelled=True
    )
    assert_tiled_is_whole(job)
    image = random_image(53, 45, dtype=torch.float64)
    _, gradient = objective_of(job, 16).value_and_grad(image)
    assert (gradient[0].abs().sum(dim=0) == 0).numpy()[guide == 0].all()


def test_a_region_filled_seamlessly(assert_tiled_is_whole):
    region = np.zeros((64, 64), bool)
    region[18:44, 20:47] = True
    recipe = SHALLOW.replace(init="noise")
    assert_tiled_is_whole(order_to_synthesize(None, recipe, into=picture(64, 64), region=region))


def test_transparent_pixels_do_not_count(assert_tiled_is_whole):
    content, style = picture(53, 45, 4), picture(40, 33, 4)
    content[..., 3] = np.linspace(0, 1, 45) > 0.3
    content[:20, :, 3] = 0  # nothing of the first tiles can be seen
    style[..., 3] = np.linspace(0, 1, 40)[:, None]
    job = order_to_stylize(content, style, SHALLOW)
    assert_tiled_is_whole(job, tolerance=1e-5)  # masks are in single precision


@pytest.mark.parametrize("fields", [{"channels": "grey"}, {"color": "luminance"}])
def test_grey_pictures(assert_tiled_is_whole, fields):
    job = order_to_stylize(picture(45, 51), picture(40, 53), SHALLOW.replace(**fields))
    assert_tiled_is_whole(job)


def test_total_variation_alone_beside_a_style(assert_tiled_is_whole):
    recipe = SHALLOW.replace(content_weight=0, tv_loss="sum", tv_exponent=1.5)
    assert_tiled_is_whole(order_to_stylize(picture(45, 51), picture(40, 53), recipe))


def test_bfloat16_is_that_of_the_whole(setup_of, random_image):
    job = order_to_stylize(picture(48, 64), picture(40, 53), SHALLOW)
    setup, scale = setup_of(job, torch.bfloat16), job.scales[-1]
    whole, tiled = setup.objective(scale), setup.objective(scale, 16)
    of_whole, of_tiled, distance = compared(whole, tiled, random_image(48, 64, seed=3))
    assert distance < 0.02
    assert of_tiled == pytest.approx(of_whole, rel=1e-3)


def test_a_run_in_tiles_makes_the_image_of_one_without(quick):
    content, style = picture(132, 100), picture(60, 60)
    recipe = quick(size=0, steps=1)  # more steps magnify rounding errors
    runs = [nst.stylize(content, style, recipe.replace(tile=tile)) for tile in (0, 128)]
    whole, tiled = (next(run) for run in runs)
    np.testing.assert_allclose(tiled.image, whole.image, atol=1e-5)
    assert tiled.losses == pytest.approx(whole.losses, rel=1e-4)


@pytest.mark.network
def test_the_default_recipe_in_float32(gatys, random_image):
    # With precision auto, CPUs may round each window differently, and tiles have other windows.
    recipe = Recipe(size=0, min_size=0, precision="float32")
    network = network_of(recipe, network_layers(recipe), gatys)
    job = order_to_stylize(picture(520, 165), picture(270, 90), recipe)
    setup, scale = RunSetup(job, network, torch.device("cpu")), job.scales[-1]
    image = random_image(520, 165)
    assert_equal(setup.objective(scale), setup.objective(scale, 256), image, tolerance=1e-5)


def test_the_network_never_reads_more_than_a_tile(objective_of, random_image, monkeypatch):
    read = []
    forward = VGG19.iter_features

    def record(self, image, *args):
        read.append(tuple(image.shape[-2:]))
        return forward(self, image, *args)

    monkeypatch.setattr(VGG19, "iter_features", record)
    job = order_to_stylize(picture(96, 128), picture(90, 128), SHALLOW)
    objective_of(job, 32).value_and_grad(random_image(96, 128, dtype=torch.float64))
    # Style, content, and two passes over the image. The second pass starts with the tile that the
    # first one ends with. Each halo has 12 pixels.
    assert len(read) == 4 * 12 - 1
    assert max(max(shape) for shape in read) == 32 + 2 * 12


def test_an_image_no_larger_than_a_tile_is_computed_whole(objective_of):
    job = order_to_stylize(picture(32, 48), picture(40, 64), SHALLOW)
    assert not isinstance(objective_of(job, 48), TiledObjective)
    assert isinstance(objective_of(job, 47), TiledObjective)
    assert not isinstance(objective_of(job, 0), TiledObjective)


def test_tiles_are_told_as_they_are_done(objective_of, random_image):
    job = order_to_stylize(picture(45, 51), picture(40, 53), SHALLOW)
    told = []
    tiled = objective_of(job, 16, on_tile=lambda *tile: told.append(tile))
    image = random_image(45, 51, dtype=torch.float64)
    tiled.value_and_grad(image)
    assert [done for done, *_ in told] == list(range(1, 19))
    assert {total for _, total, *_ in told} == {18}
    assert all(window is None and pixels is None for *_, window, pixels in told[:9])
    shown = torch.full_like(image, -1)
    for *_, window, pixels in told[9:]:
        shown[(..., *window)] = pixels
    assert torch.equal(shown, image)


@pytest.mark.parametrize("loss", sorted(set(STYLE_LOSSES) - set(TILED_LOSSES)))
def test_losses_of_whole_images_are_refused(setup_of, loss):
    recipe = SHALLOW.replace(style_loss=loss, style_norm="relative")
    job = order_to_stylize(picture(32, 32), picture(32, 32), recipe)
    setup = setup_of(job)
    losses = dict(setup.objective(job.scales[-1]).on_features)
    with pytest.raises(ValueError, match="style_loss"):
        TiledObjective(setup.network, losses, {}, tile=16)
