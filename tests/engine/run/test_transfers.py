"""Style transfer: blends, initial images, and styles in physical units."""

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine.losses import STYLE_LOSSES
from tests.helpers.small_images import CONTENT, STYLE

OTHER = np.ascontiguousarray(255 - STYLE[::-1])
STILL = {"steps": 1, "learning_rate": 1e-9}


def stylized(*args, **options):
    return list(nst.stylize(*args, **options))[-1]


# Blends


@pytest.mark.parametrize("style_loss", [name for name in STYLE_LOSSES if name != "mrf"])
def test_a_style_of_no_share_has_no_effect(quick, style_loss):
    recipe = quick(style_loss=style_loss)
    alone = stylized(CONTENT, STYLE, recipe)
    blended = stylized(CONTENT, [OTHER, STYLE], recipe.replace(style_blend=(0, 3)))
    assert blended.losses == pytest.approx(alone.losses, rel=1e-4)
    np.testing.assert_allclose(blended.image, alone.image, atol=1e-4)


def test_only_relative_shares_count(quick):
    images = [
        stylized(CONTENT, [STYLE, OTHER], quick(style_blend=blend)).image
        for blend in ((1, 3), (0.25, 0.75), (), (1, 1))
    ]
    np.testing.assert_array_equal(images[0], images[1])
    np.testing.assert_array_equal(images[2], images[3])
    assert np.abs(images[0] - images[2]).max() > 0.01


def test_the_larger_the_share_the_nearer_the_style(quick):
    recipe = quick(content_weight=0, tv_weight=0, steps=20)
    distances = []
    for share in (0.1, 0.5, 0.9):
        blend = (share, 1 - share)
        image = stylized(CONTENT, [STYLE, OTHER], recipe.replace(style_blend=blend)).image
        to_first = recipe.replace(init="image", **STILL)
        distances.append(stylized(CONTENT, STYLE, to_first, init_image=image).losses["style"])
    assert distances[0] > distances[1] > distances[2]


def test_blended_styles_may_differ_in_shape_and_channels(quick):
    styles = [STYLE, OTHER[:20, :60], STYLE[..., 0], np.dstack([OTHER, OTHER[..., :1] // 2 + 127])]
    assert np.isfinite(stylized(CONTENT, styles, quick()).losses["total"])


# Initial images


def test_an_initial_image_of_another_shape_is_cropped_not_stretched(quick):
    """Stripes of four pixels keep their width."""
    stripes = np.zeros((32, 96), np.uint8)
    stripes[:, np.arange(96) % 8 < 4] = 255
    recipe = quick(init="image", channels="rgb", **STILL)
    it = stylized(CONTENT, STYLE, recipe, init_image=stripes)
    np.testing.assert_allclose(it.image[..., 0], stripes[:, 32:64] / 255, atol=1e-4)


# Sizes


def test_a_very_long_content_is_stylized(quick):
    """A cell's membrane, unrolled: 9 × 600, with layers that need four pixels."""
    membrane = np.random.default_rng(0).random((9, 600))
    recipe = quick(size=100, style_layers={"relu3_1": 1}, content_layers={"relu3_1": 1})
    with pytest.warns(UserWarning, match="267"):
        assert stylized(membrane, STYLE, recipe).picture.shape == (4, 267)


def style_loss_at(quick, style, pixel_sizes, **fields):
    recipe = quick(style_sizing="physical", size=0, **STILL, **fields)
    return stylized(CONTENT, style, recipe, pixel_sizes=pixel_sizes).losses["style"]


def test_a_style_of_half_the_pixel_size_is_halved(quick):
    half = STYLE.reshape(32, 2, 32, 2, 3).mean(axis=(1, 3)) / 255
    resampled = style_loss_at(quick, STYLE, (1.0, 0.5))
    assert resampled == pytest.approx(style_loss_at(quick, half, (1.0, 1.0)), rel=0.1)
    assert resampled != pytest.approx(style_loss_at(quick, STYLE, (1.0, 1.0)), rel=0.2)
    assert resampled == pytest.approx(style_loss_at(quick, STYLE, (50, 25)))  # the ratio counts


def test_each_style_has_its_own_pixel_size(quick):
    for blend, style, own in (((1, 0), STYLE, 0.5), ((0, 1), OTHER, 2.0)):
        blended = style_loss_at(quick, [STYLE, OTHER], (1.0, 0.5, 2.0), style_blend=blend)
        assert blended == pytest.approx(style_loss_at(quick, style, (1.0, own)), rel=1e-4)


def test_a_content_that_is_worked_smaller_has_larger_pixels(quick):
    """At half its size, 0.5 µm become 1 µm, and a style of 1 µm keeps its size."""
    recipe = quick(style_sizing="physical", size=32, **STILL)
    halved = stylized(CONTENT, STYLE[:32, :32], recipe, pixel_sizes=(0.5, 1.0))
    fitted = stylized(CONTENT, STYLE[:32, :32], quick(size=32, **STILL))
    assert halved.losses["style"] == pytest.approx(fitted.losses["style"], rel=1e-4)


# Style losses


def test_scales_too_coarse_for_a_patch_are_left_out(quick):
    recipe = quick(
        style_loss="mrf", style_norm="mean", style_layers={"relu3_1": 1},
        size=64, min_size=8, scale_ratio=2.0, steps=4,
    )  # fmt: skip
    shapes = {it.shape for it in nst.stylize(CONTENT, STYLE, recipe)}
    assert shapes == {(16, 16), (32, 32), (64, 64)}


def test_random_directions_are_redrawn(quick):
    """Otherwise a style would be matched along a few directions only (Heitz et al. 2021)."""
    fields = {
        "style_loss": "sliced_wasserstein", "style_layers": {"relu1_1": 1}, "content_weight": 0,
        "tv_weight": 0,
    }  # fmt: skip
    recipe = quick(projections=2, init="noise", steps=40, optimizer="adam", **fields)
    image = stylized(CONTENT, STYLE, recipe).image
    many = quick(projections=256, init="image", **STILL, **fields)
    before = stylized(CONTENT, STYLE, many, init_image=np.full((32, 32), 0.5)).losses["style"]
    assert stylized(CONTENT, STYLE, many, init_image=image).losses["style"] < 0.1 * before
