"""An ensemble whose process is killed: ``python killed_ensemble.py WEIGHTS OUT SEED STEP``."""

import os
import signal
import sys

import skimage.data

import napari_nst as nst

EXEMPLAR = skimage.data.gravel()[:48, :48]


def begin(weights, out):
    recipe = nst.Recipe(
        content_layers={}, style_layers={"relu1_1": 1}, size=48, min_size=0, steps=3, init="noise",
        precision="float32", device="cpu", weights=weights, noise="covariance",
    )  # fmt: skip
    return nst.synthesize_ensemble(EXEMPLAR, recipe, seeds=[5, 2, 9], out=out)


def main(weights, out, label, number):
    for step in begin(weights, out):
        if step.label == label and step.step == int(number) and not step.finished:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
