"""What each of several processes runs in test_processes.py: whole runs of every kind."""

import math
import sys
from dataclasses import replace

import numpy as np
import skimage.data
import torch

import napari_nst as nst
from napari_nst.engine import distributed as processes
from napari_nst.engine.run import run as course
from napari_nst.engine.tiling import budget as tiling
from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.engine.vgg.weights.formats import SHAPES
from napari_nst.recipe import Recipe

CONTENT = skimage.data.astronaut()[100:388, :200]
STYLE = skimage.data.coffee()[:180, :180]
ALPHA = np.full((*CONTENT.shape[:2], 1), 255, np.uint8)
ALPHA[:40], ALPHA[200:220, 50:90] = 0, 0
LABELS = np.zeros(CONTENT.shape[:2], int)
LABELS[:130, 20:], LABELS[150:280] = 1, 2
HOLE = np.zeros(CONTENT.shape[:2], bool)
HOLE[40:250, 30:170] = True
BELOW = np.zeros((*CONTENT.shape[:2], 1), np.uint8)
BELOW[220:] = 255
IMAGE = {"image_range": "free", "tv_weight": 20.0}


def recipe(**fields):
    shallow = {"relu1_1": 1.0, "relu2_1": 1.0}
    return Recipe(
        **{
            "style_layers": shallow,
            "content_layers": {"relu2_2": 1.0},
            "min_size": 0,
            "size": 288,
            "steps": 3,
            "device": "cpu",
            "precision": "float32",
            **fields,
        }
    )


def labelled(style):
    labels = np.ones(style.shape[:2], int)
    labels[:, 90:] = 2
    return labels


RUNS = {
    "the usual": lambda: nst.stylize(CONTENT, STYLE, recipe(tv_weight=20.0, tile=128)),
    "two scales of Adam, averaged": lambda: nst.stylize(
        CONTENT, STYLE, recipe(optimizer="adam", ema=0.9, min_size=200, steps=4, **IMAGE)
    ),
    "two scales of L-BFGS": lambda: nst.stylize(CONTENT, STYLE, recipe(min_size=200, steps=4)),
    "a line search": lambda: nst.stylize(CONTENT, STYLE, recipe(line_search=True, **IMAGE)),
    "a periodic texture": lambda: nst.synthesize(
        STYLE,
        recipe(padding="circular", tv_loss="nine_point", tv_weight=20.0, init="noise"),
        shape=(287, 200),
    ),
    "scales of a periodic texture": lambda: nst.synthesize(
        STYLE,
        recipe(padding="circular", min_size=130, steps=3, init="image", optimizer="adam"),
        shape=(287, 200),
        init_image=CONTENT[:, ::2],
    ),
    "a line search around what is kept": lambda: nst.stylize(
        CONTENT, STYLE, recipe(line_search=True, init="mix"), guide=LABELS, keep_unlabelled=True
    ),
    "deep layers": lambda: nst.stylize(
        CONTENT,
        STYLE,
        recipe(style_layers={"relu1_1": 1, "relu4_1": 1}, content_layers={"relu4_2": 1}, tile=128),
    ),
    "transparent": lambda: nst.stylize(
        np.concatenate([CONTENT, ALPHA], axis=2),
        STYLE,
        recipe(color="luminance", content_norm="mean", tile=128),
    ),
    "regions": lambda: nst.stylize(
        CONTENT,
        STYLE,
        recipe(tv_loss="sum", tv_exponent=1.0, tv_weight=1e-6),
        guide=LABELS,
        style_guides=labelled(STYLE),
        keep_unlabelled=True,
    ),
    "a hole": lambda: nst.synthesize(
        STYLE, recipe(tv_weight=20.0, init="noise"), into=CONTENT, region=HOLE
    ),
    "a reconstruction": lambda: nst.reconstruct(CONTENT, recipe(init="noise")),
    # Gradients are infinite at first, but not where the content does not count.
    "float16": lambda: nst.stylize(
        np.concatenate([CONTENT, BELOW], axis=2),
        STYLE,
        recipe(
            precision="float16",
            size=200,
            steps=2,
            content_norm="sum",
            content_weight=100.0,
            style_weight=1e-3,
            init="noise",
        ),
    ),
}


def untrained():
    """Return random kernels that keep features at one size (He et al. 2015)."""
    generator = torch.Generator().manual_seed(0)
    parameters = {
        name: torch.randn(shape, generator=generator)
        * (0.1 if len(shape) == 1 else math.sqrt(2 / math.prod(shape[1:])))
        for name, shape in SHAPES.items()
    }
    return PretrainedVGG(
        "caffe", parameters, sha256="", channel_order="RGB", input_scale=1.0,
        mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25),
    )  # fmt: skip


def upside_down():
    """Return the content so, (1, 3, H, W)."""
    picture = CONTENT[::-1] / np.float32(255)
    return torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()


def main(path):
    weights = untrained()
    course.load = lambda *_: weights
    tiling.LEAST_ROWS = 64
    with processes.joined("cpu") as ours:
        iterations = {name: list(run()) for name, run in RUNS.items()}
        last = iterations["the usual"][-1]
        # From what only the first has, and the same however many there are: rounding aside, too.
        there = upside_down() if ours.rank == 0 else torch.zeros_like(last.pixels)
        last = replace(last, pixels=there)
        iterations["going on"] = list(nst.stylize(CONTENT, STYLE, recipe(steps=2), after=last))
        found = {name: what_is_found(steps, ours.rank) for name, steps in iterations.items()}
        torch.save(found, f"{path}.{ours.rank}.of.{ours.count}")


def what_is_found(iterations, rank):
    last = iterations[-1]
    return {
        "losses": [it.losses for it in iterations],
        "shape": last.shape,
        "rows": last.pixels.shape[2],
        "picture": None if rank else torch.from_numpy(last.picture.copy()),
    }


if __name__ == "__main__":
    main(sys.argv[1])
