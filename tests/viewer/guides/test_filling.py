"""Filling a region from the Texture Synthesis widget, in a real window."""

import numpy as np
import pytest

pytestmark = pytest.mark.window


@pytest.fixture
def texture(dock):
    return dock("Texture Synthesis")


@pytest.fixture
def hole(viewer):
    labels = np.zeros((60, 80), int)
    labels[20:40, 30:50] = 1
    return viewer.add_labels(labels, name="hole")


def test_a_region_is_filled_with_what_is_around(viewer, texture, hole, optimiser, finish):
    state = optimiser(steps=3, shape_at=lambda step: (60, 80))
    cells = viewer.layers["cells"]
    assert not texture.region.enabled
    texture.exemplar.value = texture.into.value = cells
    texture.region.value = hole
    result = finish(texture)
    assert state.job == "synthesize"
    assert state.got["exemplar"] is None
    assert state.got["into"].shape == (60, 80, 3)
    assert state.got["region"].sum() == 400
    assert result.name == "cells · filled"
    outside = hole.data == 0
    np.testing.assert_array_equal(result.data[outside], cells.data[outside])
    assert (result.data[~outside] != cells.data[~outside]).mean() > 0.9
    np.testing.assert_array_equal(result.scale, cells.scale)


def test_a_region_of_another_layer_fills_it(viewer, texture, hole, optimiser, finish):
    state = optimiser(steps=3)
    texture.exemplar.value, texture.into.value = viewer.layers["starry"], viewer.layers["cells"]
    texture.region.value = hole
    texture.exemplar_region.value = viewer.add_shapes(
        [np.array([[0, 0], [0, 50], [24.4, 50], [24.4, 0]])], name="sky"
    )
    finish(texture)
    assert state.got["exemplar"].shape == (50, 50, 3)
    assert state.got["exemplar_region"][:25].all()
    assert not state.got["exemplar_region"][25:].any()


def test_a_region_is_filled_with_another_of_the_same_image(
    viewer, texture, hole, optimiser, finish
):
    state = optimiser(steps=3)
    texture.exemplar.value = texture.into.value = viewer.layers["cells"]
    texture.region.value = hole
    texture.exemplar_region.value = viewer.add_labels(1 - hole.data, name="around")
    finish(texture)
    np.testing.assert_array_equal(state.got["exemplar"], state.got["into"])
    np.testing.assert_array_equal(state.got["exemplar_region"], 1 - hole.data)


def test_grey_beyond_the_contrast_limits_stays(viewer, texture, hole, optimiser, finish):
    optimiser(steps=3, shape_at=lambda step: (60, 80))
    grey = np.random.default_rng(0).normal(0, 100, (60, 80)).astype(np.float32)
    layer = viewer.add_image(grey, name="phase", contrast_limits=(-10, 10))
    texture.exemplar.value = texture.into.value = layer
    texture.region.value = hole
    data = finish(texture).data
    np.testing.assert_array_equal(data[hole.data == 0], grey[hole.data == 0])


def test_without_a_region_it_says_so(viewer, texture, optimiser, messages):
    optimiser(steps=3)
    texture.exemplar.value = texture.into.value = viewer.layers["cells"]
    texture.start()
    assert not texture.running
    assert "region needs a Labels or a Shapes layer" in messages()[-1]


def test_the_exemplars_pixels_reach_a_texture_that_goes_on(viewer, texture, optimiser, until):
    state = optimiser(steps=2000, seconds=0.005)
    texture.exemplar.value = viewer.layers["starry"]
    texture.start()
    until(lambda: state.made > 3)
    viewer.layers["starry"].data = np.full((50, 50, 3), 50, np.uint8)
    until(lambda: state.changes)
    [exemplar] = state.changes[0].styles()
    np.testing.assert_allclose(exemplar, 50 / 255, atol=1e-6)
    texture.panel.runner.stop()
    until(lambda: not texture.running)
