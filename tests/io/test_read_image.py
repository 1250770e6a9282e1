import os
import stat
import sys

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.atomic_write import check_writable
from napari_nst.io.read_image import read_image
from napari_nst.io.write_image import depth_for, write_image

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


def smooth():
    ramp = np.linspace(0, 1, WIDTH, dtype=np.float32)
    return np.broadcast_to(ramp[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def save(path, pixels, **options):
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(path, **options)
    return path


# Out and in again


@pytest.mark.parametrize("ending", [".png", ".tif", ".tiff", ".PNG"])
@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16)])
def test_lossless_files_come_back_as_they_were_written(tmp_path, rng, ending, depth, dtype):
    levels = rng.integers(0, 2**depth, (HEIGHT, WIDTH, 3)).astype(dtype)
    write_image(tmp_path / f"a{ending}", (levels / (2**depth - 1)).astype(np.float32), depth)
    back = read_image(tmp_path / f"a{ending}")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, levels)


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16)])
@pytest.mark.parametrize("channels", [(), (4,)])
def test_grey_and_rgba_come_back_as_they_were_written(
    tmp_path, rng, ending, depth, dtype, channels
):
    levels = rng.integers(0, 2**depth, (HEIGHT, WIDTH, *channels)).astype(dtype)
    write_image(tmp_path / f"a{ending}", levels / (2**depth - 1), depth)
    back = read_image(tmp_path / f"a{ending}")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, levels)


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3), (HEIGHT, WIDTH, 4)])
def test_a_float_tiff_holds_the_numbers_as_they_are(tmp_path, rng, shape):
    image = rng.normal(0, 4000, shape).astype(np.float32)
    write_image(tmp_path / "a.tif", image, 32)
    back = read_image(tmp_path / "a.tif")
    assert back.dtype == np.float32
    np.testing.assert_array_equal(back, image)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages[0].predictor == 1  # ImageJ knows no other for float


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, ">u2"])
def test_whole_numbers_are_written_as_they_are_whatever_the_depth(tmp_path, rng, ending, dtype):
    levels = rng.integers(0, 256, (HEIGHT, WIDTH, 6)).astype(dtype)[..., ::2]
    write_image(tmp_path / f"a{ending}", levels, 8 if levels.itemsize == 2 else 16)
    back = read_image(tmp_path / f"a{ending}")
    assert back.dtype == levels.dtype.newbyteorder("=")
    np.testing.assert_array_equal(back, levels)


def test_half_precision_reaches_the_top_of_16_bits(tmp_path):
    write_image(tmp_path / "a.png", np.ones((4, 4, 3), np.float16), 16)
    assert (read_image(tmp_path / "a.png") == 65535).all()


def test_a_grey_jpeg_stays_grey(tmp_path):
    write_image(tmp_path / "a.jpg", smooth()[..., 0])
    back = read_image(tmp_path / "a.jpg")
    assert np.abs(back / 255 - smooth()[..., 0]).max() < 0.02


@pytest.mark.parametrize("ending", [".jpg", ".jpeg"])
def test_a_jpeg_comes_back_nearly_as_it_was_written(tmp_path, ending):
    write_image(tmp_path / f"a{ending}", smooth())
    back = read_image(tmp_path / f"a{ending}")
    assert back.dtype == np.uint8
    assert np.abs(back / 255 - smooth()).max() < 0.02


def test_other_programs_agree_on_what_was_written(tmp_path, rgb8):
    for name in ("a.png", "a.tif"):
        write_image(tmp_path / name, (rgb8 / 255).astype(np.float32))
        with Image.open(tmp_path / name) as image:
            np.testing.assert_array_equal(np.asarray(image), rgb8)


@pytest.mark.parametrize(("channels", "mode"), [((), "L"), ((4,), "RGBA")])
def test_other_programs_agree_on_grey_and_rgba(tmp_path, rng, channels, mode):
    levels = rng.integers(0, 256, (HEIGHT, WIDTH, *channels), dtype=np.uint8)
    for name in ("a.png", "a.tif"):
        write_image(tmp_path / name, levels)
        with Image.open(tmp_path / name) as image:
            assert image.mode == mode
            np.testing.assert_array_equal(np.asarray(image), levels)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page = tiff.pages[0]
        assert page.photometric.name == ("RGB" if channels else "MINISBLACK")
        assert [kind.name for kind in page.extrasamples] == ["UNASSALPHA"] * bool(channels)


def test_all_rows_of_a_tall_picture_are_written(tmp_path, rng):
    image = rng.random((601, 3), dtype=np.float32)
    write_image(tmp_path / "tall.png", image, 16)
    np.testing.assert_array_equal(read_image(tmp_path / "tall.png"), np.rint(image * 65535))


def test_values_beyond_the_range_are_clipped_not_wrapped(tmp_path):
    image = np.full((4, 4, 3), 1.2, np.float32)
    image[0] = -0.1
    write_image(tmp_path / "a.png", image)
    back = read_image(tmp_path / "a.png")
    assert (back[0] == 0).all()
    assert (back[1:] == 255).all()


# Kinds of PNG


def test_png_of_16_bit_colour_keeps_its_16_bits(tmp_path, rgb16):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(rgb16))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), rgb16)


def test_png_of_16_bit_grey(tmp_path, rgb16):
    np.testing.assert_array_equal(
        read_image(save(tmp_path / "a.png", rgb16[..., 0])), rgb16[..., 0]
    )


def test_png_with_a_palette_becomes_rgb(tmp_path, rgb8):
    image = Image.fromarray(rgb8).quantize(8)
    assert image.mode == "P"
    back = read_image(save(tmp_path / "a.png", image))
    np.testing.assert_array_equal(back, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("mode", "shape"),
    [("RGBA", (HEIGHT, WIDTH, 4)), ("LA", (HEIGHT, WIDTH)), ("1", (HEIGHT, WIDTH))],
)
def test_png_with_alpha_or_one_bit(tmp_path, rgb8, mode, shape):
    image = Image.fromarray(rgb8).convert(mode)
    back = read_image(save(tmp_path / "a.png", image))
    assert (back.shape, back.dtype) == (shape, np.uint8)
    grey = np.asarray(image.convert("L"))
    np.testing.assert_array_equal(
        back[..., :3] if mode == "RGBA" else back, rgb8 if mode == "RGBA" else grey
    )


# Kinds of JPEG


def test_jpeg_is_turned_as_its_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:, :16] = 255  # white on the left, and so on top once turned
    back = read_image(save(tmp_path / "a.jpg", upright, exif=exif))
    assert back.shape == (32, 16, 3)
    assert back[:14].min() > 240
    assert back[18:].max() < 15


@pytest.mark.parametrize(("mode", "shape"), [("L", (16, 32)), ("CMYK", (16, 32, 3))])
def test_jpeg_in_grey_and_in_cmyk(tmp_path, mode, shape):
    red = Image.new("RGB", (32, 16), (255, 0, 0))
    back = read_image(save(tmp_path / "a.jpg", red.convert(mode)))
    assert (back.shape, back.dtype) == (shape, np.uint8)
    if mode == "CMYK":
        assert np.abs(back.astype(int) - (255, 0, 0)).max() < 5


# Kinds of TIFF


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (HEIGHT, WIDTH, 3), (HEIGHT, WIDTH, 4)])
def test_tiff_of_every_type(tmp_path, rng, dtype, shape):
    pixels = rng.random(shape) * (np.iinfo(dtype).max if dtype in (np.uint8, np.uint16) else 1)
    pixels = pixels.astype(dtype)
    kind = "rgb" if len(shape) == 3 else "minisblack"
    alpha = ["unassalpha"] if shape[-1] == 4 else None
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=kind, extrasamples=alpha)
    back = read_image(tmp_path / "a.tif")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize(
    "options",
    [
        {"bigtiff": True},
        {"byteorder": ">"},
        {"compression": "lzw", "predictor": True},
        {"tile": (16, 16)},
    ],
    ids=str,
)
def test_tiff_in_every_dress(tmp_path, rgb16, options):
    tifffile.imwrite(tmp_path / "a.tif", rgb16, photometric="rgb", **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), rgb16)


def test_tiff_with_its_channels_in_planes(tmp_path, rgb16):
    planes = np.ascontiguousarray(np.moveaxis(rgb16, -1, 0))
    tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), rgb16)


def test_tiff_whose_zero_is_white(tmp_path, rgb8):
    tifffile.imwrite(tmp_path / "a.tif", 255 - rgb8[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), rgb8[..., 0])


def test_tiff_with_a_palette_and_with_grey_alpha(tmp_path, rgb8):
    image = Image.fromarray(rgb8).quantize(8)
    np.testing.assert_array_equal(
        read_image(save(tmp_path / "a.tif", image)), np.asarray(image.convert("RGB"))
    )
    image = Image.fromarray(rgb8).convert("LA")
    np.testing.assert_array_equal(
        read_image(save(tmp_path / "b.tif", image)), np.asarray(image)[..., 0]
    )


def test_tiff_compressed_as_jpeg(tmp_path):
    image = Image.new("RGB", (32, 16), (200, 40, 90))
    back = read_image(save(tmp_path / "a.tif", image, compression="jpeg"))
    assert np.abs(back.astype(int) - (200, 40, 90)).max() < 5


def test_tiff_with_a_thumbnail_is_one_image(tmp_path, rgb8):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(rgb8, photometric="rgb", metadata=None)
        tiff.write(rgb8[::2, ::2].copy(), photometric="rgb", subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), rgb8)


# What cannot be used


def several_pages(path):
    tifffile.imwrite(path, np.zeros((5, 8, 9), np.uint8), photometric="minisblack")


def imagej_stack(path):
    tifffile.imwrite(path, np.zeros((5, 8, 9), np.uint16), imagej=True)


def whole_numbers(path):
    tifffile.imwrite(path, np.zeros((8, 9), np.int32))


def one_bit(path):
    tifffile.imwrite(path, np.zeros((8, 9), bool))


def twelve_bits(path):
    tifffile.imwrite(path, np.zeros((8, 9), np.uint16), bitspersample=12)


def two_channels(path):
    tifffile.imwrite(
        path, np.zeros((8, 9, 2), np.uint8), photometric="minisblack", planarconfig="contig"
    )


def ink(path):
    Image.new("CMYK", (9, 8)).save(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (several_pages, "several pages"),
        (imagej_stack, "several pages"),
        (whole_numbers, "int32"),
        (one_bit, "bool"),
        (twelve_bits, "12 bits"),
        (two_channels, "MINISBLACK of 2 channels"),
        (ink, "SEPARATED of 4 channels"),
    ],
)
def test_tiff_that_no_run_can_use_is_refused_by_name(tmp_path, make, says):
    path = tmp_path / "odd.tif"
    make(path)
    with pytest.raises(ValueError, match=says) as caught:
        read_image(path)
    assert_one_sentence_about(caught.value, path)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.97])
def test_a_file_that_broke_off_is_refused_by_name(tmp_path, rng, ending, share):
    path = tmp_path / f"broken{ending}"
    write_image(path, rng.random((64, 64, 3)))
    data = path.read_bytes()
    path.write_bytes(data[: max(10, int(len(data) * share))])
    with pytest.raises(ValueError, match=r"broken and cannot be read") as caught:
        read_image(path)
    assert_one_sentence_about(caught.value, path)


def test_a_tiff_with_garbage_inside_is_refused_without_a_word_in_the_log(tmp_path, rng, capfd):
    path = tmp_path / "garbage.tif"
    write_image(path, rng.random((64, 64, 3)))
    data = bytearray(path.read_bytes())
    data[500:900] = bytes(400)
    path.write_bytes(data)
    with pytest.raises(ValueError, match="broken"):
        read_image(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"hello"])
def test_what_is_no_image_is_refused_by_name(tmp_path, content):
    path = tmp_path / "text.png"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="not a PNG, JPEG or TIFF") as caught:
        read_image(path)
    assert_one_sentence_about(caught.value, path)


def test_an_image_under_another_formats_name_is_read_as_what_it_is(tmp_path, rgb8):
    save(tmp_path / "a.png", rgb8)
    os.rename(tmp_path / "a.png", tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), rgb8)


def test_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "missing.png")


def assert_one_sentence_about(error, path):
    message = str(error)
    assert message.startswith(str(path))
    assert message.endswith(".")
    assert "\n" not in message


# Where to write, and how deep


def test_depth_follows_the_source_as_far_as_the_format_can(rgb8, rgb16):
    assert depth_for("a.png", rgb8) == 8
    assert depth_for("a.png", rgb16) == 16
    assert depth_for("a.tif", rgb8 / 255) == 16
    assert depth_for("a.jpg", rgb16) == 8
    assert depth_for("a.png", rgb8, 16) == 16
    with pytest.raises(ValueError, match="JPEG has 8 bits"):
        depth_for("a.jpg", rgb8, 16)
    assert depth_for("a.tif", rgb8 / 255, 32) == 32
    for name in ("a.png", "a.jpg"):
        with pytest.raises(ValueError, match="only a TIFF has 32 bits"):
            depth_for(name, rgb8 / 255, 32)
    with pytest.raises(ValueError, match="8, 16 or 32"):
        depth_for("a.png", rgb8, 12)
    with pytest.raises(ValueError, match=r"must end in \.png"):
        depth_for("a.gif", rgb8)


def test_writing_refuses_what_cannot_be_before_it_touches_a_file(tmp_path):
    for name, depth in (("a.gif", 8), ("a", 8), ("a.jpg", 16), ("a.jpg", 32), ("a.png", 32)):
        with pytest.raises(ValueError, match=name):
            write_image(tmp_path / name, smooth(), depth)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "image", "error", "says"),
    [
        ("a.jpg", np.zeros((5, 6, 4)), ValueError, r"a\.jpg: .*; write a PNG or TIFF for RGBA\.$"),
        ("a.jpg", np.zeros((5, 6), np.uint16), ValueError, r"take PNG or TIFF for 16\.$"),
        ("a.tif", np.zeros((5, 6), np.int32), TypeError, r"float in .*uint16; not int32\.$"),
        ("a.tif", np.zeros((5, 6), bool), TypeError, r"not bool\.$"),
        ("a.tif", np.zeros((5, 6, 2)), ValueError, r"not \(5, 6, 2\)\.$"),
        ("a.tif", np.zeros((5, 6, 7, 3)), ValueError, r"not \(5, 6, 7, 3\)\.$"),
        ("a.tif", np.zeros(6), ValueError, r"not \(6,\)\.$"),
    ],
)
def test_an_image_that_a_file_cannot_hold_is_refused(tmp_path, name, image, error, says):
    with pytest.raises(error, match=says):
        write_image(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"old")

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_image(path, smooth())
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_a_written_file_has_the_usual_permissions_and_links_stay_links(tmp_path):
    usual = tmp_path / "usual"
    usual.touch()
    link = tmp_path / "link.png"
    link.symlink_to(tmp_path / "a.png")
    write_image(link, smooth())
    assert link.is_symlink()
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_destinations_that_cannot_be_written_are_found_out(tmp_path):
    with pytest.raises(OSError, match="no folder"):
        check_writable([tmp_path / "missing" / "a.png"])
    with pytest.raises(OSError, match="is a folder"):
        check_writable([tmp_path])
    one, other = tmp_path / "a.png", tmp_path / "b.png"
    one.write_bytes(b"")
    os.link(one, other)
    with pytest.raises(ValueError, match="would be overwritten"):
        check_writable([other], inputs=[one])
    with pytest.raises(ValueError, match="would be overwritten"):
        check_writable([tmp_path / "new", tmp_path / "." / "new"])
    check_writable([one, tmp_path / "new"], inputs=[tmp_path / "c.png"])
    assert sorted(tmp_path.iterdir()) == [one, other]


def test_a_folder_that_takes_no_files_is_found_out(tmp_path, monkeypatch):
    def refuse(**_options):
        raise PermissionError(13, "Permission denied", "x")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    with pytest.raises(OSError, match="cannot be written to: Permission denied"):
        check_writable([tmp_path / "a.png"])
