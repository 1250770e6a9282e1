"""Give the coins one style and the background another, by a label for each region."""

import numpy as np
from skimage import data, filters, img_as_ubyte, io, segmentation

import napari_nst as nst

coins = data.coins()
seeds = np.select([coins < 30, coins > 150], [2, 1], 0)  # surely background, surely coin
labels = segmentation.watershed(filters.sobel(coins), seeds)  # no 0, a region without style

# Label 1 takes the first style, label 2 the second.
styles = [data.brick(), data.grass()]
recipe = nst.preset("default", size=384, steps=150)
for iteration in nst.stylize(coins, styles, recipe, guide=labels):
    print(f"{iteration.step} of {iteration.steps}: loss {iteration.losses['total']:.4g}")

io.imsave("coins.png", img_as_ubyte(iteration.picture))
