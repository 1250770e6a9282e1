"""Sweeps in a real window, with a fake optimizer."""

import numpy as np
import pytest

from napari_nst.io.record import RECORD
from napari_nst.viewer.sweep.sheet_layer import settings_at
from tests.helpers.real_mouse import drag

pytestmark = pytest.mark.window


@pytest.fixture
def swept(viewer, widget, optimiser, until):
    """A finished sweep of two by two."""
    state = optimiser(steps=3)
    choice = widget.sweep.choice
    choice.rows.value, choice.row_values.value = "style_weight", "2, 16"
    choice.columns.value, choice.column_values.value = "size", "96, 128"
    widget.run_sweep.native.click()
    until(lambda: not widget.running)
    return state


def test_a_sweep_is_a_contact_sheet_beside_the_content(viewer, widget, swept):
    layer = widget.result
    assert layer.name == "cells × starry · style weight × size"
    cells = layer.metadata[RECORD]["layer"]["cells"]
    assert [cell["settings"] for cell in cells] == [
        {"style_weight": weight, "size": size} for weight in (2.0, 16.0) for size in (96, 128)
    ]
    assert layer.translate[-1] > viewer.layers["cells"].extent.world[1][-1]
    assert swept.recipe.steps == widget.sweep.choice.steps.value
    assert swept.is_steered, "so that Stop ends it within an iteration"


def test_settings_of_an_image_are_applied(widget, swept):
    layer = widget.result
    top, left, bottom, right = layer.metadata[RECORD]["layer"]["cells"][3]["rectangle"]
    middle = layer.data_to_world(((top + bottom) / 2, (left + right) / 2))
    steps = widget.steps.value
    widget.sweep.apply(settings_at(layer, middle))
    assert (widget.style_weight.value, widget.size.value) == (16.0, 128)
    assert widget.status_text == "Applied: style weight 16.0, size 128."
    assert widget.steps.value == steps, "a field outside the sweep keeps its value"
    assert len(layer.mouse_drag_callbacks) == 1


def test_a_click_is_undone_as_one_change(viewer, widget, swept, until):
    before, changes = (widget.style_weight.value, widget.size.value), widget.changes
    until(lambda: not changes.is_settling)
    layer = widget.result
    viewer.layers.selection.active = layer
    top, left, bottom, right = layer.metadata[RECORD]["layer"]["cells"][3]["rectangle"]
    middle = layer.data_to_world(((top + bottom) / 2, (left + right) / 2))
    drag(viewer, [middle])
    assert (widget.style_weight.value, widget.size.value) == (16.0, 128)
    until(lambda: not changes.is_settling)
    changes.undo.click()
    assert (widget.style_weight.value, widget.size.value) == before


def test_a_sweep_cannot_be_continued_or_inspected(widget, swept, messages):
    assert widget.panel.going_on.native.isHidden()
    assert widget.panel.brush.native.isHidden()
    widget.show_losses.native.click()
    assert messages()


def test_a_sweep_of_channels_in_turn_does_not_start(viewer, widget, optimiser, messages):
    optimiser(steps=3)
    viewer.add_image(np.random.default_rng(0).random((3, 40, 40)), name="stack")
    widget.content.value = viewer.layers["stack"]
    widget.content_as.value = "each channel in turn"
    widget.run_sweep.native.click()
    assert not widget.running
    assert "Content as" in messages()[-1]


def test_a_sweep_can_be_paused_and_stopped(widget, optimiser, until):
    state = optimiser(steps=300, seconds=0.01)
    widget.run_sweep.native.click()
    until(lambda: state.made > 3)
    widget.pause.native.click()
    until(lambda: widget.panel.active.holding)
    widget.pause.native.click()
    widget.stop.native.click()
    until(lambda: not widget.running)
    assert widget.result is not None


def test_every_image_is_drawn_though_it_is_finished_between_two_frames(widget, swept):
    cells = widget.result.metadata[RECORD]["layer"]["cells"]
    for top, left, bottom, right in (cell["rectangle"] for cell in cells):
        assert (widget.result.data[top:bottom, left:right] == 255).all(), "the last step is white"
