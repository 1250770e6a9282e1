"""Grey in, grey out; alpha in, alpha out."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.images.convert import resize
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

GREY = CONTENT[..., 1]
WINDOW = np.zeros((64, 64), bool)
WINDOW[8:40, 20:60] = True
SCALES = {"size": 64, "min_size": 32, "steps": 6}
STILL = {"steps": 1, "learning_rate": 1e-9}
REC601 = [0.299, 0.587, 0.114]


def last(iterations):
    return list(iterations)[-1]


def assert_is_grey(it):
    assert it.is_grey
    np.testing.assert_array_equal(it.image, it.image[..., :1].repeat(3, axis=2))
    assert it.picture.dtype == np.float32
    np.testing.assert_array_equal(it.picture, it.image[..., 0])


# Grey


@pytest.mark.parametrize(
    ("optimizer", "init"), [("lbfgs", "noise"), ("adam", "style"), ("adam", "content")]
)
def test_grey_content_gives_a_grey_result_at_every_scale(quick, optimizer, init):
    """Also in the style of a coloured image."""
    iterations = list(nst.stylize(GREY, STYLE, quick(optimizer=optimizer, init=init, **SCALES)))
    assert len({it.shape for it in iterations}) == 3
    for it in iterations:
        assert_is_grey(it)
        assert it.alpha is None
    assert it.image.std() > 0.02
    assert iterations[-1].losses["total"] < iterations[-3].losses["total"]


def test_grey_exemplars_and_images_give_grey_results(quick):
    recipe = quick(init="noise")
    for it in (*nst.synthesize(GREY, recipe), *nst.reconstruct(GREY, recipe)):
        assert_is_grey(it)


@pytest.mark.parametrize(
    ("noise", "std"),
    [("matched", 0.3 * (GREY / 255).std()), ("normal", 0.1), ("uniform", 0.1 / np.sqrt(3))],
)
def test_noise_in_grey_has_the_standard_deviation_of_the_recipe(quick, noise, std):
    """The mean of three independent channels would have less."""
    exemplar = 0.5 + 0.3 * (GREY / 255 - 0.5)
    recipe = quick(init="noise", noise=noise, noise_spread=0.1, size=0, **STILL)
    it = last(nst.synthesize(exemplar, recipe, shape=(96, 96)))
    assert it.picture.std() == pytest.approx(std, rel=0.05)


def test_the_recipe_can_ask_for_colour_or_grey(quick):
    it = last(nst.stylize(GREY, STYLE, quick(channels="rgb", steps=10)))
    assert not it.is_grey
    assert it.picture is it.image
    assert np.ptp(it.picture, axis=-1).mean() > 0.05
    it = last(nst.stylize(CONTENT, STYLE, quick(channels="grey", init="content", size=64, **STILL)))
    assert_is_grey(it)
    np.testing.assert_allclose(it.picture, CONTENT / 255 @ REC601, atol=1e-4)


# Alpha


@pytest.mark.parametrize("channels", ["auto", "grey"])
def test_alpha_is_that_of_the_content_at_every_scale(quick, channels):
    recipe = quick(**{**SCALES, "size": 45}, channels=channels)
    window = torch.from_numpy(WINDOW.astype(np.float32))[None, None]
    for it in nst.stylize(with_alpha(CONTENT, WINDOW), STYLE, recipe):
        assert it.picture.dtype == np.float32
        if channels == "auto":
            np.testing.assert_array_equal(it.picture[..., :3], it.image)
        expected = resize(window, it.shape, smooth=False).clamp(0, 1)
        np.testing.assert_allclose(it.alpha.numpy(), expected, atol=1e-6)
        np.testing.assert_array_equal(it.picture[..., -1], it.alpha[0, 0])


def test_a_reconstruction_has_alpha_and_a_texture_has_none(quick):
    recipe = quick(init="noise", size=64)
    it = last(nst.reconstruct(with_alpha(CONTENT, WINDOW), recipe))
    np.testing.assert_array_equal(it.picture[..., 3], WINDOW)
    it = last(nst.synthesize(with_alpha(STYLE, WINDOW), recipe))
    assert it.alpha is None
    assert it.picture.shape == (64, 64, 3)
