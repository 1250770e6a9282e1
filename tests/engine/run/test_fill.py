"""Filling a region of an image: unchanged pixels outside, the texture inside, and the border."""

import numpy as np
import pytest
import skimage.data
from benchmarks.texture_distance import distances_between_crops

import napari_nst as nst
from napari_nst.engine.inspect import gram_distances
from napari_nst.engine.job.build import order_to_synthesize
from napari_nst.engine.job.inpainting import MARGIN
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import Recipe, preset
from napari_nst.texture_statistics.gram import gram_matrices
from tests.helpers.small_images import STYLE, with_alpha

GRAVEL = skimage.data.gravel()
ROWS, COLUMNS = np.mgrid[:96, :96]
DISK = (np.hypot(ROWS - 50, COLUMNS - 44) < 18).astype(int)
INTO = np.ascontiguousarray(skimage.data.astronaut()[100:196, 100:196])
CHECKERS = ((ROWS // 8 + COLUMNS // 8) % 2 * 180 + 40).astype(np.uint8)
GRATING = np.round(128 + 90 * np.sin(COLUMNS * 2 * np.pi / 12)).astype(np.uint8)


def last(iterations):
    return list(iterations)[-1]


def as_float(image):
    if image.dtype.kind == "u":
        return (image / np.float32(np.iinfo(image.dtype).max)).astype(np.float32)
    return image.astype(np.float32)


def job(exemplar=STYLE, into=INTO, region=DISK, **options):
    recipe = options.pop("recipe", preset("texture"))
    return order_to_synthesize(exemplar, recipe, into=into, region=region, **options)


@pytest.mark.parametrize(
    ("into", "exemplar", "fields"),
    [
        ((INTO.astype(np.uint16) * 257) ^ 77, STYLE, {}),
        (INTO[..., 0] / 255, None, {}),
        (INTO, STYLE[..., 0], {"optimizer": "adam", "ema": 0.9}),
        (with_alpha(INTO, COLUMNS > 20), [STYLE, STYLE[::-1]], {"init": "style", "tv_weight": 3.0}),
    ],
)
def test_pixels_outside_are_unchanged_bit_for_bit(quick, into, exemplar, fields):
    recipe = quick(**{"init": "noise", "min_size": 40, "steps": 4, **fields})
    wanted = as_float(into)
    for it in nst.synthesize(exemplar, recipe, into=into, region=DISK):
        assert it.shape == it.full_shape == (96, 96)
        np.testing.assert_array_equal(it.picture[DISK == 0], wanted[DISK == 0])
    assert np.abs(it.picture - wanted)[DISK == 1].mean() > 0.01


def test_an_image_filled_in_a_corner_is_whole(quick):
    region = np.zeros((300, 260), bool)
    region[290:, 250:] = True
    into = np.tile(STYLE, (5, 5, 1))[:300, :260]
    it = last(nst.synthesize(STYLE, quick(init="noise"), into=into, region=region))
    assert it.image.shape == (300, 260, 3)
    np.testing.assert_array_equal(it.image[~region], as_float(into)[~region])


@pytest.mark.network
def test_many_tiny_holes_are_filled_from_all_that_is_around_them(real):
    """Hot pixels: with the holes as part of the texture, the fill would be the mean colour."""
    hot = np.zeros((64, 64), bool)
    hot[3::7, 3::7] = True
    clean = np.ascontiguousarray(skimage.data.coffee()[100:164, 200:264])
    recipe = preset("texture", terms=(), steps=10, device="cpu")
    broken = np.where(hot[..., None], 255, clean).astype(np.uint8)
    filled = last(nst.synthesize(recipe=recipe, into=broken, region=hot)).image
    np.testing.assert_array_equal(filled[~hot], as_float(clean)[~hot])
    error = np.abs(filled - as_float(clean))[hot].mean()
    of_the_mean = np.abs(as_float(clean)[~hot].mean(axis=0) - as_float(clean)[hot]).mean()
    assert error < of_the_mean / 5


def test_a_region_of_transparent_pixels_is_refused():
    with pytest.raises(ValueError, match=r"region.* transparent pixels"):
        job(into=with_alpha(INTO, DISK == 0))


# The job


def test_a_run_works_on_a_window_around_the_region():
    region = np.zeros((400, 300), int)
    region[200:230, 20:50] = 4
    into = np.zeros((400, 300, 3), np.uint8)
    made = job(into=into, region=region, recipe=Recipe(init="noise", size=64, min_size=32))
    assert made.keep_outside.window == (slice(200 - MARGIN, 230 + MARGIN), slice(0, 50 + MARGIN))
    assert made.scales[-1].shape == (30 + 2 * MARGIN, 50 + MARGIN)  # at its own size
    assert made.scales[0].shape < made.scales[-1].shape


def test_an_exemplar_with_a_region_is_cut_to_the_window_with_most_of_it():
    large = np.zeros((900, 700, 3), np.uint8)
    region = np.zeros((900, 700), int)
    region[610:650, 20:60] = region[:3, :3] = 1
    made = job(large, exemplar_region=region)
    (style,), (labels,) = made.styles, made.guides.styles
    assert style.shape == labels.shape == (192, 192)  # twice the window of 96
    assert labels.sum() == 40 * 40


def test_without_an_exemplar_the_pixels_around_are_used():
    bright = np.where(DISK[..., None], 255, INTO // 2).astype(np.uint8)
    made = job(None, bright)
    assert list(made.images) == ["into"]
    (style,), (labels,) = made.styles, made.guides.styles
    assert not labels[DISK > 0].any()
    assert (style.alpha[DISK > 0] == 0).all()
    assert style.rgb[labels > 0].max() < 0.51


def test_the_former_pixels_of_the_region_have_no_effect(quick):
    """Not even through the borders of coarse scales."""
    recipe = quick(init="noise", min_size=24, steps=4)
    images = []
    for value in (0, 255):
        into = INTO.copy()
        into[DISK > 0] = value
        images.append(last(nst.synthesize(None, recipe, into=into, region=DISK)).image)
    np.testing.assert_allclose(images[0], images[1], atol=1e-4)


def test_the_record_has_the_number_of_filled_pixels(quick):
    it = last(nst.synthesize(STYLE, quick(init="noise"), into=INTO, region=DISK))
    assert it.facts["arguments"] == {"filled_pixels": int(DISK.sum())}
    assert list(it.facts["inputs"]) == ["into", "exemplar"]
    assert it.facts["inputs"]["into"]["shape"] == [96, 96, 3]


def test_a_region_is_filled_from_an_initial_image(quick):
    recipe = quick(init="image", learning_rate=1e-9, optimizer="adam", steps=1)
    it = last(nst.synthesize(STYLE, recipe, into=INTO, region=DISK, init_image=INTO[::-1]))
    np.testing.assert_allclose(it.image[DISK > 0], as_float(INTO[::-1])[DISK > 0], atol=1e-4)


def test_a_fill_continues(quick):
    options = {"into": INTO, "region": DISK}
    first = last(nst.synthesize(STYLE, quick(init="noise"), **options))
    more = last(nst.synthesize(STYLE, quick(init="noise"), after=first, **options))
    assert more.step == 6
    assert more.losses["style"] < first.losses["style"]
    np.testing.assert_array_equal(more.image[DISK == 0], as_float(INTO)[DISK == 0])


# The appearance, with the real network


@pytest.mark.network
@pytest.mark.parametrize(
    "texture", [CHECKERS, GRATING, GRAVEL[200:296, 300:396]], ids=["checkers", "grating", "gravel"]
)
def test_a_region_is_filled_with_the_texture_around_it_without_a_visible_border(
    real, gatys, texture
):
    into = np.where(DISK, 255, texture).astype(np.uint8)
    recipe = preset("texture", terms=(), steps=40)
    it = last(nst.synthesize(None, recipe, into=into, region=DISK))
    texture, filled = as_float(texture), it.picture
    # Differences of neighbours across the border, compared with those of the texture.
    steps, typical, inside = [], [], DISK == 1
    for axis in (0, 1):
        crossing = np.diff(DISK, axis=axis) != 0
        steps.append(np.abs(np.diff(filled, axis=axis))[crossing])
        typical.append(np.abs(np.diff(texture, axis=axis))[crossing])
    assert np.concatenate(steps).mean() < 1.5 * np.concatenate(typical).mean()
    assert filled[inside].mean() == pytest.approx(texture[inside].mean(), abs=0.08)
    assert filled[inside].std() > 0.6 * texture[inside].std()
    # The Gram matrices are about as far from the texture's as those of two crops from each other;
    # crops of a regular pattern do not differ, and there they are nearer than the empty region's.
    network = VGG19(["relu1_1", "relu2_1", "relu3_1"], gatys)
    box = (slice(34, 66), slice(28, 60))
    whole = gram_matrices(network, as_rgb(texture))
    distances = gram_distances(gram_matrices(network, as_rgb(filled[box])), whole)
    usual = distances_between_crops(network, texture, 32)
    empty = gram_distances(gram_matrices(network, as_rgb(as_float(into))[box]), whole)
    for layer, distance in distances.items():
        assert distance < max(1.25 * usual[layer], 0.75 * empty[layer])


@pytest.mark.network
def test_the_texture_is_that_of_the_region_of_the_exemplar(real):
    exemplar = np.concatenate([CHECKERS, np.full((96, 96), 230, np.uint8)], axis=1)
    right = np.zeros((96, 192), bool)
    right[:, 96:] = True
    recipe = preset("texture", terms=(), steps=15, min_size=48)
    into = np.full((96, 96), 60, np.uint8)
    for region, deviation in ((~right, (0.15, 1)), (right, (0, 0.1))):
        options = {"into": into, "region": DISK, "exemplar_region": region}
        it = last(nst.synthesize(exemplar, recipe, **options))
        inside = it.picture[np.hypot(ROWS - 50, COLUMNS - 44) < 10]
        assert deviation[0] <= inside.std() <= deviation[1]


# Errors


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: job(shape=(64, 64)), "shape"),
        (lambda: job(region=None), "into.*region"),
        (lambda: job(region=DISK * 0), "region.* no pixel"),
        (lambda: job(into=INTO[:7], region=DISK[:7]), "into.* 7 × 96"),
        (lambda: job(STYLE[:7]), "exemplar.* 7 × 64"),
        (lambda: job(None, region=DISK | 1), "region.*into.*exemplar"),
        (lambda: job(None, exemplar_region=DISK), "exemplar_region.*`exemplar`"),
        (lambda: job([STYLE] * 2, exemplar_region=DISK), "exemplar_region.*several"),
        (lambda: job(exemplar_region=DISK[:64, :64] * 0), "exemplar_region.* no pixel"),
        (lambda: job(recipe=preset("texture", padding="circular")), "padding='circular'"),
        (
            lambda: job(recipe=preset("texture", init="image"), init_image=STYLE),
            "init_image.* 96 × 96.* 64 × 64",
        ),
        (lambda: job(into=None), "region.*into"),
        (lambda: job(None, into=None, region=None), "exemplar.*"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def test_a_small_region_of_the_exemplar_is_told_at_the_callers_line(no_network):
    region = np.zeros((64, 64), int)
    region[12:16, 12:16] = 1
    told = "exemplar_region.* label 1 at relu4_1"
    with pytest.warns(UserWarning, match=told) as raised:
        nst.synthesize(STYLE, into=INTO, region=DISK, exemplar_region=region)
    assert raised[0].filename == __file__
