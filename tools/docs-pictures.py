"""Make the pictures of README and docs: `.venv/bin/python tools/docs-pictures.py`.

Contents and styles come with scikit-image, or are painted by the project itself.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from skimage import data

import napari_nst as nst
from napari_nst.engine.job.input_image import as_rgb, shape_fitting
from napari_nst.io.sample_painting import sample_painting
from napari_nst.io.write_image import write_image

IMAGES = Path(__file__).parents[1] / "docs" / "images"
HEIGHT, GAP = 384, 12

PAIRS = {
    "style-transfer": (data.astronaut, sample_painting),
    "style-transfer-coffee": (data.coffee, sample_painting),
}


def main() -> None:
    """Write one picture of content, style and result side by side for each pair."""
    for name, (content, style) in PAIRS.items():
        for it in nst.stylize(content(), style(), nst.preset(size=HEIGHT)):
            print(f"\r{name}: {it.step}/{it.steps}", end="", flush=True)
        print()
        beside = [at_height(image) for image in (content(), style(), it.image)]
        gap = np.ones((HEIGHT, GAP, 3), np.float32)
        row = np.concatenate([beside[0], gap, beside[1], gap, beside[2]], axis=1)
        write_image(IMAGES / f"{name}.jpg", row, depth=8)


def at_height(image: np.ndarray) -> np.ndarray:
    """Resample an image to the height of the row."""
    import torch

    from napari_nst.engine.images.convert import resize, to_array, to_tensor

    rgb = as_rgb(image)
    longest = round(max(rgb.shape[:2]) * HEIGHT / rgb.shape[0])
    return to_array(resize(to_tensor(rgb, torch.device("cpu")), shape_fitting(rgb.shape, longest)))


if __name__ == "__main__":
    main()
