"""The pictures of a grid into one file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from napari_nst.io.contact_sheet import Grid, Pixels, resampled, sheet_of
from napari_nst.io.write_image import levels, write_image, write_stack


def write_grid(
    path: str | os.PathLike[str], grid: Grid, pictures: Mapping[int, Pixels], *, text: str = ""
) -> None:
    """Write the pictures of a grid into one file of 8 bit, all as large as the largest.

    Parameters
    ----------
    path : path-like
        A TIFF gets a page for each picture, as from `write_stack`. With another ending of
        `write_image`, it is one picture, with empty places for those that are not there.
    grid : Grid
        What stands where.
    pictures : mapping of int to ndarray
        Index of a cell → (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA whose alpha is left aside,
        float in [0, 1]. At least one; all of one aspect.
    text : str
        As for `write_image`.

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If the pictures hold other numbers.
    ValueError
        If there are none, or the name's ending or the text does not go with the format.
    """
    if not pictures:
        raise ValueError("pictures is empty; a grid needs one at the least.")
    shown = {at: levels("pictures", pictures[at], 8) for at in sorted(pictures)}
    if Path(path).suffix.lower() not in (".tif", ".tiff"):
        write_image(path, sheet_of(grid, shown), text=text)
        return
    shape = max(picture.shape[:2] for picture in shown.values())
    pages = [resampled(picture, shape) / 255 for picture in shown.values()]
    write_stack(path, pages, [grid.cells[at].label for at in shown], text=text)
