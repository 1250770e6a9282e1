"""Every objective can be recorded in a CUDA graph: it waits for nothing, and replays the same."""

import numpy as np
import pytest
import torch
from imaginary_cuda import NoWaiting, install
from small_images import CONTENT, STYLE, with_alpha

from napari_nst.engine.course import Course
from napari_nst.engine.losses import sliced_wasserstein
from napari_nst.engine.orders import (
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.replay import CudaGraph
from napari_nst.engine.steering import Steering
from napari_nst.recipe import preset, preset_names

SIDE = CONTENT.shape[0]
ROWS, COLUMNS = np.mgrid[:SIDE, :SIDE]
HOLE = (np.hypot(ROWS - 30, COLUMNS - 34) < 14).astype(int)
HALVES = 1 + (COLUMNS > 24)
SEEN = ROWS + COLUMNS > 20


@pytest.fixture(autouse=True)
def sorting_of_gpus(monkeypatch):
    """Sort as GPUs do: NumPy has no part in a graph."""
    monkeypatch.setattr(sliced_wasserstein, "_sorted", lambda rows: rows.sort(dim=1).values)
    monkeypatch.setattr(sliced_wasserstein, "_order", lambda rows: rows.argsort(dim=1))


def order_of(recipe):
    if recipe.has_content and recipe.has_style:
        return order_to_stylize(CONTENT, STYLE, recipe)
    if recipe.has_style:
        return order_to_synthesize(STYLE, recipe)
    return order_to_reconstruct(STYLE, recipe)


def begun(order, weights):
    """Return a stepper that has begun with an order's only scale."""
    course = Course(order, weights, Steering(), None)
    (scale,) = order.scales
    course.stepper.begin(course.assembly.first_image(scale.shape), course.objective_at(scale))
    return course.stepper


def replays_to_the_last_bit(stepper, monkeypatch):
    """Record one image, replay two others, and compare losses and gradients."""
    install(monkeypatch)
    first = stepper.pixels.detach()
    recording = CudaGraph(stepper._evaluated, first)
    for image in (first.lerp(first.flip(-1), 0.5), first * 0.9):
        expected, found = stepper._evaluated(image), recording.replay(image)
        assert found.names == expected.names
        assert expected.losses.isfinite().all()
        torch.testing.assert_close(found.losses, expected.losses, rtol=0, atol=0)
        torch.testing.assert_close(found.gradient, expected.gradient, rtol=0, atol=0)


def waits_for_nothing(stepper):
    """Evaluate without numbers, on a device that is not the processor and has none."""
    stepper.objective.to("meta")
    image = stepper.pixels.detach().to("meta")
    stepper._evaluated(image)  # what is kept from the first time on
    with NoWaiting():
        found = stepper._evaluated(image)
    assert found.gradient.is_meta
    assert found.losses.is_meta


@pytest.mark.network
@pytest.mark.parametrize("name", preset_names())
def test_of_every_preset(gatys, monkeypatch, name):
    recipe = preset(name, size=48, min_size=0, init="noise", device="cpu", precision="float32")
    stepper = begun(order_of(recipe), gatys)
    replays_to_the_last_bit(stepper, monkeypatch)
    waits_for_nothing(stepper)


@pytest.mark.network
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_of_the_default_recipe_in_16_bits(gatys, monkeypatch, precision):
    recipe = preset("default", size=32, min_size=0, device="cpu", precision=precision)
    stepper = begun(order_of(recipe), gatys)
    replays_to_the_last_bit(stepper, monkeypatch)
    waits_for_nothing(stepper)


TRANSFERS = {
    "guided": ({}, {"guide": HALVES, "style_guides": HALVES}),
    "guided, sums": ({"style_loss": "gram", "style_norm": "raw"}, {"guide": HALVES}),
    "the rest kept": ({}, {"guide": 1 - HOLE, "keep_unlabelled": True}),
    "optimal transport": ({"style_loss": "wasserstein"}, {"guide": HALVES}),
    "slices": ({"style_loss": "sliced_wasserstein"}, {"guide": HALVES}),
    "patches": ({"style_loss": "mrf"}, {"guide": HALVES}),
    "shifted": ({"style_loss": "shifted_gram", "pooling": "l2"}, {}),
    "centred": ({"style_loss": "centred_gram", "pooling": "average"}, {}),
    "smooth": ({"tv_weight": 2.0, "tv_loss": "nine_point", "tv_exponent": 1.0}, {}),
    "tanh": ({"image_range": "tanh", "optimizer": "adam"}, {}),
    "grey": ({"color": "luminance", "padding": "reflect"}, {}),
}


@pytest.mark.parametrize("kind", TRANSFERS)
@pytest.mark.parametrize("alpha", [False, True], ids=["opaque", "transparent"])
def test_of_transfers(quick, untrained, monkeypatch, kind, alpha):
    fields, options = TRANSFERS[kind]
    content = with_alpha(CONTENT, SEEN) if alpha else CONTENT
    recipe = quick(**{"init": "noise", "size": SIDE, **fields})
    stepper = begun(order_to_stylize(content, STYLE, recipe, **options), untrained)
    replays_to_the_last_bit(stepper, monkeypatch)
    waits_for_nothing(stepper)


TEXTURES = {
    "tiling": ("circular", {}),
    "filled": ("replicate", {"into": CONTENT, "region": HOLE}),
}


@pytest.mark.parametrize("kind", TEXTURES)
def test_of_textures(quick, untrained, monkeypatch, kind):
    padding, options = TEXTURES[kind]
    recipe = quick(init="noise", size=SIDE, padding=padding)
    stepper = begun(order_to_synthesize(STYLE, recipe, **options), untrained)
    replays_to_the_last_bit(stepper, monkeypatch)
    waits_for_nothing(stepper)


def test_what_is_drawn_anew_is_replayed(quick, untrained, monkeypatch):
    stepper = begun(order_of(quick(init="noise", style_loss="sliced_wasserstein")), untrained)
    install(monkeypatch)
    image = stepper.pixels.detach()
    recording = CudaGraph(stepper._evaluated, image)
    before = stepper._evaluated(image)
    assert stepper.objective.redraw()
    expected, found = stepper._evaluated(image), recording.replay(image)
    assert not torch.equal(expected.losses, before.losses)
    torch.testing.assert_close(found.losses, expected.losses, rtol=0, atol=0)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=0, atol=0)
