"""Paint a time series slice by slice; run it again after an interruption, and it goes on."""

import numpy as np
from scipy.ndimage import shift
from skimage import data

import napari_nst as nst

# Six frames of 16 bits, in which the cell drifts, with the noise of a camera.
random, cell = np.random.default_rng(0), data.cell()[236:492, 290:546] / 255
drifting = [shift(cell, (2 * time, time), mode="nearest") for time in range(6)]
series = drifting + random.normal(0, 0.01, (6, 256, 256))
series = np.rint(np.clip(series, 0, 1) * 65535).astype(np.uint16)

recipe = nst.preset("draft", size=192)
run = nst.stylize_stack(series, data.immunohistochemistry(), recipe, temporal=200, out="cell.zarr")
for step in run:
    print(f"{step.label}: step {step.step} of {step.steps}, {step.done} of {step.slices} finished")

painted = run.array[:] / np.float32(65535)  # of zarr, (6, 192, 192)
flicker = nst.flicker(list(painted), list(series / np.float32(65535)))
print(f"It changes {flicker:.1f} times as much as the series does.")
