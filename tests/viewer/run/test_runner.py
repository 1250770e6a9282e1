"""How a run is drawn in a real window, with a fake optimizer."""

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtWidgets import QWidget

from napari_nst.viewer.layers import live_pixels
from napari_nst.viewer.layers.live_layer import LiveLayer
from napari_nst.viewer.run import throttle
from napari_nst.viewer.run.throttle import RedrawTimer, Throttle

pytestmark = pytest.mark.window


def test_a_drawing_that_raises_is_followed_by_a_pause(qtbot, monkeypatch):
    now, drawn, widget = [100.0], [], QWidget()
    monkeypatch.setattr(throttle.time, "perf_counter", lambda: now[0])
    qtbot.addWidget(widget)

    def draw():
        drawn.append(now[0])
        now[0] += 1  # second
        raise ZeroDivisionError

    redraws = RedrawTimer(widget, lambda: False)
    redraws.add(Throttle(), lambda: len(drawn) + 1, draw)
    with qtbot.capture_exceptions() as errors:
        redraws.start(100)
        qtbot.waitUntil(lambda: len(drawn) == 1)
        qtbot.wait(200)
        assert len(drawn) == 1
        now[0] += throttle.PAUSE
        qtbot.waitUntil(lambda: len(drawn) == 2)
        redraws.stop()
    assert len(errors) == 2, "the user sees them"


def test_a_run_that_cannot_be_drawn_ends(widget, optimiser, finish, qtbot, monkeypatch):
    optimiser(steps=5)

    def show(self, iteration):
        raise ValueError("The drawing failed.")

    with qtbot.capture_exceptions() as errors, monkeypatch.context() as patch:
        patch.setattr(LiveLayer, "show", show)
        finish(widget, seconds=10)
    assert errors
    assert widget.panel.buttons.run.enabled
    assert finish(widget) is not None, "the next run is drawn"


@pytest.fixture
def asynchronous():
    """Let napari slice layers in threads."""
    settings = get_settings().experimental
    settings.async_ = True
    yield
    settings.async_ = False


@pytest.mark.parametrize("largest", [40, 4096])
def test_scales_in_2d_and_3d_with_slices_in_threads(
    asynchronous, viewer, widget, optimiser, until, qtbot, monkeypatch, largest
):
    monkeypatch.setattr(live_pixels, "LARGE", largest)
    monkeypatch.setattr(live_pixels, "COARSEST", 16)
    stack = np.zeros((5, 60, 80), np.uint8)
    content = viewer.add_image(stack, name="stack", contrast_limits=(0, 255), scale=(3, 1, 1))
    widget.content.value = content
    sides = [(15, 20), (30, 40), (60, 80)]
    optimiser(steps=90, seconds=0.01, shape_at=lambda step: sides[(step - 1) // 30])
    widget.start()
    while widget.running:
        result = widget.result
        if result is not None:
            viewer.dims.ndisplay = 5 - viewer.dims.ndisplay
            result.get_status(viewer.dims.point, world=True)  # as under the mouse
            widget.panel.history.show()
        qtbot.wait(40)
    viewer.dims.ndisplay = 2
    # A layer with a new axis that is added in 3D makes napari move the sliders, afterwards.
    viewer.dims.set_point(viewer.dims.ndim - 3, 0)
    result = widget.result
    until(lambda: (result.__wrapped__._slice.image.raw == 255).all(), 10)
    assert result.multiscale == (largest == 40)
    data = result.data[0] if result.multiscale else result.data
    assert data.shape == (1, 60, 80)
    assert (data == 255).all()
    np.testing.assert_allclose(result.extent.world[:, 1:], content.extent.world[:, 1:], atol=1.5)
