"""Whose colours a picture has: what a recipe's `color` makes of a run."""

import numpy as np
import pytest
import torch

from napari_nst.engine import api as jobs
from napari_nst.engine.images.color_transfer import COLOR_METHODS
from napari_nst.engine.images.convert import resize
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

IQ = np.array([[0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
"""Of YIQ, from R, G, B."""


def iq(image):
    return image @ IQ.T


def content_at(shape):
    image = torch.from_numpy(CONTENT.astype(np.float32) / 255).permute(2, 0, 1)[None]
    return resize(image, shape)[0].permute(1, 2, 0).numpy()


def recoloured(quick, color, content=CONTENT, style=STYLE, **fields):
    """Return a style as a run compares with it: what a run that starts from it shows at once."""
    recipe = quick(color=color, init="style", size=64, steps=1, learning_rate=1e-9, **fields)
    return next(jobs.stylize(content, style, recipe)).image


# The content's, by luminance


@pytest.mark.parametrize("init", ["content", "noise", "style"])
def test_luminance_keeps_the_contents_colours_at_every_scale(quick, init):
    recipe = quick(color="luminance", init=init, size=64, min_size=32, steps=9)
    iterations = list(jobs.stylize(CONTENT, STYLE, recipe))
    assert len({it.shape for it in iterations}) == 3
    for it in iterations:
        inside = ((it.image > 0) & (it.image < 1)).all(axis=-1)
        assert inside.mean() > 0.5
        expected = iq(content_at(it.shape))
        np.testing.assert_allclose(iq(it.image)[inside], expected[inside], atol=1e-3)
        assert not it.is_grey
        assert it.picture.shape == (*it.shape, 3)


def test_luminance_paints_in_light_and_dark(quick):
    first, *_, last = jobs.stylize(CONTENT, STYLE, quick(color="luminance", size=64, steps=12))
    grey, before = last.image.mean(axis=-1), content_at((64, 64)).mean(axis=-1)
    assert np.abs(grey - before).mean() > 0.02
    assert last.losses["total"] < 0.9 * first.losses["total"]


def test_the_style_of_luminance_has_the_contents_mean_and_spread(quick):
    style = recoloured(quick, "luminance", channels="grey")[..., 0]
    luminance = content_at((64, 64)) @ [0.299, 0.587, 0.114]
    assert style.mean() == pytest.approx(luminance.mean(), abs=0.02)
    assert style.std() == pytest.approx(luminance.std(), rel=0.1)  # what is cut off, it has not


def test_luminance_of_a_grey_content_is_a_grey_picture(quick):
    *_, it = jobs.stylize(CONTENT[..., 0], STYLE, quick(color="luminance"))
    assert it.is_grey
    assert it.picture.shape == (32, 32)


# The content's, given to the style


@pytest.mark.parametrize("color", ["cholesky", "pca", "symmetric"])
def test_linear_methods_give_the_style_the_contents_mean_and_covariance(quick, color):
    """Of a content without much contrast, so that nothing is cut off."""
    content = 0.5 + 0.3 * (CONTENT / 255 - 0.5)
    found = recoloured(quick, color, content).reshape(-1, 3)
    wanted = content.reshape(-1, 3)
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(np.cov(found.T), np.cov(wanted.T), rtol=0.05, atol=2e-5)


def test_histogram_gives_the_style_the_contents_distribution(quick):
    found = recoloured(quick, "histogram").reshape(-1, 3)
    quantiles = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(
        np.quantile(found, quantiles, axis=0),
        np.quantile(CONTENT.reshape(-1, 3) / 255, quantiles, axis=0),
        atol=0.02,
    )


def test_style_leaves_it_as_it_is(quick):
    np.testing.assert_allclose(recoloured(quick, "style"), STYLE / 255, atol=1e-4)


@pytest.mark.parametrize("color", COLOR_METHODS)
def test_the_targets_are_the_recoloured_style(quick, color):
    """So a run from the recoloured style has no style loss at all."""
    recipe = quick(color=color, init="style", size=64, steps=1, learning_rate=1e-9, padding="zeros")
    of_itself = next(jobs.stylize(CONTENT, STYLE, recipe)).losses["style"]
    of_another = next(jobs.stylize(CONTENT, STYLE, recipe.replace(color="style"))).losses["style"]
    assert of_itself < 1e-6
    assert of_another < 1e-6
    crossed = recipe.replace(color="style", init="image")
    image = recoloured(quick, color)
    assert next(jobs.stylize(CONTENT, STYLE, crossed, init_image=image)).losses["style"] > 0.01


def test_each_of_several_styles_is_recoloured(quick):
    recipe = quick(color="symmetric", init="style", size=64, steps=1, learning_rate=1e-9)
    second = recipe.replace(style_blend=(0, 1), init="image")
    other = np.ascontiguousarray(STYLE[::-1, :, ::-1])
    image = recoloured(quick, "symmetric", style=other)
    it = next(jobs.stylize(CONTENT, [STYLE, other], second, init_image=image))
    assert it.losses["style"] < 1e-5


@pytest.mark.parametrize("color", COLOR_METHODS)
def test_a_grey_picture_takes_its_styles_light_and_dark_from_the_content(quick, color):
    dark = CONTENT[..., 0] // 3
    found = recoloured(quick, color, content=dark)[..., 0]
    assert found.mean() == pytest.approx(dark.mean() / 255, abs=0.03)


@pytest.mark.parametrize("color", ["cholesky", "pca", "symmetric", "histogram"])
def test_only_what_is_visible_has_colours(quick, color):
    """Of the content, the left half; of the style, the upper quarter."""
    left = np.arange(64) < 32
    content = np.where(left[:, None], 0.5 + 0.3 * (CONTENT / 255 - 0.5), 1.0)
    content = np.dstack([content, np.broadcast_to(left, (64, 64))])
    upper = np.broadcast_to(np.arange(64)[:, None] < 16, (64, 64))
    found = recoloured(quick, color, content, with_alpha(STYLE, upper))[:16].reshape(-1, 3)
    wanted = content[:, :32, :3].reshape(-1, 3)
    np.testing.assert_allclose(found.mean(axis=0), wanted.mean(axis=0), atol=2e-3)
    np.testing.assert_allclose(found.std(axis=0), wanted.std(axis=0), rtol=0.05)


# Where there is no content


@pytest.mark.parametrize("color", ["luminance", *COLOR_METHODS])
def test_a_texture_has_its_exemplars_colours_whatever_the_recipe_says(quick, color):
    recipe = quick(color=color, init="style", size=64, steps=1, learning_rate=1e-9)
    image = next(jobs.synthesize(STYLE, recipe)).image
    np.testing.assert_allclose(image, STYLE / 255, atol=1e-4)
