"""What each of several processes runs in test_distributed.py: whole runs of every kind."""

import sys

import numpy as np
import skimage.data
import torch

import napari_nst as nst
from napari_nst.engine.distributed import joined
from napari_nst.engine.tiling import budget
from napari_nst.recipe import Recipe

WEIGHTS = sys.argv[2] if __name__ == "__main__" else "gatys"
CONTENT = skimage.data.astronaut()[100:388, :200]
STYLE = skimage.data.coffee()[:180, :180]
ALPHA = np.full((*CONTENT.shape[:2], 1), 255, np.uint8)
ALPHA[:40], ALPHA[200:220, 50:90] = 0, 0
LABELS = np.zeros(CONTENT.shape[:2], int)
LABELS[:130, 20:], LABELS[150:280] = 1, 2
REGION = np.zeros(CONTENT.shape[:2], bool)
REGION[40:250, 30:170] = True
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
            "weights": WEIGHTS,
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
    "a periodic texture": lambda: nst.synthesize(
        STYLE,
        recipe(padding="circular", tv_loss="nine_point", tv_weight=20.0, init="noise"),
        shape=(287, 200),
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
    "a filled region": lambda: nst.synthesize(
        STYLE, recipe(tv_weight=20.0, init="noise"), into=CONTENT, region=REGION
    ),
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


def main(path):
    budget.LEAST_ROWS = 64
    with joined("cpu") as processes:
        iterations = {name: list(run()) for name, run in RUNS.items()}
        last = iterations["the usual"][-1]
        iterations["going on"] = list(nst.stylize(CONTENT, STYLE, recipe(steps=2), after=last))
        found = {name: found_in(steps) for name, steps in iterations.items()}
        torch.save(found, f"{path}.{processes.rank}.of.{processes.count}")


def found_in(iterations):
    last = iterations[-1]
    return {
        "losses": [it.losses for it in iterations],
        "shape": last.shape,
        "picture": torch.from_numpy(last.picture.copy()),
    }


if __name__ == "__main__":
    main(sys.argv[1])
