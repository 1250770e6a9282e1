"""The command ``statistics``."""

import csv
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile

import napari_nst as nst
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.image_files.write_image import write_image
from tests.helpers.terminal_tools import run, the_line
from tests.helpers.two_phases import discs

GRAVEL = skimage.data.gravel()


@pytest.fixture
def textures():
    calibration = Calibration((128, 128), (0.5, 0.5), "um")
    write_image("texture.tif", GRAVEL[:128, :128], 8, calibration=calibration)
    write_image("exemplar.png", GRAVEL[256:400, 256:400])


def rows_of(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def test_table_curves_and_plot_of_two_files(textures, capsys):
    files = ["-o", "table.csv", "--curves", "curves.csv", "--plot", "plot.png"]
    arguments = ["texture.tif", "--exemplar", "exemplar.png", "--no-gram", *files]
    assert run("statistics", *arguments) == 0
    printed = capsys.readouterr().out
    found = nst.statistics("texture.tif", "exemplar.png", gram=False)
    assert printed.rstrip("\n") == repr(found)
    rows = rows_of("table.csv")
    length = rows["correlation length"]
    assert float(length["image"]) == pytest.approx(found["correlation length"].image)
    assert length["unit"] == "µm"
    with Path("curves.csv").open(encoding="utf-8", newline="") as file:
        assert {row["curve"] for row in csv.DictReader(file)} == set(found.curve_names)
    plot = read_image("plot.png")
    assert plot.shape[1] > 900
    # Both lines are drawn, in colours of their own.
    pixels = plot.reshape(-1, 3).astype(int)
    for colour in ((200, 84, 0), (0, 114, 178)):
        assert (np.abs(pixels - colour).max(axis=1) < 8).sum() > 500


@pytest.mark.network
def test_gram_matrices_at_layers_that_the_preset_does_not_optimise(textures, capsys):
    arguments = ["texture.tif", "--exemplar", "exemplar.png", "-o", "table.csv"]
    assert run("statistics", *arguments, "--preset", "gatys-texture") == 0
    layers = {name.split()[1] for name in rows_of("table.csv") if name.startswith("Gram")}
    assert layers
    recipe = nst.preset("gatys-texture")
    assert layers.isdisjoint(recipe.style_layers)


def test_options_reach_the_measurement(textures, capsys):
    labels = np.zeros((128, 128), np.uint8)
    labels[:100] = 1
    write_image("mask.png", labels)
    arguments = ["texture.tif", "--threshold", "0.4", "--phase", "dark", "--mask", "mask.png"]
    assert run("statistics", *arguments, "--scale", "2", "--unit", "nm", "-o", "t.csv") == 0
    image = GRAVEL[:100, :128]
    found = nst.statistics(image, threshold=0.4, phase="dark", scale=2, unit="nm")
    rows = rows_of("t.csv")
    for name in ("volume fraction", "mean chord x"):
        assert float(rows[name]["image"]) == pytest.approx(found[name].image)
    assert rows["mean chord x"]["unit"] == "nm"


def test_a_file_of_several_pages_is_a_volume_or_one_of_its_pages(capsys):
    volume = (discs((40, 44, 48), 40, 7) * 4000).astype(np.uint16)
    tifffile.imwrite("volume.tif", volume, photometric="minisblack")
    assert run("statistics", "volume.tif", "-o", "volume.csv", "--limits", "0,4000") == 0
    found = rows_of("volume.csv")
    assert float(found["volume fraction"]["image"]) == pytest.approx((volume > 0).mean())
    assert "surface per volume" in found
    assert run("statistics", "volume.tif", "-o", "page.csv", "--page", 3, "--limits", "auto") == 0
    page = rows_of("page.csv")
    assert float(page["volume fraction"]["image"]) == pytest.approx((volume[2] > 0).mean())


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["gone.png"], "gone.png"),
        (["texture.tif", "--threshold", "bright"], "--threshold"),
        (["texture.tif", "--scale", "1,x"], "--scale"),
        (["texture.tif", "--copies"], "--copies"),
        (["texture.tif", "--exemplar-mask", "texture.tif"], "--exemplar-mask"),
        (["texture.tif", "--preset", "no-such"], "no-such"),
        (["texture.tif", "--exemplar", "exemplar.png", "-o", "exemplar.png"], "exemplar.png"),
        (["texture.tif", "-o", "no/table.csv"], "no"),
    ],
)
def test_wrong_input_is_one_line(textures, capsys, arguments, named):
    assert run("statistics", "--no-gram", *arguments) == 2
    assert named in the_line(capsys.readouterr())
