"""Several pictures on one sheet: where they stand, what is written, and the file of it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile

from napari_nst.io.contact_sheet import DARK, LIGHT, Sheet, resized
from napari_nst.io.embedded_text import read_text
from napari_nst.io.read_image import read_image
from napari_nst.io.write_image import write_grid
from napari_nst.recipe.grid import Cell, Grid

HEIGHT, WIDTH = 60, 80
TABLE = Grid(
    ("style_weight 2", "style_weight 8"),
    ("size 96", "size 128", "size 192"),
    tuple(
        Cell(f"{row} {column}", row, column, settings={"size": column})
        for row in range(2)
        for column in range(3)
    ),
)
CAPTIONED = Grid.wrapped([Cell(name, caption=name) for name in ("one", "two", "three")], 2)


def letters(pixels, paper=LIGHT):
    """Return how many pixels differ from the paper."""
    ground = (
        tuple(int(paper.background[i : i + 2], 16) for i in (1, 3, 5))
        if "#" in paper.background
        else 255
    )
    return int((pixels != ground).any(-1).sum())


def picture(level, shape=(HEIGHT, WIDTH)):
    return np.full((*shape, 3), level, np.uint8)


# Where things are


def test_cells_stand_in_rows_and_columns_and_do_not_touch():
    sheet = Sheet(TABLE, (HEIGHT, WIDTH))
    assert all((b - t, r - left) == (HEIGHT, WIDTH) for t, left, b, r in sheet.rectangles)
    tops = [t for t, *_ in sheet.rectangles]
    lefts = [left for _, left, *_ in sheet.rectangles]
    assert tops[:3] == tops[:1] * 3
    assert tops[3:] == tops[3:4] * 3
    assert lefts[:3] == lefts[3:]
    assert tops[3] > tops[0] + HEIGHT
    assert lefts[2] > lefts[1] + WIDTH > lefts[0] + 2 * WIDTH
    assert sheet.pixels.shape[0] >= max(b for *_, b, _ in sheet.rectangles)
    assert sheet.pixels.shape[1] >= max(r for *_, r in sheet.rectangles)


@pytest.mark.parametrize("paper", [LIGHT, DARK], ids=["white", "dark"])
def test_headings_of_a_table_stand_left_and_above_and_nowhere_else(paper):
    sheet = Sheet(TABLE, (HEIGHT, WIDTH), paper)
    top, left, _, _ = sheet.rectangles[0]
    for t, x, _, right in sheet.rectangles[:3]:
        assert letters(sheet.pixels[:t, x:right], paper) > 20
    for t, _, bottom, _ in sheet.rectangles[::3]:
        assert letters(sheet.pixels[t:bottom, :left], paper) > 20
    assert letters(sheet.pixels[:top, :left], paper) == 0
    between = sheet.pixels[sheet.rectangles[0][2] : sheet.rectangles[3][0], left:]
    assert letters(between, paper) == 0


def test_captions_stand_above_their_pictures():
    sheet = Sheet(CAPTIONED, (HEIGHT, WIDTH))
    assert [(cell.row, cell.column) for cell in CAPTIONED.cells] == [(0, 0), (0, 1), (1, 0)]
    for top, left, _, right in sheet.rectangles:
        assert letters(sheet.pixels[top - 28 : top, left:right]) > 20
    _, left, _, _ = sheet.rectangles[1]
    assert letters(sheet.pixels[sheet.rectangles[1][2] :, left:]) == 0, "there is no fourth"


def test_columns_are_as_wide_as_their_headings_but_one_may_go_on_above_the_next():
    long = "reconstructed from one layer alone"
    cells = tuple(Cell(str(column), 0, column) for column in range(2))
    widths = [
        Sheet(Grid(("",), headings, cells), (20, 30)).pixels.shape[1]
        for headings in (("", ""), (long, ""), (long, "b"), (long, long))
    ]
    assert widths[0] < widths[1] < widths[2] == widths[3]
    assert widths[1] < 1.2 * widths[2] / 2 + 30


def test_a_grid_is_plain_data_and_back():
    data = json.loads(json.dumps(TABLE.to_dict()))
    assert Grid.from_dict(data) == TABLE
    assert data["cells"][4]["settings"] == {"size": 1}


# Pictures


def test_a_picture_changes_its_cell_alone():
    sheet = Sheet(TABLE, (HEIGHT, WIDTH))
    before = sheet.pixels.copy()
    sheet.put(4, picture(77))
    top, left, bottom, right = sheet.rectangles[4]
    assert (sheet.pixels[top:bottom, left:right] == 77).all()
    sheet.pixels[top:bottom, left:right] = before[top:bottom, left:right]
    np.testing.assert_array_equal(sheet.pixels, before)


def test_a_picture_of_another_size_fills_its_cell_and_grey_and_alpha_are_taken():
    sheet = Sheet(TABLE, (HEIGHT, WIDTH))
    for shape in [(6, 8), (120, 160)]:
        sheet.put(0, picture(50, shape))
        top, left, bottom, right = sheet.rectangles[0]
        assert (sheet.pixels[top:bottom, left:right] == 50).all()
    sheet.put(0, np.full((6, 8), 60, np.uint8))
    assert (sheet.pixels[top:bottom, left:right] == 60).all()
    sheet.put(0, np.full((6, 8, 4), (1, 2, 3, 4), np.uint8))
    assert (sheet.pixels[top:bottom, left:right] == (1, 2, 3)).all()


def test_a_grey_sheet_has_one_channel():
    sheet = Sheet(TABLE, (HEIGHT, WIDTH), is_grey=True)
    assert sheet.pixels.ndim == 2
    sheet.put(1, np.full((HEIGHT, WIDTH), 9, np.uint8))
    top, left, bottom, right = sheet.rectangles[1]
    assert (sheet.pixels[top:bottom, left:right] == 9).all()


def test_a_picture_of_the_right_size_is_taken_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    np.testing.assert_array_equal(resized(pixels, (5, 6)), pixels)
    assert resized(pixels, (10, 12)).shape == (10, 12, 3)


# Files


def test_a_picture_file_has_the_sheet_with_empty_places(tmp_path):
    write_grid(
        tmp_path / "a.png", TABLE,
        {0: np.zeros((30, 40, 3)), 4: np.full((HEIGHT, WIDTH, 3), 0.2)}, text="made",
    )  # fmt: skip
    sheet = Sheet(TABLE, (HEIGHT, WIDTH))
    sheet.put(0, picture(0))
    sheet.put(4, picture(51))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), sheet.pixels)
    assert read_text(tmp_path / "a.png") == "made"


def test_grey_pictures_make_a_grey_file(tmp_path):
    write_grid(tmp_path / "a.png", TABLE, {2: np.zeros((6, 8))})
    assert read_image(tmp_path / "a.png").ndim == 2


def test_a_tiff_has_a_labelled_page_for_each_picture_as_large_as_the_largest(tmp_path):
    pictures = {4: np.full((HEIGHT, WIDTH, 3), 0.2), 1: np.full((6, 8, 4), 0.4)}
    write_grid(tmp_path / "a.tif", TABLE, pictures, text="made")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.imagej_metadata["Labels"] == ["0 1", "1 1"]
        pages = np.array([page.asarray() for page in tiff.pages])
    assert pages.shape == (2, HEIGHT, WIDTH, 3)
    assert (pages[0] == 102).all()
    assert (pages[1] == 51).all()
    assert read_text(tmp_path / "a.tif") == "made"


@pytest.mark.parametrize(
    ("name", "pictures", "error", "says"),
    [
        ("a.png", {}, ValueError, r"^pictures is empty; a grid needs at least one\.$"),
        ("a.gif", {0: np.zeros((5, 6, 3))}, ValueError, r"a\.gif must end in \.png"),
        ("a.png", {0: np.zeros((5, 6, 3), int)}, TypeError, "pictures must hold float in"),
    ],
)
def test_what_is_no_grid_is_refused(tmp_path, name, pictures, error, says):
    with pytest.raises(error, match=says):
        write_grid(tmp_path / name, TABLE, pictures)
    assert not list(tmp_path.iterdir())


def test_grids_need_no_torch():
    code = (
        "import sys, napari_nst.io.write_image, napari_nst.recipe.sweep_axes; print(*sys.modules)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert not {"torch", "napari", "qtpy"} & set(printed.split())
