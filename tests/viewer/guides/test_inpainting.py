"""Filling a region in a real window, with a fake optimizer and once with the real network."""

from functools import partial

import numpy as np
import pytest

pytestmark = pytest.mark.window

REGION = np.zeros((60, 80), int)
REGION[20:40, 30:50] = 1


@pytest.fixture
def texture(dock):
    return dock("Texture Synthesis")


@pytest.fixture
def filling(viewer, texture):
    """The widget, set to fill a region of the cells with the texture around it."""
    texture.exemplar.value = texture.into.value = viewer.layers["cells"]
    texture.region.value = viewer.add_labels(REGION.copy(), name="region")
    return texture


@pytest.fixture
def running(running):
    return partial(running, shape_at=lambda step: (60, 80))


def paint(layer, label, at, size=5):
    layer.selected_label, layer.brush_size, layer.mode = label, size, "paint"
    layer.paint(at, label)


def test_a_region_is_filled_with_the_texture_around_it(viewer, filling, optimiser, finish):
    state = optimiser(steps=3, shape_at=lambda step: (60, 80))
    cells = viewer.layers["cells"]
    result = finish(filling)
    assert state.job == "synthesize"
    assert state.got["exemplar"] is None
    assert state.got["into"].shape == (60, 80, 3)
    assert state.got["region"].sum() == 400
    assert result.name == "cells · filled"
    np.testing.assert_array_equal(result.data[REGION == 0], cells.data[REGION == 0])
    assert (result.data[REGION > 0] != cells.data[REGION > 0]).mean() > 0.9
    np.testing.assert_array_equal(result.scale, cells.scale)


def test_a_region_of_another_layer_is_the_exemplar(viewer, filling, optimiser, finish):
    state = optimiser(steps=3)
    filling.exemplar.value = viewer.layers["starry"]
    filling.exemplar_region.value = viewer.add_shapes(
        [np.array([[0, 0], [0, 50], [24.4, 50], [24.4, 0]])], name="sky"
    )
    finish(filling)
    assert state.got["exemplar"].shape == (50, 50, 3)
    assert state.got["exemplar_region"][:25].all()
    assert not state.got["exemplar_region"][25:].any()


def test_a_region_of_the_same_layer_is_the_exemplar(viewer, filling, optimiser, finish):
    state = optimiser(steps=3)
    filling.exemplar_region.value = viewer.add_labels(1 - REGION, name="around")
    finish(filling)
    np.testing.assert_array_equal(state.got["exemplar"], state.got["into"])
    np.testing.assert_array_equal(state.got["exemplar_region"], 1 - REGION)


def test_grey_beyond_the_contrast_limits_is_kept(viewer, filling, optimiser, finish):
    optimiser(steps=3, shape_at=lambda step: (60, 80))
    grey = np.random.default_rng(0).normal(0, 100, (60, 80)).astype(np.float32)
    layer = viewer.add_image(grey, name="phase", contrast_limits=(-10, 10))
    filling.exemplar.value = filling.into.value = layer
    data = finish(filling).data
    np.testing.assert_array_equal(data[REGION == 0], grey[REGION == 0])


def test_a_region_is_needed(viewer, texture, optimiser, messages):
    optimiser(steps=3)
    assert not texture.region.enabled
    texture.exemplar.value = texture.into.value = viewer.layers["cells"]
    texture.start()
    assert not texture.running
    assert messages()[-1].startswith("Region needs a Labels or a Shapes layer")


# ── while a run is going on ──────────────────────────────────────────────────────────────────


def test_a_label_can_be_painted(viewer, filling, running, until):
    state = running(filling)
    paint(viewer.layers["region"], 1, (10, 70))
    until(lambda: state.changes)
    change = state.changes[-1]
    np.testing.assert_array_equal(change.region(), viewer.layers["region"].data)
    assert change.region()[10, 70] == 1
    assert change.exemplar_region() is None
    assert change.styles is None


def test_a_shape_can_be_moved(viewer, filling, running, until):
    corners = np.array([[9.6, 9.6], [9.6, 19.4], [19.4, 19.4], [19.4, 9.6]])
    shapes = viewer.add_shapes([corners], name="drawn")
    filling.region.value = shapes
    state = running(filling)
    np.testing.assert_array_equal(np.argwhere(state.got["region"])[[0, -1]], [[10, 10], [19, 19]])
    shapes.data = [np.add(corners, (5, 30))]
    until(lambda: state.changes)
    region = state.changes[-1].region()
    np.testing.assert_array_equal(np.argwhere(region)[[0, -1]], [[15, 40], [24, 49]])


def test_the_exemplar_and_its_region_can_change(viewer, filling, running, until):
    starry = viewer.layers["starry"]
    part = np.zeros((50, 50), int)
    part[:20] = 1
    filling.exemplar.value = starry
    filling.exemplar_region.value = viewer.add_labels(part, name="part")
    state = running(filling)
    paint(viewer.layers["part"], 1, (40, 25))
    until(lambda: state.changes)
    marked = state.changes[-1].exemplar_region()
    assert marked[40, 25] == 1
    assert marked.sum() > 1000
    seen = len(state.changes)
    starry.data = np.full((50, 50, 3), 77, np.uint8)
    until(lambda: len(state.changes) > seen)
    [exemplar] = state.changes[-1].styles()
    np.testing.assert_allclose(exemplar, 77 / 255, atol=1e-6)
    assert exemplar.name == "starry"


def test_the_image_may_be_deleted_while_its_region_is_painted(viewer, filling, running, until):
    other = np.roll(REGION, 5, axis=1)
    state = running(filling, steps=100_000)
    viewer.layers.remove("cells")
    paint(viewer.layers["region"], 1, (10, 70))
    until(lambda: state.changes)
    assert state.changes[-1].region()[10, 70] == 1
    assert state.changes[-1].styles is None
    filling.region.value = viewer.add_labels(other, name="other")
    until(lambda: "Exemplar: layer 'cells' was removed" in filling.status_text)
    assert len(state.changes) == 1
    assert filling.running


def test_the_exemplar_cannot_become_the_texture_around(viewer, filling, running, until):
    filling.exemplar.value = viewer.layers["starry"]
    state = running(filling)
    filling.exemplar.value = viewer.layers["cells"]
    until(lambda: "Exemplar region" in filling.status_text)
    assert not state.changes


def test_a_finished_run_can_continue_with_another_region(viewer, filling, optimiser, finish, until):
    optimiser(steps=3, shape_at=lambda step: (60, 80))
    cells, region = viewer.layers["cells"].data, np.roll(REGION, 25, axis=1)
    finish(filling)
    viewer.layers["region"].data = region
    filling.panel.go_on(3)
    until(lambda: not filling.running)
    data = filling.result.data
    np.testing.assert_array_equal(data[region == 0], cells[region == 0])
    assert (data != cells)[region > 0].mean() > 0.9


@pytest.mark.network
def test_erased_pixels_are_restored_exactly(viewer, filling, until):
    """With the real network, and values outside the contrast limits."""
    random = np.random.default_rng(0)
    phase = random.normal(0, 100, (120, 80)).astype(np.float32)
    labels = np.zeros((120, 80), int)
    labels[4:24, 30:50] = 1
    marked = viewer.add_labels(labels, name="top")
    image = viewer.add_image(phase, name="phase", contrast_limits=(-10, 10))
    filling.exemplar.value = filling.into.value = image
    filling.region.value = marked
    filling.style_layers.value = "relu1_1, relu2_1"
    filling.steps.value, filling.min_size.value = 1000, 0
    filling.device.value, filling.precision.value = "cpu", "float32"
    filling.start()
    losses = filling.panel.runner.losses
    until(lambda: len(losses) > 2)
    marked.data[:14] = 0
    paint(marked, 1, (40, 10))
    until(lambda: losses.marks)
    assert losses.marks[0][1] == "region"
    until(lambda: filling.panel.runner.live.shown.step > losses.marks[0][0] + 1)
    region = marked.data.copy()
    data = filling.result.data.copy()
    np.testing.assert_array_equal(data[region == 0], phase[region == 0])
    assert (data != phase)[region > 0].mean() > 0.9

    # A region outside the window that the run works on is refused, and not shown either.
    paint(marked, 1, (115, 70))
    until(lambda: "Not changed: " in filling.status_text)
    made = filling.panel.active.newest.step
    until(lambda: filling.panel.runner.live.shown.step > made + 1)
    data = filling.result.data.copy()
    np.testing.assert_array_equal(data[region == 0], phase[region == 0])
    assert len(losses.marks) == 1
    filling.panel.runner.stop()
    until(lambda: not filling.running)
    steered = filling.result.metadata["napari-nst"]["steered"]
    assert [sorted(change) for change in steered] == [["after_step", "region"]]
