"""The Stylize Files dock in a real window."""

import csv

import numpy as np
import pytest
import skimage.data
from PIL import Image

import napari_nst as nst
from napari_nst.io.record import RECORD

pytestmark = [pytest.mark.window, pytest.mark.network]

RECIPE = nst.Recipe(
    size=48, steps=2, min_size=0, content_layers={"relu2_1": 1}, style_layers={"relu1_1": 1}
)


@pytest.fixture
def folder(tmp_path):
    photo = skimage.data.astronaut()
    for name in ("contents/one.png", "contents/two.jpg", "styles/a.png", "styles/b.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(photo[: 64 + len(name), :64]).save(path)
    return tmp_path


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    record = {"job": "stylize", "recipe": RECIPE.to_dict(), "inputs": {}, "arguments": {}}
    viewer.add_image(np.zeros((64, 64)), name="result", metadata={RECORD: record})
    viewer.add_image(np.zeros((64, 64)), name="photo")
    return viewer


@pytest.fixture
def widget(viewer, dock, folder):
    widget = dock("Stylize Files")
    widget.contents.value = [folder / "contents"]
    widget.style_files.value = [folder / "styles/a.png"]
    widget.out.value = folder / "out"
    widget.settings_of.value = viewer.layers["result"]
    return widget


def statuses(folder):
    with (folder / "out/summary.csv").open(newline="") as file:
        return [row["status"] for row in csv.DictReader(file)]


def test_a_folder_is_painted_with_the_settings_of_a_result(widget, folder, until):
    assert widget.longest_side.value == 48
    widget.run_button.native.click()
    assert widget.stop_button.enabled
    until(lambda: not widget.busy)
    assert statuses(folder) == ["written", "written"]
    before = len(widget.viewer.layers)
    widget.open_button.native.click()
    assert len(widget.viewer.layers) == before + 2
    assert max(widget.viewer.layers[-1].data.shape[:2]) == 48
    widget.run_button.native.click()
    until(lambda: not widget.busy)
    assert statuses(folder) == ["there already", "there already"]


def test_each_style_makes_a_picture(widget, folder, until):
    widget.style_files.value = [folder / "styles"]
    widget.each_style.value = True
    widget.run_button.native.click()
    until(lambda: not widget.busy)
    assert {path.stem for path in (folder / "out").glob("*.*g")} == {
        "one_a", "one_b", "two_a", "two_b",
    }  # fmt: skip


def test_a_stopped_run_keeps_finished_pictures(widget, folder, until):
    widget.settings_of.value = None
    widget.preset.value = "gatys-2016"
    widget.longest_side.value = 32
    widget.run_button.native.click()
    until(lambda: widget.batch is not None and "step" in widget.told)
    widget.stop_button.native.click()
    until(lambda: not widget.busy)
    assert not list((folder / "out").glob("*.png"))
    assert widget.run_button.enabled


@pytest.mark.parametrize(
    ("name", "value", "label"),
    [
        ("contents", None, "Contents"),
        ("out", None, "Result folder"),
        ("contents", ["nowhere.png"], "Contents"),
        ("settings_of", "photo", "photo"),
    ],
)
def test_wrong_input_names_its_control(widget, folder, until, name, value, label):
    box = getattr(widget, name)
    box.value = widget.viewer.layers[value] if name == "settings_of" else value
    widget.run_button.native.click()
    until(lambda: not widget.busy)
    assert label in widget.told
    assert not (folder / "out").exists()
