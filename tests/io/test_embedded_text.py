"""Text in image files: as this and other programs read it, and in broken files."""

import json
import math

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.image_files.write_image import write_image, write_stack

RECORD = {"label": "Été → 雪 🎨", "losses": [round(math.sin(x), 9) for x in range(2300)]}
LONG = json.dumps(RECORD, ensure_ascii=False)  # 30 kB, not ASCII


@pytest.fixture
def image():
    return np.random.default_rng(0).random((30, 40, 3), dtype=np.float32)


def in_8_bits(image):
    return np.rint(image * 255).astype(np.uint8)


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("text", [LONG, "x"], ids=["long", "short"])
def test_a_text_is_read_as_it_was_written(tmp_path, image, ending, text):
    write_image(tmp_path / f"a{ending}", image, text=text)
    assert read_text(tmp_path / f"a{ending}") == text
    write_image(tmp_path / f"without{ending}", image)
    assert read_text(tmp_path / f"without{ending}") is None
    np.testing.assert_array_equal(
        read_image(tmp_path / f"a{ending}"), read_image(tmp_path / f"without{ending}")
    )


# Other programs


@pytest.mark.parametrize("text", [LONG, "x" * 3_000_000], ids=["record", "megabytes"])
def test_pillow_reads_a_png_and_its_text(tmp_path, image, text):
    write_image(tmp_path / "a.png", image, text=text)
    with Image.open(tmp_path / "a.png") as file:
        file.verify()  # the checksums
    with Image.open(tmp_path / "a.png") as file:
        np.testing.assert_array_equal(np.asarray(file), in_8_bits(image))
        assert file.text == {"napari-nst": text}
    assert read_text(tmp_path / "a.png") == text


def test_tifffile_and_pillow_read_a_tiff_and_its_text(tmp_path, image):
    write_image(tmp_path / "a.tif", image, text=LONG)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages[0].description == LONG
    write_image(tmp_path / "b.tif", image[..., 0] * 900 - 7, 32, text=json.dumps(RECORD))
    with Image.open(tmp_path / "b.tif") as file:
        assert json.loads(file.tag_v2[270]) == RECORD
        np.testing.assert_array_equal(np.asarray(file), image[..., 0] * 900 - 7)


def test_pillow_reads_the_text_of_a_jpeg(tmp_path, image):
    write_image(tmp_path / "a.jpg", image, text=LONG)
    with Image.open(tmp_path / "a.jpg") as file:
        assert file.info["comment"].decode() == f"napari-nst: {LONG}"


@pytest.mark.parametrize("is_compressed", [False, True])
@pytest.mark.parametrize("keyword", ["napari-nst", "Comment"])
def test_a_png_that_another_program_saved_again(tmp_path, is_compressed, keyword):
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "another")
    info.add_itxt(keyword, LONG, lang="en", tkey="Köder", zip=is_compressed)
    Image.new("L", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    assert read_text(tmp_path / "a.png") == (LONG if keyword == "napari-nst" else None)


def test_a_png_with_its_text_after_the_pixels(tmp_path, image):
    write_image(tmp_path / "a.png", image)
    plain = (tmp_path / "a.png").read_bytes()
    write_image(tmp_path / "a.png", image, text=LONG)
    rich = (tmp_path / "a.png").read_bytes()
    chunk = rich[33 : 33 + len(rich) - len(plain)]
    (tmp_path / "a.png").write_bytes(plain[:-12] + chunk + plain[-12:])
    assert read_text(tmp_path / "a.png") == LONG


def test_texts_of_other_programs_are_ignored(tmp_path):
    grey = np.zeros((8, 9), np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.jpg", comment=b"Created with another program")
    tifffile.imwrite(tmp_path / "a.tif", grey, description="{}", metadata=None, software="x")
    tifffile.imwrite(tmp_path / "b.tif", grey, imagej=True, metadata={"Info": "{}"})
    for name in ("a.jpg", "a.tif", "b.tif"):
        assert read_text(tmp_path / name) is None


# Broken files


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("a.png", LONG, 0.4),  # in its text
        ("a.png", "", 0.4),
        ("a.jpg", LONG, 0.4),
        ("a.tif", LONG, 0.4),
        ("a.tif", LONG, 0.001),  # in its tags
    ],
)
def test_a_truncated_file_is_refused_by_name(tmp_path, image, name, text, kept, capfd):
    write_image(tmp_path / name, image, text=text)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ValueError, match=rf"{name} is broken and cannot be read \(.*\)\.$"):
        read_text(tmp_path / name)
    assert capfd.readouterr().err == ""


def test_a_truncated_stack_is_refused_by_name(tmp_path, image, capfd):
    write_stack(tmp_path / "a.tif", [image, image], "ab", text=LONG)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: data.index("losses".encode("utf-16-le"))])
    with pytest.raises(ValueError, match=r"a\.tif is broken and cannot be read \(.*\)\.$"):
        read_text(tmp_path / "a.tif")
    assert capfd.readouterr().err == ""


def test_a_png_with_a_damaged_text_is_refused(tmp_path, image):
    write_image(tmp_path / "a.png", image, text=LONG)
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data.replace(b"losses", b"lasses"))
    with pytest.raises(ValueError, match=r"a\.png is broken"):
        read_text(tmp_path / "a.png")


def test_a_jpeg_holds_64_kb_of_text(tmp_path, image):
    write_image(tmp_path / "a.jpg", image, text="x" * 65521)
    assert read_text(tmp_path / "a.jpg") == "x" * 65521
    with pytest.raises(ValueError, match=r"^text has 65522 bytes"):
        write_image(tmp_path / "b.jpg", image, text="é" + "x" * 65520)
    assert not (tmp_path / "b.jpg").exists()
