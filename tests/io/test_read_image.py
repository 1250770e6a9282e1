"""Image files of every kind that can be read, and the messages for all others."""

import io
import os
import struct
import types
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps, features

from napari_nst.io.image_files.embedded_text import jpeg_comment, read_text
from napari_nst.io.image_files.read_image import decode_image, read_image, read_labels
from napari_nst.io.image_files.write_image import write_image

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
    ("mode", "becomes"), [("P", "RGB"), ("RGBA", "RGBA"), ("LA", "LA"), ("1", "L")]
)
def test_png_of_other_modes(tmp_path, rgb8, mode, becomes):
    image = Image.fromarray(rgb8)
    image = image.quantize(8) if mode == "P" else image.convert(mode)
    back = read_image(save(tmp_path / "a.png", image))
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, np.asarray(image.convert(becomes)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp", ".avif", ".tif"])
def test_every_orientation_is_turned_upright(tmp_path, ending, orientation):
    """Pillow turns the same file by EXIF's own definitions."""
    if ending == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    path = tmp_path / f"a{ending}"
    pixels = np.zeros((32, 64), np.uint8)
    pixels[:16, :32], pixels[16:, :32] = 250, 120  # no two orientations look alike
    exif = Image.Exif()
    exif[0x0112] = orientation
    if ending == ".tif":
        tags = [(274, "H", 1, orientation, True)]
        tifffile.imwrite(path, pixels, photometric="minisblack", extratags=tags)
    else:
        save(path, pixels, exif=exif)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    found = decode_image(path)
    shown = found.pixels if found.pixels.ndim == 2 else found.pixels[..., 0]
    assert shown.shape == expected.shape
    assert np.median(np.abs(shown - expected)) < 4  # but for the edges of lossy formats
    assert np.mean(np.abs(shown - expected)) < 6
    assert (found.orientation, found.stored_shape) == (orientation, (32, 64))


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
    image.putalpha(Image.fromarray(rgb8[..., 1]))
    np.testing.assert_array_equal(
        read_image(save(tmp_path / "alpha.tif", image)), np.asarray(image)
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
        (np.zeros((5, 8, 9), np.uint8), {"photometric": "minisblack"}, "5 pages"),
        (np.zeros((5, 8, 9), np.uint16), {"imagej": True}, "5 channels"),
        (np.zeros((8, 9), np.complex64), {}, "complex64"),
        (
            np.zeros((8, 9, 2), np.uint8),
            {"photometric": "minisblack", "planarconfig": "contig"},
            "2 channels",
        ),
        (np.zeros((8, 9, 3), np.uint8), {"photometric": "cielab"}, "CIELAB of 3 channels"),
    ],
    ids=["pages", "imagej", "complex", "2 channels", "lab"],
)
def test_tiff_that_a_run_cannot_use_is_refused_by_name(tmp_path, pixels, options, message):
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(ValueError, match=rf"a\.tif .*{message}.*\.$"):
        read_image(tmp_path / "a.tif")


def write_tiff(path, pixels, **options):
    tifffile.imwrite(path, pixels, **options)
    return path


@pytest.mark.parametrize(
    ("dtype", "values", "alpha", "expected"),
    [
        (np.uint8, 100, 128, 199),
        (np.uint8, 7, 0, 0),
        (np.uint16, 25700, 32896, 51200),
        (np.float32, 0.25, 0.5, 0.5),
    ],
)
@pytest.mark.parametrize("kind", ["rgb", "minisblack"])
def test_colours_multiplied_by_alpha_are_divided(tmp_path, dtype, values, alpha, expected, kind):
    pixels = np.full((8, 9, 4 if kind == "rgb" else 2), values, dtype)
    pixels[..., -1] = alpha
    options = {"photometric": kind, "planarconfig": "contig", "extrasamples": ["assocalpha"]}
    back = read_image(write_tiff(tmp_path / "a.tif", pixels, **options))
    assert back.dtype == dtype
    np.testing.assert_allclose(back[..., :-1], expected, rtol=1e-4)
    np.testing.assert_array_equal(back[..., -1], pixels[..., -1])


def test_a_fourth_sample_is_alpha_only_where_the_file_says_so(tmp_path, rgb8):
    """Pillow and the specification give unspecified samples no meaning."""
    pixels = np.dstack([rgb8, rgb8[..., 0], rgb8[..., 1]])
    for extra, expected in (
        (["unspecified"], rgb8),
        (["unspecified", "unassalpha"], np.dstack([rgb8, rgb8[..., 1]])),
    ):
        stored = np.ascontiguousarray(pixels[..., : 3 + len(extra)])
        path = write_tiff(tmp_path / "a.tif", stored, photometric="rgb", extrasamples=extra)
        np.testing.assert_array_equal(read_image(path), expected)


@pytest.mark.parametrize(("bits", "dtype"), [(1, bool), (2, "u1"), (4, "u1"), (12, "u2")])
def test_the_largest_value_of_any_number_of_bits_is_white(tmp_path, bits, dtype):
    values = (np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) * 31) % 2**bits
    values[-1, -1] = 2**bits - 1
    options = {"photometric": "minisblack"} | ({} if bits == 1 else {"bitspersample": bits})
    back = read_image(write_tiff(tmp_path / "a.tif", values.astype(dtype), **options))
    white = np.iinfo(back.dtype).max
    assert back.max() == white
    np.testing.assert_allclose(back / white, values / (2**bits - 1), atol=0.5 / white)


def test_cmyk_tiff_is_read_as_rgb(tmp_path):
    ink = np.zeros((8, 9, 4), np.uint8)
    ink[:4, :, 1:3] = 255  # magenta and yellow
    ink[4:, :, 3] = 51
    back = read_image(write_tiff(tmp_path / "a.tif", ink, photometric="separated"))
    np.testing.assert_array_equal(back[:4], np.broadcast_to([255, 0, 0], (4, 9, 3)))
    np.testing.assert_array_equal(back[4:], np.full((4, 9, 3), 204))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, None),
        ({"imagej": True, "metadata": {"min": 100.0, "max": 4095.0}}, (100, 4095)),
        ({"extratags": [(340, "H", 1, 7, True), (341, "H", 1, 4095, True)]}, (7, 4095)),
        ({"extratags": [(340, "H", 1, 9, True), (341, "H", 1, 9, True)]}, None),
    ],
    ids=["none", "imagej", "tags", "empty"],
)
def test_the_display_range_of_deep_data_is_read(tmp_path, options, expected):
    options = {"photometric": "minisblack", **options}
    data = np.full((8, 9), 2000, np.uint16)
    found = decode_image(write_tiff(tmp_path / "a.tif", data, **options))
    assert found.limits == expected
    np.testing.assert_array_equal(found.pixels, data)
    shallow = write_tiff(tmp_path / "b.tif", data.astype(np.uint8), **options)
    assert decode_image(shallow).limits is None


# Formats that Pillow alone reads


@pytest.mark.parametrize("ending", [".webp", ".gif", ".bmp", ".avif"])
def test_what_pillow_reads_is_read(tmp_path, ending):
    if ending == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    image = Image.new("RGB", (64, 48), (255, 0, 0))
    image.paste((0, 0, 255), (0, 24, 64, 48))
    options = {".webp": {"lossless": True}, ".avif": {"quality": 90}}.get(ending, {})
    back = read_image(save(tmp_path / f"a{ending}", image, **options))
    assert back.shape == (48, 64, 3)
    assert np.abs(back[4:20].astype(int) - (255, 0, 0)).max() < 6
    assert np.abs(back[28:44].astype(int) - (0, 0, 255)).max() < 6


def test_transparency_of_palettes_is_read(tmp_path, rgb8):
    image = Image.fromarray(rgb8).quantize(8)
    hidden = np.asarray(image) == 3
    for ending in (".gif", ".png"):
        back = read_image(save(tmp_path / f"a{ending}", image, transparency=3))
        np.testing.assert_array_equal(back[..., 3] == 0, hidden)
        np.testing.assert_array_equal(back[~hidden, :3], np.asarray(image.convert("RGB"))[~hidden])
    grey = Image.fromarray(rgb8[..., 0])
    back = read_image(save(tmp_path / "b.png", grey, transparency=int(rgb8[2, 3, 0])))
    assert back.shape == (HEIGHT, WIDTH, 2)
    assert (back[2, 3, 1], back[..., 1].max()) == (0, 255)


@pytest.mark.parametrize("ending", [".gif", ".webp", ".png", ".avif"])
def test_an_animation_is_refused_by_name(tmp_path, ending):
    if ending == ".avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / f"a{ending}", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=rf"a\{ending} .* 2 pages"):
        read_image(tmp_path / f"a{ending}")


# Size


def test_an_honest_large_picture_is_read(tmp_path):
    """Pillow's own limit is 179 million pixels."""
    comment = jpeg_comment("how it was made")
    Image.new("L", (60000, 3000), 128).save(tmp_path / "wide.jpg", comment=comment)
    assert read_text(tmp_path / "wide.jpg") == "how it was made"
    back = read_image(tmp_path / "wide.jpg")
    assert (back.shape, int(back[::500, ::999].min()), int(back[7, 7])) == ((3000, 60000), 128, 128)


def png_of(width, height, *, body=b""):
    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    ends = chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + ends


def huge_tiff():
    file = io.BytesIO()
    tifffile.imwrite(file, np.zeros((9, 8), np.uint8), photometric="minisblack", metadata=None)
    data = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        for code in (256, 257, 278):
            tag = tiff.pages[0].tags[code]
            kind, size = ("<I", 4) if tag.dtype == 4 else ("<H", 2)
            data[tag.valueoffset : tag.valueoffset + size] = struct.pack(kind, 256**size - 2)
    return bytes(data)


def huge_bmp():
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "BMP")
    data = bytearray(file.getvalue())
    data[18:26] = struct.pack("<ii", 2**31 - 1, 2**31 - 1)
    return bytes(data)


@pytest.mark.parametrize("make", [lambda: png_of(2**31 - 1, 2**31 - 1), huge_tiff, huge_bmp])
def test_a_size_beyond_the_memory_is_called_too_large(tmp_path, make):
    (tmp_path / "bomb").write_bytes(make())
    with pytest.raises(ValueError, match=r"bomb is too large, \d+ × \d+ pixels"):
        read_image(tmp_path / "bomb")


def test_memory_that_is_short_is_told_before_it_is_used(tmp_path, rgb8, monkeypatch):
    save(tmp_path / "a.png", rgb8)
    free = os.path.getsize(tmp_path / "a.png") + 1
    monkeypatch.setattr("psutil.virtual_memory", lambda: types.SimpleNamespace(available=free))
    with pytest.raises(ValueError, match=r"a\.png is too large, 13 × 10 pixels"):
        read_image(tmp_path / "a.png")


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
    for content, state in ((b"", "is empty"), (b"%PDF-1.7", "is not a PNG, JPEG")):
        (tmp_path / "a.png").write_bytes(content)
        with pytest.raises(ValueError, match=rf"a\.png {state}"):
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


@pytest.mark.parametrize("orientation", range(1, 9))
def test_labels_are_turned_as_their_image(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    labels = HALVES.astype(np.uint8)
    save(tmp_path / "guide.png", labels, exif=exif)
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "guide.tif", labels, photometric="minisblack", extratags=tags)
    expected = read_image(tmp_path / "guide.png")
    for name in ("guide.png", "guide.tif"):
        np.testing.assert_array_equal(read_labels(tmp_path / name), expected)


def test_labels_of_gif_and_bmp_are_read_and_those_of_lossy_formats_refused(tmp_path):
    paletted = Image.fromarray(HALVES.astype(np.uint8), mode="P")
    paletted.putpalette([0, 0, 0, 250, 3, 9, 7, 200, 100])
    for ending in (".gif", ".bmp"):
        back = read_labels(save(tmp_path / f"a{ending}", paletted))
        assert len(np.unique(back)) == 2
    with pytest.raises(ValueError, match=r"a\.webp is a WebP"):
        read_labels(save(tmp_path / "a.webp", HALVES.astype(np.uint8)))
