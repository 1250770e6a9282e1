"""Edits of layers are reported, once for each burst."""

import numpy as np
import pytest

from napari_nst.viewer.steering import Watched
from tests.helpers.real_mouse import drag


@pytest.fixture
def edits(qtbot):
    """Watch layers, and return a list that gets an entry for each report of edits."""
    watched, calls = [], []

    def watch(*layers):
        watched.append(Watched(layers, lambda: calls.append("edited")))
        return calls

    watch.stop = lambda: [one.stop() for one in watched]
    yield watch
    watch.stop()


def image(model):
    return model.add_image(np.zeros((8, 8)))


def labels(model):
    layer = model.add_labels(np.zeros((40, 40), int))
    layer.selected_label, layer.brush_size = 3, 5
    return layer


def shapes(model):
    return model.add_shapes([np.array([[1, 1], [1, 9], [9, 9], [9, 1]])])


def fill_and_undo(layer):
    layer.fill((1, 1), 7)
    layer.undo()


EDITS = {
    "paint": (labels, lambda layer: layer.paint((20, 20), 2)),
    "fill and undo": (labels, fill_and_undo),
    "labels": (labels, lambda layer: setattr(layer, "data", np.ones((40, 40), int))),
    "move": (labels, lambda layer: setattr(layer, "translate", (2, 2))),
    "add a shape": (shapes, lambda layer: layer.add(np.array([[0, 0], [5, 5]]), shape_type="line")),
    "remove a shape": (shapes, lambda layer: layer.remove([0])),
    "features": (shapes, lambda layer: setattr(layer, "features", {"label": [4]})),
    "refresh": (image, lambda layer: layer.refresh()),
    "contrast": (image, lambda layer: setattr(layer, "contrast_limits", (0, 5))),
}


@pytest.mark.parametrize("name", EDITS)
def test_every_edit_is_reported_once_when_it_is_over(model, edits, qtbot, name):
    make, edit = EDITS[name]
    layer, other = make(model), image(model)
    calls = edits(layer, other)
    edit(layer)
    assert calls == []
    qtbot.waitUntil(lambda: bool(calls))
    qtbot.wait(200)
    assert calls == ["edited"]


@pytest.mark.parametrize("name", ["labels", "move", "features"])
def test_edits_of_a_hidden_layer_are_reported_too(model, edits, qtbot, name):
    make, edit = EDITS[name]
    layer = make(model)
    layer.visible = False
    calls = edits(layer)
    edit(layer)
    qtbot.waitUntil(lambda: bool(calls))


def test_a_burst_in_several_layers_is_reported_once(model, edits, qtbot):
    layer, other = labels(model), shapes(model)
    calls = edits(layer, other)
    for x in range(10):
        layer.paint((20, 2 + x), 2)
    other.remove([0])
    assert calls == []
    qtbot.waitUntil(lambda: bool(calls))
    assert calls == ["edited"]


def test_nothing_is_reported_after_stop(model, edits, qtbot):
    layer = labels(model)
    calls = edits(layer)
    layer.paint((20, 20), 2)
    edits.stop()
    layer.paint((5, 5), 2)
    qtbot.wait(250)
    assert calls == []


@pytest.mark.window
def test_drags_of_the_mouse_are_reported(viewer, edits, until):
    guide, shape = viewer.add_labels(np.zeros((60, 80), int)), viewer.add_shapes(ndim=2)
    calls = edits(guide, shape)

    def told(layer, mode, *positions):
        viewer.layers.selection.active, layer.mode = layer, mode
        calls.clear()
        drag(viewer, positions)
        until(lambda: calls)

    guide.selected_label, guide.brush_size = 3, 6
    told(guide, "paint", (10, 10), (20, 40), (50, 70))
    assert (guide.data[10, 10], guide.data[20, 40], guide.data[50, 70]) == (3, 3, 3)
    told(shape, "add_rectangle", (10, 10), (20, 40), (50, 70))
    assert len(shape.data) == 1
    before = shape.data[0].copy()
    told(shape, "select", (30, 40), (32, 44), (35, 50))
    assert not np.allclose(shape.data[0], before)
