"""Transparent pixels have no effect, neither on the targets nor on the result."""

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine.losses import STYLE_LOSSES
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

WINDOW = np.zeros((64, 64), bool)
WINDOW[6:50, 14:60] = True
WINDOW[20:28, 30:40] = False
CHECKED = np.indices((64, 64)).sum(axis=0)[..., None] % 2 * np.array([255, 0, 255])
SCALES = {"size": 64, "min_size": 44, "scale_ratio": 1.4, "steps": 2}


def with_hidden(image, hidden):
    """Return an image that is visible in the window, with other pixels hidden around it."""
    return with_alpha(np.where(WINDOW[..., None], image, hidden).astype(np.uint8), WINDOW)


def results(run):
    """Return the last iterations of runs with black and with checked hidden pixels."""
    return [list(run(hidden))[-1] for hidden in (0, CHECKED)]


def assert_same(iterations, where=slice(None)):
    first, other = iterations
    assert other.losses == pytest.approx(first.losses, rel=1e-5)
    np.testing.assert_allclose(other.image[where], first.image[where], atol=1e-5)


@pytest.mark.parametrize("init", ["content", "mix"])
def test_hidden_pixels_of_the_content_have_no_effect(quick, init):
    recipe = quick(init=init, **SCALES)
    found = results(lambda hidden: nst.stylize(with_hidden(CONTENT, hidden), STYLE, recipe))
    assert_same(found, WINDOW)


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
def test_hidden_pixels_of_the_style_have_no_effect(quick, style_loss):
    recipe = quick(style_loss=style_loss, style_norm="mean", **SCALES)
    assert_same(results(lambda hidden: nst.stylize(CONTENT, with_hidden(STYLE, hidden), recipe)))


def test_hidden_pixels_of_an_exemplar_have_no_effect(quick):
    recipe = quick(init="noise", noise="matched", **SCALES)
    first, other = results(lambda hidden: nst.synthesize(with_hidden(STYLE, hidden), recipe))
    assert other.losses == pytest.approx(first.losses, rel=1e-5)


@pytest.mark.parametrize("color", ["luminance", "symmetric"])
def test_hidden_pixels_of_the_content_give_no_colours(quick, color):
    recipe = quick(color=color, init="style", size=64, steps=1, learning_rate=1e-9)
    found = results(lambda hidden: nst.stylize(with_hidden(CONTENT, hidden), STYLE, recipe))
    if color == "luminance":  # the result has the content's own colours
        assert_same(found, WINDOW)
    else:
        np.testing.assert_allclose(found[1].image, found[0].image, atol=1e-5)


@pytest.mark.parametrize("style_loss", ["gram", "mrf"])
def test_only_visible_pixels_take_on_the_style(quick, style_loss):
    recipe = quick(style_loss=style_loss, style_norm="mean", tv_weight=0, size=64, steps=4)
    first, *_, last = nst.stylize(with_hidden(CONTENT, CONTENT), STYLE, recipe)
    changed = np.abs(last.image - first.image).mean(axis=2)
    far = np.zeros((64, 64), bool)
    far[56:, :] = far[:, :6] = True  # outside the receptive fields of relu2_1
    assert changed[WINDOW].mean() > 0.01
    assert changed[far].max() < 1e-6
    assert last.losses["style"] < first.losses["style"]


@pytest.mark.parametrize("style_loss", ["gram", "wasserstein", "mrf"])
def test_a_style_visible_in_a_window_is_like_the_cut_window(quick, style_loss):
    """Except for features at the border, whose receptive fields extend beyond it."""
    window = np.zeros((64, 64), bool)
    window[:, :40] = True
    recipe = quick(style_loss=style_loss, style_norm="mean", size=64, steps=1, learning_rate=1e-9)
    whole, masked, cut = (
        next(nst.stylize(CONTENT, style, recipe)).losses["style"]
        for style in (STYLE, with_alpha(STYLE, window), STYLE[:, :40])
    )
    assert abs(masked - cut) < 0.35 * abs(whole - cut)


def small_regions(side):
    window = np.zeros((64, 64), bool)
    window[29 : 29 + side, 41 : 41 + side] = True
    return with_alpha(CONTENT, window), with_alpha(STYLE, window)


DEEP = {
    "style_layers": {"relu1_1": 1, "relu3_1": 1}, "content_layers": {"relu4_2": 1}, "steps": 2,
    "style_norm": "mean", "size": 64,
}  # fmt: skip


@pytest.mark.parametrize("style_loss", ["centred_gram", "wasserstein", "sliced_wasserstein"])
def test_a_visible_region_may_be_smaller_than_a_position_of_a_layer(quick, style_loss):
    recipe = quick(style_loss=style_loss, **DEEP)
    it = list(nst.stylize(*small_regions(4), recipe))[-1]
    assert all(np.isfinite(value) for value in it.losses.values())


def test_a_visible_region_smaller_than_a_patch_is_refused(quick):
    with pytest.raises(ValueError, match="patch"):
        next(nst.stylize(*small_regions(8), quick(style_loss="mrf", **DEEP)))


@pytest.mark.parametrize(
    "fields", [{}, {"style_loss": "mrf"}, {"style_loss": "sliced_wasserstein"}]
)
def test_an_image_that_is_faint_everywhere_counts_like_an_opaque_one(quick, fields):
    """Only proportions of alpha matter, also where masks are compared with a half."""
    recipe = quick(color="symmetric", init="mix", style_norm="mean", **SCALES, **fields)
    guide = (np.indices((64, 64))[1] > 31) + 1
    found = []
    for content, style in ((CONTENT, STYLE), (faint(CONTENT, 100), faint(STYLE, 9))):
        found += list(nst.stylize(content, style, recipe, guide=guide))[-1:]
    assert found[1].losses == pytest.approx(found[0].losses, rel=1e-3)
    np.testing.assert_allclose(found[1].picture[..., 3], 100 / 255, atol=1e-6)


def faint(image, alpha):
    return np.dstack([image, np.full(image.shape[:2], alpha, np.uint8)])
