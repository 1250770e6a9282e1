"""Looking into a result, with the real network in a real window."""

import numpy as np
import pytest
import skimage.data
from skimage.transform import resize

pytestmark = [pytest.mark.window, pytest.mark.network]


@pytest.fixture
def finished(make_napari_viewer_proxy, plugin_preferences, until):
    """A finished run of a few steps."""
    viewer = make_napari_viewer_proxy()
    for name in ("astronaut", "coffee"):
        image = resize(getattr(skimage.data, name)(), (64, 64), anti_aliasing=True)
        viewer.add_image(image.astype(np.float32), name=name, rgb=True, scale=(0.5, 0.5))
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    widget.size.value, widget.min_size.value, widget.steps.value = 64, 0, 3
    widget.device.value, widget.precision.value = "cpu", "float32"
    widget.start()
    until(lambda: not widget.running)
    yield viewer, widget
    until(lambda: not widget.running)


def test_maps_matrices_and_features_become_layers(finished, until):
    viewer, widget = finished
    box = widget.inspected_layer

    box.value = "relu4_2"
    widget.show_losses.native.click()
    assert "loss maps" in widget.status_text
    until(lambda: "astronaut × coffee · losses" in viewer.layers)
    maps = viewer.layers["astronaut × coffee · losses"]
    assert maps.data.shape[1:] == (64, 64)
    np.testing.assert_allclose(maps.data.mean(), 1, rtol=1e-3)
    np.testing.assert_allclose(maps.scale[1:], widget.result.scale)
    assert maps.metadata["napari-nst"]["layer"]["panels"][0].startswith("content/relu4_2, loss ")

    until(lambda: not widget.inspection.busy)
    box.value = "relu3_1"
    widget.show_features.native.click()
    until(lambda: "astronaut × coffee · features relu3_1" in viewer.layers)
    features = viewer.layers["astronaut × coffee · features relu3_1"]
    assert features.data.shape == (256, 1, 16, 16), "the axis of the maps is another"
    assert tuple(viewer.dims.axis_labels[:2]) == ("channel", "loss")
    np.testing.assert_allclose(features.extent.world[1][2:], widget.result.extent.world[1], atol=2)

    until(lambda: not widget.inspection.busy)
    widget.show_gram.native.click()
    until(lambda: "astronaut × coffee · Gram relu3_1" in viewer.layers)
    sheet = viewer.layers["astronaut × coffee · Gram relu3_1"]
    assert sheet.data.std() > 10
    assert sheet.translate[-1] >= 31.5, "beside the result, not over it"
    assert widget.status_text == "Added Gram matrices at relu3_1 of iteration 3."


def test_maps_belong_to_the_images_that_the_run_has_read(finished, until, messages):
    viewer, widget = finished
    style = viewer.layers["coffee"]
    before = style.data.copy()
    style.data[:20] = 0  # as a brush paints
    style.refresh()
    widget.show_losses.native.click()
    until(lambda: any("'coffee' has changed since the run read it" in text for text in messages()))
    until(lambda: not widget.inspection.busy)
    widget.show_features.native.click()  # of the result alone
    until(lambda: "astronaut × coffee · features relu4_2" in viewer.layers)
    until(lambda: not widget.inspection.busy)
    assert "astronaut × coffee · losses" not in viewer.layers
    style.data[:] = before
    style.data = np.zeros_like(before)  # the run keeps the array that it has read
    viewer.layers.remove(style)
    until(lambda: not widget.inspection.busy)
    widget.show_losses.native.click()
    until(lambda: "astronaut × coffee · losses" in viewer.layers)


def test_every_layer_with_a_loss(finished, until):
    viewer, widget = finished
    widget.inspected_layer.value = "every layer with a loss"
    assert not widget.show_gram.enabled
    assert not widget.show_features.enabled
    widget.show_losses.native.click()
    until(lambda: "astronaut × coffee · losses" in viewer.layers)
    labels = viewer.layers["astronaut × coffee · losses"].metadata["napari-nst"]["layer"]["panels"]
    parts = [label.partition(",")[0] for label in labels]
    losses = widget.panel.runner.losses.columns
    assert sorted(parts) == sorted(name for name in losses if "/" in name and losses[name][-1] >= 0)


def test_a_layer_without_a_loss_is_told_with_those_that_have(finished, until, messages):
    _, widget = finished
    widget.inspected_layer.value = "relu3_4"
    widget.show_losses.native.click()
    until(lambda: any("relu3_4 has no loss" in text for text in messages()))


def test_one_thing_is_computed_at_a_time(finished, until, messages):
    viewer, widget = finished
    widget.show_features.native.click()
    widget.show_gram.native.click()
    assert "maps" in messages()[-1]
    until(lambda: any("features" in layer.name for layer in viewer.layers))
    assert not any("Gram" in layer.name for layer in viewer.layers)


def test_layers_are_explored_as_a_grid(finished, until, monkeypatch):
    _, widget = finished
    from napari_nst.engine import sweep as sweeps

    shorter = sweeps.explore_layers
    monkeypatch.setattr(
        sweeps,
        "explore_layers",
        lambda image, steering, **fields: shorter(
            image, layers=("relu1_1", "relu2_1"), size=32, steps=2, steering=steering, **fields
        ),
    )
    widget.explore_layers.native.click()
    until(lambda: not widget.running)
    layer = widget.result
    assert layer.name == "astronaut · layers explored"
    settings = [cell["settings"] for cell in layer.metadata["napari-nst"]["layer"]["cells"]]
    assert {"content_layers": {"relu2_1": 1.0}} in settings
    widget.sweep.apply({"content_layers": {"relu2_1": 1.0}})
    assert widget.content_layers.value == "relu2_1:1.0"
