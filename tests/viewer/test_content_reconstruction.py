"""The Content Reconstruction widget in a real napari window."""

import numpy as np
import pytest

from napari_nst.recipe import preset, preset_names
from napari_nst.recipe.layer_names import COMPARED_LAYERS, LAYER_NAMES

pytestmark = pytest.mark.window


@pytest.fixture
def widget(dock):
    return dock("Content Reconstruction")


def test_a_layer_is_inverted(viewer, widget, optimiser, finish):
    state = optimiser(steps=20)
    assert list(widget.preset.choices) == preset_names("reconstruction")
    widget.layer.value = "conv5_1"
    widget.init.value, widget.init_image.value = "image", viewer.layers["starry"]
    result = finish(widget)
    assert state.job == "reconstruct"
    assert state.recipe == preset("reconstruction", content_layers={"conv5_1": 1}, init="image")
    assert state.got["image"].shape == (60, 80, 3)
    assert state.got["init_image"].shape == (50, 50, 3)
    assert result.name == "cells · conv5_1"


def test_layer_and_content_layers_agree(widget):
    assert set(LAYER_NAMES) < set(widget.layer.choices)
    assert widget.layer.value == "relu4_2"
    for name in preset_names("reconstruction"):
        widget.preset.value = name
        assert widget.recipe == preset(name), "showing a preset's layer changes nothing"
        assert widget.layer.value == next(iter(preset(name).content_layers))
    widget.content_layers.value = "relu1_1:0.5, relu2_1:0.5"
    assert widget.layer.value not in LAYER_NAMES, "several layers have no entry of their own"
    assert widget.recipe.content_layers == {"relu1_1": 0.5, "relu2_1": 0.5}
    widget.layer.value = "relu3_1"
    assert widget.recipe.content_layers == {"relu3_1": 1.0}


def test_controls_of_other_jobs_are_missing(widget):
    fields = widget.recipe_controls.fields
    for name in [name for name in fields if name.startswith("style_")] + ["projections", "color"]:
        assert fields[name].native.parent() is None, name
    assert set(widget.init.choices) == {"noise", "mix", "image"}


def test_layers_are_compared_in_a_stack(viewer, widget, optimiser, finish):
    state = optimiser(steps=10)
    widget.compare.value = True
    assert not widget.layer.enabled
    result = finish(widget)
    assert state.job == "compare_reconstructions"
    assert state.is_steered, "so that Stop works within an iteration"
    assert state.got["layers"] == list(COMPARED_LAYERS)
    assert result.data.shape == (5, 48, 64, 3)
    assert viewer.layers["cells"].data.shape == (60, 80, 3)
    assert result.name == "cells · layers"


def test_the_status_names_the_image_that_is_being_made(widget, optimiser, until):
    optimiser(steps=100_000, seconds=0.01)
    widget.compare.value = True
    widget.compared_layers.value = "conv1_1 conv_9"
    widget.start()
    until(lambda: "conv1_1, 1 of 2 pictures" in widget.status_text)
    widget.stop.native.click()
    until(lambda: not widget.running)


@pytest.mark.network
def test_the_real_network_compares_two_layers(viewer, widget, finish):
    widget.size.value, widget.steps.value = 64, 2
    widget.compare.value = True
    widget.compared_layers.value = "conv1_1, conv3_1"
    result = finish(widget, seconds=120)
    assert widget.status_text.startswith("2 pictures, 4 iterations in"), widget.status_text
    assert result.data.shape == (2, 48, 64, 3)
    assert np.ptp(result.data) > 50
    assert result.metadata["napari-nst"]["inputs"]["image"]["name"] == "cells"
