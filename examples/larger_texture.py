"""Make a texture three times as high and as wide as its exemplar; opposite edges match."""

import numpy as np
from skimage import data, img_as_ubyte, io

import napari_nst as nst

exemplar = data.gravel()[:128, :128]
height, width = exemplar.shape

recipe = nst.preset("texture", size=128, steps=200, padding="circular")
for iteration in nst.synthesize(exemplar, recipe, shape=(3 * height, 3 * width)):
    print(f"{iteration.step} of {iteration.steps}, {iteration.seconds_left:.0f} s left")

texture = img_as_ubyte(iteration.picture)  # grey, like the exemplar
io.imsave("texture.png", texture)
io.imsave("tiles.png", np.tile(texture, (2, 2)))  # shows that no seam is visible
