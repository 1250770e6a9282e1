"""Drawing on while a region is filled, in a real window."""

from functools import partial

import numpy as np
import pytest

pytestmark = pytest.mark.window

HOLE = np.zeros((60, 80), int)
HOLE[20:40, 30:50] = 1


@pytest.fixture
def filling(viewer, dock):
    """The Texture Synthesis widget, set to fill a hole in the cells from what is around it."""
    widget = dock("Texture Synthesis")
    widget.exemplar.value = widget.into.value = viewer.layers["cells"]
    widget.region.value = viewer.add_labels(HOLE.copy(), name="hole")
    return widget


@pytest.fixture
def running(running):
    return partial(running, shape_at=lambda step: (60, 80))


def paint(layer, label, at, size=5):
    layer.selected_label, layer.brush_size, layer.mode = label, size, "paint"
    layer.paint(at, label)


def test_a_stroke_in_the_region_reaches_the_run(viewer, filling, running, until):
    state = running(filling)
    paint(viewer.layers["hole"], 1, (10, 70))
    until(lambda: state.changes)
    change = state.changes[-1]
    np.testing.assert_array_equal(change.region(), viewer.layers["hole"].data)
    assert change.region()[10, 70] == 1
    assert change.exemplar_region() is None
    assert change.styles is None


def test_a_shape_that_is_moved_moves_the_region(viewer, filling, running, until):
    corners = np.array([[9.6, 9.6], [9.6, 19.4], [19.4, 19.4], [19.4, 9.6]])
    shapes = viewer.add_shapes([corners], name="drawn")
    filling.region.value = shapes
    state = running(filling)
    np.testing.assert_array_equal(np.argwhere(state.got["region"])[[0, -1]], [[10, 10], [19, 19]])
    shapes.data = [np.add(corners, (5, 30))]
    until(lambda: state.changes)
    region = state.changes[-1].region()
    np.testing.assert_array_equal(np.argwhere(region)[[0, -1]], [[15, 40], [24, 49]])


def test_the_exemplar_and_its_region_are_followed(viewer, filling, running, until):
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
    assert filling.panel.runner.request.names == ("cells", "starry")


def test_an_exemplar_does_not_become_what_is_around(viewer, filling, running, until):
    filling.exemplar.value = viewer.layers["starry"]
    state = running(filling)
    filling.exemplar.value = viewer.layers["cells"]
    until(lambda: "cannot become what is around the region" in filling.status_text)
    assert not state.changes


def test_a_finished_filling_goes_on_with_another_region(viewer, filling, optimiser, finish, until):
    optimiser(steps=3, shape_at=lambda step: (60, 80))
    cells, region = viewer.layers["cells"].data, np.roll(HOLE, 25, axis=1)
    finish(filling)
    viewer.layers["hole"].data = region
    filling.panel.go_on(3)
    until(lambda: not filling.running)
    data = filling.result.data
    np.testing.assert_array_equal(data[region == 0], cells[region == 0])
    assert (data != cells)[region > 0].mean() > 0.9


@pytest.mark.network
def test_what_is_erased_is_the_layers_own_again(viewer, filling, until):
    """With the real network, and numbers that [0, 1] does not hold."""
    random = np.random.default_rng(0)
    phase = random.normal(0, 100, (120, 80)).astype(np.float32)
    labels = np.zeros((120, 80), int)
    labels[4:24, 30:50] = 1
    hole = viewer.add_labels(labels, name="top")
    image = viewer.add_image(phase, name="phase", contrast_limits=(-10, 10))
    filling.exemplar.value = filling.into.value = image
    filling.region.value = hole
    filling.style_layers.value = "relu1_1, relu2_1"
    filling.steps.value, filling.min_size.value = 1000, 0
    filling.device.value, filling.precision.value = "cpu", "float32"
    filling.start()
    losses = filling.panel.runner.losses
    until(lambda: len(losses) > 2)
    hole.data[:14] = 0
    paint(hole, 1, (40, 10))
    until(lambda: losses.marks)
    assert losses.marks[0][1] == "region"
    until(lambda: filling.panel.runner.live.shown.step > losses.marks[0][0] + 1)
    region = hole.data.copy()
    data = filling.result.data.copy()
    np.testing.assert_array_equal(data[region == 0], phase[region == 0])
    assert (data != phase)[region > 0].mean() > 0.9

    # Beyond what the run works on, nothing changes, and nothing is shown as if it had.
    paint(hole, 1, (115, 70))
    until(lambda: "Not changed: region reaches beyond the 64 pixels" in filling.status_text)
    made = filling.panel.active.newest.step
    until(lambda: filling.panel.runner.live.shown.step > made + 1)
    data = filling.result.data.copy()
    np.testing.assert_array_equal(data[region == 0], phase[region == 0])
    assert len(losses.marks) == 1
    filling.panel.runner.stop()
    until(lambda: not filling.running)
    steered = filling.result.metadata["napari-nst"]["steered"]
    assert [sorted(change) for change in steered] == [["after_step", "region"]]
