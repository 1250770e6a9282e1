"""The Texture Synthesis widget in a real napari window."""

import numpy as np
import pytest

from napari_nst.recipe import preset, preset_names
from napari_nst.recipe.layer_names import COMPARED_LAYERS

pytestmark = pytest.mark.window


@pytest.fixture
def widget(dock):
    return dock("Texture Synthesis")


def corners(layer, shape):
    ends = [(0, 0), (0, 1), (1, 0), (1, 1)]
    return np.array([layer.data_to_world(np.array(end) * shape - 0.5) for end in ends])


def test_an_exemplar_becomes_a_texture(viewer, widget, optimiser, finish):
    state = optimiser(steps=20)
    assert list(widget.preset.choices) == preset_names("texture")
    result = finish(widget)
    assert state.job == "synthesize"
    assert state.got["shape"] is None
    assert state.recipe == preset("texture")
    assert state.got["exemplar"].shape == (60, 80, 3)
    assert result.name == "cells · texture"
    assert result.metadata["napari-nst"]["recipe"]["name"] == "texture"
    assert not [layer.name for layer in viewer.layers if "3 × 3" in layer.name]
    assert widget.status_text.startswith("20 iterations in")


def test_controls_of_other_jobs_are_missing(widget):
    for name in ("content_weight", "content_layers", "content_norm", "color", "style_sizing"):
        assert getattr(widget, name).native.parent() is None, name
    assert "content" not in widget.init.choices
    assert widget.size.label == "Exemplar size"


@pytest.mark.parametrize(("size", "enlarged"), [(256, 1), (40, 2)])
def test_a_larger_texture_extends_right_and_down_in_the_exemplars_pixels(
    viewer, widget, optimiser, finish, size, enlarged
):
    state = optimiser(steps=3, shape_at=lambda step: (100, 160))
    exemplar = viewer.layers["cells"]
    exemplar.scale, exemplar.translate, exemplar.units = (0.5, 0.5), (3, 4), ("um", "um")
    widget.size.value, widget.texture_height.value, widget.texture_width.value = size, 100, 160
    result = finish(widget)
    assert state.got["shape"] == (100, 160)
    wanted = corners(exemplar, np.array([100, 160]) * enlarged)
    np.testing.assert_allclose(corners(result, [100, 160]), wanted, atol=1e-9)


def test_a_side_of_0_is_that_of_the_exemplar(widget, optimiser, finish):
    state = optimiser(steps=3, shape_at=lambda step: (30, 128))
    widget.size.value, widget.texture_width.value = 40, 128
    assert widget.texture_height.native.text() == "as the exemplar"
    finish(widget)
    assert state.got["shape"] == (30, 128)


def test_a_seamless_texture_is_shown_tiled(viewer, widget, optimiser, finish):
    state = optimiser(steps=3)
    widget.seamless.value = True
    assert widget.padding.value == "circular"
    result = finish(widget)
    assert state.recipe.padding == "circular"
    tiles = viewer.layers[f"{result.name} 3 × 3"]
    assert tiles.data.shape == (144, 192, 3)
    assert (np.asarray(tiles.data) == 255).all()


def test_seamless_and_padding_agree(widget):
    usual = preset("texture").padding
    widget.seamless.value = True
    widget.seamless.value = False
    assert widget.padding.value == usual
    widget.padding.value = "circular"
    assert widget.seamless.value
    widget.preset.value = "sliced-wasserstein"
    assert not widget.seamless.value
    widget.seamless.value = True
    widget.seamless.value = False
    assert widget.padding.value == preset("sliced-wasserstein").padding == "reflect"


def test_a_grey_exemplar_stays_grey(viewer, widget, optimiser, finish):
    state = optimiser(steps=5)
    random = np.random.default_rng(0)
    viewer.add_image(random.integers(200, 900, (40, 50), np.uint16), name="brick")
    viewer.layers["brick"].contrast_limits = (200, 900)
    widget.exemplar.value = viewer.layers["brick"]
    widget.keep_dtype.value = True
    result = finish(widget)
    assert state.got["exemplar"].shape == (40, 50)
    assert not result.rgb
    assert result.data.dtype == np.uint16
    assert (result.data == 900).all(), "white goes back to the upper contrast limit"


@pytest.mark.parametrize("compare", ["layer by layer", "cumulative"])
def test_layers_are_compared_in_a_stack(viewer, widget, optimiser, finish, compare):
    state = optimiser(steps=10)
    assert not widget.compared_layers.enabled
    widget.compare.value = compare
    assert widget.compared_layers.enabled
    result = finish(widget)
    assert state.job == "compare_textures"
    assert state.is_steered, "so that Stop works within an iteration"
    assert state.got["layers"] == list(COMPARED_LAYERS)
    assert state.got["cumulative"] is (compare == "cumulative")
    assert result.data.shape == (5, 48, 64, 3)
    assert result.name == "cells · texture by layers"


def test_invalid_comparisons_are_refused(viewer, widget, messages):
    widget.compare.value = "cumulative"
    for text in ("conv9_1", ""):
        widget.compared_layers.value = text
        widget.start()
        assert not widget.running
    widget.compared_layers.value, widget.init.value = "conv1_1", "image"
    widget.init_image.value = viewer.layers["starry"]
    widget.start()
    assert not widget.running
    assert len(set(messages())) == 3
    assert len(viewer.layers) == 2


@pytest.mark.network
def test_the_real_network_makes_a_seamless_texture(viewer, widget, finish):
    widget.size.value, widget.min_size.value, widget.steps.value = 64, 0, 2
    widget.texture_height.value = widget.texture_width.value = 96
    widget.seamless.value = True
    result = finish(widget, seconds=120)
    assert widget.status_text.startswith("2 iterations in"), widget.status_text
    assert result.data.shape == (96, 96, 3)
    assert viewer.layers[-1].data.shape == (288, 288, 3)
    record = result.metadata["napari-nst"]
    assert record["job"] == "synthesize"
    assert record["inputs"]["exemplar"]["name"] == "cells"
    assert record["weights"]["flavour"] == "gatys"
