"""Guides and other inputs of a style transfer in a real window, with a fake optimizer."""

import numpy as np
import pytest

from tests.helpers.fake_iterations import iteration

pytestmark = pytest.mark.window


@pytest.fixture
def guided(viewer, widget):
    """A label on the left half of the content, and one on the top of the style."""
    left, top = np.zeros((60, 80), int), np.zeros((50, 50), int)
    left[:, :40], top[:25] = 1, 1
    widget.content_guide.value = viewer.add_labels(left, name="left")
    widget.style_guide.value = viewer.add_labels(top, name="top")
    return widget


def test_labels_are_read(guided, optimiser, finish):
    state = optimiser(steps=3)
    finish(guided)
    np.testing.assert_array_equal(np.argwhere(state.got["guide"])[[0, -1]], [[0, 0], [59, 39]])
    [of_style] = state.got["style_guides"]
    np.testing.assert_array_equal(np.argwhere(of_style)[[0, -1]], [[0, 0], [24, 49]])
    assert state.got["keep_unlabelled"] is False


def test_shapes_are_read(viewer, widget, optimiser, finish):
    state = optimiser(steps=3)
    assert not widget.style_guide.enabled
    shapes = viewer.add_shapes([np.array([[0, 0], [0, 39.4], [60, 39.4], [60, 0]])], name="drawn")
    widget.content_guide.value = shapes
    finish(widget)
    assert state.got["guide"][5, 5] == 1
    assert state.got["guide"][5, 70] == 0
    assert state.got["style_guides"] == [None]


def test_an_empty_guide_is_refused(viewer, guided, optimiser, finish, messages):
    optimiser(steps=3)
    viewer.layers["left"].data = np.zeros((60, 80), int)
    assert finish(guided) is None
    assert "Layer 'left' has no label" in messages()[-1]


def test_a_region_too_small_for_a_layer_is_reported(viewer, guided, monkeypatch, finish):
    facts = {"job": "stylize", "recipe": guided.recipe.to_dict(), "inputs": {}, "arguments": {}}
    monkeypatch.setattr(
        "napari_nst.engine.run.run.run", lambda *_: (iteration(1, 1, facts=facts) for _ in range(1))
    )
    speck, halves = np.zeros((60, 80), int), np.ones((50, 50), int)
    speck[:, :40], speck[10:12, 60:62] = 1, 2
    halves[25:] = 2
    viewer.layers["left"].data, viewer.layers["top"].data = speck, halves
    for _ in range(2):
        assert finish(guided) is not None
        assert "label 2 at relu5_1" in guided.status_text


def test_channels_in_turn_take_no_guide(viewer, guided, optimiser, messages):
    optimiser(steps=3)
    viewer.add_image(np.random.default_rng(0).random((3, 40, 40)), name="stack")
    guided.content.value = viewer.layers["stack"]
    guided.content_as.value = "each channel in turn"
    guided.start()
    assert not guided.running
    assert "Content guide" in messages()[-1]


def test_unlabelled_pixels_keep_their_exact_values(viewer, widget, optimiser, finish):
    optimiser(steps=3, shape_at=lambda step: (60, 80))
    grey = np.random.default_rng(0).integers(0, 60000, (60, 80)).astype(np.uint16)
    content = viewer.add_image(grey, name="deep", contrast_limits=(5000, 20000))
    guide = np.zeros((60, 80), int)
    guide[:30] = 1
    widget.content_guide.value = viewer.add_labels(guide, name="upper")
    widget.content.value, widget.style.value = content, viewer.layers["starry"]
    widget.keep_unlabelled.value = widget.keep_dtype.value = True
    data = finish(widget).data
    assert data.dtype == np.uint16
    np.testing.assert_array_equal(data[30:], grey[30:])
    assert (data[:30] != grey[:30]).mean() > 0.9


# ── while a run is going on ──────────────────────────────────────────────────────────────────


def test_guides_stay_above_the_result_and_active(viewer, guided, running, until):
    layers = viewer.layers
    other = viewer.add_labels(np.ones((60, 80), int), name="other")
    layers.move(layers.index("other"), layers.index("left"))
    layers.selection.active = layers["left"]
    guided.style_guide.value = None
    running(guided)
    until(lambda: guided.result is not None)
    names = [layer.name for layer in layers]
    result = guided.result.name
    assert names == ["cells", "starry", "other", result, "left", "top"]
    assert layers.selection.active == layers["left"], "the user draws on"
    guided.content_guide.value = other  # which the result covers
    until(lambda: layers.index(result) < layers.index("other"))
    assert layers.index(result) > layers.index("starry")


def test_labels_can_be_painted_and_removed(viewer, guided, running, until):
    state = running(guided)
    layer = viewer.layers["left"]
    layer.selected_label, layer.brush_size, layer.mode = 1, 5, "paint"
    layer.paint((10, 70), 1)
    until(lambda: state.changes)
    guides = state.changes[-1].guides()
    assert guides.content[10, 70] == 1
    assert guides.content.sum() > 60 * 40
    seen = len(state.changes)
    guided.content_guide.value = None
    until(lambda: len(state.changes) > seen)
    assert state.changes[-1].guides() is None


def test_pixels_and_choice_of_the_style_can_change(viewer, widget, running, until):
    state = running(widget)
    viewer.layers["starry"].data = np.full((50, 50, 3), 77, np.uint8)
    until(lambda: state.changes)
    [style] = state.changes[-1].styles()
    np.testing.assert_allclose(style, 77 / 255, atol=1e-6)
    seen = len(state.changes)
    other = viewer.add_image(np.full((30, 30, 3), 200, np.uint8), name="other", rgb=True)
    widget.style.value = other
    until(lambda: len(state.changes) > seen)
    [style] = state.changes[-1].styles()
    np.testing.assert_allclose(style, 200 / 255, atol=1e-6)
    widget.panel.runner.stop()
    until(lambda: not widget.running)
    assert style.name == "other"
    assert widget.result.name == "cells × starry", "the layer keeps its name"


def test_strokes_painted_during_a_pause_reach_the_run(widget, running, until):
    state = running(widget)
    assert widget.panel.brush.native.isHidden()
    widget.pause.changed.emit(True)
    until(lambda: not widget.panel.brush.native.isHidden())
    layer = widget.result
    layer.data[5:15, 5:15] = (255, 0, 0)
    layer.refresh()
    assert not state.changes
    widget.pause.changed.emit(False)
    until(lambda: state.changes)
    until(widget.panel.brush.native.isHidden)
    [strokes] = state.changes[0].strokes
    assert strokes.where.sum() == 100
    np.testing.assert_allclose(strokes.picture[5:15, 5:15], [[[1, 0, 0]] * 10] * 10)


def test_strokes_on_a_finished_result_reach_the_continued_run(widget, optimiser, finish, until):
    state = optimiser(steps=4)
    layer = finish(widget)
    assert not widget.panel.brush.native.isHidden()
    layer.data[:4] = 0
    widget.panel.go_on(3)
    until(lambda: not widget.running)
    [change] = state.changes
    assert change.strokes[0].where[:4].all()


def test_data_of_another_shape_are_refused_and_the_run_goes_on(widget, running, until, messages):
    state = running(widget)
    widget.pause.changed.emit(True)
    until(lambda: not widget.panel.brush.native.isHidden())
    widget.result.data = np.zeros((10, 10, 3), np.uint8)
    made = state.made
    widget.pause.changed.emit(False)
    until(lambda: state.made > made + 3)
    assert not state.changes
    assert any("has the shape" in message for message in messages())
