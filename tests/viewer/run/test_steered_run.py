"""A user's afternoon, with the real network in a real window: steer, look back, run again."""

import numpy as np
import pytest
import skimage.data
from skimage.transform import resize

from napari_nst.recipe import Recipe

pytestmark = [pytest.mark.window, pytest.mark.network]


@pytest.fixture
def transfer(make_napari_viewer_proxy, plugin_preferences, until):
    viewer = make_napari_viewer_proxy(show=True)
    for name in ("astronaut", "coffee"):
        image = resize(getattr(skimage.data, name)(), (64, 64), anti_aliasing=True)
        viewer.add_image(image.astype(np.float32), name=name, rgb=True)
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    widget.size.value, widget.min_size.value, widget.steps.value = 64, 0, 400
    widget.device.value, widget.precision.value = "cpu", "float32"
    yield viewer, widget
    widget.panel.runner.stop()
    until(lambda: not widget.running)


def test_from_the_first_stroke_to_the_next_day(transfer, until, tmp_path):
    viewer, widget = transfer
    # This region like that.
    here, that = np.zeros((64, 64), int), np.zeros((64, 64), int)
    here[:, :32], that[:32] = 1, 1
    widget.content_guide.value = viewer.add_labels(here, name="here")
    widget.style_guide.value = viewer.add_labels(that, name="that")
    widget.start()
    losses = widget.panel.runner.losses
    until(lambda: len(losses) > 8)
    assert widget.panel.active.newest.facts["arguments"]["guide"]["labels"] == [1]

    # More of the style: the curve bends.
    before = losses.columns["style"][-1]
    widget.style_weight.value = 80.0
    until(lambda: losses.marks)
    step, words = losses.marks[0]
    assert words == "style weight 80"
    until(lambda: len(losses) > step + 3)
    assert losses.columns["style"][step - 1] > 3 * before
    assert losses.columns["style"][-1] < losses.columns["style"][step - 1]

    # Paint this region too, while it runs.
    viewer.layers["here"].fill((5, 60), 1)
    until(lambda: len(losses.marks) > 1)
    assert losses.marks[1][1] == "guides"

    # Hold, paint on the picture itself, go on.
    widget.pause.native.click()
    until(lambda: not widget.panel.brush.native.isHidden())
    result = widget.result
    result.data[24:40, 24:40] = result.data.dtype.type(255)
    result.refresh()
    widget.pause.native.click()
    until(lambda: len(losses.marks) > 2)
    assert losses.marks[2][1] == "painted"
    until(lambda: len(losses) > losses.marks[2][0] + 3)
    widget.stop.native.click()
    until(lambda: not widget.running)
    record = result.metadata["napari-nst"]
    assert [sorted(change)[1:] for change in record["steered"]] == [
        ["style_weight"], ["guides"], ["painted_pixels"],
    ]  # fmt: skip
    assert "stopped by you" in widget.status_text

    # Scrub back through the history: a click on the curve, then the slider.
    widget.panel.plot.picked.emit(3)
    [history] = [layer for layer in viewer.layers if layer.name.endswith("history")]
    assert history.data.shape[0] > 5
    first = np.asarray(history.data[0])
    assert np.abs(first.astype(float) - result.data.astype(float)).mean() > 2
    until(lambda: "iteration 3" in viewer.canvas.overlays.text.text)

    # Tomorrow, from the saved file.
    path = tmp_path / "result.png"
    widget.save(str(path))
    [opened] = viewer.open(str(path))
    widget.style_weight.value, widget.steps.value = 1.0, 7
    viewer.layers.selection = {opened}
    widget.settings_menu.update_actions()
    widget.settings_menu.run_again.trigger()
    assert widget.running
    assert (widget.style_weight.value, widget.steps.value) == (80.0, 400)
    assert widget.content_guide.value.name == "here"
    until(lambda: widget.panel.active.newest is not None and widget.panel.active.newest.step > 2)
    assert widget.result is not result
    widget.stop.native.click()
    until(lambda: not widget.running)
    assert Recipe.from_layer(widget.result).style_weight == 80
