"""The slider of a stack moves no other layer, and no other slider hides the stack."""

from functools import partial

import numpy as np
import pytest

from napari_nst.io.history import History
from napari_nst.viewer.history.layers import HistoryLayer
from napari_nst.viewer.layers.panels import add_stack
from napari_nst.viewer.layers.position import shown_index
from tests.helpers.fake_iterations import iteration
from tests.helpers.fake_requests import request_for


@pytest.fixture
def viewer(windowless):
    return windowless


@pytest.fixture
def film(model):
    """A calibrated series of images, besides the content."""
    return model.add_image(
        np.random.default_rng(0).random((6, 48, 64)),
        scale=(20, 0.5, 0.5),
        translate=(100, 3, 4),
        units=("second", "micrometer", "micrometer"),
        axis_labels=("t", "y", "x"),
        name="film",
    )


@pytest.fixture
def content(model, film):
    options = {"scale": (0.5, 0.5), "translate": (3, 4), "units": ("micrometer",) * 2}
    return model.add_image(np.zeros((48, 64)), rotate=10, name="content", **options)


def history(viewer, request, steps):
    kept = History("even", convert=partial(request.intensity.restore, keep_dtype=False))
    for step in range(1, steps + 1):
        kept.step(iteration(step, 20, (48, 64), grey=True))
    return kept.stack()


def maps(viewer, request, count=3):
    pictures = np.ones((count, 48, 64)) * np.arange(1, count + 1)[:, None, None]
    labels = [f"loss {index}" for index in range(count)]
    return add_stack(viewer, request.position, pictures, labels, name="maps", axis_label="loss")


def is_seen(layer):
    return not layer._slice.empty and np.asarray(layer._slice.image.raw).size > 1


def test_each_kind_of_stack_has_its_own_slider(viewer, model, film, content):
    request = request_for(model, content)
    steps = HistoryLayer(viewer, request)
    steps.show(history(viewer, request, 8))
    maps(viewer, request)
    own, losses = model.layers[steps.layer.name], model.layers["maps"]
    assert tuple(model.dims.axis_labels[:3]) == ("loss", "iteration", "t")
    layers = (film, own, losses)
    for axis, count in ((0, 3), (1, 8), (2, 6)):
        assert model.dims.nsteps[axis] == count
        before = [shown_index(one, model.dims) for one in layers]
        for at in range(count):
            model.dims.set_current_step(axis, at)
            assert all(is_seen(one) for one in (own, losses, content))
        after = [shown_index(one, model.dims) for one in layers]
        moved = [one.name for one, a, b in zip(layers, before, after, strict=True) if a != b]
        assert len(moved) <= 1, "only the layer of this slider"
    for one in (own, losses):
        row = [one.data_to_world((*[0] * (one.ndim - 2), 0, at))[-2:] for at in (0, 63)]
        np.testing.assert_allclose(row, [content.data_to_world((0, at)) for at in (0, 63)])


def test_a_longer_history_hides_no_maps(viewer, model, content):
    request = request_for(model, content)
    steps = HistoryLayer(viewer, request)
    steps.show(history(viewer, request, 4))
    maps(viewer, request)
    losses = model.layers["maps"]
    steps.show(history(viewer, request, 19))
    steps.show_step(19)
    assert is_seen(losses)
    again = HistoryLayer(viewer, request)
    again.show(history(viewer, request, 8))
    assert again.layer.ndim == steps.layer.ndim, "histories share a slider"
    model.layers.remove(losses)
    assert model.dims.ndim == steps.layer.ndim
    steps.show(history(viewer, request, 20))


def test_a_single_map_needs_no_slider(viewer, model, content):
    before = model.dims.ndim
    layer = maps(viewer, request_for(model, content), count=1)
    assert layer.data.shape == (48, 64)
    assert model.dims.ndim == before
