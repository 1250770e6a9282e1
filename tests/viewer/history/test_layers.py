"""A history as layers: data, position, slider and metadata."""

import json
from functools import partial

import numpy as np
import pytest
import tifffile

from napari_nst.io.history import History
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.record import RECORD
from napari_nst.recipe import Recipe
from napari_nst.viewer.history.layers import HistoryLayer, IterationLayers
from napari_nst.viewer.layers.save import save_result
from tests.helpers.fake_iterations import iteration
from tests.helpers.fake_requests import request_for

COARSE, FINE = (24, 32), (48, 64)


@pytest.fixture
def viewer(windowless):
    return windowless


def photo(model, shape=(48, 64, 3), **options):
    return model.add_image(np.zeros(shape, np.uint8), rgb=True, name="photo", **options)


def history_of(request, steps=8, grey=False, alpha=None):
    """A history of a run of 8 steps, the first four at half size."""
    convert = partial(request.intensity.restore, keep_dtype=request.keep_dtype)
    history = History("even", convert=convert)
    for step in range(1, steps + 1):
        shape = COARSE if step <= 4 else FINE
        history.step(iteration(step, 8, shape, grey=grey, alpha=alpha))
    return history


@pytest.fixture
def request_(model):
    return request_for(model, photo(model), name="photo × style")


@pytest.fixture
def layer(viewer, request_):
    return HistoryLayer(viewer, request_)


def shown(layer):
    return np.asarray(layer._slice.image.raw)


def text_of(model):
    return model.canvas.overlays.text.text


def slider(model):
    return int(model.dims.current_step[0])


def corners(layer):
    *_, height, width = layer.data.shape[: layer.ndim]
    edges = [(y - 0.5, x - 0.5) for y in (0, height) for x in (0, width)]
    lead = (0,) * (layer.ndim - 2)
    return np.array([layer.data_to_world((*lead, *edge))[-2:] for edge in edges])


def test_a_history_is_one_layer_with_a_slider_and_a_text(model, request_, layer):
    layer.show(history_of(request_).stack())
    assert layer.layer.name == "photo × style · history"
    assert layer.layer.data.shape == (8, 48, 64, 3)
    assert layer.layer.axis_labels[0] == "iteration"
    assert slider(model) == 7
    assert text_of(model) == "iteration 8 of 8, 64 px, loss 0.375"
    layer.layer.visible = False
    layer.show_step(2)
    assert layer.layer.visible
    assert text_of(model) == "iteration 2 of 8, 32 px, loss 1.5"
    np.testing.assert_array_equal(shown(model.layers[1]), np.full((48, 64, 3), 64))


def test_showing_again_updates_the_same_layer(viewer, model):
    content = photo(model, scale=(2, 3), translate=(5, 7), rotate=20)
    request = request_for(model, content)
    layer = HistoryLayer(viewer, request)
    layer.show(history_of(request, steps=3).stack())
    assert layer.layer.data.shape == (3, *COARSE, 3)
    np.testing.assert_allclose(corners(layer.layer), corners(content))
    layer.show(history_of(request).stack())
    assert len(model.layers) == 2
    assert layer.layer.data.shape == (8, *FINE, 3)
    np.testing.assert_allclose(corners(layer.layer), corners(content))
    assert slider(model) == 7, "the slider was at the newest"


def test_a_history_that_was_moved_stays_there_and_linked_layers_do_too(viewer, model):
    content = photo(model, scale=(2, 3))
    request = request_for(model, content)
    layer = HistoryLayer(viewer, request)
    layer.show(history_of(request, steps=4).stack())
    layer.layer.translate = np.add(layer.layer.translate, (0, 100, -20))
    moved, before = corners(layer.layer), content.extent.world.copy()
    model.layers.link_layers([content, model.layers[-1]])
    layer.layer.visible = False
    layer.show(history_of(request).stack())
    np.testing.assert_allclose(corners(layer.layer), moved)
    layer.show_step(2)
    assert layer.layer.visible
    np.testing.assert_array_equal(content.extent.world, before)
    assert not content.visible


def test_the_slider_stays_at_its_iteration(model, request_, layer):
    layer.show(history_of(request_, steps=6).stack())
    layer.show_step(4)
    layer.show(history_of(request_, steps=8).stack())
    assert text_of(model).startswith("iteration 4 of 8")
    thinned = History("even", every=3, convert=lambda image: (image * 255).astype(np.uint8))
    for step in range(1, 9):
        thinned.step(iteration(step, 8, FINE))
    layer.show(thinned.stack())
    assert layer.layer.data.shape[0] == 4
    assert text_of(model).startswith("iteration 3 of 8"), "the nearest that is left"


def test_a_deleted_layer_is_made_again(model, request_, layer):
    assert layer.show_step(1) is None
    layer.show(history_of(request_).stack())
    del model.layers[1]
    assert not layer.exists
    layer.show(history_of(request_).stack())
    assert layer.exists
    assert len(model.layers) == 2


@pytest.mark.parametrize("keep_dtype", [False, True])
def test_grey_has_the_layers_values_and_contrast(viewer, model, keep_dtype):
    pixels = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
    content = model.add_image(pixels, contrast_limits=(100, 1100), colormap="magma", name="m")
    request = request_for(model, content, keep_dtype=keep_dtype)
    layer = HistoryLayer(viewer, request)
    layer.show(history_of(request, grey=True).stack())
    assert layer.layer.data.dtype == (np.uint16 if keep_dtype else np.float32)
    assert layer.layer.contrast_limits == [100, 1100]
    assert layer.layer.colormap.name == "magma"
    layer.show_step(2)
    np.testing.assert_allclose(shown(model.layers[1]), 350)


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 0, 2)])
def test_the_history_of_a_slice_is_in_that_slice(viewer, model, order):
    content = model.add_image(np.zeros((5, 48, 64), np.uint8), scale=(4, 1, 1), translate=(8, 0, 0))
    model.dims.order = order
    model.dims.set_point(order[0], 16)
    request = request_for(model, content)
    layer = HistoryLayer(viewer, request)
    layer.show(history_of(request, grey=True).stack())
    own = layer.layer
    assert own.ndim == 4
    expected = request.position.transform_at(FINE)
    np.testing.assert_allclose(own.scale[1:], expected["scale"])
    np.testing.assert_allclose(own.translate[1:], expected["translate"])
    layer.show_step(2)
    assert text_of(model).startswith("iteration 2 of 8")
    value = request.intensity.restore(np.full((1, 1), 0.25, np.float32))[0, 0]
    np.testing.assert_allclose(np.asarray(own.data[1]), value)


def test_an_axis_of_the_viewer_keeps_its_unit(viewer, model):
    model.add_image(np.zeros((3, 8, 8)), units=("second", "micrometer", "micrometer"))
    request = request_for(model, photo(model, units=("micrometer", "micrometer")))
    layer = HistoryLayer(viewer, request)
    layer.show(history_of(request).stack())
    units = [str(unit) for unit in layer.layer.units]
    assert units == ["pixel", "second", "micrometer", "micrometer"]
    assert model.dims.units is not None


def test_a_history_is_saved_as_a_stack_with_its_record(request_, layer, tmp_path):
    layer.show(history_of(request_).stack(), {"recipe": Recipe().to_dict()})
    save_result(layer.layer, tmp_path / "history.tif")
    with tifffile.TiffFile(tmp_path / "history.tif") as tiff:
        assert tiff.asarray().shape == (8, 48, 64, 3)
        values = tiff.asarray()[:, 5, 5, 0]
        np.testing.assert_array_equal(values, np.rint(255 / 8 * np.arange(1, 9)))
        assert tiff.imagej_metadata["Labels"][0].startswith("iteration 1 of 8")
    assert json.loads(read_text(tmp_path / "history.tif"))["recipe"] == Recipe().to_dict()


# ── one layer per iteration ──────────────────────────────────────────────────────────────────


def test_each_iteration_becomes_a_layer_and_the_newest_is_visible(viewer, model):
    request = request_for(model, photo(model, scale=(2, 3)), name="photo × style")
    layers, stack = IterationLayers(viewer, request), history_of(request, steps=6).stack()
    assert [layers.add_next(stack) for _ in range(7)] == [True] * 6 + [False]
    made = list(model.layers)[1:]
    assert [layer.name for layer in made] == [f"photo × style {step:04d}" for step in range(1, 7)]
    assert [layer.visible for layer in made] == [False] * 5 + [True]
    assert [layer.data.shape for layer in made] == [(*COARSE, 3)] * 4 + [(*FINE, 3)] * 2
    for layer in made:
        np.testing.assert_allclose(corners(layer), corners(model.layers["photo"]))
    del model.layers[1]
    assert not layers.add_next(stack), "a layer that the user deleted is not added again"


def test_iterations_hide_no_linked_layer(viewer, model):
    content = photo(model)
    request = request_for(model, content)
    layers = IterationLayers(viewer, request)
    layers.add_next(history_of(request, steps=1).stack())
    model.layers.link_layers([content, model.layers[-1]])
    layers.add_next(history_of(request, steps=2).stack())
    assert [layer.visible for layer in model.layers] == [True, False, True]


def test_each_iterations_record_has_its_step(viewer, model, request_, tmp_path):
    layers, stack = IterationLayers(viewer, request_), history_of(request_, steps=2).stack()
    while layers.add_next(stack):
        pass
    layers.describe({"recipe": Recipe().to_dict(), "step": 2, "losses": {"total": 1}})
    records = [layer.metadata[RECORD] for layer in list(model.layers)[1:]]
    assert [record["step"] for record in records] == [1, 2]
    assert "losses" not in records[0], "they are those of the last iteration"
    save_result(model.layers[1], tmp_path / "first.png")
    assert json.loads(read_text(tmp_path / "first.png"))["step"] == 1
