"""Make small pictures of pages on files, tiles, the network and speed, in seconds.

`.venv/bin/python tools/page-pictures.py`
"""

from __future__ import annotations

import re

import numpy as np
from pictures import IMAGES, captioned, eight_bit, save
from PIL import Image, ImageDraw, ImageFont
from skimage import data, exposure

from napari_nst.engine.tiling.grid import make_grid
from napari_nst.engine.vgg.weights import load
from napari_nst.viewer.layers.intensity import to_unit

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def main() -> None:
    """Write all."""
    save("display-range", display_range())
    save("tiles", tiles())
    save("first-filters", first_filters())
    save("ratios", ratios())


def display_range() -> np.ndarray:
    """Show one image of 12 bits in 16, read with three ranges."""
    cell = exposure.rescale_intensity(data.cell()[200:456, 290:546], out_range=(150, 2600))
    cell = cell.astype(np.uint16)
    extremes = (float(cell.min()), float(cell.max()))
    ranges = {
        "0 to 65535": (0.0, 65535.0),
        "--limits 0,4095": (0.0, 4095.0),
        "--limits auto": extremes,
    }
    shown = {name: eight_bit(to_unit(cell, limits, "cell")) for name, limits in ranges.items()}
    return captioned(shown, columns=3)


def tiles() -> np.ndarray:
    """Show how an image of 768 pixels is divided, and what one tile of it reads."""
    picture = Image.fromarray(data.astronaut()).resize((768, 768), Image.Resampling.LANCZOS)
    grid = make_grid((768, 768), 256, STYLE_LAYERS, "replicate")
    middle = grid[len(grid) // 2]
    rows, columns = middle.rows.extent[0], middle.columns.extent[0]
    dimmed = Image.blend(picture, Image.new("RGB", picture.size, "black"), 0.55)
    box = (columns.start, rows.start, columns.stop, rows.stop)
    dimmed.paste(picture.crop(box), box)
    draw = ImageDraw.Draw(dimmed)
    for tile in grid:
        draw.rectangle(_box(tile.columns.core, tile.rows.core), outline="#ffcc00", width=2)
    draw.rectangle(_box(columns, rows), outline="#40c8ff", width=3)
    return np.asarray(dimmed.resize((512, 512), Image.Resampling.LANCZOS))


def _box(columns: slice, rows: slice) -> tuple[int, int, int, int]:
    return columns.start, rows.start, columns.stop - 1, rows.stop - 1


def first_filters() -> np.ndarray:
    """Show the 64 filters of the first convolution, the mean of each in grey."""
    network = load("gatys")
    filters = network.parameters["conv1_1.weight"].numpy().transpose(0, 2, 3, 1)
    if network.channel_order == "BGR":
        filters = filters[..., ::-1]
    filters = filters - filters.mean(axis=(1, 2, 3), keepdims=True)
    shown = 0.5 + 0.5 * filters / np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    large = eight_bit(shown).repeat(12, axis=1).repeat(12, axis=2)
    framed = np.pad(large, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=255)
    rows = [np.concatenate(list(framed[i : i + 16]), axis=1) for i in range(0, 64, 16)]
    return np.concatenate(rows)


def ratios() -> np.ndarray:
    """Draw the ratios of the table "after the rebuild" in docs/performance.md."""
    page = (IMAGES.parent / "performance.md").read_text("utf-8")
    table = page[page.index("## After the rebuild") :]
    rows = re.findall(
        r"^\| (.*?) ÷ textbook's, (.*?) \| (\d+) \| [\d.]+ \| ([\d.]+) \|$", table, re.M
    )
    left, full, line = 330, 420, 26
    chart = Image.new("RGB", (left + full + 70, line * (len(rows) + 1) + 12), "white")
    draw, font = ImageDraw.Draw(chart), ImageFont.load_default(14)
    for index, (what, recipe, size, ratio) in enumerate([*rows, ("textbook's loop", "", "", "1")]):
        y, length = 6 + index * line, round(float(ratio) * full)
        label = f"{what}, {recipe}, {size} px" if size else what
        draw.text((6, y + line // 2), label, "#202020", font, anchor="lm")
        colour = "#5566cc" if size else "#b0b0b0"
        draw.rectangle((left, y + 4, left + length, y + line - 5), colour)
        draw.text((left + length + 6, y + line // 2), ratio, "#202020", font, anchor="lm")
    return np.asarray(chart)


if __name__ == "__main__":
    main()
