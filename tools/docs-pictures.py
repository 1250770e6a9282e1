"""Make the first picture of docs/style-transfer.md: `.venv/bin/python tools/docs-pictures.py`."""

from __future__ import annotations

import numpy as np
from pictures import eight_bit, last, save
from skimage import data

import napari_nst as nst
from napari_nst.io.contact_sheet import resized
from napari_nst.viewer.samples import sample_painting

HEIGHT, GAP = 384, 12


def main() -> None:
    """Write content, style and result side by side."""
    content, style = data.astronaut(), sample_painting()
    result = last(nst.stylize(content, style, nst.preset(size=HEIGHT))).image
    gap = np.full((HEIGHT, GAP, 3), 255, np.uint8)
    left, middle, right = map(at_height, (content, style, eight_bit(result)))
    row = np.concatenate([left, gap, middle, gap, right], axis=1)
    save("style-transfer", row, quality=95)


def at_height(image: np.ndarray) -> np.ndarray:
    """Resize an image to the height of the row."""
    return resized(image, (HEIGHT, round(image.shape[1] * HEIGHT / image.shape[0])))


if __name__ == "__main__":
    main()
