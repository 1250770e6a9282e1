"""Image files in the terminal: display ranges, orientation, and what is recorded for --like."""

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.image_files.embedded_text import read_text
from tests.helpers.terminal_tools import GOOD, run, the_line

TWELVE_BITS = np.random.default_rng(0).integers(0, 4096, (72, 96)).astype(np.uint16)
TWELVE_BITS[0, :2] = 0, 4095
RANGE = [(340, "H", 1, 1000, True), (341, "H", 1, 3000, True)]  # SMinSampleValue, SMaxSampleValue


def content_of(engine):
    return engine.jobs[-1].content.rgb[..., 0]


def scaled(low, high):
    return np.clip((TWELVE_BITS - float(low)) / (high - low), 0, 1)


@pytest.mark.parametrize(
    ("options", "tags", "low", "high"),
    [
        ([], [], 0, 65535),
        ([], RANGE, 1000, 3000),
        (["--limits", "auto"], RANGE, 0, 4095),
        (["--limits", "100,2000.5"], RANGE, 100, 2000.5),
        (["--limits", "-5 8000"], [], -5, 8000),
    ],
)
def test_deep_data_is_read_in_a_range_which_is_recorded(
    images, engine, capsys, options, tags, low, high
):
    tifffile.imwrite("deep.tif", TWELVE_BITS, photometric="minisblack", extratags=tags)
    arguments = ["stylize", "deep.tif", "style.jpg", "-o", "made.tif", "--steps", 1]
    assert run(*arguments, *options) == 0
    assert ("nearly black" in capsys.readouterr().err) == (high == 65535)
    np.testing.assert_allclose(content_of(engine), scaled(low, high), atol=1e-5)
    inputs = json.loads(read_text("made.tif"))["inputs"]
    recorded = None if high == 65535 else [low, high]
    assert (inputs["content"].get("limits"), inputs["style"].get("limits")) == (recorded, None)
    # The file's own range may change; the recorded one counts.
    other = [(340, "H", 1, 5, True), (341, "H", 1, 6, True)]
    tifffile.imwrite("deep.tif", TWELVE_BITS, photometric="minisblack", extratags=other)
    assert run("stylize", "--like", "made.tif", "-o", "again.tif") == 0
    assert "changed after" not in capsys.readouterr().err
    np.testing.assert_allclose(content_of(engine), scaled(low, high), atol=1e-5)
    again = json.loads(read_text("again.tif"))["inputs"]["content"]
    assert again.get("limits") == recorded


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.uint32, np.float32])
def test_other_types_are_read_with_limits_only(images, engine, capsys, dtype):
    tifffile.imwrite("deep.tif", TWELVE_BITS.astype(dtype), photometric="minisblack")
    assert run("stylize", "deep.tif", *GOOD[1:]) == 2
    assert "--limits" in the_line(capsys.readouterr())
    assert run("stylize", "deep.tif", *GOOD[1:], "--limits", "auto", "--steps", 1) == 0
    np.testing.assert_allclose(content_of(engine), scaled(0, 4095), atol=1e-5)


@pytest.mark.parametrize("limits", ["", "5", "9,3", "1,nan", "0,inf", "a,b", "3,3"])
def test_wrong_limits_are_refused(images, engine, capsys, limits):
    tifffile.imwrite("deep.tif", TWELVE_BITS, photometric="minisblack")
    assert run("stylize", "deep.tif", *GOOD[1:], "--limits", limits) == 2
    assert "--limits must be auto" in the_line(capsys.readouterr())
    assert not engine.jobs


def test_limits_of_no_deep_image_are_refused(images, engine, capsys):
    assert run("stylize", *GOOD, "--limits", "auto") == 2
    assert "--limits is for images of more than 8 bits" in the_line(capsys.readouterr())


def test_grey_with_alpha_stays_grey_and_is_no_jpeg(images, engine, capsys):
    image = Image.fromarray(np.full((72, 96), 90, np.uint8)).convert("LA")
    image.putpixel((3, 5), (200, 0))
    image.save("clear-grey.png")
    assert run("stylize", "clear-grey.png", "style.jpg", "-o", "out.jpg") == 2
    assert "no alpha channel" in the_line(capsys.readouterr())
    assert run("stylize", "clear-grey.png", *GOOD[1:], "--steps", 1) == 0
    assert engine.jobs[-1].content.is_grey
    assert engine.jobs[-1].content.alpha.sum() == 72 * 96 - 1


# Orientation

LABELS = (np.indices((72, 96))[1] // 48 + 1).astype(np.uint8)  # on the stored picture


def turned_jpeg(orientation, shape=(72, 96)):
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = np.zeros(shape, np.uint8)
    pixels[:, : shape[1] // 2] = 255
    Image.fromarray(pixels).save("turned.jpg", exif=exif)


def guide_of(engine):
    return engine.jobs[-1].guides.content


def test_labels_drawn_on_the_stored_picture_are_turned_with_it(images, engine, capsys):
    turned_jpeg(6)
    for labels, says in ((LABELS, True), (np.rot90(LABELS, -1), False)):
        Image.fromarray(labels).save("guide.png")
        assert run("stylize", "turned.jpg", *GOOD[1:], "--guide", "guide.png", "--steps", 1) == 0
        np.testing.assert_array_equal(guide_of(engine), np.rot90(LABELS, -1))
        bright = engine.jobs[-1].content.rgb[..., 0] > 0.5
        assert np.mean(bright == (guide_of(engine) == 1)) > 0.98
        assert ("turned upright" in capsys.readouterr().err) == says


def test_labels_that_fit_either_way_are_named(images, engine, capsys):
    """Turned by a half, the picture keeps its shape."""
    turned_jpeg(3)
    Image.fromarray(LABELS).save("guide.png")
    assert run("stylize", "turned.jpg", *GOOD[1:], "--guide", "guide.png", "--steps", 1) == 0
    assert "guide.png" in capsys.readouterr().err
    np.testing.assert_array_equal(guide_of(engine), LABELS)
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(LABELS).save("guide.png", exif=exif)
    assert run("stylize", "turned.jpg", *GOOD[1:], "--guide", "guide.png", "--steps", 1) == 0
    assert "guide.png" not in capsys.readouterr().err
    np.testing.assert_array_equal(guide_of(engine), LABELS[::-1, ::-1])


def test_an_upright_picture_needs_no_word(images, engine, capsys):
    turned_jpeg(1)
    Image.fromarray(LABELS).save("guide.png")
    assert run("stylize", "turned.jpg", *GOOD[1:], "--guide", "guide.png", "--steps", 1) == 0
    assert "guide.png" not in capsys.readouterr().err
