"""Damaged and hostile image files: an image, or one sentence, in bounded memory."""

import io
import json
import struct
import types
import warnings
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from napari_nst.cli.request import Provenance
from napari_nst.io.image_files.embedded_text import add_png_text, jpeg_comment, read_text
from napari_nst.io.image_files.read_image import decode_image, decode_labels
from tests.helpers.memory import memory_bounded

FREE = 1 << 28  # bytes of memory that the program believes to be free
RNG = np.random.default_rng(0)
RGBA = RNG.integers(0, 256, (20, 24, 4), dtype=np.uint8)
RECORD = json.dumps({"job": "stylize", "recipe": {}, "inputs": {}, "arguments": {}})


def saved(image, ending, **options):
    file = io.BytesIO()
    image.save(file, ending, **options)
    return file.getvalue()


def tiff(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, software="napari-nst", description=RECORD, **options)
    return file.getvalue()


def whole_files():
    """Return a file of each kind that the reader treats in a way of its own."""
    rgb, exif = Image.fromarray(RGBA[..., :3]), Image.Exif()
    exif[0x0112] = 6
    options = {"exif": exif, "icc_profile": imagecodecs.cms_profile("adobergb")}
    comment = jpeg_comment(RECORD)
    files = {
        "png": add_png_text(saved(Image.fromarray(RGBA), "PNG", **options), RECORD),
        "palette png": saved(rgb.quantize(8), "PNG", transparency=3, bits=4),
        "deep png": bytes(imagecodecs.png_encode(RGBA[..., :3].astype(np.uint16) * 257)),
        "jpeg": saved(rgb, "JPEG", comment=comment, **options),
        "cmyk jpeg": saved(rgb.convert("CMYK"), "JPEG", progressive=True),
        "tiff": tiff(RGBA, photometric="rgb", extrasamples=["assocalpha"], compression="zlib"),
        "tiles": tiff(RGBA[..., :3], photometric="rgb", tile=(16, 16), compression="lzw"),
        "planes": tiff(
            np.moveaxis(RGBA[..., :3], -1, 0), photometric="rgb", planarconfig="separate"
        ),
        "jpeg tiff": saved(rgb, "TIFF", compression="jpeg"),
        "palette tiff": saved(rgb.quantize(8), "TIFF"),
        "gif": saved(rgb.quantize(8), "GIF", transparency=2),
        "bmp": saved(rgb, "BMP"),
        "webp": saved(Image.fromarray(RGBA), "WEBP", lossless=True, **options),
    }
    imagej = io.BytesIO()
    tifffile.imwrite(imagej, RGBA[..., 0].astype(np.uint16), imagej=True, metadata={"min": 3.0})
    files["imagej"] = imagej.getvalue()
    if features.check("avif"):
        files["avif"] = saved(rgb, "AVIF", **options)
    return files


WHOLE = whole_files()


@st.composite
def damaged(draw):
    """Return one of the files after a few changes, cuts or repeats of bytes."""
    data = bytearray(WHOLE[draw(st.sampled_from(sorted(WHOLE)))])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data) - 1))
        change = draw(st.sampled_from(["byte", "number", "cut", "repeat", "end"]))
        if change == "byte":
            data[at] = draw(st.integers(0, 255))
        elif change == "number":
            extreme = draw(st.sampled_from([0, 1, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**32 - 1]))
            data[at : at + 4] = struct.pack(draw(st.sampled_from("<>")) + "I", extreme)
        elif change == "cut":
            del data[at : at + draw(st.integers(1, 60))]
        elif change == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 60))]
        else:
            del data[at:]
        if not data:
            break
    return bytes(data)


@pytest.fixture
def little_memory(monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: types.SimpleNamespace(available=FREE))


def read_or_sentence(read, path):
    """Return what is read, or None after an error of one sentence that names the file."""
    try:
        return read(path)
    except (ValueError, OSError) as error:
        text = str(error)
        assert text.startswith(str(path))
        assert text.endswith(".")
        assert "\n" not in text
        return None


def read_all_ways(path):
    with warnings.catch_warnings(action="ignore"), memory_bounded(FREE):
        image = read_or_sentence(decode_image, path)
        labels = read_or_sentence(decode_labels, path)
        text = read_or_sentence(read_text, path)
        read_or_sentence(Provenance, path)
    if image is not None:
        assert image.pixels.ndim == 2 or image.pixels.shape[2:] in ((2,), (3,), (4,))
        assert image.pixels.dtype.kind in "uif"
    assert labels is None or labels.pixels.ndim == 2
    return image, labels, text


def test_whole_files_are_read(tmp_path):
    for name, data in WHOLE.items():
        (tmp_path / name).write_bytes(data)
        assert decode_image(tmp_path / name).pixels.size in (480 * n for n in range(1, 5))
    for name in ("png", "jpeg", "tiff"):
        assert read_text(tmp_path / name) == RECORD


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(data=damaged())
def test_a_damaged_file_is_an_image_or_one_sentence(tmp_path_factory, little_memory, data):
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data)
    read_all_ways(path)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb():
    """Return 260 kB that become as much as all free memory."""
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(FREE >> 20)) + packer.flush()


BOMB = bomb()


def png_with(kind, data):
    """Return a PNG with another chunk behind its header."""
    png = WHOLE["deep png"]
    return png[:33] + chunk(kind, data) + png[33:]


def tiff_with(compressed):
    """Return a TIFF whose only strip is compressed data of any length."""
    file = io.BytesIO()
    strips = iter([compressed])
    tifffile.imwrite(
        file, strips, shape=(20, 24), dtype=np.uint8, photometric="minisblack", compression="zlib",
        rowsperstrip=20, metadata=None,
    )  # fmt: skip
    return file.getvalue()


HEADER = struct.pack(">IIBBBBB", 24, 20, 8, 2, 0, 0, 0)
BOMBS = {
    "our text": png_with(b"iTXt", b"napari-nst\0\1\0\0\0" + BOMB),
    "a text": png_with(b"zTXt", b"Comment\0\0" + BOMB),
    "a profile": png_with(b"iCCP", b"icc\0\0" + BOMB),
    "png": WHOLE["png"][:8] + chunk(b"IHDR", HEADER) + chunk(b"IDAT", BOMB) + chunk(b"IEND", b""),
    "tiff": tiff_with(BOMB),
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_unpacks_to_the_whole_memory_is_not_unpacked(tmp_path, little_memory, name):
    (tmp_path / name).write_bytes(BOMBS[name])
    image, _labels, text = read_all_ways(tmp_path / name)
    assert text is None
    assert image is None or image.pixels.shape[:2] == (20, 24)
