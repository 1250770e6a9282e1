"""Properties of all runs: any valid recipe, with any small images."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import napari_nst as nst
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.network import network_of
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import MOMENT_LOSSES
from tests.helpers.any_run import images, recipes

ORDERS = {
    nst.stylize: nst.order_to_stylize,
    nst.synthesize: nst.order_to_synthesize,
    nst.reconstruct: nst.order_to_reconstruct,
}


@settings(max_examples=200)
@given(recipe=recipes())
def test_a_recipe_is_the_same_after_json(recipe):
    assert Recipe.from_json(recipe.to_json()) == recipe


@settings(max_examples=70)
@given(
    recipe=recipes(), content=images(), style=images(), call=st.sampled_from([nst.stylize, *ORDERS])
)
def test_a_run_gives_finite_pictures_of_the_planned_shape_or_one_sentence(
    untrained_file, recipe, content, style, call
):
    if call is not nst.stylize and recipe.init in ("content", "style"):
        recipe = recipe.replace(init="noise")
    recipe, said = recipe.replace(weights=untrained_file), []
    inputs = [content, style] if call is nst.stylize else [style]
    start = {"init_image": inputs[-1]} if recipe.init == "image" else {}
    try:
        planned = ORDERS[call](*inputs, recipe=recipe, **start).scales[-1].shape
        found = list(call(*inputs, recipe, steering=Steering(said.append), **start))
    except (ValueError, TypeError, nst.NstError) as error:
        sentence = str(error)
        assert sentence
        assert "\n" not in sentence
        assert "computation failed" not in sentence
        return
    last = found[-1]
    assert last.shape == last.full_shape == planned
    assert last.step == last.steps
    for it in found:
        assert np.isfinite(it.picture).all()
        assert 0 <= it.picture.min() <= it.picture.max() <= 1
        assert it.picture.shape[:2] == it.shape
        assert np.isfinite(list(it.losses.values())).all()


WHOLE = recipes(
    MOMENT_LOSSES, tile=0, size=0, min_size=0, tv_weight=0.0, precision="float32", init="content"
)


@settings(max_examples=25)
@given(
    recipe=WHOLE,
    content=images(least=17, most=60),
    style=images(least=16),
    tile=st.sampled_from([16, 24]),
)
def test_tiles_give_the_losses_and_the_gradient_of_the_whole_image(
    untrained, recipe, content, style, tile
):
    try:
        job = nst.order_to_stylize(content, style, recipe)
    except ValueError:
        return
    network = network_of(job.recipe, network_layers(job.recipe), untrained)
    setup = RunSetup(job, network, torch.device("cpu"))
    (scale,) = job.scales
    image = torch.rand(1, 3, *scale.shape, generator=torch.Generator().manual_seed(0))
    losses, gradient = setup.objective(scale).value_and_grad(image)
    in_tiles, by_tiles = setup.objective(scale, tile).value_and_grad(image)
    assert in_tiles == pytest.approx(losses, rel=1e-3)
    assert (by_tiles - gradient).norm() <= 1e-3 * gradient.norm()
