"""What cannot be seen does not count: neither in the targets nor in the result."""

import numpy as np
import pytest

from napari_nst.engine import api as jobs
from napari_nst.engine.losses import STYLE_LOSSES
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

WINDOW = np.zeros((64, 64), bool)
WINDOW[6:50, 14:60] = True
WINDOW[20:28, 30:40] = False

SCALES = {"size": 64, "min_size": 44, "scale_ratio": 1.4, "steps": 2}


def with_hidden(image, hidden):
    """Return an image that can be seen through the window, and something else behind."""
    return with_alpha(np.where(WINDOW[..., None], image, hidden).astype(np.uint8), WINDOW)


HIDDEN = {
    "black": np.zeros((64, 64, 3)),
    "checked": np.indices((64, 64)).sum(axis=0)[..., None] % 2 * np.array([255, 0, 255]),
}


def ends(run):
    """Return the last iteration with each thing hidden."""
    return [list(run(hidden))[-1] for hidden in HIDDEN.values()]


def assert_same_losses(iterations):
    first, *others = iterations
    for other in others:
        assert other.losses == pytest.approx(first.losses, rel=1e-5)


def assert_same_where_visible(iterations):
    first, *others = iterations
    for other in others:
        np.testing.assert_allclose(other.image[WINDOW], first.image[WINDOW], atol=1e-5)


@pytest.mark.parametrize("init", ["content", "noise", "mix"])
def test_what_is_hidden_in_the_content_does_not_matter(quick, init):
    recipe = quick(init=init, **SCALES)
    iterations = ends(lambda hidden: jobs.stylize(with_hidden(CONTENT, hidden), STYLE, recipe))
    assert_same_losses(iterations)
    assert_same_where_visible(iterations)


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
def test_what_is_hidden_in_the_style_does_not_matter(quick, style_loss):
    recipe = quick(style_loss=style_loss, style_norm="mean", **SCALES)
    iterations = ends(lambda hidden: jobs.stylize(CONTENT, with_hidden(STYLE, hidden), recipe))
    assert_same_losses(iterations)
    np.testing.assert_allclose(iterations[1].image, iterations[0].image, atol=1e-5)


@pytest.mark.parametrize("init", ["noise", "style", "mix"])
def test_what_is_hidden_in_an_exemplar_does_not_matter(quick, init):
    recipe = quick(init=init, noise="matched", **SCALES)
    iterations = ends(lambda hidden: jobs.synthesize(with_hidden(STYLE, hidden), recipe))
    assert_same_losses(iterations)


def test_what_is_hidden_in_a_reconstruction_does_not_matter(quick):
    recipe = quick(init="noise", noise="matched", **SCALES)
    iterations = ends(lambda hidden: jobs.reconstruct(with_hidden(CONTENT, hidden), recipe))
    assert_same_losses(iterations)
    assert_same_where_visible(iterations)


@pytest.mark.parametrize("color", ["luminance", "symmetric", "pca", "cholesky", "histogram"])
def test_what_is_hidden_does_not_matter_to_the_colours(quick, color):
    """Of the content, which the style is given."""
    recipe = quick(color=color, init="style", size=64, steps=1, learning_rate=1e-9)
    iterations = ends(lambda hidden: jobs.stylize(with_hidden(CONTENT, hidden), STYLE, recipe))
    for other in iterations[1:]:
        if color == "luminance":  # whose picture has the content's own colours
            assert_same_where_visible([iterations[0], other])
        else:
            np.testing.assert_allclose(other.image, iterations[0].image, atol=1e-5)


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
def test_only_what_is_visible_takes_on_the_style(quick, style_loss):
    """Or, the other way round: the image's own hidden pixels have no part in the loss."""
    recipe = quick(style_loss=style_loss, style_norm="mean", tv_weight=0, size=64, steps=8)
    content = with_hidden(CONTENT, CONTENT)
    first, *_, last = jobs.stylize(content, STYLE, recipe)
    changed = np.abs(last.image - first.image).mean(axis=2)
    far = np.zeros((64, 64), bool)
    far[56:, :] = far[:, :6] = True  # beyond the reach of relu2_1
    assert changed[WINDOW].mean() > 0.02
    assert changed[far].max() < 1e-6
    assert last.losses["style"] < first.losses["style"]


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
def test_a_style_seen_through_a_window_is_the_style_in_the_window(quick, style_loss):
    """But for the features at the border, which see beyond it."""
    window = np.zeros((64, 64), bool)
    window[:, :40] = True
    recipe = quick(style_loss=style_loss, style_norm="mean", size=64, steps=1, learning_rate=1e-9)
    whole, seen, cut = (
        next(jobs.stylize(CONTENT, style, recipe)).losses["style"]
        for style in (STYLE, with_alpha(STYLE, window), STYLE[:, :40])
    )
    assert abs(seen - cut) < 0.35 * abs(whole - cut)


@pytest.mark.parametrize("name", ["content", "style", "exemplar", "image", "init_image"])
@pytest.mark.parametrize("alpha", [0, 100])
def test_what_is_transparent_everywhere_is_refused(no_network, quick, name, alpha):
    nothing = np.dstack([CONTENT, np.full((64, 64), alpha, np.uint8)])
    recipe = quick(init="noise")
    run = {
        "content": lambda: jobs.stylize(nothing, STYLE, recipe),
        "style": lambda: jobs.stylize(CONTENT, [STYLE, nothing], recipe),
        "exemplar": lambda: jobs.synthesize(nothing, recipe),
        "image": lambda: jobs.reconstruct(nothing, recipe),
        "init_image": lambda: jobs.stylize(
            CONTENT, STYLE, recipe.replace(init="image"), init_image=nothing
        ),
    }[name]
    told = rf"^{name} is transparent everywhere; give it pixels that can be seen\.$"
    with pytest.raises(ValueError, match=told):
        run()


@pytest.mark.parametrize("style_loss", [name for name in STYLE_LOSSES if name != "mrf"])
@pytest.mark.parametrize("side", [4, 12])
def test_a_small_visible_region_is_enough(quick, style_loss, side):
    """At deep layers it is smaller than a position."""
    (*_, it) = jobs.stylize(*small_regions(side), deep(quick, style_loss))
    assert all(np.isfinite(value) for value in it.losses.values())


def test_a_visible_region_smaller_than_a_patch_is_refused(quick):
    with pytest.raises(ValueError, match="take a smaller patch_size"):
        next(jobs.stylize(*small_regions(8), deep(quick, "mrf")))


def small_regions(side):
    window = np.zeros((64, 64), bool)
    window[29 : 29 + side, 41 : 41 + side] = True
    return with_alpha(CONTENT, window), with_alpha(STYLE, window)


def deep(quick, style_loss):
    layers = {"style_layers": {"relu1_1": 1, "relu3_1": 1}, "content_layers": {"relu4_2": 1}}
    return quick(style_loss=style_loss, style_norm="mean", size=64, steps=2, **layers)
