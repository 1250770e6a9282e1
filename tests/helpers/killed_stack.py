"""A stack whose process is killed: ``python killed_stack.py WEIGHTS OUT SLICE STEP``.

With a fifth argument, it says so at that step and waits for its standard input instead.
"""

import os
import signal
import sys

import numpy as np

import napari_nst as nst

RANDOM = np.random.default_rng(0)
STACK = RANDOM.integers(0, 256, (4, 40, 48), np.uint8)
STYLE = RANDOM.integers(0, 256, (48, 40, 3), np.uint8)


def begin(weights, out, **changes):
    recipe = nst.Recipe(
        content_layers={"relu2_1": 1}, style_layers={"relu1_1": 1}, size=32, min_size=0, steps=3,
        precision="float32", device="cpu", weights=weights,
    )  # fmt: skip
    return nst.stylize_stack(STACK, STYLE, recipe, out=out, warm_steps=2, **changes)


def main(weights, out, label, number, waits=False):
    for step in begin(weights, out, temporal=20):
        if step.label == label and step.step == int(number) and not step.finished:
            if waits:
                print("waiting", flush=True)
                sys.stdin.read()
            else:
                os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
