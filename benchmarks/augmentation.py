"""Whether stylised variants help a pixel classifier: python -m benchmarks.augmentation --help.

Each task trains on the left half of one photograph and tests on the right halves of both. All data
are in scikit-image's wheel. Variants and scores are kept in a folder; a second call goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold, gaussian, sobel
from skimage.morphology import remove_small_objects
from skimage.segmentation import watershed
from torch import nn
from torch.nn import functional

import napari_nst as nst
from napari_nst.io.image_files.read_image import read_image

Array = np.ndarray[Any, Any]

SEEDS = 5
VARIANTS = 6
# Chosen by the scores on the same look, so that the network learns it in each way.
STEPS, BATCH, CROP, RATE = 300, 4, 64, 5e-3
CHANNELS, DILATIONS = 16, (1, 2, 4, 8, 16)
TEXTURES = ("brick", "grass", "gravel", "immunohistochemistry", "retina", "hubble_deep_field")
ARMS: Mapping[str, tuple[str, bool]] = {
    "nothing": ("", False),
    "jitter": ("", True),
    "variants, six textures": ("textures", False),
    "variants, six textures, and jitter": ("textures", True),
    "variants, the other look": ("other", False),
    "variants, the other look, and jitter": ("other", True),
}
"""Name → which styles, and whether brightness, contrast and gamma change at random."""


@dataclass(frozen=True)
class Photograph:
    """A grey photograph with labels of its objects."""

    pixels: Array  # uint8
    labels: Array  # uint8, 1 for objects

    def part(self, name: str) -> Photograph:
        """Return a half."""
        height, width = self.pixels.shape
        rows, columns = {
            "left": (slice(None), slice(width // 2)),
            "right": (slice(None), slice(width // 2, None)),
            "upper": (slice(height // 2), slice(None)),
            "lower": (slice(height // 2, None), slice(None)),
        }[name]
        return Photograph(self.pixels[rows, columns], self.labels[rows, columns])


def photographs() -> dict[str, Photograph]:
    """Return print, handwriting, and coins before a dark and a lighter background."""
    page = skimage.data.page()[:150]  # the shadow below hides letters
    text, coins = skimage.data.text(), skimage.data.coins()
    found = Photograph(coins, coins_of(coins))
    return {
        "print": Photograph(page, _ink(page, 0.5, (0.2, 0.38), 4)),
        "handwriting": Photograph(text, _without_lines(text, _ink(text, 1, (0.24, 0.42), 25))),
        "coins, dark": found.part("lower"),
        "coins, lighter": found.part("upper"),
    }


TASKS = (("print", "handwriting"), ("handwriting", "print"), ("coins, dark", "coins, lighter"))
"""Trained on, and the other look."""


def _darkness(image: Array, sigma: float) -> Array:
    """Return how much darker a smoothed image is than the paper around."""
    paper = ndimage.percentile_filter(image, 80, 41).astype(float)
    found: Array = 1 - gaussian(image, sigma, preserve_range=True) / np.maximum(paper, 1)
    return found


def _ink(image: Array, sigma: float, thresholds: tuple[float, float], least: int) -> Array:
    """Return where there is ink: darker than a threshold, and connected to darker ink still."""
    found = apply_hysteresis_threshold(_darkness(image, sigma), *thresholds)
    ink: Array = remove_small_objects(found, max_size=least).astype(np.uint8)
    return ink


def _without_lines(image: Array, ink: Array) -> Array:
    """Return ink without the printed line at the lower left, except where strokes cross it."""
    line = np.zeros(image.shape, bool)
    columns = np.arange(126)
    rows = np.rint(86 + columns * 69 / 125).astype(int)
    line[rows, columns] = True
    near = ndimage.binary_dilation(line, iterations=3) & (_darkness(image, 1) < 0.36)
    return np.where(near, 0, ink).astype(np.uint8)


def coins_of(image: Array) -> Array:
    """Return coins by the watershed of scikit-image's gallery, "comparing edge-based and ..."."""
    markers = np.where(image < 30, 1, np.where(image > 150, 2, 0))
    found = ndimage.binary_fill_holes(watershed(sobel(image), markers) == 2)
    coins: Array = remove_small_objects(found, max_size=64).astype(np.uint8)
    return coins


def variants(folder: Path, trained: str, other: str, kind: str) -> list[Array]:
    """Return the variants of the training half, which are made if they are missing."""
    known = photographs()
    own = known[trained].part("left")
    # The left half of the other look has no part in the tests, and its labels are not used.
    textures = [getattr(skimage.data, name)()[:512, :512] for name in TEXTURES]
    styles = textures if kind == "textures" else [known[other].part("left").pixels]
    path = folder / f"{trained.replace(', ', '-')}-{kind}"
    run = nst.augment(
        own.pixels, own.labels, styles, path, variants=VARIANTS, originals=False, size=0
    )  # fmt: skip
    rows = run.result(progress=False)
    for row in rows:
        print(trained, kind, row["image"], row["style"], row["overlap"], row["displacement"])
    return [read_image(path / row["image"]) for row in rows]


def network() -> nn.Sequential:
    """Return convolutions that see 65 pixels around."""
    layers: list[nn.Module] = []
    before = 1
    for dilation in DILATIONS:
        layers.append(nn.Conv2d(before, CHANNELS, 3, padding="same", dilation=dilation, bias=False))
        layers += [nn.BatchNorm2d(CHANNELS), nn.ReLU()]
        before = CHANNELS
    return nn.Sequential(*layers, nn.Conv2d(before, 1, 1))


def trained_on(images: list[Array], labels: Array, jitter: bool, seed: int) -> nn.Sequential:
    """Return a network trained on crops: half of them of the first image, half of the others."""
    torch.manual_seed(seed)
    random, model = np.random.default_rng(seed), network()
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=STEPS)
    for _ in range(STEPS):
        crops = [_crop(images, labels, jitter, random) for _ in range(BATCH)]
        pixels, answers = (
            torch.from_numpy(np.stack(one)[:, None]) for one in zip(*crops, strict=True)
        )
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(model(pixels), answers).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def _crop(
    images: list[Array], labels: Array, jitter: bool, random: np.random.Generator
) -> tuple[Array, Array]:
    number = 0 if len(images) == 1 or random.random() < 0.5 else random.integers(1, len(images))
    top, left = (random.integers(side - CROP + 1) for side in labels.shape)
    window = slice(top, top + CROP), slice(left, left + CROP)
    pixels = images[number][window].astype(np.float32) / 255
    answers = labels[window].astype(np.float32)
    if random.random() < 0.5:
        pixels, answers = pixels[:, ::-1], answers[:, ::-1]
    if random.random() < 0.5:
        pixels, answers = pixels[::-1], answers[::-1]
    if jitter:
        contrast, brightness = random.uniform(0.6, 1.4), random.uniform(-0.3, 0.3)
        gamma = np.exp(random.uniform(-0.5, 0.5))
        mean = pixels.mean()
        pixels = np.clip((pixels - mean) * contrast + mean + brightness, 0, 1) ** gamma
    return np.ascontiguousarray(pixels - 0.5, np.float32), np.ascontiguousarray(answers)


def scores(model: nn.Sequential, photograph: Photograph) -> dict[str, float]:
    """Return intersection over union, and F1, of the pixels of objects."""
    pixels = torch.from_numpy(photograph.pixels.astype(np.float32) / 255 - 0.5)
    with torch.no_grad():
        found = model(pixels[None, None])[0, 0].numpy() > 0
    truth = photograph.labels > 0
    both, either = int((found & truth).sum()), int((found | truth).sum())
    return {"iou": both / max(either, 1), "f1": 2 * both / max(both + either, 1)}


def measured(folder: Path) -> list[dict[str, Any]]:
    """Return the scores of every task, way and seed; those that are there are not made again."""
    known, rows = photographs(), []
    for trained, other in TASKS:
        own = known[trained].part("left")
        for way, (kind, jitter) in ARMS.items():
            more = variants(folder, trained, other, kind) if kind else []
            for seed in range(SEEDS):
                path = folder / "scores" / f"{trained}-{way}-{seed}.json"
                if not path.is_file():
                    model = trained_on([own.pixels, *more], own.labels, jitter, seed)
                    found = {
                        where: scores(model, known[name].part("right"))
                        for where, name in (("same", trained), ("other", other))
                    }
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(json.dumps(found))
                    print(trained, way, seed, found, flush=True)
                found = json.loads(path.read_text())
                rows.append({"trained": trained, "other": other, "way": way, "seed": seed, **found})
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return mean and standard deviation over the seeds as a table of Markdown."""
    heading = ("trained on → tested on", "added", "IoU, other", "F1, other", "IoU, same")
    lines = [f"| {' | '.join(heading)} |", "| --- | --- | --- | --- | --- |"]
    for trained, other in TASKS:
        for way in ARMS:
            of = [row for row in rows if row["trained"] == trained and row["way"] == way]
            cells = [
                f"{np.mean(found):.2f} ± {np.std(found, ddof=1):.2f}"
                for found in (
                    [row[where][score] for row in of]
                    for where, score in (("other", "iou"), ("other", "f1"), ("same", "iou"))
                )
            ]
            lines.append(f"| {trained} → {other} | {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure everything that is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/augmentation"))
    given = parser.parse_args()
    print(table(measured(given.out)))


if __name__ == "__main__":
    main()
