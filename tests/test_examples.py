"""The examples run from their first line to their last, with few steps, on small working sizes."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile

import napari_nst as nst
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.record import record_in

EXAMPLES = Path(__file__).parents[1] / "examples"

pytestmark = pytest.mark.network


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Return a function that runs an example in an empty folder and returns its variables."""
    preset = nst.preset

    def small_preset(name, **changes):
        recipe = preset(name, **changes)
        return recipe.replace(steps=3, size=min(recipe.size, 64))  # 0 is the content's own size

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(nst, "preset", small_preset)
    return lambda name, **given: runpy.run_path(str(EXAMPLES / name), given)


def test_style_transfer(start):
    assert start("style_transfer.py")["iteration"].step == 3
    painted = read_image("painted.png")
    assert painted.shape == (64, 64, 3)
    assert painted.std() > 20


def test_own_loss(start):
    losses = start("own_loss.py")["iteration"].losses
    assert losses["total"] > losses["brightness"] > 0
    record = record_in(read_text("painted.png"))
    assert record["arguments"]["losses"][0]["name"] == "brightness"
    assert record["inputs"]["style"]["path"].endswith("painting.jpg")


def test_larger_texture(start):
    exemplar = start("larger_texture.py")["exemplar"]
    height, width = exemplar.shape
    assert read_image("texture.png").shape == (3 * height, 3 * width)
    assert read_image("tiles.png").shape == (6 * height, 6 * width)


def test_guides(start):
    variables = start("guides.py")
    labels, coins = variables["labels"], skimage.data.coins()
    assert set(np.unique(labels)) == {1, 2}
    assert coins[labels == 1].mean() > coins[labels == 2].mean() + 30  # the coins are bright
    assert read_image("coins.png").ndim == 2


def test_stack_slice(start):
    variables = start("stack_slice.py")
    with tifffile.TiffFile("stack.tif") as before, tifffile.TiffFile("painted-stack.tif") as after:
        unpainted, painted = before.asarray(), after.asarray()
        assert after.imagej_metadata == before.imagej_metadata
        assert after.pages[0].resolution == before.pages[0].resolution
    assert painted.dtype == np.uint16
    assert np.array_equal(painted[::2], unpainted[::2])
    assert not np.array_equal(painted[1], unpainted[1])
    assert variables["iteration"].record()["arguments"] == {"pixel_sizes": [0.5, 0.25]}


def test_time_series(start):
    variables = start("time_series.py")
    assert variables["painted"].shape == (6, 64, 64)
    assert variables["series"].shape == (6, 256, 256)
    assert variables["step"].done == 6
    assert 0.5 < variables["flicker"] < 100


def test_notebook(start, tmp_path):
    notebook = json.loads((EXAMPLES / "notebook.ipynb").read_text("utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] for cell in cells), "saved with the pictures of a run"
    script = tmp_path / "notebook.py"
    script.write_text("\n".join("".join(cell["source"]) for cell in cells), "utf-8")
    variables = start(script)
    assert variables["run"].last.step == 3
    assert variables["further"].last.step == 13
    assert variables["picture"].shape == (64, 64, 3)
    assert variables["picture"].dtype == np.uint8


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_is_read_in_a_minute(path):
    assert 10 <= len(path.read_text("utf-8").splitlines()) <= 30
