"""What runs start from: every init with every noise; and how much their targets cost."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.run.setup import MEAN_COLOUR, RunSetup, initial_image
from napari_nst.engine.vgg.network import network_of
from napari_nst.recipe import Recipe

SHAPE = (90, 130)

NOISES = pytest.mark.parametrize("noise", ["normal", "uniform", "matched", "covariance"])


@pytest.fixture
def subjects(random_image):
    """Return a content and a style, of other aspects than the picture's and quite unlike."""
    middle = torch.tensor([0.6, 0.45, 0.3]).view(1, 3, 1, 1)
    spread = torch.tensor([0.1, 0.02, 0.15]).view(1, 3, 1, 1)
    style = middle + spread * (random_image(64, 64, seed=2) - 0.5)
    return MaskedImage(random_image(80, 120, seed=1)), MaskedImage(style)


def start(subjects, shape=SHAPE, image=None, **fields):
    content, *styles = subjects
    return initial_image(Recipe(**fields), shape, content, styles, image)


def moments(image):
    return image.mean(dim=(0, 2, 3)).numpy(), image.std(dim=(0, 2, 3)).numpy()


# Noise


@pytest.mark.parametrize("spread", [0.05, 0.1, 0.15])
def test_normal_noise_has_its_spread_around_the_colour_of_photographs(subjects, spread):
    mean, std = moments(start(subjects, init="noise", noise="normal", noise_spread=spread))
    np.testing.assert_allclose(mean, MEAN_COLOUR, atol=0.01)
    np.testing.assert_allclose(std, spread, rtol=0.03)


@pytest.mark.parametrize("spread", [0.05, 0.2, 0.4])
def test_uniform_noise_has_its_spread_to_both_sides(subjects, spread):
    image = start(subjects, init="noise", noise="uniform", noise_spread=spread)
    for channel, middle in zip(image[0], MEAN_COLOUR, strict=True):
        assert channel.min().item() == pytest.approx(middle - spread, abs=1e-3)
        assert channel.max().item() == pytest.approx(middle + spread, abs=1e-3)
        assert channel.std().item() == pytest.approx(spread / np.sqrt(3), rel=0.03)


def test_matched_noise_has_the_mean_and_spread_of_the_style(subjects):
    mean, std = moments(start(subjects, init="noise", noise="matched"))
    of_style = moments(subjects[1].image)
    np.testing.assert_allclose(mean, of_style[0], atol=0.005)
    np.testing.assert_allclose(std, of_style[1], rtol=0.05)


def test_covariance_noise_has_colours_that_vary_together_as_those_of_the_style(subjects):
    content, style = subjects
    alike = style.image.clone()
    alike[:, 2] = 0.9 * alike[:, 0] + 0.1 * alike[:, 1]
    noise = start([content, MaskedImage(alike)], init="noise", noise="covariance")
    of_noise, of_style = (torch.cov(image[0].flatten(1)) for image in (noise, alike))
    torch.testing.assert_close(of_noise, of_style, rtol=0.05, atol=1e-6)


def test_matched_noise_is_of_the_first_style(subjects, random_image):
    another = MaskedImage(random_image(50, 50, seed=5) * 0.1)
    fields = {"init": "noise", "noise": "matched"}
    assert torch.equal(start([*subjects, another], **fields), start(subjects, **fields))


def test_matched_noise_of_a_reconstruction_is_like_its_image(subjects):
    content = MaskedImage(subjects[0].image * 0.4 + 0.3)
    mean, std = moments(start([content], init="noise", noise="matched"))
    of_content = moments(content.image)
    np.testing.assert_allclose(mean, of_content[0], atol=0.01)
    np.testing.assert_allclose(std, of_content[1], rtol=0.05)


def test_matched_noise_leaves_transparent_pixels_out(subjects):
    content, style = subjects
    mask = torch.ones(1, 1, 64, 64)
    mask[..., 40:, :] = 0
    mask[..., 40:42, :] = 0.4  # more transparent than not
    loud = torch.where(mask == 1, style.image, 1.0)
    expected = moments(style.image[..., :40, :])
    mean, std = moments(start([content, MaskedImage(loud, mask)], init="noise", noise="matched"))
    np.testing.assert_allclose(mean, expected[0], atol=0.005)
    np.testing.assert_allclose(std, expected[1], rtol=0.05)


@NOISES
def test_noise_is_of_the_seed_alone(subjects, noise):
    state = torch.random.get_rng_state()
    one, again, other = (start(subjects, init="noise", noise=noise, seed=s) for s in (3, 3, 4))
    assert torch.equal(one, again)
    assert torch.equal(torch.random.get_rng_state(), state)
    for channel in range(3):
        drawn = torch.stack([image[0, channel].flatten() for image in (one, other)])
        assert torch.corrcoef(drawn)[0, 1].abs() < 0.1


@pytest.mark.parametrize("noise", ["normal", "uniform"])
def test_noise_of_decorrelated_colours_is_nearly_grey_at_the_same_spread(subjects, noise):
    usual, correlated = (
        start(subjects, init="noise", noise=noise, parametrization=name)[0].flatten(1)
        for name in ("pixels", "decorrelated")
    )
    torch.testing.assert_close(usual.std(dim=1), correlated.std(dim=1), rtol=0.05, atol=0.005)
    assert torch.corrcoef(usual)[0, 1:].abs().max() < 0.1
    assert torch.corrcoef(correlated)[0, 1:].min() > 0.75


@NOISES
def test_noise_has_no_pattern(subjects, noise):
    """Neither from pixel to pixel nor from channel to channel."""
    image = start(subjects, init="noise", noise=noise)[0]
    across = torch.stack([image[..., 1:].flatten(1)[0], image[..., :-1].flatten(1)[0]])
    assert torch.corrcoef(across)[0, 1].abs() < 0.05
    between = torch.corrcoef(image.flatten(1)) - torch.eye(3)
    assert between.abs().max() < 0.05


# What is there already


def test_it_starts_from_the_content(subjects):
    content, _ = subjects
    assert torch.equal(start(subjects, (80, 120), init="content"), content.image)
    smaller = start(subjects, (40, 60), init="content")
    torch.testing.assert_close(smaller, content.resized((40, 60)).image.clamp(0, 1))


def test_it_starts_from_the_style_at_its_own_aspect(subjects):
    _, style = subjects
    assert torch.equal(start(subjects, (64, 64), init="style"), style.image)
    cut = start(subjects, (40, 64), init="style")
    assert torch.equal(cut, style.image[..., 12:52, :])


def test_it_starts_from_another_image_at_its_own_aspect(subjects, random_image):
    another = MaskedImage(random_image(30, 50, seed=9))
    assert torch.equal(start(subjects, (30, 50), another, init="image"), another.image)
    assert torch.equal(start(subjects, (30, 20), another, init="image"), another.image[..., 15:35])


@NOISES
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_mix_has_its_share_of_noise(subjects, noise, share):
    content = start(subjects, (80, 120), init="content")
    alone = start(subjects, (80, 120), init="noise", noise=noise, seed=6)
    mixed = start(subjects, (80, 120), init="mix", noise=noise, init_noise=share, seed=6)
    torch.testing.assert_close(mixed, (1 - share) * content + share * alone)


def test_a_texture_is_mixed_with_its_exemplar(random_image):
    exemplar = MaskedImage(random_image(40, 40, seed=1))
    fields = {"init": "mix", "init_noise": 0.25, "seed": 2}
    mixed = initial_image(Recipe(**fields), (40, 40), None, [exemplar], None)
    noise = initial_image(Recipe(init="noise", seed=2), (40, 40), None, [exemplar], None)
    torch.testing.assert_close(mixed, 0.75 * exemplar.image + 0.25 * noise)


# All of them


@NOISES
@pytest.mark.parametrize("init", ["content", "style", "noise", "mix", "image"])
@pytest.mark.parametrize("shape", [(48, 64), (31, 97), (100, 100)])
def test_every_start_has_the_shape_of_the_picture_and_its_range(
    subjects, random_image, init, noise, shape
):
    """Also where styles leave the range, as recoloured ones may, and resampling overshoots."""
    content, style = subjects
    beyond = MaskedImage((style.image - 0.45) * 20)
    image = start(
        [content, beyond], shape, MaskedImage((random_image(20, 30) > 0.5).float()),
        init=init, noise=noise, noise_spread=1.0,
    )  # fmt: skip
    assert image.shape == (1, 3, *shape)
    assert image.dtype == torch.float32
    assert 0 <= image.min() <= image.max() <= 1
    assert image.std() > 0.02


# ── what the targets cost ───────────────────────────────────────────────────────────────────────

SQUARE = np.random.default_rng(0).random((48, 48, 3), dtype=np.float32)
REGION = np.zeros((48, 48), int)
REGION[8:40, 8:40] = 1

FIELDS = {
    "content_layers": {"relu1_2": 1},
    "style_layers": {"relu1_1": 1, "relu2_1": 1},
    "precision": "float32",
    "device": "cpu",
}
UP_TO_CONTENT, UP_TO_STYLE = 4, 7  # conv1_1 to relu1_2, and to relu2_1


def layers_computed(job, untrained, tile=0):
    """Return how many layers of the network are computed for the targets of the last scale."""
    network = network_of(job.recipe, network_layers(job.recipe), untrained)
    calls = []
    network.check_cancelled = lambda: calls.append(1)
    RunSetup(job, network, torch.device("cpu")).objective(job.scales[-1], tile)
    return len(calls)


@pytest.mark.parametrize("guide", [None, REGION], ids=["", "guided"])
@pytest.mark.parametrize("style_loss", ["gram", "mrf", "sliced_wasserstein"])
@pytest.mark.parametrize(
    ("weights", "layers"),
    [
        ({}, UP_TO_CONTENT + UP_TO_STYLE),
        ({"content_weight": 0.0}, UP_TO_STYLE),
        ({"content_layers": {"relu1_2": 0.0}}, UP_TO_STYLE),
        ({"style_weight": 0.0}, UP_TO_CONTENT),
    ],
    ids=str,
)
def test_layers_without_a_loss_are_not_computed(untrained, style_loss, guide, weights, layers):
    recipe = Recipe(**{**FIELDS, "style_loss": style_loss, "size": 48, "min_size": 0, **weights})
    job = nst.order_to_stylize(SQUARE, SQUARE, recipe, guide=guide)
    assert layers_computed(job, untrained) == layers
    if style_loss == "gram" and guide is None:
        assert layers_computed(job, untrained, tile=47) % layers == 0


def test_a_fill_has_no_content_pass(untrained):
    job = nst.order_to_synthesize(SQUARE, Recipe(**FIELDS), into=SQUARE, region=REGION)
    assert layers_computed(job, untrained) == UP_TO_STYLE
