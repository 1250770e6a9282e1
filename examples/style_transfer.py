"""Paint a photograph in the style of a painting, and print the losses."""

from importlib.resources import files

from skimage import data, img_as_ubyte, io

import napari_nst as nst

photograph = data.astronaut()
painting = io.imread(files("napari_nst") / "data" / "painting.jpg")  # or any other picture

recipe = nst.preset("default", size=384, steps=150)  # or other fields of nst.Recipe
for iteration in nst.stylize(photograph, painting, recipe):
    print(f"{iteration.step} of {iteration.steps}: loss {iteration.losses['total']:.4g}")

io.imsave("painted.png", img_as_ubyte(iteration.picture))
