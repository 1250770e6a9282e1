"""Style transfer beyond one content and one style: blends, starts, sizes in micrometres."""

import numpy as np
import pytest

from napari_nst.engine import api as jobs
from napari_nst.engine.losses import STYLE_LOSSES
from tests.helpers.small_images import CONTENT, STYLE

OTHER = np.ascontiguousarray(255 - STYLE[::-1])
STILL = {"steps": 1, "learning_rate": 1e-9}


def stylized(*args, **options):
    return list(jobs.stylize(*args, **options))[-1]


# Blends


@pytest.mark.parametrize("style_loss", [name for name in STYLE_LOSSES if name != "mrf"])
def test_a_blend_of_all_and_nothing_is_the_one_style(quick, style_loss):
    recipe = quick(style_loss=style_loss)
    alone = stylized(CONTENT, STYLE, recipe)
    for styles, blend in (([STYLE, OTHER], (1, 0)), ([OTHER, STYLE], (0, 3))):
        blended = stylized(CONTENT, styles, recipe.replace(style_blend=blend))
        assert blended.losses == pytest.approx(alone.losses, rel=1e-4)
        np.testing.assert_allclose(blended.image, alone.image, atol=1e-4)


def test_a_blend_counts_by_its_shares_alone(quick):
    images = [
        stylized(CONTENT, [STYLE, OTHER], quick(style_blend=blend)).image
        for blend in ((1, 3), (0.25, 0.75), (3, 1), (), (1, 1))
    ]
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[3], images[4])
    assert np.abs(images[0] - images[2]).max() > 0.01


def test_a_blend_lies_between_its_styles(quick):
    """By the loss that each of them alone gives the picture: the larger its share, the nearer."""
    recipe = quick(content_weight=0, tv_weight=0, steps=40)
    distances = []
    for share in (0.1, 0.5, 0.9):
        blend = (share, 1 - share)
        image = stylized(CONTENT, [STYLE, OTHER], recipe.replace(style_blend=blend)).image
        to_first = recipe.replace(init="image", **STILL)
        distances.append(stylized(CONTENT, STYLE, to_first, init_image=image).losses["style"])
    assert distances[0] > distances[1] > distances[2]


def test_styles_of_a_blend_may_have_any_shape_and_channels(quick):
    styles = [STYLE, OTHER[:20, :60], STYLE[..., 0], np.dstack([OTHER, OTHER[..., :1] // 2 + 127])]
    assert np.isfinite(stylized(CONTENT, styles, quick()).losses["total"])


# Starts


def test_a_transfer_starts_from_an_image_of_ones_own(quick):
    own = OTHER[:32, :32]
    it = stylized(CONTENT, STYLE, quick(init="image", **STILL), init_image=own)
    np.testing.assert_allclose(it.image, own / 255, atol=1e-4)


def test_a_start_of_another_shape_keeps_its_aspect(quick):
    """Its middle is taken: stripes of four pixels stay as wide."""
    stripes = np.zeros((32, 96), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = stripes[:, 2::8] = stripes[:, 3::8] = 255
    recipe = quick(init="image", channels="rgb", **STILL)
    it = stylized(CONTENT, STYLE, recipe, init_image=stripes)
    np.testing.assert_allclose(it.image[..., 0], stripes[:, 32:64] / 255, atol=1e-4)


def test_another_image_does_not_matter_where_the_start_is_another(quick):
    plain, with_it = (
        stylized(CONTENT, STYLE, quick(init="noise"), init_image=image) for image in (None, OTHER)
    )
    np.testing.assert_array_equal(plain.image, with_it.image)


def test_it_starts_from_the_style(quick):
    it = stylized(CONTENT, STYLE, quick(init="style", size=64, **STILL))
    np.testing.assert_allclose(it.image, STYLE / 255, atol=1e-4)


# Sizes


@pytest.mark.parametrize("shape", [(31, 64), (64, 17), (45, 33)])
def test_the_content_keeps_its_aspect_and_the_style_its_own(quick, shape):
    it = stylized(CONTENT[: shape[0], : shape[1]], STYLE[:64, :20], quick(size=0))
    assert it.image.shape == (*shape, 3)


def test_a_ribbon_is_stylized(quick):
    """A cell's membrane, unrolled: 33 × 4000, here 9 × 600 and layers that need four pixels."""
    ribbon = np.random.default_rng(0).random((9, 600))
    recipe = quick(size=100, style_layers={"relu3_1": 1}, content_layers={"relu3_1": 1})
    *_, it = jobs.stylize(ribbon, STYLE, recipe)
    assert it.shape == (4, 267)
    assert it.picture.shape == (4, 267)


def test_style_scale_changes_the_size_of_the_strokes(quick):
    images = [stylized(CONTENT, STYLE, quick(style_scale=scale)).image for scale in (0.5, 1, 2)]
    assert np.abs(images[0] - images[1]).max() > 0.01
    assert np.abs(images[1] - images[2]).max() > 0.01


def style_loss_at(quick, content, style, pixel_sizes, **fields):
    recipe = quick(style_sizing="physical", size=0, **STILL, **fields)
    return stylized(content, style, recipe, pixel_sizes=pixel_sizes).losses["style"]


def test_one_micrometre_of_style_goes_on_one_of_content(quick):
    """A style of half the pixel size is halved before it is compared."""
    half = STYLE.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3)) / 255
    resampled = style_loss_at(quick, CONTENT, STYLE, (1.0, 0.5))
    assert resampled == pytest.approx(style_loss_at(quick, CONTENT, half, (1.0, 1.0)), rel=0.1)
    assert resampled != pytest.approx(style_loss_at(quick, CONTENT, STYLE, (1.0, 1.0)), rel=0.2)


def test_only_the_ratio_of_pixel_sizes_counts(quick):
    losses = [
        style_loss_at(quick, CONTENT, STYLE, sizes) for sizes in ((1, 2), (0.2, 0.4), (50, 100))
    ]
    assert losses[1] == pytest.approx(losses[0])
    assert losses[2] == pytest.approx(losses[0])


def test_pixels_are_taken_to_be_alike_where_nothing_is_known(quick):
    style = np.tile(STYLE, (2, 2, 1))[:100, :90]
    unknown = style_loss_at(quick, CONTENT, style, None)
    assert unknown == pytest.approx(style_loss_at(quick, CONTENT, style, (3.0, 3.0)))
    fitted = stylized(CONTENT, style, quick(size=0, **STILL)).losses["style"]
    assert unknown != pytest.approx(fitted, rel=1e-3)


def test_each_of_several_styles_has_its_own_pixel_size(quick):
    styles, sizes = [STYLE, OTHER], (1.0, 0.5, 2.0)
    for blend, own in (((1, 0), 0.5), ((0, 1), 2.0)):
        blended = style_loss_at(quick, CONTENT, styles, sizes, style_blend=blend)
        alone = style_loss_at(quick, CONTENT, styles[blend[1]], (1.0, own))
        assert blended == pytest.approx(alone, rel=1e-4)


def test_a_content_that_is_worked_smaller_has_larger_pixels(quick):
    """At half its size, 0.5 µm are 1 µm, and a style of 1 µm is neither shrunk nor enlarged."""
    recipe = quick(style_sizing="physical", size=32, **STILL)
    halved = stylized(CONTENT, STYLE[:32, :32], recipe, pixel_sizes=(0.5, 1.0))
    fitted = stylized(CONTENT, STYLE[:32, :32], quick(size=32, **STILL))
    assert halved.losses["style"] == pytest.approx(fitted.losses["style"], rel=1e-4)


# Coarse scales


def test_scales_too_coarse_for_a_patch_are_left_out(quick):
    """As those are that are too coarse for the network."""
    recipe = quick(
        style_loss="mrf", style_norm="mean", style_layers={"relu3_1": 1},
        size=64, min_size=8, scale_ratio=2.0, steps=4,
    )  # fmt: skip
    iterations = list(jobs.stylize(CONTENT, STYLE, recipe))
    assert iterations[-1].shape == (64, 64)
    assert len(iterations) == 4


def test_random_directions_are_drawn_anew(quick):
    """Or a sliced style would be matched along a few directions alone (Heitz et al. 2021)."""
    recipe = quick(
        style_loss="sliced_wasserstein", projections=2, style_layers={"relu1_1": 1},
        content_weight=0, tv_weight=0, init="noise", steps=60, optimizer="adam",
    )  # fmt: skip
    image = stylized(CONTENT, STYLE, recipe).image
    along_many = quick(
        style_loss="sliced_wasserstein", projections=256, style_layers={"relu1_1": 1},
        content_weight=0, tv_weight=0, init="image", **STILL,
    )  # fmt: skip
    before = stylized(CONTENT, STYLE, along_many, init_image=np.full((32, 32), 0.5)).losses["style"]
    after = stylized(CONTENT, STYLE, along_many, init_image=image).losses["style"]
    assert after < 0.1 * before
