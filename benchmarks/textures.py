"""Compare synthesized textures of every style loss with their exemplar.

    .venv/bin/python -m benchmarks.textures

For each exemplar and style loss: the distance of the texture's Gram matrices from the exemplar's,
at layers that were not optimised, as a multiple of the distance that two crops of the exemplar have
from each other. Prints a Markdown table of the worst layer and of the mean; writes the pictures
into a folder.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from skimage import data

import napari_nst as nst
from benchmarks.texture_distance import corners, distances_between_crops, gram_matrices
from napari_nst.engine.inspect import gram_distances
from napari_nst.io.write_image import write_image
from napari_nst.recipe import CONTROLS

EXEMPLARS = {
    "brick": data.brick,
    "gravel": data.gravel,
    "grass": data.grass,
    "stained tissue": data.immunohistochemistry,
}

HELD_OUT = ["relu1_2", "relu2_2", "relu3_2", "relu3_4", "relu4_2", "relu4_4", "relu5_2"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="side of exemplar and texture")
    parser.add_argument("--steps", type=int, help="iterations; the preset's where left out")
    parser.add_argument("--losses", nargs="*", default=CONTROLS["style_loss"].choices)
    parser.add_argument("--exemplars", nargs="*", default=list(EXEMPLARS))
    parser.add_argument("--output", type=Path, default=Path("texture-benchmark"))
    options = parser.parse_args()
    options.output.mkdir(exist_ok=True)
    network = nst.VGG19(HELD_OUT, padding="replicate")
    print("| exemplar | style loss | worst layer | mean of layers | seconds |")
    print("| --- | --- | --- | --- | --- |")
    for name in options.exemplars:
        whole = EXEMPLARS[name]()
        exemplar = corners(whole, options.size)[0]
        yardstick = distances_between_crops(network, whole, options.size)
        target = gram_matrices(network, exemplar)
        for loss in options.losses:
            steps = {} if options.steps is None else {"steps": options.steps}
            recipe = nst.preset("texture", size=0, style_loss=loss, **steps)
            began = time.perf_counter()
            last = list(nst.synthesize(exemplar, recipe))[-1]
            seconds = time.perf_counter() - began
            distances = gram_distances(gram_matrices(network, last.picture), target)
            ratios = [distances[layer] / yardstick[layer] for layer in HELD_OUT]
            print(
                f"| {name} | {loss} | {max(ratios):.2f} | {np.mean(ratios):.2f} | {seconds:.0f} |",
                flush=True,
            )
            write_image(options.output / f"{name.replace(' ', '-')}-{loss}.png", last.picture)


if __name__ == "__main__":
    main()
