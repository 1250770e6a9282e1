"""Paint one slice of a stack of 16 bits, at the scale of its pixels, and put it back."""

import numpy as np
import tifffile
from skimage import data, filters, img_as_uint

import napari_nst as nst

# A stack as a microscope's program writes it: three planes, pixels of 0.5 µm, steps of 1 µm.
planes = [filters.gaussian(data.cell()[236:492, 290:546], sigma) for sigma in (4, 0, 4)]
calibration = {"imagej": True, "resolution": (2, 2), "metadata": {"unit": "um", "spacing": 1.0}}
tifffile.imwrite("stack.tif", img_as_uint(np.stack(planes) / np.max(planes)), **calibration)

with tifffile.TiffFile("stack.tif") as file:
    stack, pixels_per_um = file.asarray(), file.pages[0].resolution[0]

# The tissue has pixels of 0.25 µm: a micrometre of it is painted on a micrometre of the cell.
tissue, tissue_pixel = data.immunohistochemistry(), 0.25
recipe = nst.preset("default", size=0, steps=100, style_sizing="physical")  # 0: the own size
pixel_sizes = [1 / pixels_per_um, tissue_pixel]
for iteration in nst.stylize(stack[1], tissue, recipe, pixel_sizes=pixel_sizes):
    print(f"{iteration.step} of {iteration.steps}, {iteration.seconds_left:.0f} s left")

stack[1] = img_as_uint(iteration.picture)  # grey, because the slice is
tifffile.imwrite("painted-stack.tif", stack, **calibration)
