"""Texture synthesis: any shape, from any number of exemplars, and without a seam."""

import numpy as np
import pytest
import skimage.data
import torch

from napari_nst.engine import api as jobs
from napari_nst.engine.job.input_image import read_input
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.losses import STYLE_LOSSES
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import Recipe, preset
from tests.helpers.small_images import CONTENT, STYLE


@pytest.mark.parametrize("shape", [(37, 53), (96, 80), (33, 129), (64, 64)])
def test_a_texture_is_of_any_shape(quick, shape):
    """Larger than its exemplar, and a multiple of nothing."""
    iterations = list(jobs.synthesize(STYLE, quick(init="noise", size=0, steps=4), shape=shape))
    assert iterations[-1].image.shape == (*shape, 3)
    assert iterations[-1].losses["total"] < iterations[0].losses["total"]
    assert {it.full_shape for it in iterations} == {shape}


def test_without_a_shape_it_is_as_large_as_its_exemplar(quick):
    exemplar = STYLE[:41, :57]
    *_, it = jobs.synthesize(exemplar, quick(init="noise", size=0, steps=1))
    assert it.shape == (41, 57)
    *_, fitted = jobs.synthesize(exemplar, quick(init="noise", size=40, steps=1))
    assert fitted.shape == (29, 40)


def test_scales_go_from_coarse_to_fine(quick):
    recipe = quick(init="noise", size=60, min_size=30, steps=5, first_scale_share=1.0)
    iterations = list(jobs.synthesize(STYLE, recipe, shape=(100, 51)))
    assert [it.shape for it in iterations] == [(50, 26), (50, 26), (70, 36), (100, 51), (100, 51)]


@pytest.mark.parametrize("init", ["noise", "style", "mix"])
def test_every_init_but_the_content(quick, init):
    *_, it = jobs.synthesize(STYLE, quick(init=init, steps=2), shape=(40, 72))
    assert it.image.shape == (40, 72, 3)


def test_a_texture_has_no_content(quick):
    """Whatever a recipe for transfers says."""
    plain, with_content = (
        list(jobs.synthesize(STYLE, quick(init="noise", **fields)))
        for fields in (
            {"content_weight": 0, "content_layers": {}},
            {"content_weight": 1e3, "content_layers": {"relu1_2": 5}, "content_norm": "sum"},
        )
    )
    for one, other in zip(plain, with_content, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.losses == other.losses
        assert one.losses["content"] == 0
        assert not any(name.startswith("content/") for name in one.losses)


def test_an_exemplar_at_its_own_size_has_nothing_to_lose(quick):
    recipe = quick(init="image", size=0, tv_weight=0, steps=1, learning_rate=1e-9)
    (it,) = jobs.synthesize(STYLE, recipe, init_image=STYLE)
    assert it.losses["total"] < 1e-6


@pytest.mark.parametrize("make", [list, tuple])
def test_several_exemplars_are_blended(quick, make):
    exemplars = make([STYLE, CONTENT[:50, :40]])
    recipe = quick(init="noise")
    blended, *single = (
        list(jobs.synthesize(e, recipe, shape=(32, 32)))[-1].image for e in (exemplars, *exemplars)
    )
    for image in single:
        assert np.abs(blended - image).max() > 1e-3
    *_, all_of_one = jobs.synthesize(
        exemplars, recipe.replace(style_blend=(1, 0), noise="normal"), shape=(32, 32)
    )
    np.testing.assert_allclose(all_of_one.image, single[0], atol=1e-6)


@pytest.mark.parametrize("style_loss", STYLE_LOSSES)
def test_every_style_loss_makes_textures(quick, style_loss):
    norm = "mean" if style_loss == "mrf" else "relative"
    recipe = quick(
        init="noise", style_loss=style_loss, style_norm=norm, steps=9, tv_weight=0,
        optimizer="adam",
    )  # fmt: skip
    iterations = list(jobs.synthesize(STYLE, recipe, shape=(40, 48)))
    assert iterations[-1].losses["style"] < 0.9 * iterations[0].losses["style"]


# Without a seam


def objective_of(recipe, pretrained, shape):
    network = VGG19(network_layers(recipe), pretrained, recipe.pooling, recipe.padding)
    exemplar = read_input(STYLE, "exemplar")
    scale = Scale(64, shape, 1)
    order = Job("synthesize", recipe, [scale], None, [exemplar], None, None, {})
    return RunSetup(order, network, torch.device("cpu")).objective_at(scale)


def total(objective, image):
    with torch.no_grad():
        return sum(part.item() for part in objective(image).values())


def recipe_of(style_loss="mean_covariance", **fields):
    layers = dict.fromkeys(["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"], 0.2)
    return Recipe(**{
        "style_layers": layers, "content_weight": 0, "style_loss": style_loss,
        "padding": "circular", "tv_weight": 50, **fields,
    })  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        *({"style_loss": name} for name in STYLE_LOSSES if name != "mrf"),
        {"tv_loss": "nine_point"},
        {"tv_loss": "sum", "tv_weight": 1e-6},
        {"pooling": "average"},
        {"pooling": "l2"},
    ],
    ids=str,
)
def test_a_texture_that_tiles_has_no_place_where_it_begins(untrained, random_image, fields):
    """Rolled around by whole positions of the deepest layer it is as good."""
    objective = objective_of(recipe_of(**fields), untrained, (32, 48))
    image = random_image(32, 48)
    for by in ((16, 0), (16, 32)):
        rolled = total(objective, image.roll(by, (2, 3)))
        assert rolled == pytest.approx(total(objective, image), rel=1e-4)


def test_one_that_does_not_tile_has(untrained, random_image):
    objective = objective_of(recipe_of(padding="replicate"), untrained, (48, 64))
    image = random_image(48, 64).cumsum(dim=3) / 64
    rolled = total(objective, image.roll(16, 3))
    assert rolled != pytest.approx(total(objective, image), rel=2e-3)


def test_an_exemplar_need_not_tile(untrained):
    """Its own border is no seam that the texture should have."""
    recipe = recipe_of(tv_weight=0)
    circular = objective_of(recipe, untrained, (64, 64))
    replicate = objective_of(recipe.replace(padding="replicate"), untrained, (64, 64))
    for one, other in zip(circular.buffers(), replicate.buffers(), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_rolling_the_start_rolls_the_whole_run(quick, optimizer):
    """Through all scales, and with all that is carried from one to the next.

    L-BFGS searches along lines here: the cells in which it measures how far pixels reach, where it
    does not, stay where they are.
    """
    noise = np.random.default_rng(0).random((32, 48, 3))
    recipe = quick(
        init="image", padding="circular", size=64, min_size=32, scale_ratio=2.0, steps=4,
        optimizer=optimizer, line_search=optimizer == "lbfgs",
    )  # fmt: skip
    runs = [
        list(jobs.synthesize(STYLE, recipe, shape=(64, 96), init_image=image))
        for image in (noise, np.roll(noise, (8, 16), (0, 1)))
    ]
    for one, other in zip(*runs, strict=True):
        by = [amount * one.shape[0] // 32 for amount in (8, 16)]
        assert other.losses["total"] == pytest.approx(one.losses["total"], rel=1e-3)
        difference = np.abs(np.roll(one.image, by, (0, 1)) - other.image)
        # Rounding grows from step to step, but not at the border, which is 5% of the pixels.
        assert np.quantile(difference, 0.97) < 5e-3


def seams(image):
    """Return the step across the wrap, over the largest of the steps inside: down, and across."""
    steps = (np.abs(image - np.roll(image, 1, axis)).mean(1 - axis) for axis in (0, 1))
    return [step[0] / step[1:].max() for step in steps]


@pytest.mark.network
def test_the_step_across_the_wrap_is_no_larger_than_the_steps_inside(real):
    """Even from a start whose upper and lower edge do not meet."""
    exemplar = skimage.data.brick()[:256:4, :256:4]
    ramp = np.linspace(0.2, 0.8, 64)[:, None] * np.ones((1, 64))
    fields = {"size": 64, "min_size": 0, "steps": 24, "init": "image"}
    found = {}
    for padding in ("circular", "replicate"):
        recipe = preset("texture", padding=padding, precision="float32", device="cpu", **fields)
        *_, it = jobs.synthesize(exemplar, recipe, init_image=ramp)
        found[padding] = seams(it.picture)
    assert max(found["circular"]) < 1
    assert found["replicate"][0] > 1.5
