"""The Training Data dock in a real window."""

import csv

import numpy as np
import pytest
import skimage.data

from napari_nst.io.image_files.read_image import read_image, read_labels
from napari_nst.io.record import RECORD

pytestmark = [pytest.mark.window, pytest.mark.network]
COINS = skimage.data.coins()[:96, :80]
MARKS = (COINS > 110).astype(np.int32) * 70_000


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """Two slices of 12 bits, of which the second is shown, with their labels, and two looks."""
    viewer = make_napari_viewer_proxy()
    stack = np.stack([COINS, COINS[::-1]]).astype(np.uint16) * 15
    viewer.add_image(stack, name="coins", scale=(1, 0.5, 0.5), contrast_limits=(0, 4000))
    viewer.add_labels(np.stack([MARKS, MARKS[::-1]]), name="marks", scale=(1, 0.5, 0.5))
    viewer.add_image(skimage.data.gravel()[:64, :64], name="gravel")
    viewer.add_image(skimage.data.immunohistochemistry()[:64, :64], name="tissue")
    viewer.dims.set_current_step(0, 1)
    return viewer


@pytest.fixture
def widget(viewer, dock, tmp_path):
    widget = dock("Training Data")
    widget.image.value, widget.labels.value = viewer.layers["coins"], viewer.layers["marks"]
    widget.styles.value = [viewer.layers["gravel"], viewer.layers["tissue"]]
    widget.variants.value, widget.steps.value, widget.longest.value = 2, 2, 48
    widget.out.value = tmp_path / "out"
    return widget


def test_the_shown_slice_gets_variants_with_its_labels_and_layers(widget, viewer, until, tmp_path):
    widget.run_button.native.click()
    assert not widget.run_button.enabled
    until(lambda: not widget.busy)
    with (tmp_path / "out/variants.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["original", "written", "written"]
    original = read_image(tmp_path / "out" / rows[0]["image"])
    assert np.array_equal(original, viewer.layers["coins"].data[1])
    for row in rows:
        labels = read_labels(tmp_path / "out" / row["labels"])
        assert labels.dtype == np.int32
        assert np.array_equal(labels, MARKS[::-1])
    first, second = widget.layers
    assert first.data.squeeze().shape == COINS.shape
    assert first.data.dtype == np.uint16
    expected = viewer.layers["coins"].extent.world[:, 1:]
    assert np.allclose(first.extent.world[:, -2:], expected)
    assert first.metadata[RECORD]["recipe"]["seed"] != second.metadata[RECORD]["recipe"]["seed"]
    assert viewer.layers.index("marks") > viewer.layers.index(second)
    assert "2 of 2" in widget.status.text()


def test_a_second_run_opens_what_is_there_and_a_stopped_one_goes_on(widget, until, tmp_path):
    widget.steps.value = 3000
    widget.run_button.native.click()
    until(lambda: "step 2" in widget.told)
    widget.stop_button.native.click()
    until(lambda: not widget.busy)
    assert not widget.layers
    widget.steps.value, widget.variants.value = 2, 1
    widget.start()
    until(lambda: not widget.busy)
    written = {path: path.read_bytes() for path in tmp_path.glob("out/images/*")}
    widget.start()
    until(lambda: not widget.busy)
    assert len(widget.layers) == 1
    assert {path: path.read_bytes() for path in tmp_path.glob("out/images/*")} == written


@pytest.mark.parametrize("missing", ["labels", "styles", "folder"])
def test_what_is_missing_is_said_in_the_window(widget, viewer, tmp_path, missing):
    if missing == "labels":
        widget.labels.value = viewer.add_labels(np.zeros((9, 9), int), name="small")
    elif missing == "styles":
        widget.styles.value = []
    else:
        widget.out.line_edit.value = ""
    widget.start()
    assert not widget.busy
    assert {"labels": "small", "styles": "style", "folder": "folder"}[
        missing
    ] in widget.status.text()
    assert not (tmp_path / "out").exists()
