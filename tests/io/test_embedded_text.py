import json
import math
import os

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from napari_nst.io.embedded_text import read_text
from napari_nst.io.read_image import read_image
from napari_nst.io.write_image import write_image, write_stack

HEIGHT, WIDTH = 30, 40
EVERY = [".png", ".jpg", ".tif"]
RECORD = {"label": "Été → 雪 🎨", "losses": [round(math.sin(x), 9) for x in range(2300)]}
LONG = json.dumps(RECORD, ensure_ascii=False)


@pytest.fixture
def image():
    return np.random.default_rng(0).random((HEIGHT, WIDTH, 3), dtype=np.float32)


@pytest.fixture
def images():
    return np.random.default_rng(0).random((5, HEIGHT, WIDTH, 3), dtype=np.float32)


def in_8_bits(image):
    return np.rint(image * 255).astype(np.uint8)


# Out and in again


@pytest.mark.parametrize("ending", [".png", ".jpg", ".jpeg", ".tif", ".tiff"])
@pytest.mark.parametrize("text", [LONG, json.dumps(RECORD), " {}\n", "x"], ids=len)
def test_a_text_comes_back_as_it_was_written(tmp_path, image, ending, text):
    write_image(tmp_path / f"a{ending}", image, text=text)
    assert read_text(tmp_path / f"a{ending}") == text


def test_the_long_text_is_long_and_not_ascii():
    assert len(LONG.encode()) > 30_000
    assert not LONG.isascii()


@pytest.mark.parametrize(
    ("ending", "dtype", "channels"),
    [(".jpg", np.uint8, channels) for channels in ((), (3,))]
    + [(".png", dtype, size) for dtype in (np.uint8, np.uint16) for size in ((), (3,), (4,))]
    + [(".tif", dtype, size) for dtype in (np.uint8, np.float32) for size in ((), (3,), (4,))],
)
def test_a_text_changes_no_pixel(tmp_path, ending, channels, dtype):
    pixels = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, *channels)).astype(dtype)
    depth = 32 if dtype == np.float32 else 8
    write_image(tmp_path / f"without{ending}", pixels, depth)
    write_image(tmp_path / f"with{ending}", pixels, depth, text=LONG)
    back = read_image(tmp_path / f"with{ending}")
    np.testing.assert_array_equal(back, read_image(tmp_path / f"without{ending}"))
    if ending != ".jpg":
        np.testing.assert_array_equal(back, pixels)


@pytest.mark.parametrize("ending", EVERY)
def test_no_text_is_none_and_leaves_no_trace(tmp_path, image, ending):
    path = tmp_path / f"a{ending}"
    write_image(path, image)
    assert read_text(path) is None
    without = path.read_bytes()
    write_image(path, image, text="")
    assert path.read_bytes() == without


def test_the_content_decides_and_not_the_name(tmp_path, image):
    write_image(tmp_path / "a.png", image, text="{}")
    os.rename(tmp_path / "a.png", tmp_path / "a.jpg")
    assert read_text(tmp_path / "a.jpg") == "{}"


# Other programs


def test_pillow_finds_the_text_of_a_png_and_every_checksum_right(tmp_path, image):
    write_image(tmp_path / "a.png", image, text=LONG)
    with Image.open(tmp_path / "a.png") as file:
        file.verify()
    with Image.open(tmp_path / "a.png") as file:
        assert file.text == {"napari-nst": LONG}
        np.testing.assert_array_equal(np.asarray(file), in_8_bits(image))


def test_pillow_opens_a_png_with_a_text_of_megabytes(tmp_path, image):
    write_image(tmp_path / "a.png", image, text="x" * 3_000_000)
    with Image.open(tmp_path / "a.png") as file:
        np.testing.assert_array_equal(np.asarray(file), in_8_bits(image))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), in_8_bits(image))
    assert read_text(tmp_path / "a.png") == "x" * 3_000_000


def test_imagecodecs_decodes_a_png_of_16_bits_with_text(tmp_path, image):
    write_image(tmp_path / "a.png", image, 16, text=LONG)
    pixels = imagecodecs.png_decode((tmp_path / "a.png").read_bytes())
    np.testing.assert_array_equal(pixels, np.rint(image * 65535).astype(np.uint16))


def test_tifffile_and_pillow_find_the_text_of_a_tiff(tmp_path, image):
    write_image(tmp_path / "a.tif", image, text=LONG)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages[0].description == LONG
        np.testing.assert_array_equal(tiff.asarray(), in_8_bits(image))
    write_image(tmp_path / "b.tif", image, text=json.dumps(RECORD))
    with Image.open(tmp_path / "b.tif") as file:
        assert json.loads(file.tag_v2[270]) == RECORD
        np.testing.assert_array_equal(np.asarray(file), in_8_bits(image))


def test_pillow_opens_a_grey_float_tiff_with_text(tmp_path, image):
    write_image(tmp_path / "a.tif", image[..., 0] * 900 - 7, 32, text=LONG)
    with Image.open(tmp_path / "a.tif") as file:
        assert file.mode == "F"
        np.testing.assert_array_equal(np.asarray(file), image[..., 0] * 900 - 7)


def test_pillow_finds_the_text_of_a_jpeg(tmp_path, image):
    write_image(tmp_path / "a.jpg", image, text=LONG)
    with Image.open(tmp_path / "a.jpg") as file:
        assert file.info["comment"].decode() == f"napari-nst: {LONG}"


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("keyword", ["napari-nst", "Comment"])
def test_a_png_that_another_program_wrote_anew(tmp_path, compressed, keyword):
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", "another")
    info.add_itxt(keyword, LONG, lang="en", tkey="Köder", zip=compressed)
    Image.new("L", (8, 8)).save(tmp_path / "a.png", pnginfo=info)
    assert read_text(tmp_path / "a.png") == (LONG if keyword == "napari-nst" else None)


def test_a_png_with_its_text_moved_behind_the_pixels(tmp_path, image):
    write_image(tmp_path / "a.png", image)
    plain = (tmp_path / "a.png").read_bytes()
    write_image(tmp_path / "a.png", image, text=LONG)
    rich = (tmp_path / "a.png").read_bytes()
    chunk = rich[33 : 33 + len(rich) - len(plain)]
    (tmp_path / "a.png").write_bytes(plain[:-12] + chunk + plain[-12:])
    assert read_text(tmp_path / "a.png") == LONG


def test_the_texts_of_other_programs_are_not_ours(tmp_path):
    grey = np.zeros((8, 9), np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.jpg", comment=b"Created with another program")
    tifffile.imwrite(tmp_path / "a.tif", grey, description="{}", metadata=None, software="x")
    tifffile.imwrite(tmp_path / "b.tif", grey, imagej=True, metadata={"Info": "{}"})
    tifffile.imwrite(tmp_path / "c.tif", grey)
    for name in ("a.jpg", "a.tif", "b.tif", "c.tif"):
        assert read_text(tmp_path / name) is None


# What cannot be


def test_what_is_no_image_is_refused_by_name(tmp_path):
    (tmp_path / "a.png").write_bytes(b"hello")
    with pytest.raises(ValueError, match=r"a\.png is not a PNG, JPEG or TIFF image; .*\.$"):
        read_text(tmp_path / "a.png")


def test_a_missing_file_is_an_oserror(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("ending", "text", "kept"),
    [
        (".png", LONG, 0.4),  # in its text
        (".png", "", 0.4),
        (".jpg", LONG, 0.4),
        (".tif", LONG, 0.4),
        (".tif", LONG, 0.001),
    ],
    ids=["png", "png without text", "jpeg", "tiff", "tiff in its tags"],
)
def test_a_file_that_broke_off_is_refused_by_name(tmp_path, image, ending, text, kept, capfd):
    path = tmp_path / f"a{ending}"
    write_image(path, image, text=text)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(ValueError, match=rf"a\{ending} is broken and cannot be read \(.*\)\.$"):
        read_text(path)
    assert capfd.readouterr().err == ""


def test_a_png_whose_text_was_damaged_is_refused(tmp_path, image):
    write_image(tmp_path / "a.png", image, text=LONG)
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data.replace(b"losses", b"lasses"))
    with pytest.raises(ValueError, match=r"a\.png is broken .*checksum of its text is wrong"):
        read_text(tmp_path / "a.png")


def test_a_stack_that_broke_off_in_its_text_is_refused(tmp_path, images, capfd):
    write_stack(tmp_path / "a.tif", images, "abcde", text=LONG)
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: data.index("losses".encode("utf-16-le"))])
    with pytest.raises(ValueError, match=r"a\.tif is broken and cannot be read \(.*\)\.$"):
        read_text(tmp_path / "a.tif")
    assert capfd.readouterr().err == ""


def test_a_jpeg_takes_64_kb_of_text_and_refuses_more(tmp_path, image):
    write_image(tmp_path / "a.jpg", image, text="x" * 65521)
    assert read_text(tmp_path / "a.jpg") == "x" * 65521
    with pytest.raises(ValueError, match=r"^text has 65522 bytes, .*; write a PNG or TIFF\.$"):
        write_image(tmp_path / "b.jpg", image, text="é" + "x" * 65520)
    assert not (tmp_path / "b.jpg").exists()


# Stacks


@pytest.mark.parametrize("count", [1, 3, 5])
@pytest.mark.parametrize("is_rgb", [False, True])
@pytest.mark.parametrize("text", ["", LONG], ids=len)
def test_a_tiff_stack_has_a_labelled_page_for_each_image(tmp_path, images, count, is_rgb, text):
    path, stack = tmp_path / "a.tif", images[:count] if is_rgb else images[:count, ..., 0]
    labels = [f"Été → {number}" for number in range(count)]
    write_stack(path, stack, labels, text=text)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_imagej
        found = tiff.imagej_metadata["Labels"]
        assert ([found] if count == 1 else found) == labels
        pages = [page.asarray() for page in tiff.pages]
    np.testing.assert_array_equal(pages, in_8_bits(stack))
    with Image.open(path) as file:
        assert file.n_frames == count
        file.seek(count - 1)
        np.testing.assert_array_equal(np.asarray(file), in_8_bits(stack[-1]))
    assert read_text(path) == (text or None)


def test_a_tiff_stack_of_three_narrow_images_is_grey_and_not_rgb(tmp_path):
    stack = np.random.default_rng(0).random((3, 8, 3))
    write_stack(tmp_path / "a.tif", stack, "abc")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), in_8_bits(stack))


def panels(sheet, stack):
    """Return where each image lies in a sheet: y, x."""
    found = []
    for image in in_8_bits(stack):
        windows = np.lib.stride_tricks.sliding_window_view(sheet, image.shape)
        windows = windows.reshape(*windows.shape[:2], -1)
        (place,) = np.argwhere((windows == image.ravel()).all(-1))
        found.append(tuple(place))
    return found


@pytest.mark.parametrize("is_rgb", [False, True])
def test_a_png_stack_is_a_grid_with_every_image_whole_and_in_order(tmp_path, images, is_rgb):
    stack = images if is_rgb else images[..., 0]
    write_stack(tmp_path / "a.png", list(stack), ["one"] * 5, text=LONG)
    sheet = read_image(tmp_path / "a.png")
    assert sheet.ndim == (3 if is_rgb else 2)
    places = panels(sheet, stack)
    rows, columns = sorted({y for y, _ in places}), sorted({x for _, x in places})
    assert places == [(y, x) for y in rows for x in columns][:5]
    assert (len(rows), len(columns)) == (2, 3)
    for y, x in places:
        above = sheet[y - 25 : y, x : x + WIDTH]
        assert above.max() == 255
        assert above.min() < 100  # its label
    assert (sheet[rows[1] - 25 :, columns[2] :] == 255).all()  # there is no sixth
    assert read_text(tmp_path / "a.png") == LONG


def test_labels_wider_than_their_images_stay_apart(tmp_path, images):
    for name, label in (("short.png", "i"), ("long.png", "style_weight = 1000")):
        write_stack(tmp_path / name, images[:2], [label, label])
    short, long = (read_image(tmp_path / name) for name in ("short.png", "long.png"))
    (y, left), (_, right) = panels(long, images[:2])
    assert long.shape[1] > short.shape[1]
    strip = long[:y].min((0, 2))
    np.testing.assert_array_equal(strip[left:right], strip[right : 2 * right - left])
    assert (strip[right - 5 : right] == 255).all()


def test_a_label_in_a_grid_is_one_line_without_accents(tmp_path, images):
    for name, label in (("plain.png", "Ete 2"), ("rich.png", " Été\n²")):
        write_stack(tmp_path / name, images, [label] * 5)
    plain, rich = (read_image(tmp_path / name) for name in ("plain.png", "rich.png"))
    np.testing.assert_array_equal(plain, rich)


def test_a_jpeg_stack_is_a_grid_too(tmp_path, images):
    write_stack(tmp_path / "a.jpg", images, "abcde", text=LONG)
    write_stack(tmp_path / "a.png", images, "abcde")
    assert read_image(tmp_path / "a.jpg").shape == read_image(tmp_path / "a.png").shape
    assert read_text(tmp_path / "a.jpg") == LONG


@pytest.mark.parametrize("ending", EVERY)
@pytest.mark.parametrize(
    ("images", "labels", "error", "says"),
    [
        ([], [], ValueError, r"^images must .*; not none\.$"),
        ([np.zeros((5, 6)), np.zeros((5, 7))], "ab", ValueError, r"not \(5, 6\), \(5, 7\)\.$"),
        (np.zeros((2, 5, 6, 4)), "ab", ValueError, r"not \(5, 6, 4\)\.$"),
        (np.zeros((5, 6)), "abcde", ValueError, r"not \(6,\)\.$"),
        (np.zeros((2, 5, 6)), "abc", ValueError, r"^labels must be 2, .*; not 3\.$"),
        (
            np.zeros((1, 5, 6), np.int64),
            "a",
            TypeError,
            r"^images must hold float .*; not int64\.$",
        ),
    ],
)
def test_images_that_are_no_stack_are_refused(tmp_path, ending, images, labels, error, says):
    with pytest.raises(error, match=says):
        write_stack(tmp_path / f"a{ending}", images, labels)
    assert not list(tmp_path.iterdir())


def test_a_stack_needs_an_ending_that_says_its_format(tmp_path, images):
    with pytest.raises(ValueError, match=r"a\.gif must end in \.png"):
        write_stack(tmp_path / "a.gif", images, "abcde")
