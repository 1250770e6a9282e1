"""Make the pictures of docs/style-targets.md: `python tools/style-target-pictures.py`.

It takes minutes, and prints the figures. A result is near a slide if its Gram matrices are, at
layers that no loss reads.
"""

from __future__ import annotations

import time
from importlib import resources

import numpy as np
from pictures import captioned, eight_bit, last, save
from skimage import data

import napari_nst as nst
from napari_nst.engine.inspect import gram_distances
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.network import network_of
from napari_nst.engine.vgg.weights import load
from napari_nst.io.image_files.read_image import read_image
from napari_nst.texture_statistics.gram import gram_matrices, held_out_layers

RECIPE = nst.preset("draft", size=192, channels="rgb")
ALONE = (0, 3, 5, 6, 9, 10, 12, 15)  # slides that are styles by themselves
SHOWN = (5, 10, 15)
MIXES = (0.0, 0.25, 0.5, 0.75, 1.0)

tissue, coins = data.immunohistochemistry(), data.coins()[30:290, 60:320]
slides = [tissue[y : y + 128, x : x + 128] for y in range(0, 512, 128) for x in range(0, 512, 128)]
painting = read_image(resources.files("napari_nst") / "data" / "painting.jpg")

network = network_of(RECIPE, held_out_layers(RECIPE, (128, 128)), load())
of_slides = [gram_matrices(network, as_rgb(np.ascontiguousarray(one))) for one in slides]


def target_of(*images: np.ndarray) -> nst.StyleTarget:
    """Return the style target of some images; print seconds and megabytes."""
    began = time.perf_counter()
    made = nst.StyleTarget.from_images([np.ascontiguousarray(one) for one in images], RECIPE)
    seconds = time.perf_counter() - began
    size = sum(one.nbytes for one in made.arrays.values()) / 1e6
    print(f"target of {len(images)}: {seconds:.1f} s, {size:.1f} MB", flush=True)
    return made


def painted(style: np.ndarray | nst.StyleTarget, name: str) -> np.ndarray:
    """Return the coins in a style; print how far the result is from all slides."""
    picture = last(nst.stylize(coins, style, RECIPE)).picture
    own = gram_matrices(network, picture)
    apart = [np.mean([*gram_distances(own, one).values()]) for one in of_slides]
    print(
        f"{name}: {np.mean(apart):.3f} ± {np.std(apart):.3f}, {min(apart):.3f}–{max(apart):.3f}",
        flush=True,
    )
    return eight_bit(picture)


of_all = target_of(*slides)
whole = painted(of_all, "all 16")
painted(target_of(*slides[::4]), "4")
singles = {index: painted(slides[index], f"slide {index + 1}") for index in ALONE}
pictures = {"content": np.dstack([coins] * 3)}
pictures |= {f"slide {index + 1}": slides[index] for index in SHOWN}
pictures["in the style of all 16 slides"] = whole
pictures |= {f"of slide {index + 1} alone": singles[index] for index in SHOWN}
save("style-targets", captioned(pictures, 4))

of_painting = target_of(painting)
mixed = {
    t: whole if t == 0 else painted(nst.StyleTarget.mix(of_all, of_painting, t), f"mix {t}")
    for t in MIXES
}
save("style-targets-mix", captioned({f"t = {t:g}": one for t, one in mixed.items()}, 5))
