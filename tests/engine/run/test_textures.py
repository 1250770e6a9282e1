"""Texture synthesis: any shape, from any number of exemplars, and without a seam."""

import numpy as np
import pytest
import skimage.data

import napari_nst as nst
from napari_nst.engine.losses import STYLE_LOSSES
from napari_nst.recipe import preset
from tests.helpers.small_images import STYLE

STILL = {"init": "image", "steps": 1, "learning_rate": 1e-9, "size": 0}


def last(iterations):
    return list(iterations)[-1]


def test_a_texture_has_any_shape(quick):
    """Larger than its exemplar, and not a multiple of a power of 2."""
    shape = (33, 79)
    iterations = list(nst.synthesize(STYLE, quick(init="noise", size=0, steps=4), shape=shape))
    assert iterations[-1].image.shape == (*shape, 3)
    assert iterations[-1].losses["total"] < iterations[0].losses["total"]
    assert {it.full_shape for it in iterations} == {shape}


def test_by_default_a_texture_is_as_large_as_its_fitted_exemplar(quick):
    it = last(nst.synthesize(STYLE[:41, :57], quick(init="style", size=40, steps=1)))
    assert it.shape == (29, 40)


def test_scales_go_from_coarse_to_fine(quick):
    recipe = quick(init="mix", size=60, min_size=30, steps=5, first_scale_share=1.0)
    iterations = list(nst.synthesize(STYLE, recipe, shape=(100, 51)))
    assert [it.shape for it in iterations] == [(50, 26), (50, 26), (70, 36), (100, 51), (100, 51)]


def test_the_content_loss_of_the_recipe_is_not_used(quick):
    variants = (
        {"content_weight": 0, "content_layers": {}},
        {"content_weight": 1e3, "content_layers": {"relu1_2": 5}, "content_norm": "sum"},
    )
    one, other = (last(nst.synthesize(STYLE, quick(init="noise", **fields))) for fields in variants)
    np.testing.assert_array_equal(one.image, other.image)
    assert one.losses == other.losses
    assert {name.split("/")[0] for name in one.losses if "/" in name} == {"style"}


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
def test_every_style_loss_makes_textures(quick, style_loss):
    norm = "mean" if style_loss == "mrf" else "relative"
    recipe = quick(
        init="noise", style_loss=style_loss, style_norm=norm, steps=9, tv_weight=0,
        optimizer="adam", size=24,
    )  # fmt: skip
    iterations = list(nst.synthesize(STYLE, recipe, shape=(24, 32)))
    assert iterations[-1].losses["style"] < 0.9 * iterations[0].losses["style"]


# Without a seam


@pytest.fixture
def loss_of(quick):
    """Return the total loss of an image as a texture, with all blocks of the network."""
    layers = dict.fromkeys(["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"], 0.2)

    def loss_of(image, exemplar=STYLE, padding="circular", **fields):
        fields = {"style_layers": layers, "tv_weight": 50, **STILL, **fields}
        recipe = quick(padding=padding, **fields)
        it = last(nst.synthesize(exemplar, recipe, shape=image.shape[:2], init_image=image))
        return it.losses["total"]

    return loss_of


@pytest.mark.parametrize(
    "fields",
    [
        {"style_loss": "gram"},
        {"style_loss": "sliced_wasserstein", "projections": 4},
        {"tv_loss": "nine_point", "pooling": "average"},
        {"pooling": "l2"},
    ],
    ids=str,
)
def test_a_seamless_texture_rolled_by_positions_of_the_deepest_layer_has_the_same_loss(
    loss_of, fields
):
    image = np.random.default_rng(0).random((32, 48, 3))
    rolled = loss_of(np.roll(image, (16, 32), (0, 1)), **fields)
    assert rolled == pytest.approx(loss_of(image, **fields), rel=1e-4)


def test_a_texture_with_borders_has_not(loss_of):
    image = np.linspace(0, 1, 64)[:, None] * np.random.default_rng(0).random((48, 64, 3))
    rolled = loss_of(np.roll(image, 16, 1), padding="replicate")
    assert rolled != pytest.approx(loss_of(image, padding="replicate"), rel=2e-3)


def test_the_border_of_an_exemplar_is_not_taken_for_a_seam(loss_of):
    ramp = np.linspace(0.1, 0.9, 64)[:, None] * np.ones((1, 64))
    assert loss_of(ramp, ramp, padding="replicate", tv_weight=0) < 1e-6
    assert loss_of(ramp, ramp, tv_weight=0) > 1e-3


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_rolling_the_initial_image_rolls_the_whole_run(quick, optimizer):
    """Through all scales, and with the optimizer's state that is carried from one to the next.

    L-BFGS uses line search here, because the cells in which it otherwise measures step lengths do
    not roll with the image.
    """
    noise = np.random.default_rng(0).random((32, 48, 3))
    recipe = quick(
        init="image", padding="circular", size=64, min_size=32, scale_ratio=2.0, steps=4,
        optimizer=optimizer, line_search=optimizer == "lbfgs",
    )  # fmt: skip
    runs = [
        list(nst.synthesize(STYLE, recipe, shape=(64, 96), init_image=image))
        for image in (noise, np.roll(noise, (8, 16), (0, 1)))
    ]
    for one, other in zip(*runs, strict=True):
        by = [amount * one.shape[0] // 32 for amount in (8, 16)]
        assert other.losses["total"] == pytest.approx(one.losses["total"], rel=1e-3)
        difference = np.abs(np.roll(one.image, by, (0, 1)) - other.image)
        # Rounding errors grow from step to step, but not at the border, which is 5% of the pixels.
        assert np.quantile(difference, 0.97) < 5e-3


def seams(image):
    """Return the step across the wrap-around, relative to the largest step inside, per axis."""
    steps = (np.abs(image - np.roll(image, 1, axis)).mean(1 - axis) for axis in (0, 1))
    return [step[0] / step[1:].max() for step in steps]


@pytest.mark.network
def test_the_step_across_the_wrap_around_is_no_larger_than_the_steps_inside(real):
    """Even from an initial image whose upper and lower edges do not match."""
    exemplar = skimage.data.brick()[:256:4, :256:4]
    ramp = np.linspace(0.2, 0.8, 64)[:, None] * np.ones((1, 64))
    fields = {"size": 64, "min_size": 0, "steps": 24, "init": "image"}
    fields |= {"terms": (), "phases": ()}  # a spectrum is that of a periodic image
    found = {}
    for padding in ("circular", "replicate"):
        recipe = preset("texture", padding=padding, precision="float32", device="cpu", **fields)
        found[padding] = seams(last(nst.synthesize(exemplar, recipe, init_image=ramp)).picture)
    assert max(found["circular"]) < 1
    assert found["replicate"][0] > 1.5
