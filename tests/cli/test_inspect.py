"""The commands ``features``, ``losses`` and ``gram``."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile

from napari_nst.io import atomic_write
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.image_files.write_image import write_image
from tests.helpers.terminal_tools import GOOD, page_labels, run, the_line

TINY = ["--size", 32, "--min-size", 0, "--steps", 2, "--precision", "float32", "--device", "cpu"]
PHOTO = np.ascontiguousarray(skimage.data.astronaut()[:256:4, 128:384:4])


@pytest.fixture
def photo():
    write_image("photo.png", PHOTO)
    write_image("style.png", np.ascontiguousarray(PHOTO[::-1, :, ::-1]))


@pytest.mark.network
def test_features_as_a_stack_and_as_a_grid(photo, capsys):
    assert run("features", "photo.png", "-o", "maps.tif", "--layer", "relu1_1", "--size", 32) == 0
    assert capsys.readouterr().err == "napari-nst: wrote maps.tif (64 maps of 32 × 32 pixels).\n"
    assert page_labels("maps.tif") == [str(channel) for channel in range(64)]
    maps = tifffile.imread("maps.tif")
    assert (maps.shape, maps.min(), maps.max()) == ((64, 32, 32), 0, 255)
    assert run("features", "photo.png", "-o", "maps.png", "--layer", "relu1_1") == 0
    assert min(read_image("maps.png").shape) > 8 * 64


@pytest.mark.network
def test_a_grid_of_maps_that_its_format_cannot_hold_is_one_line(photo, capsys, monkeypatch):
    monkeypatch.setitem(atomic_write._LARGEST_SIDE, ".jpg", 500)  # real ones take gigabytes
    assert run("features", "photo.png", "-o", "maps.jpg", "--layer", "relu1_1") == 1
    assert "maps.jpg would have" in the_line(capsys.readouterr())
    assert not Path("maps.jpg").exists()


@pytest.mark.network
def test_losses_and_gram_matrices_of_a_result(photo):
    one_phase = ["--depth", 32, "--phases", "", *TINY]  # other losses draw other positions
    assert run("stylize", "photo.png", "style.png", "-o", "made.tif", *one_phase) == 0
    made = json.loads(read_text("made.tif"))["losses"]
    assert run("losses", "made.tif", "-o", "losses.tif") == 0
    labels = dict(label.split() for label in page_labels("losses.tif"))
    assert {"content/relu4_2", "style/relu1_1", "tv"} <= set(labels)
    for part, loss in labels.items():
        assert float(loss) == pytest.approx(made[part], rel=0.01)
    assert run("losses", "made.tif", "-o", "one.tif", "--layer", "relu1_1") == 0
    assert len(page_labels("one.tif")) == 1
    assert run("gram", "made.tif", "-o", "gram.tif", "--layer", "relu1_1") == 0
    assert [name.split()[0] for name in page_labels("gram.tif")] == ["content", "style", "picture"]


@pytest.mark.network
def test_textures_and_reconstructions_can_be_inspected(photo):
    assert run("synthesize", "photo.png", "-o", "more.png", *TINY, "--shape", 40, 48) == 0
    assert run("losses", "more.png", "-o", "maps.tif") == 0
    assert tifffile.imread("maps.tif").shape[1:] == (40, 48)
    start = ["--init-image", "style.png"]
    assert run("reconstruct", "photo.png", "-o", "kept.png", *TINY, *start) == 0
    assert run("gram", "kept.png", "-o", "gram.tif", "--layer", "conv1_1") == 0
    assert [name.split()[0] for name in page_labels("gram.tif")] == ["image", "picture"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"compare": "layers"}, "made.png holds several pictures"),
        ({"guide": {"labels": [1]}}, "drawn regions, which its record does not hold"),
    ],
)
def test_some_results_cannot_be_inspected(images, engine, capsys, arguments, expected):
    assert run("stylize", *GOOD, "--steps", 1) == 0
    record = json.loads(read_text("out.png"))
    record["arguments"] |= arguments
    write_image("made.png", read_image("out.png"), text=json.dumps(record))
    capsys.readouterr()
    assert run("losses", "made.png", "-o", "maps.png") == 2
    assert expected in the_line(capsys.readouterr())


def test_inputs_that_have_changed_are_named(images, engine, capsys):
    assert run("stylize", *GOOD, "--steps", 1) == 0
    write_image("content.png", np.zeros((72, 96, 3)))
    capsys.readouterr()
    assert run("losses", "out.png", "-o", "maps.png") == 2
    said = capsys.readouterr().err.splitlines()
    content = Path("content.png").absolute()
    assert str(content) in said[0]
    assert "out.png" in said[0]
    assert "picture is 6 × 8 pixels" in said[1]  # the engine of this test makes this size
    content.unlink()
    assert run("gram", "out.png", "-o", "maps.png", "--layer", "relu1_1") == 2
    assert "content.png, the content of out.png, is gone" in the_line(capsys.readouterr())
