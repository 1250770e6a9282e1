"""When layers are edited that a run looks at: which events say so, and that they come together."""

import numpy as np
import pytest

from napari_nst.viewer.steering.layer_edits import Watched, edits_of
from tests.helpers.real_mouse import drag


@pytest.fixture
def edits(qtbot):
    """Watch layers, and return what was called back for, one list of layers each time."""
    watched, calls = [], []

    def watch(*layers):
        watched.append(Watched(layers, calls.append))
        return calls

    watch.stop = lambda: [one.stop() for one in watched]
    yield watch
    watch.stop()


def labels(model):
    layer = model.add_labels(np.zeros((40, 40), int))
    layer.selected_label, layer.brush_size = 3, 5
    return layer


def shapes(model):
    return model.add_shapes([np.array([[1, 1], [1, 9], [9, 9], [9, 1]])])


def fill_and_undo(layer):
    layer.fill((1, 1), 7)
    layer.undo()


LABEL_EDITS = {
    "paint": lambda layer: layer.paint((20, 20), 2),
    "fill": lambda layer: layer.fill((1, 1), 7),
    "undo": fill_and_undo,
    "set item": lambda layer: layer.data_setitem((np.array([1]), np.array([2])), 5),
    "polygon": lambda layer: layer.paint_polygon([(1, 1), (1, 8), (8, 8)], 4),
    "data": lambda layer: setattr(layer, "data", np.ones((40, 40), int)),
    "refresh": lambda layer: layer.refresh(),
    "move": lambda layer: setattr(layer, "translate", (2, 2)),
}

SHAPE_EDITS = {
    "add": lambda layer: layer.add(np.array([[0, 0], [5, 5], [0, 5]]), shape_type="polygon"),
    "remove": lambda layer: layer.remove([0]),
    "data": lambda layer: setattr(layer, "data", [layer.data[0] + 1]),
    "features": lambda layer: setattr(layer, "features", {"label": [4]}),
    "scale": lambda layer: setattr(layer, "scale", (2, 2)),
}

IMAGE_EDITS = {
    "data": lambda layer: setattr(layer, "data", np.ones((8, 8))),
    "refresh": lambda layer: layer.refresh(),
    "contrast": lambda layer: setattr(layer, "contrast_limits", (0, 5)),
}


def image(model):
    return model.add_image(np.zeros((8, 8)))


CASES = [
    pytest.param(make, edit, id=f"{make.__name__}: {name}")
    for make, edits in ((labels, LABEL_EDITS), (shapes, SHAPE_EDITS), (image, IMAGE_EDITS))
    for name, edit in edits.items()
]


@pytest.mark.parametrize(("make", "edit"), CASES)
def test_every_edit_is_told_once(model, edits, qtbot, make, edit):
    layer, other = make(model), image(model)
    calls = edits(layer, other)
    edit(layer)
    assert calls == []  # not before it is over
    qtbot.waitUntil(lambda: bool(calls))
    qtbot.wait(250)
    assert calls == [[layer]]


@pytest.mark.parametrize(
    ("make", "edit"),
    [
        (labels, LABEL_EDITS["data"]), (labels, LABEL_EDITS["move"]), (shapes, SHAPE_EDITS["data"]),
        (shapes, SHAPE_EDITS["features"]), (image, IMAGE_EDITS["data"]),
    ],
)  # fmt: skip
def test_edits_of_a_hidden_layer_are_told_too(model, make, edit):
    layer, told = make(model), []
    layer.visible = False
    for emitter in edits_of(layer):
        emitter.connect(lambda event: told.append(event.type))
    edit(layer)
    assert told


def test_a_burst_is_told_once_with_all_its_layers(model, edits, qtbot):
    layer, other = labels(model), shapes(model)
    calls = edits(layer, other)
    for x in range(10):
        layer.paint((20, 2 + x), 2)
    SHAPE_EDITS["add"](other)
    assert calls == []
    qtbot.waitUntil(lambda: bool(calls))
    assert calls == [[layer, other]]


def test_what_changes_no_label_is_not_told(model, edits, qtbot):
    layer = labels(model)
    calls = edits(layer)
    layer.selected_label, layer.brush_size, layer.opacity, layer.mode = 4, 9, 0.3, "paint"
    qtbot.wait(250)
    assert calls == []


def test_nothing_is_told_after_the_end(model, edits, qtbot):
    layer = labels(model)
    calls = edits(layer)
    layer.paint((20, 20), 2)
    edits.stop()
    layer.paint((5, 5), 2)
    qtbot.wait(250)
    assert calls == []


@pytest.mark.window
def test_drags_of_the_mouse_are_told(viewer, edits, until):
    guide, shape = viewer.add_labels(np.zeros((60, 80), int)), viewer.add_shapes(ndim=2)
    calls = edits(guide, shape)

    def told(layer, mode, *positions):
        viewer.layers.selection.active, layer.mode = layer, mode
        calls.clear()
        drag(viewer, positions)
        until(lambda: [layer] in calls)

    guide.selected_label, guide.brush_size = 3, 6
    told(guide, "paint", (10, 10), (20, 40), (50, 70))
    assert (guide.data[10, 10], guide.data[20, 40], guide.data[50, 70]) == (3, 3, 3)
    told(shape, "add_rectangle", (10, 10), (20, 40), (50, 70))
    assert len(shape.data) == 1
    before = shape.data[0].copy()
    told(shape, "select", (30, 40), (32, 44), (35, 50))
    assert not np.allclose(shape.data[0], before)
