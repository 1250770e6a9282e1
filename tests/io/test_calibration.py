"""The size of pixels in files, as other programs read it."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import decode_image
from napari_nst.io.image_files.write_image import write_image, write_stack

KNOWN = Calibration((60, 80), (0.5, 0.25), "um", origin=(-10, 4), limits=(20, 900))
TEXT = '{"µ": 1}'


def tags_of(path):
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages[0]
        over = {name: page.tags[name].value for name in ("XResolution", "YResolution")}
        per_unit = {name: value[0] / value[1] for name, value in over.items()}
        return per_unit, page.tags["ResolutionUnit"].value, tiff.imagej_metadata


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_grey_tiff_is_calibrated_as_imagej_does_it(tmp_path, dtype):
    image = np.arange(30 * 40).reshape(30, 40).astype(dtype)
    depth = 32 if dtype == np.float32 else 8
    write_image(tmp_path / "a.tif", image, depth, text=TEXT, calibration=KNOWN)
    per_unit, _, imagej = tags_of(tmp_path / "a.tif")
    assert per_unit == {"XResolution": 2, "YResolution": 1}, "half as many pixels on the same area"
    assert imagej["unit"] == "um"
    assert (imagej["min"], imagej["max"]) == (20, 900)
    assert (imagej["yorigin"], imagej["xorigin"]) == (-5.25, 1.75)
    assert read_text(tmp_path / "a.tif") == TEXT
    read = decode_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(read.pixels, image)
    assert (read.calibration.pixel, read.calibration.unit) == ((1, 0.5), "um")


@pytest.mark.parametrize(
    ("shape", "dtype"), [((30, 40, 3), np.uint8), ((30, 40, 3), np.uint16), ((30, 40, 4), np.uint8)]
)
def test_a_tiff_in_colour_is_calibrated(tmp_path, shape, dtype):
    image = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    write_image(tmp_path / "a.tif", image, text=TEXT, calibration=KNOWN)
    per_unit, unit, imagej = tags_of(tmp_path / "a.tif")
    if imagej:
        assert per_unit == {"XResolution": 2, "YResolution": 1}
        assert imagej["unit"] == "um"
    else:  # ImageJ has RGB of 8 bits only
        assert per_unit == {"XResolution": 20000, "YResolution": 10000}
        assert unit == 3, "centimetres"
    assert read_text(tmp_path / "a.tif") == TEXT
    np.testing.assert_array_equal(decode_image(tmp_path / "a.tif").pixels, image)


def test_the_pages_of_a_stack_are_calibrated(tmp_path):
    write_stack(tmp_path / "a.tif", np.zeros((2, 30, 40)), "ab", text=TEXT, calibration=KNOWN)
    per_unit, _, imagej = tags_of(tmp_path / "a.tif")
    assert per_unit == {"XResolution": 2, "YResolution": 1}
    assert (imagej["unit"], imagej["Labels"]) == ("um", ["a", "b"])
    assert read_text(tmp_path / "a.tif") == TEXT


def test_a_png_has_pixels_per_metre(tmp_path):
    write_image(tmp_path / "a.png", np.zeros((30, 40, 3)), text=TEXT, calibration=KNOWN)
    with Image.open(tmp_path / "a.png") as file:
        np.testing.assert_allclose(file.info["dpi"], (2e6 * 0.0254, 1e6 * 0.0254))
    assert read_text(tmp_path / "a.png") == TEXT
    write_image(
        tmp_path / "b.png", np.zeros((30, 40)), calibration=Calibration((30, 40), (2, 2), "pixel")
    )
    with Image.open(tmp_path / "b.png") as file:
        assert "dpi" not in file.info


@pytest.mark.parametrize("side", [0.0, 1e-12, 1e16, np.inf, np.nan])
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_a_size_that_a_file_cannot_hold_is_left_out(tmp_path, side, ending):
    path = tmp_path / f"a{ending}"
    for image in (np.zeros((6, 8)), np.zeros((6, 8, 4))):
        write_image(path, image, calibration=Calibration((6, 8), (side, side), "um"))
        assert decode_image(path).calibration is None


@pytest.mark.parametrize("unit", ["INCH", "CENTIMETER"])
def test_the_resolution_of_a_photograph_is_kept_as_other_programs_read_it(tmp_path, unit):
    pixels = np.zeros((60, 80, 3), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.tif", pixels, photometric="rgb", resolution=(300, 150), resolutionunit=unit,
        metadata=None,
    )  # fmt: skip
    read = decode_image(tmp_path / "a.tif")
    write_image(tmp_path / "b.tif", np.zeros((120, 160, 3)), calibration=read.calibration)
    per_unit, code, imagej = tags_of(tmp_path / "b.tif")
    assert per_unit == {"XResolution": 600, "YResolution": 300}
    assert code == {"INCH": 2, "CENTIMETER": 3}[unit]
    assert imagej is None


def test_the_sides_of_pixels_are_turned_with_the_image(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((60, 80, 3), np.uint8), photometric="rgb",
        resolution=(300, 150), resolutionunit="INCH", extratags=[(274, 3, 1, 6, True)],
        metadata=None,
    )  # fmt: skip
    read = decode_image(tmp_path / "a.tif")
    assert read.pixels.shape == (80, 60, 3)
    np.testing.assert_allclose(read.calibration.pixel, (1 / 300, 1 / 150))
    assert read.calibration.shape == (80, 60)


@pytest.mark.parametrize(
    ("code", "kind", "value"),
    [
        (296, 3, 9),
        (296, 3, (3, 3)),
        (296, 2, b"cm\0"),
        (282, 3, 4),
        (282, 5, (4, 0)),
        (283, 5, (4, 1, 4, 1)),
        (283, 12, float("nan")),
    ],
)
def test_tags_that_make_no_sense_are_left_out(tmp_path, code, kind, value):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(
            np.full((6, 8), 7, np.uint8), resolution=(4, 4), resolutionunit="CENTIMETER",
            metadata=None,
        )  # fmt: skip
    with tifffile.TiffFile(tmp_path / "a.tif", mode="r+b") as file:
        file.pages[0].tags[code].overwrite(value, dtype=kind)
    read = decode_image(tmp_path / "a.tif")
    assert read.calibration is None
    assert (read.pixels == 7).all()


def test_a_unit_that_is_no_length_is_left_out(tmp_path):
    options = {"resolution": (4, 4), "metadata": {"unit": "furlong"}, "imagej": True}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 8), np.uint8), **options)
    assert decode_image(tmp_path / "a.tif").calibration is None


def test_an_ome_tiff_says_the_size_of_its_pixels(tmp_path):
    known = {"PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.5}  # µm
    metadata = {"axes": "ZYX", **known}
    pixels = np.zeros((2, 60, 80), np.uint8)
    tifffile.imwrite(
        tmp_path / "a.ome.tif", pixels, resolution=(300, 300), resolutionunit="INCH",
        metadata=metadata, photometric="minisblack",
    )  # fmt: skip
    read = decode_image(tmp_path / "a.ome.tif", page=2)
    assert (read.calibration.pixel, read.calibration.unit) == ((0.5, 0.25), "um")


def test_a_tiff_without_a_resolution_has_none(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((6, 8), np.uint8), metadata=None)
    assert decode_image(tmp_path / "a.tif").calibration is None
