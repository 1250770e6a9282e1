"""A run of the viewer whose process is killed: ``python killed_run.py STEP``."""

import os
import signal
import sys

import numpy as np
from napari.layers import Image

import napari_nst as nst
from napari_nst.engine.checkpoint import saved_runs
from napari_nst.viewer.layers.intensity import intensity_of
from napari_nst.viewer.layers.position import Position, layer_transform
from napari_nst.viewer.loss_plot.trace import LossTrace
from napari_nst.viewer.run.recovered import about_of
from napari_nst.viewer.run.request import RunRequest

RANDOM = np.random.default_rng(0)
CONTENT = RANDOM.integers(0, 4096, (3, 40, 48)).astype(np.uint16)  # the slice 1 is the content
STYLE = RANDOM.integers(0, 256, (48, 40, 3), np.uint8)
RECIPE = nst.Recipe(
    content_layers={"relu2_1": 1}, style_layers={"relu1_1": 1}, size=48, min_size=32, steps=8,
    precision="float32", device="cpu", seed=7,
)  # fmt: skip
LAYER = {
    "scale": (5, 0.5, 0.5), "translate": (10, 2, 3), "units": ("um",) * 3,
    "axis_labels": ("z", "y", "x"), "contrast_limits": (0, 4095), "colormap": "magenta",
}  # fmt: skip


def content():
    return (CONTENT[1] / 4095).astype(np.float32)


def main(step):
    layer = Image(CONTENT, **LAYER)
    request = RunRequest(
        name="cells × starry",
        position=Position((40, 48), (1, 2), (1, 0, 0), layer_transform(layer)),
        intensity=intensity_of(layer),
        recipe=RECIPE,
        function="stylize",
        read=lambda: {"content": content(), "style": [STYLE], "init_image": None},
        keep_dtype=True,
        controls={"content": {"layer": "cells"}},
    )
    losses = LossTrace()
    steering = nst.Steering(save_every=1e-9, about=lambda: about_of(request, losses))
    saved_runs.SHARE = 0
    for iteration in request.start(lambda *_: None, steering):
        losses.append(iteration.losses)
        if iteration.step == step + 1:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
