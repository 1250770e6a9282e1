"""The content over a part of its result, up to a line that the mouse drags."""

import numpy as np
import pytest

from tests.helpers.real_mouse import drag

pytestmark = pytest.mark.window


@pytest.fixture
def tilted(viewer):
    """A calibrated stack, turned a little, as the content."""
    viewer.add_image(
        np.random.default_rng(1).integers(0, 4000, (5, 60, 80), np.uint16),
        name="stack",
        scale=(2, 0.5, 0.5),
        translate=(3, 10, 20),
        rotate=5,
        units=("um", "um", "um"),
        contrast_limits=(100, 3000),
        colormap="green",
    )
    viewer.dims.set_current_step(0, 2)
    return viewer.layers["stack"]


def corners(layer, axes=(-2, -1)):
    """The world positions of the corners of a layer's first and last row, in its first column."""
    pixels = np.zeros((2, layer.ndim))
    pixels[:, axes] = -0.5
    pixels[1, axes[0]] = layer.data.shape[axes[0]] - 0.5
    return np.array([layer.data_to_world(one) for one in pixels])


def test_the_line_shows_the_content_on_its_left(viewer, widget, tilted, running, until):
    widget.content.value, widget.style.value = tilted, viewer.layers["starry"]
    state = running(widget)
    view = widget.panel.before_after
    until(lambda: view.is_possible)
    below, callbacks = list(viewer.layers), list(viewer.mouse_drag_callbacks)
    active = viewer.layers.selection.active
    view.box.click()
    until(lambda: view.layer is not None)
    result = widget.result
    assert viewer.layers.index(view.layer) == viewer.layers.index(result) + 1
    assert viewer.layers.selection.active == active
    # The run draws 48 x 64 pixels where the content has 60 x 80.
    np.testing.assert_array_equal(view.layer.data[0], tilted.data[2, :, :40])
    np.testing.assert_allclose(corners(view.layer), corners(result), atol=1e-6)
    np.testing.assert_allclose(view.layer.scale, tilted.scale)
    assert view.layer not in widget.content.choices
    until(lambda made=state.made: state.made > made + 5)  # the run goes on below it
    before = view.slider.value()
    at = [tilted.data_to_world((2, 30, column))[-2:] for column in (40, 45, 55, 70)]
    viewer.fit_to_view()
    drag(viewer, at)
    until(lambda: view.slider.value() > before)
    assert abs(view.layer.data.shape[2] - 70) <= 3
    assert viewer.scene.camera.mouse_pan
    view.box.click()
    assert list(viewer.layers) == below
    assert view.layer is None
    assert list(viewer.mouse_drag_callbacks) == callbacks


def test_the_view_goes_with_its_result_and_returns_with_the_next(
    viewer, widget, optimiser, finish, until
):
    optimiser(steps=5)
    finish(widget)
    view = widget.panel.before_after
    view.toggle()
    until(lambda: view.layer is not None)
    first = view.layer
    viewer.layers.remove(widget.result)
    assert first not in viewer.layers
    assert view.native.isHidden()
    finish(widget)
    until(lambda: view.layer is not None)
    viewer.layers.remove(view.layer)
    assert not view.box.isChecked()
    view.box.click()
    until(lambda: view.layer is not None)
    widget.native.parent().destroyOnClose()
    assert not [one for one in viewer.layers if "before" in one.name]


def test_without_a_result_it_says_what_to_do(widget, messages):
    widget.panel.before_after.toggle()
    assert len(messages()) == 1
    assert not widget.panel.before_after.box.isChecked()


def test_a_larger_texture_is_compared_at_the_exemplars_own_size(
    viewer, dock, optimiser, finish, until
):
    texture = dock("Texture Synthesis")
    texture.exemplar.value = viewer.layers["cells"]
    texture.texture_height.value, texture.texture_width.value = 120, 160
    optimiser(steps=5, shape_at=lambda _: (120, 160))
    finish(texture)
    view = texture.panel.before_after
    view.toggle()
    until(lambda: view.layer is not None)
    np.testing.assert_allclose(view.layer.scale, viewer.layers["cells"].scale)
    np.testing.assert_array_equal(view.layer.data, viewer.layers["cells"].data[:, :40])
