"""The colours of a result: what `Recipe.color` does in a run."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.images.color_transfer import COLOR_METHODS
from napari_nst.engine.images.convert import resize
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

IQ = np.array([[0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Rows of the matrix from RGB to YIQ."""

FLAT = 0.5 + 0.3 * (CONTENT / 255 - 0.5)
"""A content of little contrast, whose colours are never clipped."""

STILL = {"size": 64, "steps": 1, "learning_rate": 1e-9}


def content_at(shape):
    image = torch.from_numpy(CONTENT.astype(np.float32) / 255).permute(2, 0, 1)[None]
    return resize(image, shape)[0].permute(1, 2, 0).numpy()


def recoloured(quick, color, content=CONTENT, style=STYLE, **fields):
    """Return the style with transferred colours: a run that starts from the style shows it."""
    recipe = quick(color=color, init="style", **STILL, **fields)
    return next(nst.stylize(content, style, recipe)).image


# Luminance only


@pytest.mark.parametrize("init", ["content", "noise"])
def test_luminance_keeps_the_contents_colours_at_every_scale(quick, init):
    recipe = quick(color="luminance", init=init, size=64, min_size=32, steps=9)
    iterations = list(nst.stylize(CONTENT, STYLE, recipe))
    assert len({it.shape for it in iterations}) == 3
    for it in iterations:
        inside = ((it.image > 0) & (it.image < 1)).all(axis=-1)
        assert inside.mean() > 0.5
        expected = content_at(it.shape) @ IQ.T
        np.testing.assert_allclose((it.image @ IQ.T)[inside], expected[inside], atol=1e-3)
        assert not it.is_grey
    before = content_at((64, 64)).mean(axis=-1)
    assert np.abs(iterations[-1].image.mean(axis=-1) - before).mean() > 0.02


def test_with_luminance_the_style_gets_the_contents_mean_and_standard_deviation(quick):
    style = recoloured(quick, "luminance", channels="grey")[..., 0]
    luminance = content_at((64, 64)) @ [0.299, 0.587, 0.114]
    assert style.mean() == pytest.approx(luminance.mean(), abs=0.02)
    assert style.std() == pytest.approx(luminance.std(), rel=0.1)  # less what is clipped


# Colours transferred to the style


def test_a_linear_method_gives_the_style_the_contents_mean_and_covariance(quick):
    found, wanted = recoloured(quick, "pca", FLAT).reshape(-1, 3), FLAT.reshape(-1, 3)
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(np.cov(found.T), np.cov(wanted.T), rtol=0.05, atol=2e-5)


@pytest.mark.parametrize("color", COLOR_METHODS)
def test_the_recoloured_style_is_the_target(quick, color):
    """A run that starts from it has no style loss, unlike one with the style's own colours."""
    recipe = quick(color=color, init="style", padding="zeros", **STILL)
    assert next(nst.stylize(CONTENT, STYLE, recipe)).losses["style"] < 1e-6
    own = recipe.replace(color="style", init="image")
    image = recoloured(quick, color)
    assert next(nst.stylize(CONTENT, STYLE, own, init_image=image)).losses["style"] > 0.01


def test_each_of_several_styles_is_recoloured(quick):
    other = np.ascontiguousarray(STYLE[::-1, :, ::-1])
    image = recoloured(quick, "symmetric", style=other)
    recipe = quick(color="symmetric", style_blend=(0, 1), init="image", **STILL)
    it = next(nst.stylize(CONTENT, [STYLE, other], recipe, init_image=image))
    assert it.losses["style"] < 1e-5


@pytest.mark.parametrize("color", ["symmetric", "histogram"])
def test_only_visible_pixels_have_colours(quick, color):
    left = np.broadcast_to(np.arange(64) < 32, (64, 64))
    content = np.dstack([np.where(left[..., None], FLAT, 1.0), left])
    upper = np.broadcast_to(np.arange(64)[:, None] < 16, (64, 64))
    found = recoloured(quick, color, content, with_alpha(STYLE, upper))[:16].reshape(-1, 3)
    wanted = FLAT[:, :32].reshape(-1, 3)
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(found.std(axis=0), wanted.std(axis=0), rtol=0.05)


@pytest.mark.parametrize("color", ["luminance", "symmetric"])
def test_a_texture_has_its_exemplars_colours_whatever_the_recipe_says(quick, color):
    image = next(nst.synthesize(STYLE, quick(color=color, init="style", **STILL))).image
    np.testing.assert_allclose(image, STYLE / 255, atol=1e-4)
