"""The style loss of the image itself, as a term of a recipe."""

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.job.build import order_to_stylize, order_to_synthesize
from napari_nst.engine.job.guides import read_guides

ROWS, COLUMNS = np.mgrid[:40, :52]
LABELS = COLUMNS // 8 % 2
PICTURE = np.random.default_rng(0).random((40, 52, 3), np.float32)
SPECTRUM = {"style_loss": "spectrum", "style_weight": 2.0}
TWO_POINT = {"style_loss": "two_point", "style_weight": 5.0}


def test_spectra_are_parts_of_the_objective_in_tiles_too(quick, objective_of, random_image):
    terms = [SPECTRUM, {**SPECTRUM, "style_norm": "mean"}, TWO_POINT]
    recipe = quick(style_loss="mean_std", terms=terms, size=0)
    job = order_to_stylize(PICTURE, [PICTURE[:36], PICTURE[::-1]], recipe)
    image = random_image(40, 52, dtype=torch.float64)
    parts, gradient = objective_of(job).value_and_grad(image)
    spectra = {name: value for name, value in parts.items() if name.startswith("style/image")}
    assert list(spectra) == [
        "style/image/spectrum", "style/image/spectrum/2", "style/image/two_point"
    ]  # fmt: skip
    assert min(spectra.values()) > 0
    without = order_to_stylize(PICTURE, [PICTURE[:36], PICTURE[::-1]], recipe.replace(terms=()))
    _, other = objective_of(without).value_and_grad(image)
    assert (gradient - other).norm() > 0.01 * gradient.norm()
    of_tiles, tiled = objective_of(job, tile=20).value_and_grad(image)
    assert of_tiles == pytest.approx(parts, rel=1e-6)
    assert (tiled - gradient).norm() < 1e-6 * gradient.norm()


def test_palettes_are_compared_in_tiles_too_and_drawn_again(quick, objective_of, random_image):
    terms = [{"style_loss": "palette", "samples": 64}]
    job = order_to_stylize(
        PICTURE, PICTURE[::-1], quick(style_loss="mean_std", terms=terms, size=0)
    )
    image = random_image(40, 52, dtype=torch.float64)
    whole, tiled = objective_of(job), objective_of(job, tile=20)
    parts, gradient = whole.value_and_grad(image)
    of_tiles, other = tiled.value_and_grad(image)
    assert of_tiles == pytest.approx(parts, rel=1e-6)
    assert (other - gradient).norm() < 1e-6 * gradient.norm()
    assert whole.redraw()
    assert whole.value_and_grad(image)[0]["style/image/palette"] != parts["style/image/palette"]


def test_a_texture_takes_the_spectrum_of_its_exemplar(quick):
    rows = np.arange(32)[:, None, None]
    stripes = np.broadcast_to(0.5 + 0.4 * np.sin(rows * np.pi / 4), (32, 32, 3)).astype("f4")
    fields = {"style_layers": {"relu1_1": 1e-3}, "terms": [{**SPECTRUM, "style_weight": 1e3}]}
    recipe = quick(init="noise", steps=12, tv_weight=0, **fields)
    result = [*nst.synthesize(stripes, recipe, shape=(40, 48))][-1]
    power = np.abs(np.fft.fft2(result.image.mean(axis=-1) - result.image.mean())) ** 2
    assert power[4:7, 0].sum() + power[-6:-3, 0].sum() > 0.5 * power.sum()


WITH_REGIONS = {
    "guide": lambda recipe, **own: nst.stylize(
        PICTURE, PICTURE[::-1], recipe, guide=LABELS + 1, **own
    ),
    "transparent": lambda recipe, **own: nst.stylize(
        np.dstack([PICTURE, LABELS]).astype("f4"), PICTURE[::-1], recipe, **own
    ),
    "fill": lambda recipe, **own: nst.synthesize(
        None, recipe.replace(init="noise"), into=PICTURE, region=ROWS > 25, **own
    ),
}


@pytest.mark.parametrize("begin", WITH_REGIONS.values(), ids=WITH_REGIONS)
def test_terms_of_the_image_are_left_out_of_jobs_with_regions_which_is_told(quick, begin):
    terms = [{"style_loss": "mean_std"}]
    without = quick(terms=terms, phases=[{"terms": terms}])
    recipe = quick(terms=[SPECTRUM, *terms, TWO_POINT], phases=[{"terms": [*terms, SPECTRUM]}])
    told = []
    found = list(begin(recipe, steering=nst.Steering(told.append)))
    assert len(told) == 2
    assert "'spectrum'" in told[0]
    wanted = list(begin(without))
    assert [it.losses for it in found] == [it.losses for it in wanted]
    np.testing.assert_array_equal(found[-1].image, wanted[-1].image)
    assert found[-1].record()["recipe"]["terms"] == recipe.to_dict()["terms"]


def test_a_guide_during_the_run_leaves_terms_of_the_image_out_which_is_told(quick):
    told, names = [], []
    steering = nst.Steering(told.append)
    recipe = quick(terms=[SPECTRUM], steps=4)
    for it in nst.stylize(PICTURE, PICTURE[::-1], recipe, steering=steering):
        names.append("style/image/spectrum" in it.losses)
        if it.step == 2:
            assert not told
            steering.guide(read_guides(LABELS + 1, None, (40, 52), [(40, 52)]))
    assert names == [True, True, False, False]
    assert len(told) == 1
    steering = nst.Steering(told.append)
    recipe = recipe.replace(terms=())
    for it in nst.stylize(PICTURE, PICTURE, recipe, guide=LABELS + 1, steering=steering):
        if it.step == 2:
            steering.change(terms=[SPECTRUM])
    assert len(told) == 2
    assert told[0] == told[1]


def test_own_losses_of_the_image_with_regions_and_alone_are_refused_before_the_run(quick):
    recipe = quick(phases=[{**SPECTRUM, "terms": [{"style_loss": "mean_std"}]}])
    for begin in WITH_REGIONS.values():
        with pytest.raises(ValueError, match=r"style_loss.*whole image"):
            begin(recipe)
    alone = quick(style_loss="spectrum", content_weight=0, init="noise")
    with pytest.raises(ValueError, match=r"style_loss.*pixels alone"):
        order_to_synthesize(PICTURE, alone)
    transparent = np.dstack([PICTURE, LABELS]).astype("f4")
    assert order_to_stylize(PICTURE, transparent, recipe).recipe == recipe
