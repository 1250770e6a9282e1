"""Two runs at the same time in one process, as in two viewers."""

import threading

import numpy as np

import napari_nst as nst
from napari_nst.engine.steering import Steering

RNG = np.random.default_rng(5)
CONTENT, STYLE, OTHER = RNG.integers(0, 256, (3, 40, 40, 3), np.uint8)


def test_runs_do_not_change_each_other(quick):
    recipe = quick(steps=8, style_loss="sliced_wasserstein")  # draws random directions
    alone = [it.image for it in nst.stylize(CONTENT, STYLE, recipe)]
    started, stopped = threading.Event(), Steering()
    steps = []

    def run_other():
        changed = recipe.replace(steps=500, seed=9, padding="circular", optimizer="adam")
        for it in nst.stylize(OTHER, OTHER, changed, steering=stopped):
            steps.append(it.step)
            if it.step == 3:
                stopped.change(style_weight=50, style_layers="relu1_1:2")
                stopped.restyle([STYLE])
                started.set()

    other = threading.Thread(target=run_other)
    other.start()
    assert started.wait(60)
    beside = []
    for it in nst.stylize(CONTENT, STYLE, recipe, steering=Steering()):
        beside.append(it.image)
        if it.step == 4:
            stopped.stop()
    other.join(60)
    assert not other.is_alive()
    assert 3 <= steps[-1] < 500
    np.testing.assert_array_equal(beside, alone)
