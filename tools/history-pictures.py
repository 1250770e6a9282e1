"""Make the picture of docs/history.md: `.venv/bin/python tools/history-pictures.py`."""

from __future__ import annotations

import numpy as np
from pictures import IMAGES, each
from skimage import data

import napari_nst as nst
from napari_nst.io.history import History
from napari_nst.io.image_files.write_image import write_stack
from napari_nst.viewer.samples import sample_painting

SIZE, SHOWN = 288, (1, 4, 12, 40, 90, 150)


def main() -> None:
    """Write six iterations of one run as a labelled grid."""
    history = History("even")
    recipe = nst.preset(size=SIZE, steps=SHOWN[-1])
    for it in each(nst.stylize(data.astronaut(), sample_painting(), recipe)):
        history.step(it)
    stack = history.stack()
    chosen = [stack.nearest(step) for step in SHOWN]
    pictures = [stack[index].astype(np.float32) / 255 for index in chosen]
    labels = [stack.labels[index].rpartition(",")[0] for index in chosen]  # without the loss
    write_stack(IMAGES / "history.jpg", pictures, labels)


if __name__ == "__main__":
    main()
