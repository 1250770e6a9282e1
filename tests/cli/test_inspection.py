"""``features``, ``losses`` and ``gram``: looking into pictures from the terminal."""

import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile

from napari_nst.engine.inspect import feature_maps as inspection
from napari_nst.io.embedded_text import read_text
from napari_nst.io.read_image import read_image
from napari_nst.io.write_image import write_image
from tests.helpers.terminal_tools import run, the_line

TINY = ["--size", 32, "--min-size", 0, "--steps", 2, "--precision", "float32", "--device", "cpu"]
PHOTO = np.ascontiguousarray(skimage.data.astronaut()[:256:4, 128:384:4])


@pytest.fixture
def photo():
    write_image("photo.png", PHOTO)
    write_image("style.png", np.ascontiguousarray(PHOTO[::-1, :, ::-1]))


@pytest.fixture
def no_network(monkeypatch):
    def load(*args):
        raise AssertionError("reached for the weights")

    monkeypatch.setattr(inspection, "load", load)


@pytest.mark.network
def test_features_as_a_stack_and_as_a_grid(photo, capsys):
    assert run("features", "photo.png", "-o", "maps.tif", "--layer", "relu1_1", "--size", 32) == 0
    assert capsys.readouterr().err == "napari-nst: wrote maps.tif (64 maps of 32 × 32 pixels).\n"
    with tifffile.TiffFile("maps.tif") as tiff:
        assert tiff.imagej_metadata["Labels"] == [str(channel) for channel in range(64)]
        maps = tiff.asarray()
    assert (maps.shape, maps.min(), maps.max()) == ((64, 32, 32), 0, 255)
    assert run("features", "photo.png", "-o", "maps.png", "--layer", "relu1_1") == 0
    assert min(read_image("maps.png").shape) > 8 * 64


@pytest.mark.network
def test_losses_and_gram_matrices_of_a_picture(photo, capsys):
    assert run("stylize", "photo.png", "style.png", "-o", "made.tif", "--depth", 32, *TINY) == 0
    made = json.loads(read_text("made.tif"))["losses"]
    capsys.readouterr()
    assert run("losses", "made.tif", "-o", "losses.tif") == 0
    with tifffile.TiffFile("losses.tif") as tiff:
        labels = dict(label.split() for label in tiff.imagej_metadata["Labels"])
        assert tiff.asarray().shape == (len(labels), 32, 32)
    assert {"content/relu4_2", "style/relu1_1", "tv"} <= set(labels)
    for part, loss in labels.items():
        assert float(loss) == pytest.approx(made[part], rel=0.01)
    assert run("losses", "made.tif", "-o", "one.tif", "--layer", "relu1_1") == 0
    assert run("gram", "made.tif", "-o", "gram.tif", "--layer", "relu1_1") == 0
    with tifffile.TiffFile("gram.tif") as tiff:
        *names, own = tiff.imagej_metadata["Labels"]
        assert tiff.asarray().shape == (3, 64, 64)
    assert [name.split()[0] for name in names] == ["content", "style"]
    assert own == "picture"
    said = capsys.readouterr().err.splitlines()
    assert said[-2:] == [
        "napari-nst: wrote one.tif (1 map of 32 × 32 pixels).",
        "napari-nst: wrote gram.tif (3 maps of 64 × 64 pixels).",
    ]


@pytest.mark.network
def test_textures_and_reconstructions_too(photo):
    assert run("synthesize", "photo.png", "-o", "more.png", *TINY, "--shape", 40, 48) == 0
    assert run("losses", "more.png", "-o", "maps.tif") == 0
    assert tifffile.imread("maps.tif").shape[1:] == (40, 48)
    start = ["--init-image", "style.png"]
    assert run("reconstruct", "photo.png", "-o", "kept.png", *TINY, *start) == 0
    assert run("gram", "kept.png", "-o", "gram.tif", "--layer", "conv1_1") == 0
    with tifffile.TiffFile("gram.tif") as tiff:
        first, own = tiff.imagej_metadata["Labels"]
    assert (first.split()[0], own) == ("image", "picture")


def test_what_is_wrong_is_said_in_one_line(photo, no_network, capsys):
    def said(*arguments):
        assert run(*arguments) == 2
        return the_line(capsys.readouterr())

    features = ["features", "photo.png", "--layer", "relu1_1", "-o"]
    assert "no layer 'relu9_1'" in said(
        "features", "photo.png", "-o", "a.png", "--layer", "relu9_1"
    )
    assert "would be overwritten" in said(*features, "photo.png")
    assert "must end in" in said(*features, "maps.gif")
    assert "Missing option '--layer'" in said("features", "photo.png", "-o", "maps.png")
    assert "size must be" in said(*features, "maps.png", "--size", -1)
    assert "preset must be" in said(*features, "maps.png", "--preset", "nobody")
    for command in (["losses", "photo.png"], ["gram", "photo.png", "--layer", "relu1_1"]):
        assert "does not say how it was made" in said(*command, "-o", "maps.png")
    assert not Path("maps.png").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"compare": "layers"}, "made.png holds several pictures; make the one that you mean"),
        ({"guide": {"labels": [1]}}, "regions that were drawn, which its record does not hold"),
        ({"filled_pixels": 9}, "regions that were drawn, which its record does not hold"),
    ],
)
def test_some_pictures_cannot_be_looked_into(images, engine, capsys, arguments, expected):
    assert run("stylize", "content.png", "style.jpg", "-o", "made.png", "--steps", 1) == 0
    record = json.loads(read_text("made.png"))
    record["arguments"] |= arguments
    write_image("made.png", read_image("made.png"), text=json.dumps(record))
    capsys.readouterr()
    assert run("losses", "made.png", "-o", "maps.png") == 2
    assert expected in the_line(capsys.readouterr())


def test_inputs_that_have_changed_are_named(images, engine, no_network, capsys):
    assert run("stylize", "content.png", "style.jpg", "-o", "made.png", "--steps", 1) == 0
    write_image("content.png", np.zeros((72, 96, 3)))
    capsys.readouterr()
    assert run("losses", "made.png", "-o", "maps.png") == 2
    said = capsys.readouterr().err.splitlines()
    content = Path("content.png").absolute()
    assert said[0] == f"napari-nst: not as it was when made.png was made: {content}."
    # The engine of this test makes pictures of 6 × 8 pixels, whatever they are of.
    assert "picture is 6 × 8 pixels, but its job makes pictures of" in said[1]
    content.unlink()
    assert run("gram", "made.png", "-o", "maps.png", "--layer", "relu1_1") == 2
    assert "content.png, the content of made.png, is gone" in the_line(capsys.readouterr())
