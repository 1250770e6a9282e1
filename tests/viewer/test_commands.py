"""Runs in napari's own places: the command palette, keys, and the activity dock."""

import pytest
from napari.utils import progress
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

pytestmark = pytest.mark.window


def execute(name):
    from napari._app_model import get_app_model

    get_app_model().commands.execute_command(f"napari-nst.{name}").result()


def bars(widget):
    """The bars of this widget's run in the activity dock."""
    return [bar for bar in progress._all_instances if bar.desc.startswith("cells × starry")]


def test_the_palette_runs_pauses_continues_and_undoes(viewer, widget, optimiser, until):
    state = optimiser(steps=100_000, seconds=0.005)
    execute("pause")
    execute("stop")
    assert not widget.running, "without a run they do nothing"
    execute("run")
    until(lambda: state.made > 3)
    execute("pause")
    assert widget.panel.active.paused
    execute("pause")
    assert not widget.panel.active.paused
    before = widget.style_weight.value
    widget.style_weight.value = before * 2
    until(lambda: any(c.fields.get("style_weight") == before * 2 for c in state.changes))
    execute("undo")
    assert widget.style_weight.value == before
    until(lambda: state.changes[-1].fields.get("style_weight") == before)
    execute("compare")
    until(lambda: widget.panel.before_after.layer in list(viewer.layers))
    execute("compare")
    assert widget.panel.before_after.layer is None
    execute("stop")
    until(lambda: not widget.running)


def test_escape_stops_and_the_activity_dock_shows_the_run(viewer, widget, optimiser, until):
    state = optimiser(steps=100_000, seconds=0.005)
    widget.start()
    until(lambda: state.made > 3 and bars(widget)[0].n > 0)
    [bar] = bars(widget)
    assert bar.total == 100_000
    QTest.keyClick(widget.run.native, Qt.Key.Key_Escape)
    until(lambda: not widget.running)
    assert bars(widget) == []
    widget.start()
    until(lambda: state.closed == 1 and widget.panel.active.newest)
    bars(widget)[0].cancel()
    until(lambda: not widget.running)
    assert bars(widget) == []
