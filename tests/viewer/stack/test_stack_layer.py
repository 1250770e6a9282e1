"""Several slices of a layer in a real window, and the data of the layer that they fill."""

import numpy as np
import pytest
import zarr

import napari_nst as nst
from napari_nst.engine.run import run as engine_run
from napari_nst.engine.vgg import weights
from napari_nst.viewer.stack.choice import ALL, RANGE
from napari_nst.viewer.stack.layer import StoredSlices
from tests.engine.conftest import quick, untrained, untrained_file  # noqa: F401

RANDOM = np.random.default_rng(0)
SERIES = RANDOM.integers(0, 4096, (2, 5, 48, 64)).astype(np.uint16)  # T, Z, Y, X
STYLE = RANDOM.integers(0, 256, (64, 48, 3), np.uint8)


@pytest.fixture
def stack_widget(make_napari_viewer_proxy, monkeypatch, untrained):  # noqa: F811
    """Return a function that docks a widget beside a series, with few steps of no network."""
    monkeypatch.setattr(engine_run, "load", lambda *_: untrained)
    monkeypatch.setattr(weights, "load", lambda *_: untrained)
    viewer = make_napari_viewer_proxy()
    viewer.add_image(
        SERIES, name="cells", scale=(3, 2, 0.5, 0.5), translate=(0, 10, 0, 0),
        units=("s", "um", "um", "um"), axis_labels=("t", "z", "y", "x"), contrast_limits=(0, 4095),
        colormap="magenta",
    )  # fmt: skip
    viewer.add_image(STYLE, name="starry", rgb=True)
    viewer.dims.set_point(0, 3)

    def dock(title):
        widget = viewer.window.add_plugin_dock_widget("napari-nst", title)[1]
        widget.size.value, widget.steps.value, widget.min_size.value = 64, 5, 0
        widget.device.value = "cpu"
        return viewer, widget

    return dock


@pytest.mark.window
def test_the_layer_fills_in_at_its_place_while_the_run_goes_on(stack_widget, until, tmp_path):
    viewer, widget = stack_widget("Style Transfer")
    widget.content.value, widget.style.value = viewer.layers["cells"], viewer.layers["starry"]
    widget.slices.value, widget.along.value, widget.slice_range.value = RANGE, "z", "1:5:2"
    widget.out.value = str(tmp_path / "a.zarr")
    widget.start()
    until(lambda: widget.result is not None)
    layer = widget.result
    assert layer.data.shape == (1, 2, 48, 64)
    assert tuple(layer.scale) == (3, 4, 0.5, 0.5)
    assert tuple(layer.translate[:2]) == (3, 12)
    assert layer.axis_labels == ("t", "z", "y", "x")
    assert [str(unit) for unit in layer.units] == ["second", *["micrometer"] * 3]
    assert tuple(layer.contrast_limits) == (0, 4095)
    assert viewer.dims.point[1] == pytest.approx(12)
    assert np.asarray(layer.data[0, 0]).any()  # the picture of the first step
    assert np.array_equal(layer.data[0:1, 0:1], layer.data[:, :1])
    assert layer.thumbnail[..., :3].any()  # napari reads ranges of one slice
    until(lambda: not widget.running)
    assert viewer.dims.point[1] == pytest.approx(16)  # the slider has followed
    stored = zarr.open(tmp_path / "a.zarr" / "0")
    np.testing.assert_array_equal(layer.data, stored)
    assert hasattr(layer.data, "dask")
    assert (np.asarray(stored).max(axis=(2, 3)) > 1000).all()
    assert str(tmp_path / "a.zarr") in widget.status_text
    record = layer.metadata["napari-nst"]
    assert record["arguments"]["slices"] == {"t": [1, 2, 1], "z": [1, 5, 2]}
    alone = nst.stylize_stack(
        SERIES, [STYLE / np.float32(255)], nst.Recipe.from_dict(record["recipe"]), axes=1,
        slices={0: 1, 1: "1:5:2"}, limits=(0, 4095),
    ).result(progress=False)  # fmt: skip
    np.testing.assert_array_equal(alone, stored)


@pytest.mark.window
def test_a_stopped_run_keeps_its_slices_and_goes_on(stack_widget, until, tmp_path):
    viewer, widget = stack_widget("Content Reconstruction")
    widget.image.value = viewer.layers["cells"]
    widget.slices.value, widget.along.value, widget.steps.value = ALL, "z", 40
    widget.out.value = str(tmp_path / "a.zarr")
    widget.start()
    until(lambda: widget.panel.active.newest is not None and widget.panel.active.newest.panel)
    widget.pause.native.click()
    until(lambda: widget.panel.active.holding)
    at = widget.panel.active.newest.panel
    widget.pause.native.click()
    widget.stop.native.click()
    until(lambda: not widget.running)
    states = zarr.open(tmp_path / "a.zarr" / "napari-nst" / "states")
    done = int((np.asarray(states) == 1).sum())
    assert at <= done < 5
    widget.start()
    until(lambda: not widget.running)
    assert (np.asarray(states) == 1).all()
    layer = widget.result
    assert layer.data.shape == (1, 5, 48, 64)
    widget.start()
    until(lambda: not widget.running)
    assert "already" in widget.status_text


@pytest.mark.window
@pytest.mark.network
def test_several_workers_fill_the_layer(stack_widget, until, tmp_path):
    viewer, widget = stack_widget("Style Transfer")
    widget.content.value, widget.style.value = viewer.layers["cells"], viewer.layers["starry"]
    widget.slices.value, widget.along.value, widget.slice_range.value = RANGE, "z", "0:4"
    widget.workers.value, widget.out.value = 2, str(tmp_path / "a.zarr")
    widget.start()
    until(lambda: not widget.running, 240)  # two processes that import torch and load a network
    stored = zarr.open_group(tmp_path / "a.zarr", mode="r")
    starts = stored.attrs["napari-nst"]["starts"]
    assert starts == [[0, 0], [0, 2]]
    np.testing.assert_array_equal(widget.result.data, stored["0"])
    assert (np.asarray(stored["0"]).max(axis=(2, 3)) > 1000).all()


@pytest.mark.window
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"slice_range": "7:9"}, "Range"),
        ({"slice_range": ""}, "Range"),
        ({"out": "a.tif"}, "Result folder"),
        ({"init": "image"}, "Start from"),
        ({"content_as": "each channel in turn", "channel_axis": "z"}, "Along"),
    ],
)
def test_what_does_not_work_is_said_in_the_words_of_the_window(stack_widget, until, changes, named):
    viewer, widget = stack_widget("Style Transfer")
    widget.content.value, widget.style.value = viewer.layers["cells"], viewer.layers["starry"]
    widget.slices.value, widget.along.value = RANGE, "z"
    for name, value in changes.items():
        getattr(widget, name).value = value
    widget.start()
    until(lambda: not widget.running)
    assert named in widget.status_text
    assert widget.result is None


@pytest.mark.window
def test_only_stacks_are_offered_several_slices(stack_widget):
    viewer, widget = stack_widget("Style Transfer")
    section = widget.sections["Several slices"]
    widget.content.value = viewer.layers["cells"]
    assert not section.native.isHidden()
    assert set(widget.along.choices) == {"t", "z"}
    assert not widget.slice_range.enabled
    widget.content.value = viewer.layers["starry"]
    assert section.native.isHidden()
    assert not widget.stack.is_stack


def test_the_data_of_the_layer_are_read_in_any_part(quick, tmp_path):  # noqa: F811
    series = RANDOM.integers(0, 256, (2, 3, 3, 40, 48), np.uint8)  # T, C, Z, Y, X
    run = nst.stylize_stack(
        series, STYLE, quick(steps=1), channel_axis=1, channel=(2, 0, 1), slices={0: 1},
        axes=[0, 2], out=tmp_path / "a.zarr",
    )  # fmt: skip
    whole = np.moveaxis(np.asarray(run.result(progress=False)), 0, -1)[:, None]
    data = StoredSlices(run)
    assert data.shape == whole.shape == (1, 1, 3, 27, 32, 3)
    parts = [
        (0, 0, 1), (slice(None), 0, slice(1, 3), 4), (0, slice(None), slice(None), slice(None), 5),
        (np.int64(0), 0, np.int64(2), slice(3, 9, 2), slice(None), 1),
    ]  # fmt: skip
    for part in parts:
        np.testing.assert_array_equal(data[part], whole[part])
    np.testing.assert_array_equal(np.asarray(data), whole)
    np.testing.assert_array_equal(data.as_dask(), whole)
    picture = np.full((3, 27, 32), 7, np.uint8)
    data.current = (0, 1), picture
    assert (data[0, 0, 1] == 7).all()
    assert data[0, 0, 1, 2:5].shape == (3, 32, 3)
    np.testing.assert_array_equal(data[0, 0, 2], whole[0, 0, 2])
