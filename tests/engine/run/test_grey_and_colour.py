"""Grey in, grey out; alpha in, alpha out: what a run gives for each kind of image."""

import numpy as np
import pytest
import torch

from napari_nst.engine import api as jobs
from napari_nst.engine.images import color_transfer as color
from napari_nst.engine.images.convert import resize
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

GREY = CONTENT[..., 1]
WINDOW = np.zeros((64, 64), bool)
WINDOW[8:40, 20:60] = True
SCALES = {"size": 64, "min_size": 32, "steps": 6}


def assert_is_grey(it):
    assert it.is_grey
    assert it.image.shape == (*it.shape, 3)
    np.testing.assert_array_equal(it.image, it.image[..., :1].repeat(3, axis=2))
    assert it.picture.shape == it.shape
    assert it.picture.dtype == np.float32
    np.testing.assert_array_equal(it.picture, it.image[..., 0])


def colourfulness(image):
    return np.ptp(image, axis=-1).mean()


# Grey


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("init", ["content", "style", "noise", "mix"])
def test_grey_content_gives_a_grey_picture_at_every_scale(quick, optimizer, init):
    """In the style of a colourful image too."""
    iterations = list(jobs.stylize(GREY, STYLE, quick(optimizer=optimizer, init=init, **SCALES)))
    assert len({it.shape for it in iterations}) == 3
    for it in iterations:
        assert_is_grey(it)
        assert it.alpha is None
    assert it.image.std() > 0.02
    assert iterations[-1].losses["total"] < iterations[-3].losses["total"]


def test_a_colourful_style_of_a_grey_picture_counts_by_its_luminance(quick):
    """Rec. 601's: what the style looks like in grey."""
    luminance = STYLE / 255 @ [0.299, 0.587, 0.114]
    ends = [list(jobs.stylize(GREY, style, quick()))[-1] for style in (STYLE, luminance)]
    np.testing.assert_allclose(ends[0].image, ends[1].image, atol=1e-4)


def test_grey_exemplars_and_images_give_grey_pictures(quick):
    recipe = quick(init="noise")
    for it in (*jobs.synthesize(GREY, recipe), *jobs.reconstruct(GREY, recipe)):
        assert_is_grey(it)


def test_matched_noise_in_grey_has_the_spread_of_the_exemplar(quick):
    """Which it has not if three independent channels are averaged."""
    exemplar = 0.5 + 0.3 * (GREY / 255 - 0.5)
    recipe = quick(init="noise", noise="matched", steps=1, learning_rate=1e-9, size=0)
    (it,) = jobs.synthesize(exemplar, recipe, shape=(96, 96))
    assert it.picture.mean() == pytest.approx(exemplar.mean(), abs=0.01)
    assert it.picture.std() == pytest.approx(exemplar.std(), rel=0.05)


@pytest.mark.parametrize(("noise", "std"), [("normal", 0.1), ("uniform", 0.1 / np.sqrt(3))])
def test_noise_in_grey_has_the_spread_that_the_recipe_says(quick, noise, std):
    recipe = quick(init="noise", noise=noise, noise_spread=0.1, steps=1, learning_rate=1e-9)
    (it,) = jobs.synthesize(GREY, recipe, shape=(96, 96))
    assert it.picture.std() == pytest.approx(std, rel=0.05)


def test_grey_content_is_painted_in_colour_on_request(quick):
    *_, it = jobs.stylize(GREY, STYLE, quick(channels="rgb", steps=10))
    assert not it.is_grey
    assert it.picture.shape == (32, 32, 3)
    assert colourfulness(it.picture) > 0.05


def test_colourful_content_is_painted_in_grey_on_request(quick):
    for it in jobs.stylize(CONTENT, STYLE, quick(channels="grey", **SCALES)):
        assert_is_grey(it)
    # Rounded as it is in the run, of which L-BFGS would enlarge what differs.
    pixels = torch.from_numpy(CONTENT / np.float32(255)).permute(2, 0, 1)[None]
    luminance = color.luminance(pixels)[0, 0].numpy()
    np.testing.assert_allclose(luminance, CONTENT / 255 @ [0.299, 0.587, 0.114], atol=1e-6)
    *_, expected = jobs.stylize(luminance, STYLE, quick(**SCALES))
    np.testing.assert_array_equal(it.image, expected.image)


def test_colourful_content_is_painted_in_colour(quick):
    *_, it = jobs.stylize(CONTENT, GREY, quick())
    assert not it.is_grey
    assert it.picture is it.image
    assert colourfulness(it.image) > 0.01


# Alpha


def test_alpha_comes_back_at_every_scale(quick):
    for it in jobs.stylize(with_alpha(CONTENT, WINDOW), STYLE, quick(**SCALES)):
        assert it.alpha.shape == (1, 1, *it.shape)
        assert it.picture.shape == (*it.shape, 4)
        assert it.picture.dtype == np.float32
        np.testing.assert_array_equal(it.picture[..., :3], it.image)
        alpha = it.picture[..., 3]
        assert 0 <= alpha.min() <= alpha.max() <= 1
        assert alpha.mean() == pytest.approx(WINDOW.mean(), abs=0.02)
    np.testing.assert_array_equal(alpha, WINDOW)  # unchanged at the content's own size


def test_a_reconstruction_keeps_alpha(quick):
    *_, it = jobs.reconstruct(with_alpha(CONTENT, WINDOW), quick(init="noise", size=64))
    np.testing.assert_array_equal(it.picture[..., 3], WINDOW)


def test_a_texture_has_none_of_its_exemplars_alpha(quick):
    *_, it = jobs.synthesize(with_alpha(STYLE, WINDOW), quick(init="noise", size=64))
    assert it.alpha is None
    assert it.picture.shape == (64, 64, 3)


def test_alpha_of_a_grey_picture_is_kept_beside_it(quick):
    *_, it = jobs.stylize(
        with_alpha(CONTENT, WINDOW), STYLE, quick(channels="grey", size=64, steps=1)
    )
    assert it.is_grey
    np.testing.assert_array_equal(it.alpha[0, 0], WINDOW)


def test_what_is_opaque_needs_no_alpha(quick):
    opaque = with_alpha(CONTENT, np.ones((64, 64), bool))
    with_it, without = (list(jobs.stylize(c, STYLE, quick()))[-1] for c in (opaque, CONTENT))
    assert with_it.alpha is None
    np.testing.assert_array_equal(with_it.picture, without.picture)


@pytest.mark.parametrize("shape", [(45, 45), (32, 32)])
def test_alpha_is_that_of_the_content_resampled_without_overshoot(quick, shape):
    content = with_alpha(CONTENT, WINDOW)
    *_, it = jobs.stylize(content, STYLE, quick(size=shape[0], steps=1))
    window = torch.from_numpy(WINDOW.astype(np.float32))[None, None]
    expected = resize(window, shape, smooth=False).clamp(0, 1)
    np.testing.assert_allclose(it.alpha.numpy(), expected, atol=1e-6)
