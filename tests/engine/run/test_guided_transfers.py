"""Transfers with guides: which region takes which style, and which pixels are kept."""

import warnings

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine.job.guides import Guides
from napari_nst.recipe import Recipe, preset
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

LEFT = np.zeros((64, 64), int)
LEFT[:, :32] = 1
HALVES = np.where(LEFT, 1, 2)
DEEP = (np.random.default_rng(0).random((64, 64, 3)) * 65535).astype(np.uint16)
STRIPES = np.where(np.arange(64) // 4 % 2, 0.9, 0.1)[:, None] * np.ones((64, 64))


def last(iterations):
    return list(iterations)[-1]


def as_rgb(image):
    scaled = image / np.float32(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else image
    scaled = scaled.astype(np.float32)
    return np.dstack([scaled] * 3) if scaled.ndim == 2 else scaled[..., :3]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (DEEP, {}),
        (DEEP[..., 1], {"noise": "uniform", "init": "noise"}),
        (CONTENT, {"color": "luminance", "init": "noise"}),
        (CONTENT, {"optimizer": "adam", "ema": 0.9, "init": "style"}),
        (CONTENT, {"image_range": "tanh", "init": "noise"}),
        (with_alpha(CONTENT, LEFT > 0), {}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_unlabelled_pixels_are_kept_bit_for_bit(quick, content, fields):
    """With every initial image, optimizer, colour mode and range, at each step of each scale."""
    guide = np.zeros((64, 64), int)
    guide[10:50, 5:40] = 3
    recipe = quick(**{"min_size": 32, "scale_ratio": 2.0, "steps": 4, "tv_weight": 10, **fields})
    for it in nst.stylize(content, STYLE, recipe, guide=guide, keep_unlabelled=True):
        assert it.shape == it.full_shape == it.image.shape[:2] == (64, 64)
        np.testing.assert_array_equal(it.image[guide == 0], as_rgb(content)[guide == 0])
    assert np.abs(it.image - as_rgb(content))[guide == 3].mean() > 0.01
    assert it.picture.ndim == content.ndim
    if it.picture.shape[-1] == 4:
        np.testing.assert_array_equal(it.picture[..., 3], LEFT > 0)


def test_a_run_that_keeps_nothing_works_at_the_recipes_size_and_records_labels(quick):
    it = last(nst.stylize(CONTENT, STYLE, quick(), guide=HALVES, style_guides=HALVES))
    assert it.shape == (32, 32)
    assert it.facts["arguments"] == {
        "guide": {"labels": [1, 2], "shape": [64, 64]},
        "style_guides": [{"labels": [1, 2], "shape": [64, 64]}],
        "keep_unlabelled": False,
    }


def test_a_guide_of_one_region_everywhere_changes_nothing(quick):
    recipe = quick(tv_weight=5)
    plain = last(nst.stylize(CONTENT, STYLE, recipe))
    guided = last(nst.stylize(CONTENT, STYLE, recipe, guide=np.ones((64, 64), bool)))
    assert guided.losses == pytest.approx(plain.losses, rel=1e-4)
    np.testing.assert_allclose(guided.image, plain.image, atol=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {"style_loss": "gram", "style_norm": "raw"},
        {"style_loss": "wasserstein"},
        {"style_loss": "sliced_wasserstein", "projections": 8},
        {"style_loss": "mrf", "patch_size": 2},
    ],
    ids=lambda fields: fields["style_loss"],
)
def test_every_style_loss_falls_with_guides(quick, fields):
    recipe = quick(steps=6, **fields)
    options = {"guide": HALVES, "style_guides": [HALVES.T, None]}
    losses = [it.losses for it in nst.stylize(CONTENT, [STYLE, STYLE[::-1]], recipe, **options)]
    assert losses[-1]["style"] < 0.9 * losses[0]["style"]
    assert {"style/relu1_1", "style/relu2_1"} <= set(losses[-1])


def test_a_style_in_physical_units_is_cropped_with_its_labels(quick):
    """The middle of a style four times as long is used, where the labels are 2."""
    style = np.tile(STYLE, (4, 4, 1))
    labels = np.ones((256, 256), int)
    labels[64:192, 64:192] = 2
    recipe = quick(style_sizing="physical")
    it = last(nst.stylize(CONTENT, style, recipe, guide=LEFT * 2, style_guides=labels))
    whole = last(nst.stylize(CONTENT, style, recipe, guide=LEFT))
    assert it.losses["style"] == pytest.approx(whole.losses["style"], rel=1e-3)
    with pytest.raises(ValueError, match="label 1 in `style_guides`"):
        nst.stylize(CONTENT, style, recipe, guide=LEFT, style_guides=labels)


@pytest.mark.network
def test_swapped_labels_swap_the_styles_of_the_regions(real):
    """The style has horizontal lines in one half and vertical lines in the other."""
    style = np.concatenate([STRIPES, STRIPES.T], axis=1)
    labels = np.repeat([[1, 2]], 64, axis=1).repeat(64, axis=0)
    recipe = preset(
        size=64, min_size=0, steps=20, content_weight=0.0, tv_weight=0.0, init="noise",
        noise="matched",
    )  # fmt: skip
    for style_guide in (labels, 3 - labels):
        it = last(
            nst.stylize(CONTENT[..., 0], style, recipe, guide=HALVES, style_guides=style_guide)
        )
        left, right = it.picture[:, 2:28], it.picture[:, 36:62]
        horizontal, vertical = (left, right) if style_guide is labels else (right, left)
        assert _steps(horizontal, 0) > 1.5 * _steps(horizontal, 1)
        assert _steps(vertical, 1) > 1.5 * _steps(vertical, 0)


def _steps(picture, axis):
    return np.abs(np.diff(picture, axis=axis)).mean()


# Small regions and errors

DEEP_LAYERS = Recipe(style_layers={"relu1_1": 1, "relu4_1": 1}, size=64)


def test_small_regions_are_told_before_the_run_at_the_callers_line(no_network):
    guide, style_guide = HALVES.copy(), np.ones((64, 64), int)
    guide[20:23, 40:43] = 7
    style_guide[4:7, 4:7] = 2
    style_guide[40:, 40:] = 7
    style_guide[30, 30] = 9  # the content has no such label
    with pytest.warns(UserWarning, match="too small") as told:
        nst.stylize(CONTENT, STYLE, DEEP_LAYERS, guide=guide, style_guides=style_guide)
    of_content, of_style = (str(one.message) for one in told)
    assert "`guide`" in of_content
    assert of_content.endswith("label 7 at relu4_1.")
    assert "`style_guides`" in of_style
    assert of_style.endswith("label 2 at relu4_1.")
    assert told[0].filename == __file__


def test_large_and_transparent_regions_are_not_told(no_network):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nst.stylize(CONTENT, STYLE, DEEP_LAYERS, guide=HALVES, style_guides=HALVES)
        nst.stylize(with_alpha(CONTENT, LEFT > 0), STYLE, DEEP_LAYERS, guide=HALVES)


@pytest.mark.parametrize(
    ("style", "options", "told"),
    [
        (
            with_alpha(STYLE, LEFT > 0),
            {"guide": HALVES, "style_guides": HALVES},
            "label 2 in `style_guides`",
        ),
        (STYLE, {"style_guides": LEFT}, "style_guides.*guide"),
        (STYLE, {"keep_unlabelled": True}, "keep_unlabelled.*guide"),
    ],
)
def test_guides_that_cannot_be_used_are_refused_at_once(no_network, style, options, told):
    with pytest.raises(ValueError, match=told):
        nst.stylize(CONTENT, style, DEEP_LAYERS, **options)


# Changes during a run


def test_edited_labels_take_effect(quick):
    steering, images = nst.Steering(), []
    top = np.where(HALVES.T == 1, 1, 0)
    recipe = quick(content_weight=0, init="noise", size=64, steps=4)
    run = nst.stylize(CONTENT, STYLE, recipe, guide=LEFT, keep_unlabelled=True, steering=steering)
    for it in run:
        images.append(it.image)
        if it.step == 2:
            steering.guide(Guides(top, (None,), keep_unlabelled=True))
    content, upper_right = as_rgb(CONTENT), (slice(0, 30), slice(34, 64))
    np.testing.assert_array_equal(images[1][upper_right], content[upper_right])
    assert np.abs(images[2][upper_right] - content[upper_right]).mean() > 1e-3
    np.testing.assert_array_equal(images[3][34:], content[34:])
    assert it.facts["steered"] == [{"after_step": 2, "guides": True}]


@pytest.mark.parametrize(
    ("guides", "told"),
    [
        (Guides(LEFT, (None,), keep_unlabelled=True), "`keep_unlabelled`"),
        (Guides(LEFT, (None, None)), "`style_guides`"),
    ],
)
def test_impossible_guides_are_told_and_the_run_goes_on(quick, guides, told):
    sentences = []
    steering = nst.Steering(sentences.append)
    steering.guide(guides)
    iterations = list(nst.stylize(CONTENT, STYLE, quick(), guide=LEFT, steering=steering))
    assert len(iterations) == 3
    [sentence] = sentences
    assert sentence.startswith(f"Not changed: {told}")


def test_guides_can_be_added_with_small_regions_and_removed(quick):
    sentences = []
    steering = nst.Steering(sentences.append)
    dot = LEFT.copy()
    dot[32, 32] = 2
    recipe = quick(steps=4, size=64, style_layers={"relu1_1": 1, "relu2_1": 1})
    for it in nst.stylize(CONTENT, STYLE, recipe, steering=steering):
        if it.step == 1:
            steering.guide(Guides(dot, (HALVES,)))
        if it.step == 2:
            steering.guide(None)
    [sentence] = sentences
    assert sentence.endswith("label 2 at relu2_1.")
    changes = [{"after_step": step, "guides": True} for step in (1, 2)]
    assert it.facts["steered"] == changes


def test_a_run_that_keeps_pixels_continues(quick):
    options = {"guide": LEFT, "keep_unlabelled": True}
    first = last(nst.stylize(CONTENT, STYLE, quick(), **options))
    then = last(nst.stylize(CONTENT, STYLE, quick(), **options, after=first))
    assert then.step == 6
    assert then.losses["total"] < first.losses["total"]
    np.testing.assert_array_equal(then.image[:, 32:], as_rgb(CONTENT)[:, 32:])
    smaller = last(nst.stylize(CONTENT, STYLE, quick()))
    with pytest.raises(ValueError, match=r"after.* another image"):
        nst.stylize(CONTENT, STYLE, quick(), **options, after=smaller)
