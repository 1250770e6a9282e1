"""Transfers with guides: which region looks like what, and what stays as it is."""

import re
import warnings

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine import api as jobs
from napari_nst.engine.job.guides import Guides
from napari_nst.engine.steering import Steering
from napari_nst.recipe import Recipe, preset
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

LEFT = np.zeros((64, 64), int)
LEFT[:, :32] = 1
HALVES = np.where(LEFT, 1, 2)
DEEP = (np.random.default_rng(0).random((64, 64, 3)) * 65535).astype(np.uint16)
STRIPES = np.where(np.arange(64) // 4 % 2, 0.9, 0.1)[:, None] * np.ones((64, 64))


def last(iterations):
    return list(iterations)[-1]


def kept(image):
    """What must come back of a content, float32 RGB."""
    scaled = image / np.float32(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else image
    scaled = scaled.astype(np.float32)
    return np.dstack([scaled] * 3) if scaled.ndim == 2 else scaled[..., :3]


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        (CONTENT, {}),
        (DEEP, {}),
        (CONTENT[..., 0], {}),
        (DEEP[..., 1], {"noise": "uniform", "init": "noise"}),
        (CONTENT, {"channels": "grey"}),
        (CONTENT[..., 0], {"channels": "rgb"}),
        (CONTENT, {"color": "luminance", "init": "noise"}),
        (CONTENT, {"color": "histogram"}),
        (CONTENT, {"optimizer": "adam", "ema": 0.9, "init": "style"}),
        (CONTENT, {"image_range": "tanh", "init": "noise"}),
        (CONTENT, {"image_range": "free", "learning_rate": 3.0}),
        (STRIPES, {"size": 24}),
        (with_alpha(CONTENT, LEFT > 0), {}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_unlabelled_pixels_come_back_bit_by_bit(quick, content, fields):
    """Whatever the start, optimiser, colours and range, at each step of each scale."""
    guide = np.zeros((64, 64), int)
    guide[10:50, 5:40] = 3
    recipe = quick(**{"min_size": 32, "scale_ratio": 2.0, "steps": 4, "tv_weight": 10, **fields})
    for it in nst.stylize(content, STYLE, recipe, guide=guide, keep_unlabelled=True):
        assert it.shape == it.full_shape == it.image.shape[:2] == (64, 64)
        np.testing.assert_array_equal(it.image[guide == 0], kept(content)[guide == 0])
    assert np.abs(it.image - kept(content))[guide == 3].mean() > 0.01
    if fields.get("channels") != "rgb":
        assert it.picture.ndim == content.ndim


def test_a_kept_picture_has_its_own_transparency(quick):
    alpha = np.linspace(0.1, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    content = np.dstack([CONTENT / 255, alpha])
    it = last(nst.stylize(content, STYLE, quick(), guide=LEFT, keep_unlabelled=True))
    np.testing.assert_array_equal(it.picture[..., 3], alpha)


def test_a_run_without_keeping_works_at_the_recipes_size(quick):
    it = last(nst.stylize(CONTENT, STYLE, quick(), guide=LEFT))
    assert it.shape == (32, 32)


def test_the_record_says_which_labels_there_were(quick):
    it = last(nst.stylize(CONTENT, STYLE, quick(), guide=HALVES, style_guides=HALVES))
    assert it.facts["arguments"] == {
        "guide": {"labels": [1, 2], "shape": [64, 64]},
        "style_guides": [{"labels": [1, 2], "shape": [64, 64]}],
        "keep_unlabelled": False,
    }


def test_guides_of_one_region_everywhere_change_nothing(quick):
    recipe = quick(tv_weight=5)
    plain = last(nst.stylize(CONTENT, STYLE, recipe))
    guided = last(nst.stylize(CONTENT, STYLE, recipe, guide=np.ones((64, 64), bool)))
    assert guided.losses == pytest.approx(plain.losses, rel=1e-4)
    np.testing.assert_allclose(guided.image, plain.image, atol=1e-3)


@pytest.mark.parametrize(
    "fields",
    [
        {"style_loss": "gram", "style_norm": "raw"},
        {"style_loss": "shifted_gram"},
        {"style_loss": "centred_gram"},
        {"style_loss": "wasserstein"},
        {"style_loss": "sliced_wasserstein", "projections": 8},
        {"style_loss": "mrf", "patch_size": 2},
        {"optimizer": "adam", "style_loss": "sliced_wasserstein", "projections": 8},
    ],
    ids=lambda fields: "-".join(map(str, fields.values())),
)
def test_every_style_loss_goes_down_guided(quick, fields):
    recipe = quick(steps=8, size=48, **fields)
    guides = {"guide": HALVES, "style_guides": [HALVES.T, None], "keep_unlabelled": False}
    losses = [it.losses for it in nst.stylize(CONTENT, [STYLE, STYLE[::-1]], recipe, **guides)]
    assert losses[-1]["style"] < 0.9 * losses[0]["style"]
    assert {"style/relu1_1", "style/relu2_1"} <= set(losses[-1])


def test_a_style_in_physical_units_is_cut_with_its_labels(quick):
    """Of a style four times as long the middle is taken, where the labels say 2."""
    style = np.tile(STYLE, (4, 4, 1))
    labels = np.ones((256, 256), int)
    labels[64:192, 64:192] = 2
    options = {"guide": LEFT * 2, "style_guides": labels}
    iterations = nst.stylize(CONTENT, style, quick(style_sizing="physical"), **options)
    it = last(iterations)
    options["guide"] = LEFT
    whole = last(nst.stylize(CONTENT, style, quick(style_sizing="physical"), guide=LEFT))
    assert it.losses["style"] == pytest.approx(whole.losses["style"], rel=1e-3)
    with pytest.raises(ValueError, match=r"^label 1 of style_guides is too small a region"):
        nst.stylize(CONTENT, style, quick(style_sizing="physical"), **options)


@pytest.mark.network
def test_swapped_labels_swap_what_the_regions_look_like(real):
    """A style of lines across and lines down."""
    style = np.concatenate([STRIPES, STRIPES.T], axis=1)
    labels = np.repeat([[1, 2]], 64, axis=1).repeat(64, axis=0)
    recipe = preset(
        size=64, min_size=0, steps=20, content_weight=0.0, tv_weight=0.0, init="noise",
        noise="matched",
    )  # fmt: skip
    for of_style in (labels, 3 - labels):
        it = last(nst.stylize(CONTENT[..., 0], style, recipe, guide=HALVES, style_guides=of_style))
        left, right = it.picture[:, 2:28], it.picture[:, 36:62]
        across, down = (left, right) if of_style is labels else (right, left)
        assert _steps(across, 0) > 1.5 * _steps(across, 1)
        assert _steps(down, 1) > 1.5 * _steps(down, 0)


def _steps(picture, axis):
    return np.abs(np.diff(picture, axis=axis)).mean()


# Too small


DEEP_LAYERS = {"style_layers": {"relu1_1": 1, "relu4_1": 1}, "size": 64}


def test_a_region_too_small_is_told_before_the_run(no_network):
    guide = LEFT.copy()
    guide[20:23, 40:43] = 7
    told = r"^Regions of guide are too small for some layers, and left out: label 7 at relu4_1\.$"
    with pytest.warns(UserWarning, match=told) as raised:
        nst.stylize(CONTENT, STYLE, Recipe(**DEEP_LAYERS), guide=guide)
    assert raised[0].filename == __file__


def test_a_region_too_small_in_the_style_is_told(no_network):
    style_guide = np.ones((64, 64), int)
    style_guide[4:7, 4:7] = 2
    style_guide[30, 30] = 9  # which the content does not ask for
    told = "^Regions of style_guides are too small .*: label 2 at relu4_1.$"
    with pytest.warns(UserWarning, match=told) as raised:
        nst.stylize(CONTENT, STYLE, Recipe(**DEEP_LAYERS), guide=HALVES, style_guides=style_guide)
    assert len(raised) == 1


def test_large_regions_are_not_warned_of(no_network):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nst.stylize(CONTENT, STYLE, Recipe(**DEEP_LAYERS), guide=HALVES, style_guides=HALVES)


def test_what_is_transparent_is_no_region(no_network):
    content = with_alpha(CONTENT, LEFT > 0)
    nst.stylize(content, STYLE, Recipe(**DEEP_LAYERS), guide=HALVES)
    style = with_alpha(STYLE, LEFT > 0)
    with pytest.raises(ValueError, match=r"^label 2 of style_guides is too small a region"):
        nst.stylize(CONTENT, style, Recipe(**DEEP_LAYERS), guide=HALVES, style_guides=HALVES)


def speck(value):
    guide = LEFT * 2
    guide[40, 40] = value
    return guide


@pytest.mark.parametrize(
    ("options", "error", "told"),
    [
        (
            {"guide": speck(1), "size": 32},
            ValueError,
            "^label 1 of guide is too small a region for each .* relu1_1, relu4_1; draw it ",
        ),
        ({"style_guides": LEFT}, ValueError, "^style_guides needs labels of the content; give a"),
        ({"keep_unlabelled": True}, ValueError, "^keep_unlabelled needs labels of the content; "),
        ({"guide": LEFT[:9]}, ValueError, "^guide must be as large as the content, 64 × 64; "),
        ({"guide": LEFT / 2}, TypeError, "^guide must be whole numbers or bool"),
        ({"guide": HALVES, "style_guides": LEFT}, ValueError, "^guide has label 2, and no style"),
    ],
    ids=lambda value: value.strip("^")[:40] if isinstance(value, str) else "",
)
def test_bad_guides_are_told_at_once(no_network, options, error, told):
    options = dict(options)
    recipe = Recipe(**{**DEEP_LAYERS, "size": options.pop("size", 64)})
    with pytest.raises(error) as raised:
        jobs.stylize(CONTENT, STYLE, recipe, **options)
    assert re.search(told, str(raised.value)), raised.value
    assert str(raised.value).endswith(".")


# While a run goes on


def test_labels_edited_during_a_run_take_effect(quick):
    steering = Steering()
    top = HALVES.T.copy()
    pictures = []
    recipe = quick(content_weight=0, init="noise", size=64, steps=4)
    run = nst.stylize(CONTENT, STYLE, recipe, guide=LEFT, keep_unlabelled=True, steering=steering)
    for it in run:
        pictures.append(it.image)
        if it.step == 2:
            steering.guide(Guides(np.where(top == 1, 1, 0), (None,), keep_unlabelled=True))
    right_above = (slice(0, 30), slice(34, 64))
    np.testing.assert_array_equal(pictures[1][right_above], kept(CONTENT)[right_above])
    assert np.abs(pictures[2][right_above] - kept(CONTENT)[right_above]).mean() > 1e-3
    np.testing.assert_array_equal(pictures[3][34:], kept(CONTENT)[34:])
    assert it.facts["steered"] == [{"after_step": 2, "guides": True}]


@pytest.mark.parametrize(
    ("guides", "told"),
    [
        (Guides(LEFT[:9], (None,)), "guide must be as large as the content"),
        (Guides(LEFT * 0, (None,)), "guide labels no pixel"),
        (Guides(LEFT, (None,), keep_unlabelled=True), "keep_unlabelled cannot change while"),
        (Guides(LEFT, (None, None)), "style_guides has 2 images of labels for 1 style"),
        (Guides(LEFT, (LEFT * 5,)), "guide has label 1, and no style has it"),
    ],
)
def test_guides_that_cannot_be_are_refused_and_the_run_goes_on(quick, guides, told):
    said = []
    steering = Steering(said.append)
    steering.guide(guides)
    iterations = list(nst.stylize(CONTENT, STYLE, quick(), guide=LEFT, steering=steering))
    assert len(iterations) == 3
    assert len(said) == 1
    assert said[0].startswith(f"Not changed: {told}")


def test_a_region_drawn_too_small_for_a_layer_is_said_and_left_out_there(quick):
    said = []
    steering = Steering(said.append)
    dot = LEFT.copy()
    dot[32:, 32:][0, 0] = 2
    layers = {"relu1_1": 1, "relu2_1": 1}
    recipe = quick(steps=3, size=64, style_layers=layers)
    for it in nst.stylize(CONTENT, STYLE, recipe, guide=LEFT, steering=steering):
        if it.step == 1:
            steering.guide(Guides(dot, (np.where(LEFT == 1, 1, 2),)))
    assert said == [
        "Regions of guide are too small for some layers, and left out: label 2 at relu2_1."
    ]
    assert it.facts["steered"] == [{"after_step": 1, "guides": True}]


def test_a_guide_can_be_given_and_taken_away(quick):
    steering = Steering()
    styles = []
    for it in nst.stylize(CONTENT, STYLE, quick(steps=4), steering=steering):
        styles.append(it.losses["style"])
        if it.step == 1:
            steering.guide(Guides(LEFT, (None,)))
        if it.step == 2:
            steering.guide(None)
    assert len(styles) == 4


def test_a_kept_run_goes_on_from_its_picture(quick):
    options = {"guide": LEFT, "keep_unlabelled": True}
    first = last(nst.stylize(CONTENT, STYLE, quick(), **options))
    then = last(nst.stylize(CONTENT, STYLE, quick(), **options, after=first))
    assert then.step == 6
    assert then.losses["total"] < first.losses["total"]
    np.testing.assert_array_equal(then.image[:, 32:], kept(CONTENT)[:, 32:])
    smaller = last(nst.stylize(CONTENT, STYLE, quick()))
    with pytest.raises(ValueError, match=r"^after shows another image than "):
        nst.stylize(CONTENT, STYLE, quick(), **options, after=smaller)
