"""Images, stacks and grids in files, as this and other programs read them."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.contact_sheet import Sheet
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.image_files.write_image import depth_for, write_grid, write_image, write_stack
from napari_nst.recipe.grid import Cell, Grid

HEIGHT, WIDTH = 30, 40
TEXT = '{"label": "Été → 雪"}'


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def images(rng):
    return rng.random((5, HEIGHT, WIDTH, 3), dtype=np.float32)


def in_8_bits(image):
    return np.rint(image * 255).astype(np.uint8)


# One image


@pytest.mark.parametrize("ending", [".png", ".tif", ".TIFF"])
@pytest.mark.parametrize(("depth", "dtype"), [(8, np.uint8), (16, np.uint16)])
@pytest.mark.parametrize("channels", [(), (3,), (4,)], ids=["grey", "rgb", "rgba"])
def test_lossless_files_are_read_as_they_were_written(
    tmp_path, rng, ending, depth, dtype, channels
):
    levels = rng.integers(0, 2**depth, (HEIGHT, WIDTH, *channels)).astype(dtype)
    for image in (levels, (levels / (2**depth - 1)).astype(np.float32)):
        write_image(tmp_path / f"a{ending}", image, depth, text=TEXT)
        back = read_image(tmp_path / f"a{ending}")
        assert back.dtype == dtype
        np.testing.assert_array_equal(back, levels)
        assert read_text(tmp_path / f"a{ending}") == TEXT


@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_a_float_tiff_holds_any_values(tmp_path, rng, channels):
    image = rng.normal(0, 4000, (HEIGHT, WIDTH, *channels)).astype(np.float32)
    write_image(tmp_path / "a.tif", image, 32)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), image)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.pages[0].predictor == 1  # ImageJ supports no other for floats


def test_integers_may_be_in_another_byte_order_and_not_contiguous(tmp_path, rng):
    levels = rng.integers(0, 65536, (HEIGHT, WIDTH, 6)).astype(">u2")[..., ::2]
    for name in ("a.png", "a.tif"):
        write_image(tmp_path / name, levels)
        np.testing.assert_array_equal(read_image(tmp_path / name), levels)


def test_floats_are_clipped_and_half_precision_is_enough_for_white(tmp_path):
    for value, expected in ((1.2, 65535), (-0.1, 0), (1.0, 65535)):
        write_image(tmp_path / "a.png", np.full((300, 4), value, np.float16), 16)
        assert (read_image(tmp_path / "a.png") == expected).all()


@pytest.mark.parametrize("channels", [(), (3,)])
def test_a_jpeg_is_nearly_the_image(tmp_path, channels):
    ramp = np.linspace(0, 1, WIDTH, dtype=np.float32)
    image = np.broadcast_to(ramp.reshape(1, -1, *[1] * len(channels)), (HEIGHT, WIDTH, *channels))
    write_image(tmp_path / "a.jpg", image)
    assert np.abs(read_image(tmp_path / "a.jpg") / 255 - image).max() < 0.02


@pytest.mark.parametrize(("channels", "mode"), [((), "L"), ((3,), "RGB"), ((4,), "RGBA")])
def test_pillow_and_tifffile_read_the_same(tmp_path, rng, channels, mode):
    levels = rng.integers(0, 256, (HEIGHT, WIDTH, *channels), dtype=np.uint8)
    for name in ("a.png", "a.tif"):
        write_image(tmp_path / name, levels)
        with Image.open(tmp_path / name) as image:
            assert image.mode == mode
            np.testing.assert_array_equal(np.asarray(image), levels)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        page = tiff.pages[0]
        assert page.photometric.name == ("RGB" if channels else "MINISBLACK")
        assert [kind.name for kind in page.extrasamples] == ["UNASSALPHA"] * (mode == "RGBA")


def test_depth_follows_the_source_as_far_as_the_format_allows():
    rgb8, rgb16 = np.zeros((1, 1, 3), np.uint8), np.zeros((1, 1, 3), np.uint16)
    assert depth_for("a.png", rgb8) == 8
    assert depth_for("a.png", rgb16) == 16
    assert depth_for("a.tif", rgb8 / 255) == 16
    assert depth_for("a.jpg", rgb16) == 8
    assert depth_for("a.png", rgb8, 16) == 16
    assert depth_for("a.tif", rgb8 / 255, 32) == 32
    for name, wanted in (("a.jpg", 16), ("a.jpg", 32), ("a.png", 32), ("a.png", 12), ("a.gif", 8)):
        with pytest.raises(ValueError, match=f"{wanted}|a.gif must end in"):
            depth_for(name, rgb8, wanted)


@pytest.mark.parametrize(
    ("name", "image", "error"),
    [
        ("a.gif", np.zeros((5, 6)), ValueError),
        ("a.jpg", np.zeros((5, 6, 4)), ValueError),
        ("a.jpg", np.zeros((5, 6), np.uint16), ValueError),
        ("a.tif", np.zeros((5, 6), np.int32), TypeError),
        ("a.tif", np.zeros((5, 6), bool), TypeError),
        ("a.tif", np.zeros((5, 6, 2)), ValueError),
        ("a.tif", np.zeros((5, 6, 7, 3)), ValueError),
    ],
)
def test_an_image_that_a_file_cannot_hold_is_refused(tmp_path, name, image, error):
    with pytest.raises(error):
        write_image(tmp_path / name, image)
    assert not list(tmp_path.iterdir())


# A stack


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("is_rgb", [False, True])
def test_a_tiff_stack_has_a_labelled_page_for_each_image(tmp_path, images, count, is_rgb):
    path, stack = tmp_path / "a.tif", images[:count] if is_rgb else images[:count, ..., 0]
    labels = [f"Été → {number}" for number in range(count)]
    write_stack(path, stack, labels, text=TEXT)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_imagej
        found = tiff.imagej_metadata["Labels"]
        assert ([found] if count == 1 else found) == labels
        pages = [page.asarray() for page in tiff.pages]
    np.testing.assert_array_equal(pages, in_8_bits(stack))
    assert read_text(path) == TEXT


def test_a_tiff_stack_of_three_narrow_images_is_grey_and_not_rgb(tmp_path, rng):
    stack = rng.random((3, 8, 3))
    write_stack(tmp_path / "a.tif", stack, "abc")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), in_8_bits(stack))
    assert read_text(tmp_path / "a.tif") is None


@pytest.mark.parametrize("is_rgb", [False, True])
def test_another_stack_is_a_grid_with_labels(tmp_path, images, is_rgb):
    stack = images if is_rgb else images[..., 0]
    write_stack(tmp_path / "a.png", list(stack), "abcde", text=TEXT)
    grid = Grid.wrapped([Cell(label, caption=label) for label in "abcde"], 3)
    sheet = Sheet(grid, (HEIGHT, WIDTH), is_grey=not is_rgb)
    for index, image in enumerate(in_8_bits(stack)):
        sheet.put(index, image)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), sheet.pixels)
    assert read_text(tmp_path / "a.png") == TEXT
    write_stack(tmp_path / "a.jpg", list(stack), "abcde", text=TEXT)
    assert read_image(tmp_path / "a.jpg").shape == sheet.pixels.shape


@pytest.mark.parametrize(
    ("name", "images", "labels", "error", "message"),
    [
        ("a.tif", [], [], ValueError, r"^images must "),
        ("a.png", [np.zeros((5, 6)), np.zeros((5, 7))], "ab", ValueError, r"\(5, 6\), \(5, 7\)"),
        ("a.tif", np.zeros((2, 5, 6, 4)), "ab", ValueError, r"^images must .*\(5, 6, 4\)\.$"),
        ("a.tif", np.zeros((2, 5, 6)), "abc", ValueError, r"^labels must be 2, .*; not 3\.$"),
        ("a.png", np.zeros((1, 5, 6), int), "a", TypeError, r"^images must hold float .*int64"),
        ("a.gif", np.zeros((1, 5, 6)), "a", ValueError, r"a\.gif must end in \.png"),
    ],
)
def test_other_stacks_are_refused(tmp_path, name, images, labels, error, message):
    with pytest.raises(error, match=message):
        write_stack(tmp_path / name, images, labels)
    assert not list(tmp_path.iterdir())


# A grid


TABLE = Grid(
    ("style_weight 2", "style_weight 8"),
    ("size 96", "size 128"),
    tuple(Cell(f"{row} {column}", row, column) for row in range(2) for column in range(2)),
)


def test_a_picture_of_a_grid_has_empty_places(tmp_path):
    pictures = {0: np.zeros((15, 20, 3)), 3: np.full((HEIGHT, WIDTH, 3), 0.2)}
    write_grid(tmp_path / "a.png", TABLE, pictures, text=TEXT)
    sheet = Sheet(TABLE, (HEIGHT, WIDTH))
    sheet.put(0, np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    sheet.put(3, np.full((HEIGHT, WIDTH, 3), 51, np.uint8))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), sheet.pixels)
    assert read_text(tmp_path / "a.png") == TEXT


def test_a_tiff_of_a_grid_has_a_labelled_page_for_each_picture(tmp_path):
    pictures = {3: np.full((HEIGHT, WIDTH, 3), 0.2), 1: np.full((6, 8, 4), 0.4)}
    write_grid(tmp_path / "a.tif", TABLE, pictures, text=TEXT)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.imagej_metadata["Labels"] == ["0 1", "1 1"]
        pages = np.array([page.asarray() for page in tiff.pages])
    assert pages.shape == (2, HEIGHT, WIDTH, 3)
    assert (pages[0] == 102).all()
    assert (pages[1] == 51).all()


@pytest.mark.parametrize(
    ("name", "pictures", "error"),
    [
        ("a.png", {}, ValueError),
        ("a.gif", {0: np.zeros((5, 6, 3))}, ValueError),
        ("a.png", {0: np.zeros((5, 6, 3), int)}, TypeError),
    ],
)
def test_other_grids_are_refused(tmp_path, name, pictures, error):
    with pytest.raises(error):
        write_grid(tmp_path / name, TABLE, pictures)
    assert not list(tmp_path.iterdir())
