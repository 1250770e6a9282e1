"""Sheets of several pictures: positions, headings and captions."""

import numpy as np
import pytest

from napari_nst.io.contact_sheet import DARK, LIGHT, Sheet
from napari_nst.recipe.grid import Cell, Grid

HEIGHT, WIDTH = 60, 80
TABLE = Grid(
    ("style_weight 2", "style_weight 8"),
    ("size 96", "size 128", "size 192"),
    tuple(Cell(f"{row} {column}", row, column) for row in range(2) for column in range(3)),
)


def written(pixels):
    """Return how many pixels differ from the background, which is the colour of the first."""
    return int((pixels != pixels[0, 0]).any(-1).sum())


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_cells_are_in_rows_and_columns_beside_their_headings(theme):
    sheet = Sheet(TABLE, (HEIGHT, WIDTH), theme)
    assert all((b - t, r - left) == (HEIGHT, WIDTH) for t, left, b, r in sheet.rectangles)
    tops = [top for top, *_ in sheet.rectangles]
    lefts = [left for _, left, *_ in sheet.rectangles]
    assert tops == [tops[0]] * 3 + [tops[3]] * 3
    assert lefts[:3] == lefts[3:]
    assert tops[3] > tops[0] + HEIGHT
    assert lefts[2] > lefts[1] + WIDTH > lefts[0] + 2 * WIDTH
    for top, left, _, right in sheet.rectangles[:3]:
        assert written(sheet.pixels[:top, left:right]) > 20
    for top, left, bottom, _ in sheet.rectangles[::3]:
        assert written(sheet.pixels[top:bottom, :left]) > 20
    assert written(sheet.pixels[: tops[0], : lefts[0]]) == 0
    assert written(sheet.pixels[tops[0] + HEIGHT : tops[3], lefts[0] :]) == 0


def test_captions_are_above_their_pictures():
    grid = Grid.wrapped([Cell(name, caption=name) for name in ("one", "two", "three")], 2)
    sheet = Sheet(grid, (HEIGHT, WIDTH))
    for top, left, _, right in sheet.rectangles:
        assert written(sheet.pixels[top - 28 : top, left:right]) > 20
    _, left, bottom, _ = sheet.rectangles[1]
    assert written(sheet.pixels[bottom:, left:]) == 0, "there is no fourth picture"


def test_columns_are_wide_enough_for_headings_and_captions():
    long = "reconstructed from one layer alone"

    def width(headings=("", ""), captions=("", "")):
        cells = tuple(Cell("", 0, column, caption) for column, caption in enumerate(captions))
        return Sheet(Grid(("",), headings, cells), (20, 30)).pixels.shape[1]

    assert width() < width((long, "")) < width((long, "b")) == width((long, long))
    assert width(captions=("a", "b")) < width(captions=(long, "b"))


def test_texts_are_on_one_line_and_without_accents():
    plain, rich = (
        Sheet(Grid.wrapped([Cell("", caption=text)], 1), (20, 30)).pixels
        for text in ("Ete 2", " Été\n²")
    )
    np.testing.assert_array_equal(plain, rich)


@pytest.mark.parametrize("shape", [(HEIGHT, WIDTH), (6, 8), (120, 160)])
@pytest.mark.parametrize("channels", [(), (3,), (4,)], ids=["grey", "rgb", "rgba"])
def test_a_picture_fills_its_cell_and_changes_nothing_else(shape, channels):
    sheet = Sheet(TABLE, (HEIGHT, WIDTH))
    expected = sheet.pixels.copy()
    top, left, bottom, right = sheet.rectangles[4]
    expected[top:bottom, left:right] = 77
    sheet.put(4, np.full((*shape, *channels), 77, np.uint8))
    np.testing.assert_array_equal(sheet.pixels, expected)


def test_a_grey_sheet_has_one_channel():
    sheet = Sheet(TABLE, (HEIGHT, WIDTH), is_grey=True)
    sheet.put(1, np.full((HEIGHT, WIDTH), 9, np.uint8))
    top, left, bottom, right = sheet.rectangles[1]
    assert (sheet.pixels[top:bottom, left:right] == 9).all()
