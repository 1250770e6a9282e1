"""Weights that are tuned at one image size have the same effect at another size.

A photograph in the style of a stained tissue, with the first phase of the default, at 64 and at 160
pixels: six times the area.
"""

import numpy as np
import pytest
import skimage.data
from skimage.transform import resize

from napari_nst.engine.api import stylize
from napari_nst.recipe import preset

pytestmark = pytest.mark.network

CONTENT = skimage.data.astronaut()
STYLE = skimage.data.immunohistochemistry()
PARTS = ("content", "style", "tv")


def stylized(**fields):
    recipe = preset(**fields, phases=(), precision="float32", device="cpu")
    return list(stylize(CONTENT, STYLE, recipe))[-1]


def reduced(iteration):
    return resize(iteration.image, (64, 64), anti_aliasing=True)


def test_a_style_weight_has_the_same_effect_at_six_times_the_area(real):
    small = {
        weight: stylized(size=64, min_size=0, steps=12, style_weight=weight)
        for weight in (2.0, 8.0, 32.0)
    }
    large = stylized(size=160, min_size=64, scale_ratio=2.5, steps=18, style_weight=8.0)
    for part in PARTS:
        assert 0.5 < large.losses[part] / small[8.0].losses[part] < 2, part

    # Of three small images, the one with the same weight is the most similar to the large one.
    image = reduced(large)
    distances = {weight: np.abs(image - reduced(it)).mean() for weight, it in small.items()}
    assert distances[8.0] < 0.8 * min(distances[2.0], distances[32.0])
    assert np.corrcoef(image.ravel(), reduced(small[8.0]).ravel())[0, 1] > 0.97


@pytest.mark.parametrize(
    ("norm", "least", "most"),
    [("relative", 0.6, 1.6), ("sum", 4, 10)],
)
def test_a_mean_does_not_depend_on_the_size_but_a_sum_does(real, norm, least, most):
    """Many published programs use sums: six times the area, six times the content weight."""
    losses = [
        stylized(
            size=size, min_size=0, init="style", content_norm=norm, style_weight=0, steps=1
        ).losses
        for size in (64, 160)
    ]
    assert least < losses[1]["content"] / losses[0]["content"] < most
