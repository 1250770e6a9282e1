"""Filling a region of a picture: what stays, what comes in, and what the border looks like."""

import re

import numpy as np
import pytest
import skimage.data
from benchmarks.texture_distance import distances_between_crops, gram_matrices

import napari_nst as nst
from napari_nst.engine.inspect.gram import gram_distances
from napari_nst.engine.job.build import order_to_synthesize
from napari_nst.engine.job.inpainting import MARGIN
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import Recipe, preset
from tests.helpers.small_images import STYLE, with_alpha

GRAVEL = skimage.data.gravel()
ROWS, COLUMNS = np.mgrid[:96, :96]
HOLE = (np.hypot(ROWS - 50, COLUMNS - 44) < 18).astype(int)
INTO = np.ascontiguousarray(skimage.data.astronaut()[100:196, 100:196])
CHECKERS = ((ROWS // 8 + COLUMNS // 8) % 2 * 180 + 40).astype(np.uint8)
GRATING = np.round(128 + 90 * np.sin(COLUMNS * 2 * np.pi / 12)).astype(np.uint8)


def last(iterations):
    return list(iterations)[-1]


def as_float(image):
    if image.dtype.kind == "u":
        return (image / np.float32(np.iinfo(image.dtype).max)).astype(np.float32)
    return image.astype(np.float32)


def order(exemplar=STYLE, into=INTO, region=HOLE, **options):
    recipe = options.pop("recipe", preset("texture"))
    return order_to_synthesize(exemplar, recipe, into=into, region=region, **options)


@pytest.mark.parametrize(
    ("into", "exemplar", "fields"),
    [
        (INTO, STYLE, {}),
        ((INTO.astype(np.uint16) * 257) ^ 77, STYLE, {}),
        (INTO[..., 0], STYLE, {}),
        (INTO[..., 0] / 255, None, {}),
        (INTO, STYLE[..., 0], {"optimizer": "adam", "ema": 0.9}),
        (INTO, [STYLE, STYLE[::-1]], {"init": "style", "tv_weight": 3.0}),
        (with_alpha(INTO, COLUMNS > 20), None, {}),
    ],
)
def test_what_is_outside_comes_back_bit_by_bit(quick, into, exemplar, fields):
    recipe = quick(**{"init": "noise", "min_size": 40, "steps": 4, **fields})
    outside = HOLE == 0
    wanted = as_float(into)
    for it in nst.synthesize(exemplar, recipe, into=into, region=HOLE):
        assert it.shape == it.full_shape == (96, 96)
        np.testing.assert_array_equal(it.picture[outside], wanted[outside])
    assert np.abs(it.picture - wanted)[HOLE == 1].mean() > 0.01


def test_a_picture_filled_in_a_corner_is_whole(quick):
    region = np.zeros((300, 260), bool)
    region[290:, 250:] = True
    into = np.tile(STYLE, (5, 5, 1))[:300, :260]
    it = last(nst.synthesize(STYLE, quick(init="noise"), into=into, region=region))
    assert it.image.shape == (300, 260, 3)
    np.testing.assert_array_equal(it.image[~region], as_float(into)[~region])


# What an order works on


def test_a_run_works_around_the_region_alone():
    region = np.zeros((400, 300), int)
    region[200:230, 20:50] = 4
    into = np.zeros((400, 300, 3), np.uint8)
    made = order(into=into, region=region, recipe=Recipe(init="noise", size=64, min_size=32))
    rows, columns = made.keep_outside.window
    assert (rows, columns) == (slice(200 - MARGIN, 230 + MARGIN), slice(0, 50 + MARGIN))
    assert made.scales[-1].shape == (30 + 2 * MARGIN, 50 + MARGIN)  # at its own size
    assert made.scales[0].shape < made.scales[-1].shape


def test_exemplars_keep_their_own_size():
    small, large = STYLE[:40, :50], np.tile(STYLE, (3, 2, 1))
    made = order([small, large])
    assert [fit.shape for fit in made.fits(made.scales[-1])] == [(40, 50), (192, 128)]


def test_of_an_exemplar_with_a_region_the_part_with_most_of_it_is_taken():
    large = np.zeros((900, 700, 3), np.uint8)
    region = np.zeros((900, 700), int)
    region[610:650, 20:60] = region[:3, :3] = 1
    made = order(large, exemplar_region=region)
    (style,), (labels,) = made.styles, made.guides.styles
    assert style.shape == labels.shape == (192, 192)  # twice the window of 96
    assert labels.sum() == 40 * 40


def test_without_an_exemplar_the_surroundings_are_it():
    bright = np.where(HOLE[..., None], 255, INTO // 2).astype(np.uint8)
    made = order(None, bright)
    assert list(made.images) == ["into"]
    (style,), (labels,) = made.styles, made.guides.styles
    assert not labels[HOLE > 0].any()
    assert (style.alpha[HOLE > 0] == 0).all()
    assert style.rgb[labels > 0].max() < 0.51


def test_what_was_in_the_region_does_not_matter(quick):
    """Not even through the borders of coarse scales."""
    recipe = quick(init="noise", min_size=24, steps=6)
    images = []
    for value in (0, 255):
        into = INTO.copy()
        into[HOLE > 0] = value
        images.append(last(nst.synthesize(None, recipe, into=into, region=HOLE)).image)
    np.testing.assert_allclose(images[0], images[1], atol=1e-4)


def test_the_record_says_what_was_filled(quick):
    it = last(nst.synthesize(STYLE, quick(init="noise"), into=INTO, region=HOLE))
    assert it.facts["arguments"] == {"filled_pixels": int(HOLE.sum())}
    assert list(it.facts["inputs"]) == ["into", "exemplar"]
    assert it.facts["inputs"]["into"]["shape"] == [96, 96, 3]


def test_a_filling_starts_from_an_image_of_its_size(quick):
    start = INTO[::-1]
    recipe = quick(init="image", learning_rate=1e-9, optimizer="adam", steps=1)
    it = last(nst.synthesize(STYLE, recipe, into=INTO, region=HOLE, init_image=start))
    np.testing.assert_allclose(it.image[HOLE > 0], as_float(start)[HOLE > 0], atol=1e-4)


def test_a_filling_goes_on(quick):
    recipe = quick(init="noise")
    first = last(nst.synthesize(STYLE, recipe, into=INTO, region=HOLE))
    then = last(nst.synthesize(STYLE, recipe, into=INTO, region=HOLE, after=first))
    assert then.step == 6
    assert then.losses["style"] < first.losses["style"]


# How it looks


@pytest.mark.network
@pytest.mark.parametrize(
    "texture", [CHECKERS, GRATING, GRAVEL[200:296, 300:396]], ids=["checkers", "grating", "gravel"]
)
def test_a_hole_is_filled_with_what_is_around_it_and_leaves_no_step(real, gatys, texture):
    into = np.where(HOLE, 255, texture).astype(np.uint8)
    recipe = preset("texture", steps=40, min_size=48)
    it = last(nst.synthesize(None, recipe, into=into, region=HOLE))
    texture, filled = as_float(texture), it.picture
    # Steps between neighbours inside and outside of the border, beside those of the texture.
    steps, typical, inside = [], [], HOLE == 1
    for axis in (0, 1):
        crossing = np.diff(HOLE, axis=axis) != 0
        steps.append(np.abs(np.diff(filled, axis=axis))[crossing])
        typical.append(np.abs(np.diff(texture, axis=axis))[crossing])
    assert np.concatenate(steps).mean() < 1.5 * np.concatenate(typical).mean()
    assert filled[inside].mean() == pytest.approx(texture[inside].mean(), abs=0.08)
    assert filled[inside].std() > 0.6 * texture[inside].std()
    # And Gram matrices about as far from the texture's as two of its pieces are from each other;
    # of a regular pattern, which has no such distance, nearer than the hole's at least.
    network = VGG19(["relu1_1", "relu2_1", "relu3_1"], gatys)
    box = (slice(34, 66), slice(28, 60))
    own = gram_matrices(network, filled[box])
    distances = gram_distances(own, gram_matrices(network, texture))
    usual = distances_between_crops(network, texture, 32)
    hole = gram_distances(
        gram_matrices(network, as_float(into)[box]), gram_matrices(network, texture)
    )
    for layer, distance in distances.items():
        assert distance < max(1.25 * usual[layer], 0.75 * hole[layer])


@pytest.mark.network
def test_the_texture_is_that_of_the_region_of_the_exemplar(real):
    exemplar = np.concatenate([CHECKERS, np.full((96, 96), 230, np.uint8)], axis=1)
    right = np.zeros((96, 192), bool)
    right[:, 96:] = True
    recipe = preset("texture", steps=15, min_size=48)
    into = np.full((96, 96), 60, np.uint8)
    for region, spread in ((~right, (0.15, 1)), (right, (0, 0.1))):
        options = {"into": into, "region": HOLE, "exemplar_region": region}
        it = last(nst.synthesize(exemplar, recipe, **options))
        inside = it.picture[np.hypot(ROWS - 50, COLUMNS - 44) < 10]
        assert spread[0] <= inside.std() <= spread[1]


# What cannot be filled


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: order(shape=(64, 64)), ValueError, "^shape is that of into"),
        (lambda: order(region=None), ValueError, "^into needs a region to fill; give one"),
        (lambda: order(region=HOLE * 0), ValueError, "^region labels no pixel; give those to f"),
        (lambda: order(region=HOLE / 1), TypeError, "^region must be whole numbers or bool"),
        (
            lambda: order(region=HOLE[:9]),
            ValueError,
            r"^region must be as large as the image into which, 96 × 96; its shape is \(9, 96\)",
        ),
        (lambda: order(into=INTO[:9], region=HOLE[:9]), ValueError, "^into is 9 × 96 pixels; "),
        (lambda: order(into=INTO[None]), ValueError, "^into must be an image "),
        (lambda: order(STYLE[:9]), ValueError, "^exemplar is 9 × 64 pixels; "),
        (lambda: order([]), ValueError, "^exemplar is an empty list"),
        (lambda: order(None, region=HOLE | 1), ValueError, "^region leaves too little of into"),
        (
            lambda: order(None, exemplar_region=HOLE),
            ValueError,
            "^exemplar_region marks pixels of an exemplar; give exemplar too",
        ),
        (
            lambda: order([STYLE] * 2, exemplar_region=HOLE),
            ValueError,
            "^exemplar_region is of one exemplar, and there are several",
        ),
        (
            lambda: order(exemplar_region=HOLE),
            ValueError,
            "^exemplar_region must be as large as the exemplar, 64 × 64; ",
        ),
        (
            lambda: order(exemplar_region=HOLE[:64, :64] * 0),
            ValueError,
            "^exemplar_region labels no pixel; ",
        ),
        (
            lambda: order(recipe=preset("texture", padding="circular")),
            ValueError,
            "^padding is 'circular', but a filled region has borders; ",
        ),
        (
            lambda: order(recipe=preset("texture", init="image"), init_image=STYLE),
            ValueError,
            "^init_image must be as large as into, 96 × 96; it is 64 × 64",
        ),
        (
            lambda: order(recipe=preset("texture", style_weight=0, content_weight=1)),
            ValueError,
            "^style_weight is 0, or all style_layers are; ",
        ),
        (
            lambda: order(into=None),
            ValueError,
            "^region is for filling an image; give that image as into, too",
        ),
        (
            lambda: order(into=None, region=None, exemplar_region=HOLE),
            ValueError,
            "^exemplar_region is for filling an image; ",
        ),
        (
            lambda: order(None, into=None, region=None),
            ValueError,
            "^exemplar is missing; give one, or into and a region to fill",
        ),
    ],
)
def test_what_cannot_be_filled_is_told(no_network, call, error, told):
    with pytest.raises(error) as raised:
        call()
    assert re.search(told, str(raised.value)), raised.value
    assert str(raised.value).endswith(".")


def test_a_region_of_the_exemplar_too_small_is_told(no_network):
    region = np.zeros((64, 64), int)
    region[12:16, 12:16] = 1
    told = "^Regions of exemplar_region are too small .*: label 1 at relu4_1, relu5_1"
    with pytest.warns(UserWarning, match=told) as raised:
        nst.synthesize(STYLE, into=INTO, region=HOLE, exemplar_region=region)
    assert raised[0].filename == __file__
