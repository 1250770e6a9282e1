"""The brush on image layers, and its controls."""

from types import SimpleNamespace

import numpy as np
import pytest
from napari.utils.interactions import (
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog

from napari_nst.viewer.brush import Brush, BrushControls, Stroke
from napari_nst.viewer.layers.intensity import intensity_of
from napari_nst.viewer.layers.live_layer import LiveLayer
from napari_nst.viewer.layers.read import shown_slice
from tests.helpers.fake_iterations import iteration
from tests.helpers.real_mouse import drag, press_key


def pressed(model, position, button=1):
    """What napari hands to the callbacks of a drag; they change it as the drag goes on."""
    shown = list(model.dims.displayed)
    return SimpleNamespace(
        type="mouse_press", button=button, position=position, dims_displayed=shown,
        is_dragging=True, modifiers=(), handled=False,
    )  # fmt: skip


def stroke(model, layer, *positions, button=1):
    """Drag the mouse along positions in the layer's data."""
    world = [layer.data_to_world(np.array(position)) for position in positions]
    event = pressed(model, world[0], button)
    mouse_press_callbacks(layer, event)
    event.type = "mouse_move"
    for event.position in world[1:]:
        mouse_move_callbacks(layer, event)
    event.type = "mouse_release"
    mouse_release_callbacks(layer, event)


def rgb(model, shape=(30, 40, 3), **options):
    return model.add_image(np.full(shape, 90, np.uint8), rgb=True, name="result", **options)


def attached(viewer, layer, size=6.0, colour=(1, 0, 0)):
    brush = Brush(viewer)
    brush.attach(layer, intensity_of(layer))
    brush.size, brush.colour = size, colour
    return brush


# ── strokes ──────────────────────────────────────────────────────────────────────────


def test_a_stroke_joins_the_positions_of_the_mouse(windowless, model):
    layer = rgb(model, scale=(2, 3), translate=(5, 7), rotate=20)
    attached(windowless, windowless.layers["result"])
    stroke(model, layer, (5, 5), (5, 30), (25, 30))
    red = (layer.data == [255, 0, 0]).all(-1)
    assert red[5, 5:31].all()
    assert red[5:26, 30].all()
    assert (layer.data[15:, :25] == 90).all()
    wide = red[:, 15].sum()
    assert wide == pytest.approx(6, abs=1)


def test_alpha_does_not_change(model):
    layer = rgb(model, (30, 40, 4))
    attached(model, layer)
    stroke(model, layer, (5, 5), (20, 30))
    assert (layer.data[..., 3] == 90).all()
    assert (layer.data[12, 17] == [255, 0, 0, 90]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_grey_layer_gets_its_own_values(model, dtype):
    layer = model.add_image(np.full((30, 40), 50, dtype), contrast_limits=(10, 210))
    attached(model, layer, colour=(0.25, 0.5, 0.75))
    stroke(model, layer, (10, 10), (10, 20))
    assert layer.data.dtype == dtype
    assert layer.data[10, 15] == 110
    assert layer.data[25, 15] == 50


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 2, 0)])
def test_strokes_go_to_the_shown_slice_in_any_order_of_axes(model, order):
    layer = model.add_image(np.zeros((30, 32, 34)), contrast_limits=(0, 1), scale=(2, 3, 4))
    model.dims.order = order
    model.dims.set_point(order[0], layer.scale[order[0]] * 7)
    attached(model, layer, colour=(1, 1, 1))
    start, end = np.full((2, 3), 7)
    start[order[1]], end[order[1]], end[order[2]] = 3, 25, 20
    stroke(model, layer, start, end)
    hit = np.argwhere(layer.data)
    assert (hit[:, order[0]] == 7).all()
    assert np.ptp(hit[:, order[1]]) == pytest.approx(22 + 6, abs=1)
    assert np.ptp(hit[:, order[2]]) == pytest.approx(13 + 6, abs=1)


@pytest.mark.parametrize("how", ["other button", "other mode", "3D view"])
def test_other_gestures_draw_nothing(model, how):
    layer = rgb(model)
    attached(model, layer)
    if how == "other mode":
        layer.mode = "transform"
        layer.mouse_drag_callbacks[:] = layer.mouse_drag_callbacks[:1]  # the brush's alone
    if how == "3D view":
        model.add_image(np.zeros((4, 9, 9)))
        model.dims.ndisplay = 3
    stroke(model, layer, (5, 5), (20, 30), button=2 if how == "other button" else 1)
    assert (layer.data == 90).all()


# ── on and off ───────────────────────────────────────────────────────────────────────────────


def test_attach_and_detach_change_cursor_and_panning(model):
    layer = rgb(model, scale=(2, 3))
    model.layers.selection.clear()
    brush = attached(model, layer, size=10)
    assert model.layers.selection.active is layer
    assert not layer.mouse_pan
    assert layer.mouse_zoom
    assert (layer.cursor, layer.cursor_size) == ("circle", 20)
    brush.size = 5
    assert layer.cursor_size == 10
    brush.detach()
    assert layer.mouse_pan
    assert layer.cursor == "standard"
    assert layer.mouse_drag_callbacks == []
    assert not layer.keymap
    assert brush.layer is None
    stroke(model, layer, (5, 5), (20, 30))
    assert (layer.data == 90).all()
    brush.detach()


def test_layers_linked_with_the_painted_one_keep_cursor_and_panning(model):
    layer, other = rgb(model), rgb(model)
    model.layers.link_layers([layer, other])
    brush = attached(model, layer)
    assert other.mouse_pan
    assert other.cursor == "standard"
    brush.detach()
    assert layer.mouse_pan


def test_detaching_ends_the_stroke(model):
    layer = rgb(model)
    brush = attached(model, layer)
    event = pressed(model, (5, 5))
    mouse_press_callbacks(layer, event)
    brush.detach()
    event.type, event.position = "mouse_move", (20, 30)
    mouse_move_callbacks(layer, event)
    assert layer.data[5, 5, 0] == 255
    assert layer.data[20, 30, 0] == 90
    assert not brush.can_undo


def test_strokes_are_undone_one_by_one(model):
    layer, told = rgb(model), []
    brush = attached(model, layer)
    brush.changed.connect(lambda: told.append(brush.can_undo))
    stroke(model, layer, (5, 5), (5, 30))
    once = layer.data.copy()
    stroke(model, layer, (2, 20), (25, 20))
    brush.undo()
    np.testing.assert_array_equal(layer.data, once)
    brush.undo()
    assert (layer.data == 90).all()
    assert told == [True, True, True, False]
    brush.undo()
    assert len(told) == 4


# ── changed pixels ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("keep_dtype", [False, True])
@pytest.mark.parametrize("kind", ["rgb", "grey", "slice"])
def test_strokes_on_a_live_layer_are_found(model, kind, keep_dtype):
    if kind == "rgb":
        content = rgb(model)
    else:
        shape = (30, 40) if kind == "grey" else (40, 5, 30)
        content = model.add_image(np.zeros(shape, np.uint16), contrast_limits=(100, 1100))
    if kind == "slice":
        model.dims.order = (1, 2, 0)
    chosen = shown_slice(content, model.dims)
    live = LiveLayer(model, "live", chosen.position, chosen.intensity, keep_dtype)
    live.show(iteration(1, 4, (30, 40), level=0.2, grey=kind != "rgb"))
    live.remember()
    assert live.strokes() is None
    attached(model, live.layer, size=8, colour=(0.8, 0.8, 0.8))
    positions = np.zeros((2, live.layer.ndim))
    positions[:, chosen.position.axes] = [(4, 6), (20, 30)]
    stroke(model, live.layer, *positions)
    now, changed = live.strokes()
    assert now.shape[:2] == changed.shape == (30, 40)
    np.testing.assert_allclose(now[12, 18], 0.8, atol=1 / 255)
    np.testing.assert_allclose(now[~changed], 0.2, atol=1 / 255)
    radius = 4.5  # with the smooth edge
    area = np.hypot(16, 24) * 2 * radius + np.pi * radius**2
    assert changed.sum() == pytest.approx(area, rel=0.05)


def test_a_change_of_alpha_or_of_the_shape_is_no_stroke(model):
    chosen = shown_slice(rgb(model), model.dims)
    live = LiveLayer(model, "live", chosen.position, chosen.intensity)
    live.show(iteration(1, 4, (30, 40), alpha=0.5))
    live.remember()
    live.layer.data[2, 3, 3] = 0
    assert live.strokes() is None
    live.layer.data = live.layer.data[:5]
    with pytest.raises(ValueError, match="has the shape"):
        live.strokes()


# ── pixels ──────────────────────────────────────────────────────────────────────────────────────


def at(y, x):
    return np.array([y, x], float)


def test_a_stroke_that_crosses_itself_covers_once():
    once, twice = np.zeros((2, 20, 30), np.float32)
    straight, back_and_forth = (Stroke(pixels, np.array(1.0), 4.0) for pixels in (once, twice))
    straight.draw(at(10, 5), at(10, 25))
    for _ in range(3):
        back_and_forth.draw(at(10, 5), at(10, 25))
        back_and_forth.draw(at(10, 25), at(10, 5))
    np.testing.assert_allclose(twice, once)
    assert ((once > 0) & (once < 1)).any()  # its edge is smooth


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, bool])
def test_a_stroke_in_any_number_type_can_be_undone(dtype):
    pixels = np.random.default_rng(0).integers(0, 2, (20, 30)).astype(dtype)
    before = pixels.copy()
    ink = np.array(1, dtype)
    stroke = Stroke(pixels, ink, 3.0)
    stroke.draw(at(2, -5), at(18, 25))  # from outside
    assert (pixels[10, 9:11] == ink).all()
    beside = np.hypot(*(np.mgrid[:20, :30] - np.array([[[10]], [[10]]]))) > 25
    np.testing.assert_array_equal(pixels[beside], before[beside])
    stroke.finish()
    stroke.undo()
    np.testing.assert_array_equal(pixels, before)


def test_a_stroke_beside_the_image_can_be_undone():
    pixels = np.zeros((20, 30, 3), np.uint8)
    stroke = Stroke(pixels, np.array([255, 0, 0]), 3.0)
    stroke.draw(at(-50, 5), at(-40, 5))
    stroke.finish()
    stroke.undo()
    assert not pixels.any()


# ── its controls ─────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def controls(model, qtbot):
    controls = BrushControls(model)
    qtbot.addWidget(controls.native)
    return controls


def test_controls_are_shown_while_there_is_a_layer(model, controls):
    layer = rgb(model)
    assert controls.native.isHidden()
    controls.offer(layer, intensity_of(layer))
    assert not controls.native.isHidden()
    assert controls.brush.layer is None  # until Paint is pressed
    controls.paint.click()
    assert controls.brush.layer is layer
    controls.size.setValue(12)
    assert controls.brush.size == 12
    assert not controls.undo.isEnabled()
    stroke(model, layer, (5, 5), (20, 30))
    assert controls.undo.isEnabled()
    controls.undo.click()
    assert (layer.data == 90).all()
    assert not controls.undo.isEnabled()
    controls.withdraw()
    assert controls.brush.layer is None
    assert controls.native.isHidden()


def test_colour_is_for_rgb_layers_and_level_for_grey_ones(model, controls, monkeypatch):
    colour, grey = rgb(model), model.add_image(np.zeros((30, 40)), contrast_limits=(0, 10))
    controls.offer(colour, intensity_of(colour))
    assert controls.level.isHidden()
    monkeypatch.setattr(QColorDialog, "getColor", lambda *args: QColor("#204060"))
    controls.colour.click()
    controls.paint.click()
    stroke(model, colour, (5, 5), (20, 30))
    assert tuple(colour.data[5, 5]) == (0x20, 0x40, 0x60)
    assert "#204060" in controls.colour.toolTip()
    monkeypatch.setattr(QColorDialog, "getColor", lambda *args: QColor())  # cancelled
    controls.colour.click()
    assert "#204060" in controls.colour.toolTip()
    controls.offer(grey, intensity_of(grey))
    assert controls.colour.isHidden()
    controls.level.setValue(30)
    controls.paint.click()
    stroke(model, grey, (5, 5), (20, 30))
    assert grey.data[5, 5] == pytest.approx(3)
    controls.offer(colour, intensity_of(colour))
    assert controls.brush.colour == pytest.approx((0x20 / 255, 0x40 / 255, 0x60 / 255), abs=1e-3)


@pytest.mark.window
def test_dragging_in_a_window_draws_and_does_not_move_the_view(viewer, qtbot):
    layer = viewer.layers["cells"]
    before = layer.data.copy()
    controls = BrushControls(viewer)
    viewer.window.add_dock_widget(controls.native, name="Paint")
    controls.offer(layer, intensity_of(layer))
    controls.paint.click()
    controls.size.setValue(8)
    drag(viewer, [(10, 10), (20, 40), (50, 70)])
    centre, zoom = viewer.scene.camera.center, viewer.scene.camera.zoom
    drag(viewer, [(50, 10), (40, 20)])
    assert (viewer.scene.camera.center, viewer.scene.camera.zoom) == (centre, zoom)
    orange = tuple(np.rint(np.array(controls.brush.colour) * 255))
    for y, x in ((10, 10), (15, 25), (20, 40), (35, 55), (50, 70), (45, 15)):
        assert tuple(layer.data[y, x]) == orange
    press_key(viewer, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    press_key(viewer, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    np.testing.assert_array_equal(layer.data, before)
    controls.withdraw()
    drag(viewer, [(10, 10), (20, 40)])
    np.testing.assert_array_equal(layer.data, before)
    assert viewer.scene.camera.center != centre
