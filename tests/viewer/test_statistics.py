"""The Texture Statistics dock in a real window."""

import csv

import numpy as np
import pytest
import skimage.data

import napari_nst as nst
from napari_nst.viewer.statistics import widget as module
from tests.helpers.two_phases import discs

pytestmark = pytest.mark.window
GRAVEL = skimage.data.gravel()
SIDE = 96


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    options = {"scale": (250, 250), "units": "nm"}
    viewer.add_image(GRAVEL[:SIDE, :SIDE], name="made", **options)
    viewer.add_image(GRAVEL[200:320, 200:320], name="exemplar", **options)
    return viewer


@pytest.fixture
def widget(viewer, dock):
    widget = dock("Texture Statistics")
    widget.image.value, widget.exemplar.value = viewer.layers["made"], viewer.layers["exemplar"]
    widget.gram.value = False
    return widget


@pytest.fixture
def measured(widget, until):
    """Press Measure, and wait for the end."""

    def measure():
        widget.measure_button.native.click()
        until(lambda: not widget.busy)
        return widget.result

    return measure


def texts(widget):
    """The table as it is shown, by the names of its rows and columns."""
    table = widget.table
    headings = [table.horizontalHeaderItem(column).text() for column in range(table.columnCount())]
    lines = {}
    for row in range(table.rowCount()):
        line = [table.item(row, column).text() for column in range(table.columnCount())]
        lines[line[0]] = dict(zip(headings, line, strict=True))
    return lines


def test_table_and_plot_are_those_of_the_layers_in_their_units(widget, measured, viewer, qtbot):
    found = measured()
    expected = nst.statistics(
        GRAVEL[:SIDE, :SIDE], GRAVEL[200:320, 200:320], gram=False, scale=0.25
    )
    for row in expected.rows:
        assert found[row.name].ratio == pytest.approx(row.ratio, rel=0.02, abs=1e-3, nan_ok=True)
        assert found[row.name].unit == row.unit
    shown = texts(widget)
    assert list(shown) == [row.name for row in found.rows]
    assert float(shown["S2"]["Ratio"]) == pytest.approx(found["S2"].ratio, abs=0.01)
    assert shown["correlation length"]["Unit"] == "µm"
    assert not widget.table.isHidden()
    widget.curve.value = "lineal path x"
    for line in ("image", "exemplar"):
        drawn = [item.yData for item in widget.plot.plotItem.listDataItems()]
        wanted = getattr(found.curve("lineal path x"), line)
        assert any(np.array_equal(y, wanted) for y in drawn)
    assert "µm" in widget.plot.getAxis("bottom").labelText


def test_the_plot_follows_the_theme(widget, measured, viewer):
    measured()
    dark = widget.plot.grab().toImage().pixelColor(3, 3).lightnessF()
    viewer.theme = "light"
    light = widget.plot.grab().toImage().pixelColor(3, 3).lightnessF()
    assert dark < 0.4 < 0.7 < light


def test_only_labelled_pixels_count_and_the_threshold_is_the_chosen_one(widget, measured, viewer):
    labels = np.zeros((SIDE, SIDE), int)
    labels[:, :64] = 2
    # Labels of another resolution lie where the window shows them.
    placed = {"scale": (500, 500), "translate": (125, 125), "units": "nm"}
    viewer.add_labels(labels[::2, ::2], name="region", **placed)
    widget.image_mask.value = viewer.layers["region"]
    widget.threshold.value, widget.phase.value = module.VALUE, "dark"
    widget.lightness.value = 0.4
    found = measured()
    image = GRAVEL[:SIDE, :64] / 255
    assert found["volume fraction"].image == pytest.approx((image < 0.4).mean(), rel=1e-3)
    assert found["mean lightness"].image == pytest.approx(image.mean(), rel=1e-3)


def test_a_whole_volume_and_the_slice_that_is_shown(widget, measured, viewer):
    volume = discs((40, 44, 48), 40, 7)
    scale = (2000, 1000, 1000)
    layer = viewer.add_image(volume.astype(float), name="volume", scale=scale, units="nm")
    widget.image.value, widget.exemplar.value = layer, None
    viewer.dims.set_point(0, 20_000)
    found = measured()
    assert found["volume fraction"].image == pytest.approx(volume[10].mean())
    widget.extent.value = module.VOLUME
    found = measured()
    assert found["volume fraction"].image == pytest.approx(volume.mean())
    expected = nst.statistics(volume, scale=(2, 1, 1))
    assert found["mean chord z"].image == pytest.approx(expected["mean chord z"].image)
    viewer.dims.order = (2, 1, 0)
    assert measured()["mean chord x"].image == pytest.approx(expected["mean chord z"].image)


def test_table_and_curves_are_saved(widget, measured, tmp_path, monkeypatch):
    found = measured()
    monkeypatch.setattr(module, "ask_for_path", lambda *_: tmp_path / "gravel.csv")
    widget.save_button.native.click()
    with (tmp_path / "gravel.csv").open(encoding="utf-8", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == [row.name for row in found.rows]
    assert (tmp_path / "gravel-curves.csv").stat().st_size > 1000


def test_errors_are_shown_and_name_the_control(widget, measured, viewer, messages):
    viewer.add_image(GRAVEL[:20, :20], name="small")
    widget.exemplar.value = viewer.layers["small"]
    assert measured() is None
    assert any("Exemplar" in message for message in messages())
    viewer.layers.remove("small")
    measured()
    assert "small" in messages()[-1]
    assert not widget.busy


def test_a_dock_that_is_closed_while_it_measures_lets_go(widget, viewer, qtbot, messages):
    widget.measure()
    dock = widget.parent()
    viewer.window.remove_dock_widget(dock)
    viewer.add_image(np.zeros((40, 40)), name="later", units="nm")
    qtbot.waitUntil(lambda: not widget.busy, timeout=60_000)
    assert widget.result is None
    assert not messages()
