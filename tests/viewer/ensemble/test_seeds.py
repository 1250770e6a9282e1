"""Several seeds of a texture in a real window: the layer, the table, and images of all."""

import csv

import numpy as np
import pytest
import skimage.data
import zarr

import napari_nst as nst
from napari_nst.engine.run import run as engine_run
from napari_nst.engine.vgg import weights
from tests.engine.conftest import quick, untrained, untrained_file  # noqa: F401

GRAVEL = skimage.data.gravel()


@pytest.fixture
def texture_widget(make_napari_viewer_proxy, monkeypatch, untrained, tmp_path):  # noqa: F811
    """Return a viewer with gravel, and the widget with few steps of no network."""
    monkeypatch.setattr(engine_run, "load", lambda *_: untrained)
    monkeypatch.setattr(weights, "load", lambda *_: untrained)
    viewer = make_napari_viewer_proxy()
    viewer.add_image(
        GRAVEL[:64, :64], name="gravel", scale=(2, 2), translate=(10, 20), units=("um", "um"),
        colormap="magenta",
    )  # fmt: skip
    widget = viewer.window.add_plugin_dock_widget("napari-nst", "Texture Synthesis")[1]
    widget.size.value, widget.steps.value, widget.min_size.value = 64, 3, 0
    widget.device.value = "cpu"
    widget.out.value = str(tmp_path / "a.zarr")
    return viewer, widget


@pytest.mark.window
def test_the_layer_fills_in_and_the_table_says_what_was_copied(texture_widget, until, tmp_path):
    viewer, widget = texture_widget
    widget.seeds.value, widget.seed.value = 3, 5
    widget.start()
    until(lambda: widget.result is not None)
    layer = widget.result
    assert layer.data.shape == (3, 64, 64)
    assert layer.axis_labels[0] == "seed"
    assert tuple(layer.scale) == (1, 2, 2)
    assert tuple(layer.translate) == (5, 10, 20)
    assert layer.colormap.name == "magenta"
    assert np.asarray(layer.data[0]).any()  # the picture of the first step
    until(lambda: not widget.running)
    stored = zarr.open(tmp_path / "a.zarr" / "0")
    np.testing.assert_array_equal(layer.data, stored)
    assert hasattr(layer.data, "dask")
    assert viewer.dims.point[0] == 7
    recipe = nst.Recipe.from_dict(layer.metadata["napari-nst"]["recipe"])
    alone = nst.synthesize(GRAVEL[:64, :64], recipe.replace(seed=6)).result(progress=False)
    np.testing.assert_array_equal(stored[1], alone)

    shown = widget.seed_table
    assert [shown.table.item(row, 0).text() for row in range(3)] == ["5", "6", "7"]
    assert {shown.table.item(row, 1).text() for row in range(3)} == {"no copy"}
    by_hand = nst.statistics(np.asarray(stored[2]), GRAVEL[:64, :64], scale=2.0, recipe=recipe)
    heading = [
        shown.table.horizontalHeaderItem(at).text() for at in range(shown.table.columnCount())
    ]
    at = heading.index("Correlation length (µm)")
    assert shown.table.item(2, at).text() == f"{by_hand['correlation length'].image:.4g}"
    shown.table.cellClicked.emit(0, 0)
    assert viewer.dims.point[0] == 5
    shown.save(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8") as file:
        assert [line["seed"] for line in csv.DictReader(file)][:4] == ["5", "6", "7", "mean"]
    shown.images_button.native.click()
    until(lambda: len(viewer.layers) == 4)
    mean, deviation = viewer.layers[-2:]
    np.testing.assert_allclose(mean.data, np.asarray(stored).mean(0), rtol=1e-5)
    np.testing.assert_allclose(deviation.data, np.asarray(stored).std(0, ddof=1), rtol=1e-4)
    assert tuple(mean.translate) == (10, 20)


@pytest.mark.window
def test_a_stopped_run_goes_on_and_a_copy_is_named(texture_widget, until, tmp_path):
    _, widget = texture_widget
    widget.seeds.value = 3
    widget.steps.value = 8
    widget.start()
    until(lambda: widget.panel.active.newest is not None and widget.panel.active.newest.panel == 1)
    widget.stop.native.click()
    until(lambda: not widget.running)
    group = zarr.open_group(tmp_path / "a.zarr")
    assert int((np.asarray(group["napari-nst/states"]) == 1).sum()) < 3
    first = widget.seed_table
    assert first.table.rowCount() >= 1 + 4
    (tmp_path / "a.zarr" / "napari-nst" / "states" / "statistics.jsonl").unlink()
    group["0"][0] = GRAVEL[:64, :64]  # as if the first seed had made a copy
    widget.start()
    until(lambda: not widget.running)
    assert widget.seed_table is first
    assert [first.table.item(row, 1).text() for row in range(3)] == ["copy", "no copy", "no copy"]
    assert "Seed 0" in first.summary.text()
    widget.start()
    until(lambda: not widget.running)
    assert "already" in widget.status_text


@pytest.mark.window
def test_colours_of_a_slice_have_an_axis_of_their_own(texture_widget, until):
    viewer, widget = texture_widget
    colours = np.stack([GRAVEL[a : a + 64, :64] for a in range(0, 384, 64)])
    viewer.add_image(colours.reshape(2, 3, 64, 64).transpose(0, 2, 3, 1), rgb=True, name="series")
    widget.exemplar.value = viewer.layers["series"]
    widget.seeds.value, widget.measured.value = 2, False
    widget.start()
    until(lambda: not widget.running)
    layer = widget.result
    assert layer.data.shape == (2, 1, 64, 64, 3)
    assert layer.rgb
    assert not widget.seed_table.table.isVisible()
    widget.seed_table.add_images()
    until(lambda: len(viewer.layers) == 5)
    assert viewer.layers[-1].rgb


@pytest.mark.window
@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"compare": "cumulative"}, "Seeds"),
        ({"out": "a.tif"}, "Result folder"),
        ({"init": "image"}, "Start"),
        ({"size": 24}, "Measure each"),
        ({"seed": 2**31 - 2, "seeds": 3}, "Seeds"),
    ],
)
def test_what_does_not_work_is_said_in_the_words_of_the_window(
    texture_widget, until, changes, named
):
    _, widget = texture_widget
    widget.seeds.value = 2
    for name, value in changes.items():
        getattr(widget, name).value = value
    widget.start()
    until(lambda: not widget.running)
    assert named in widget.status_text
    assert widget.result is None
