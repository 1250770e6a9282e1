"""Image files of every kind that can be read, and the messages for all others."""

import os

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.read_image import read_image, read_labels
from napari_nst.io.write_image import write_image

HEIGHT, WIDTH = 10, 13


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def rgb8(rng):
    return rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


@pytest.fixture
def rgb16(rng):
    return rng.integers(0, 65536, (HEIGHT, WIDTH, 3), dtype=np.uint16)


def save(path, pixels, **options):
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)
    return path


# PNG and JPEG


def test_png_of_16_bit_keeps_its_16_bits(tmp_path, rgb16):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(rgb16))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), rgb16)
    grey = save(tmp_path / "b.png", rgb16[..., 0])
    np.testing.assert_array_equal(read_image(grey), rgb16[..., 0])


@pytest.mark.parametrize(
    ("mode", "becomes"), [("P", "RGB"), ("RGBA", "RGBA"), ("LA", "L"), ("1", "L")]
)
def test_png_of_other_modes(tmp_path, rgb8, mode, becomes):
    image = Image.fromarray(rgb8)
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    back = read_image(save(tmp_path / "a.png", image))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, np.asarray(image.convert(becomes)))


def test_jpeg_is_rotated_by_its_exif_orientation(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be rotated clockwise by 90 degrees
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255  # white on the left, which becomes the top
    back = read_image(save(tmp_path / "a.jpg", pixels, exif=exif))
    assert back.shape == (32, 16, 3)
    assert back[:14].min() > 240
    assert back[18:].max() < 15


def test_jpeg_in_grey_and_in_cmyk(tmp_path):
    red = Image.new("RGB", (32, 16), (255, 0, 0))
    assert read_image(save(tmp_path / "a.jpg", red.convert("L"))).shape == (16, 32)
    back = read_image(save(tmp_path / "b.jpg", red.convert("CMYK")))
    assert np.abs(back.astype(int) - (255, 0, 0)).max() < 5


# TIFF


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 4)])
def test_tiff_of_every_type(tmp_path, rng, dtype, shape):
    pixels = rng.random(shape) * (np.iinfo(dtype).max if dtype in (np.uint8, np.uint16) else 1)
    kind = "rgb" if len(shape) == 3 else "minisblack"
    alpha = ["unassalpha"] if shape[-1] == 4 else None
    tifffile.imwrite(tmp_path / "a.tif", pixels.astype(dtype), photometric=kind, extrasamples=alpha)
    back = read_image(tmp_path / "a.tif")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, pixels.astype(dtype))


@pytest.mark.parametrize(
    "options",
    [
        {"bigtiff": True},
        {"byteorder": ">"},
        {"compression": "lzw", "predictor": True},
        {"tile": (16, 16)},
        {"planarconfig": "separate"},
    ],
    ids=str,
)
def test_tiff_of_every_layout(tmp_path, rgb16, options):
    pixels = np.moveaxis(rgb16, -1, 0) if "planarconfig" in options else rgb16
    tifffile.imwrite(tmp_path / "a.tif", np.ascontiguousarray(pixels), photometric="rgb", **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), rgb16)


def test_tiff_of_other_colours(tmp_path, rgb8):
    tifffile.imwrite(tmp_path / "white.tif", 255 - rgb8[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "white.tif"), rgb8[..., 0])
    image = Image.fromarray(rgb8).quantize(8)
    np.testing.assert_array_equal(
        read_image(save(tmp_path / "palette.tif", image)), np.asarray(image.convert("RGB"))
    )
    image = Image.fromarray(rgb8).convert("LA")
    np.testing.assert_array_equal(
        read_image(save(tmp_path / "alpha.tif", image)), np.asarray(image)[..., 0]
    )
    image = Image.new("RGB", (32, 16), (200, 40, 90))
    back = read_image(save(tmp_path / "jpeg.tif", image, compression="jpeg"))
    assert np.abs(back.astype(int) - (200, 40, 90)).max() < 5


def test_tiff_with_a_thumbnail_is_one_image(tmp_path, rgb8):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(rgb8, photometric="rgb", metadata=None)
        tiff.write(rgb8[::2, ::2].copy(), photometric="rgb", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), rgb8)


@pytest.mark.parametrize(
    ("pixels", "options", "message"),
    [
        (np.zeros((5, 8, 9), np.uint8), {"photometric": "minisblack"}, "several pages"),
        (np.zeros((5, 8, 9), np.uint16), {"imagej": True}, "several pages"),
        (np.zeros((8, 9), np.int32), {}, "int32"),
        (np.zeros((8, 9), np.uint16), {"bitspersample": 12}, "12 bits"),
        (
            np.zeros((8, 9, 2), np.uint8),
            {"photometric": "minisblack", "planarconfig": "contig"},
            "MINISBLACK of 2 channels",
        ),
        (np.zeros((8, 9, 4), np.uint8), {"photometric": "separated"}, "SEPARATED of 4 channels"),
    ],
    ids=["pages", "imagej", "int32", "12 bits", "2 channels", "cmyk"],
)
def test_tiff_that_a_run_cannot_use_is_refused_by_name(tmp_path, pixels, options, message):
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(ValueError, match=rf"a\.tif .*{message}.*\.$"):
        read_image(tmp_path / "a.tif")


# Broken files


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("share", [0.05, 0.97])
def test_a_truncated_file_is_refused_by_name(tmp_path, rng, ending, share):
    path = tmp_path / f"a{ending}"
    write_image(path, rng.random((64, 64, 3)))
    data = path.read_bytes()
    path.write_bytes(data[: max(10, int(len(data) * share))])
    with pytest.raises(ValueError, match=rf"a\{ending} is broken and cannot be read"):
        read_image(path)


def test_a_damaged_tiff_is_refused_and_nothing_is_logged(tmp_path, rng, capfd):
    path = tmp_path / "a.tif"
    write_image(path, rng.random((64, 64, 3)))
    data = bytearray(path.read_bytes())
    data[500:900] = bytes(400)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="broken"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_other_files_are_refused(tmp_path):
    for content in (b"", b"GIF89a"):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(ValueError, match=r"a\.png is not a PNG, JPEG or TIFF image"):
            read_image(tmp_path / "a.png")
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "missing.png")


def test_the_content_gives_the_format_and_not_the_name(tmp_path, rgb8):
    save(tmp_path / "a.png", rgb8)
    os.rename(tmp_path / "a.png", tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), rgb8)


HALVES = np.where(np.arange(96) < 48, 1, 2) * np.ones((72, 1), int)


def test_labels_are_read_without_a_change(tmp_path):
    grey = Image.fromarray(HALVES.astype(np.uint8))
    grey.save(tmp_path / "guide.png")
    tifffile.imwrite(tmp_path / "guide.tif", HALVES.astype(np.int32))
    paletted = Image.fromarray(HALVES.astype(np.uint8), mode="P")
    paletted.putpalette([0, 0, 0, 250, 3, 9, 7, 200, 100])
    paletted.save(tmp_path / "palette.png")
    Image.fromarray(HALVES > 1).save(tmp_path / "bits.png")
    for name in ("guide.png", "guide.tif", "palette.png"):
        np.testing.assert_array_equal(read_labels(tmp_path / name), HALVES)
    np.testing.assert_array_equal(read_labels(tmp_path / "bits.png"), HALVES > 1)


@pytest.mark.parametrize("array", [np.zeros((5, 6), np.float32), np.zeros((2, 5, 6), np.uint8)])
def test_floats_and_several_pages_hold_no_labels(tmp_path, array):
    tifffile.imwrite(tmp_path / "no.tif", array)
    with pytest.raises(ValueError, match=r"no.tif holds no labels"):
        read_labels(tmp_path / "no.tif")


def test_a_jpeg_holds_no_labels(tmp_path):
    Image.fromarray(HALVES.astype(np.uint8)).save(tmp_path / "no.jpg")
    with pytest.raises(ValueError, match=r"no.jpg is a JPEG"):
        read_labels(tmp_path / "no.jpg")
