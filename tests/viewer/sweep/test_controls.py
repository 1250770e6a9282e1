"""Sweeps from the widget, in a real window, with the optimiser replaced."""

import pytest

from napari_nst.io.record import RECORD
from napari_nst.viewer.sweep.grid_layer import settings_at

pytestmark = pytest.mark.window


@pytest.fixture
def swept(viewer, widget, optimiser, until):
    """A finished sweep of two by two."""
    state = optimiser(steps=3)
    choice = widget.sweeps.choice
    choice.rows.value, choice.row_values.value = "style_weight", "2, 16"
    choice.columns.value, choice.column_values.value = "size", "96, 128"
    widget.run_sweep.native.click()
    until(lambda: not widget.running)
    return state


def test_a_sweep_is_a_grid_beside_the_content(viewer, widget, swept):
    layer = widget.result
    assert layer.name == "cells × starry · style weight × size"
    cells = layer.metadata[RECORD]["layer"]["cells"]
    assert [cell["settings"] for cell in cells] == [
        {"style_weight": weight, "size": size} for weight in (2.0, 16.0) for size in (96, 128)
    ]
    assert layer.translate[-1] > viewer.layers["cells"].extent.world[1][-1]
    assert swept.recipe.steps == widget.sweeps.choice.steps.value
    assert swept.is_steered, "so that Stop ends it within an iteration"


def test_a_click_takes_the_settings_over(viewer, widget, swept):
    layer = widget.result
    top, left, bottom, right = layer.metadata[RECORD]["layer"]["cells"][3]["rectangle"]
    middle = layer.data_to_world(((top + bottom) / 2, (left + right) / 2))
    settings = settings_at(layer, middle)
    steps = widget.steps.value
    widget.sweeps.take_over(settings)
    assert (widget.style_weight.value, widget.size.value) == (16.0, 128)
    assert widget.status_text == "Taken over: style weight 16.0, size 128."
    assert widget.steps.value == steps, "what was not swept stays"
    assert len(layer.mouse_drag_callbacks) == 1


def test_a_sweep_is_no_picture_to_go_on_from_or_to_look_into(widget, swept, messages):
    assert widget.panel.going_on.native.isHidden()
    assert widget.panel.brush.native.isHidden()
    widget.show_losses.native.click()
    assert messages()[-1] == "There is no result to look into; press Run first."


def test_what_makes_no_sweep_is_told(viewer, widget, optimiser, messages):
    optimiser(steps=3)
    choice = widget.sweeps.choice
    choice.rows.value = choice.columns.value = "size"
    widget.run_sweep.native.click()
    assert not widget.running
    assert "Both controls to sweep are size" in messages()[-1]
    choice.columns.value, choice.row_values.value = "none", "big"
    widget.run_sweep.native.click()
    assert not widget.running
    assert "size" in messages()[-1]


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


def test_pictures_that_are_done_between_two_looks_are_drawn_all_the_same(widget, swept):
    """Each took three steps, all together less than the time between two looks at the run."""
    cells = widget.result.metadata[RECORD]["layer"]["cells"]
    for top, left, bottom, right in (cell["rectangle"] for cell in cells):
        picture = widget.result.data[top:bottom, left:right]
        assert (picture == 255).all(), "the last step is white"
