"""Give the coins one style and the background another, by a label for each region."""

import numpy as np
from skimage import data, filters, img_as_ubyte, io, morphology

import napari_nst as nst

coins = data.coins()
inside = filters.gaussian(coins, 2) > filters.threshold_otsu(filters.gaussian(coins, 2))
inside = morphology.remove_small_holes(inside, max_size=2000)
labels = np.where(inside, 1, 2)  # 0 would be a region without style

# Label 1 takes the first style, label 2 the second.
styles = [data.brick(), data.grass()]
recipe = nst.preset("default", size=384, steps=150)
for iteration in nst.stylize(coins, styles, recipe, guide=labels):
    print(f"{iteration.step} of {iteration.steps}: loss {iteration.losses['total']:.4g}")

io.imsave("coins.png", img_as_ubyte(iteration.picture))
