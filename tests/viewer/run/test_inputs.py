"""A run goes on with the images that it has read, whatever happens to their layers."""

import hashlib

import numpy as np
import pytest
import skimage.data
from napari.layers._layer_actions import _convert, _split_rgb
from skimage.transform import resize

import napari_nst as nst
from napari_nst.recipe import Recipe
from napari_nst.viewer.layers.intensity import to_uint8

pytestmark = pytest.mark.window


def split(viewer):
    viewer.layers.selection.active = viewer.layers["cells"]
    _split_rgb(viewer.layers)


def convert(viewer):
    viewer.layers.selection = {viewer.layers["grey"]}
    _convert(viewer.layers, "labels")


ACTS = {
    "rename": lambda viewer: setattr(viewer.layers["grey"], "name", "renamed"),
    "rename it back": lambda viewer: setattr(viewer.layers["renamed"], "name", "grey"),
    "move in the list": lambda viewer: viewer.layers.move(0, 2),
    "link": lambda viewer: viewer.layers.link_layers(list(viewer.layers)),
    "unlink": lambda viewer: viewer.layers.unlink_layers(list(viewer.layers)),
    "move the content": lambda viewer: setattr(viewer.layers["cells"], "translate", (5, 5)),
    "replace the content's data": lambda viewer: setattr(
        viewer.layers["cells"], "data", np.zeros((90, 90, 3), np.uint8)
    ),
    "split the content": split,
    "convert the style": convert,
    "open another image": lambda viewer: viewer.add_image(np.ones((5, 30, 30)), name="third"),
    "delete the guide": lambda viewer: viewer.layers.remove("regions"),
}


def test_nothing_that_happens_to_layers_changes_the_run(viewer, widget, running, until, qtbot):
    grey = np.random.default_rng(1).integers(0, 255, (50, 50), np.uint8)
    viewer.add_image(grey, name="grey", projection_mode="none")
    regions = np.ones((60, 80), int)
    widget.style.value = viewer.layers["grey"]
    widget.content_guide.value = viewer.add_labels(regions, name="regions")
    state = running(widget, steps=100_000)
    until(lambda: widget.result is not None)
    for name, act in ACTS.items():
        act(viewer)
        qtbot.wait(220)  # longer than edits and controls settle
        assert not state.changes, name
    assert widget.running
    made = state.made
    until(lambda: state.made > made + 5)
    boxes = (widget.content, widget.style, widget.content_guide)
    assert [box.value for box in boxes] == [None] * 3
    assert [box.lost for box in boxes] == ["cells", "grey", "regions"]
    for sentence in ("Content: cells was removed", "Content guide: regions was removed"):
        assert sentence in widget.where.text()
    widget.style_weight.value = 12.5
    until(lambda: state.changes)
    [change] = state.changes
    assert change.styles is None
    assert change.guides is None, "the user has changed a weight alone"
    widget.style.value = viewer.layers["third"]  # a consistent choice needs the guide
    until(lambda: "Content guide: layer 'regions' was removed" in widget.status_text)
    widget.content_guide.native.setCurrentIndex(0)
    until(lambda: len(state.changes) > 1)
    [style] = state.changes[-1].styles()
    assert style.name == "third"
    assert state.changes[-1].guides() is None


def test_one_image_is_not_its_own_style(viewer, widget, optimiser, finish, messages):
    optimiser(steps=2)
    result = finish(widget)
    assert (widget.content.value, widget.style.value) == tuple(viewer.layers[:2])
    viewer.layers.remove("starry")
    widget.start()
    assert not widget.running
    assert "Style: layer 'starry' was removed" in messages()[-1]
    widget.style.value = result
    assert finish(widget) is not result


def test_a_second_run_does_not_take_the_first_result(viewer, dock, optimiser, finish, messages):
    optimiser(steps=2)
    exemplar = viewer.layers["cells"]
    viewer.layers.remove("starry")
    texture, widget = dock("Texture Synthesis"), dock("Style Transfer")
    assert finish(texture) in viewer.layers
    assert (widget.content.value, widget.style.value) == (exemplar, None)
    widget.start()
    assert not widget.running
    assert "style" in messages()[-1]


def test_a_run_does_not_follow_its_own_result(widget, running, until):
    state = running(widget, steps=100_000)
    until(lambda: widget.result is not None)
    widget.style.value = widget.result
    until(lambda: state.changes)
    run, drawn = widget.panel.active, []
    widget.panel.runner.shown.connect(lambda: drawn.append(run.newest.step))
    until(lambda: len(drawn) > 10)
    assert len(state.changes) == 1


def test_a_sweep_is_not_steered_by_other_styles(viewer, widget, optimiser, until, qtbot):
    state = optimiser(steps=400, seconds=0.005)
    widget.run_sweep.native.click()
    until(lambda: state.made > 3)
    widget.style.value = viewer.layers["cells"]
    qtbot.wait(300)
    assert not state.changes
    widget.panel.runner.stop()
    until(lambda: not widget.running)


@pytest.mark.network
def test_the_result_is_that_of_the_deleted_images(make_napari_viewer_proxy, until):
    viewer = make_napari_viewer_proxy()
    images = {
        name: to_uint8(resize(getattr(skimage.data, name)(), (48, 64), anti_aliasing=True))
        for name in ("astronaut", "coffee", "rocket")
    }
    for name, image in images.items():
        viewer.add_image(image, name=name, rgb=True)
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]
    widget.size.value, widget.min_size.value, widget.steps.value = 64, 0, 12
    widget.device.value, widget.precision.value = "cpu", "float32"
    widget.style.value = viewer.layers["coffee"]
    recipe = widget.recipe
    widget.start()
    widget.pause.native.click()
    until(lambda: widget.panel.active.holding)
    viewer.layers["coffee"].name = "tea"
    del viewer.layers["tea"], viewer.layers["astronaut"]
    widget.pause.native.click()
    until(lambda: not widget.running)
    assert widget.status_text.startswith("12 iterations in"), widget.status_text
    record = widget.result.metadata["napari-nst"]
    read = {role: (facts["name"], facts["sha256"]) for role, facts in record["inputs"].items()}
    assert read == {
        role: (name, hashlib.sha256(images[name] / np.float32(255)).hexdigest())
        for role, name in {"content": "astronaut", "style": "coffee"}.items()
    }
    assert "steered" not in record
    *_, last = nst.stylize(images["astronaut"], images["coffee"], Recipe.from_layer(widget.result))
    assert recipe.size == 64
    np.testing.assert_array_equal(widget.result.data, to_uint8(last.image))
