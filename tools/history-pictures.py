"""Make the picture of docs/history.md: `.venv/bin/python tools/history-pictures.py`.

The content comes with scikit-image, the style is painted by the project itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage import data

import napari_nst as nst
from napari_nst.io.history import History
from napari_nst.io.sample_painting import sample_painting
from napari_nst.io.write_image import write_stack

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE, SHOWN = 288, (1, 4, 12, 40, 90, 150)


def main() -> None:
    """Write six iterations of one run as a labelled grid."""
    history = History("even")
    for it in nst.stylize(
        data.astronaut(), sample_painting(), nst.preset(size=SIZE, steps=SHOWN[-1])
    ):
        history.step(it)
        print(f"\r{it.step}/{it.steps}", end="", flush=True)
    print()
    stack = history.stack()
    chosen = [stack.nearest(step) for step in SHOWN]
    pictures = [stack[index].astype(np.float32) / 255 for index in chosen]
    labels = [stack.labels[index].rpartition(",")[0] for index in chosen]  # the loss says little
    write_stack(IMAGES / "history.jpg", pictures, labels)


if __name__ == "__main__":
    main()
