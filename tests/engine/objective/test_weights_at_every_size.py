"""What is tuned at one size looks the same at another: weights mean the same everywhere.

A photograph in the style of a stained tissue, with the default recipe, at 64 pixels and at 160:
six times the area.
"""

import numpy as np
import pytest
import skimage.data
from skimage.transform import resize

from napari_nst.engine import api as jobs
from napari_nst.recipe import preset

pytestmark = pytest.mark.network

CONTENT = skimage.data.astronaut()
STYLE = skimage.data.immunohistochemistry()
PARTS = ("content", "style", "tv")


def stylized(**fields):
    recipe = preset(**fields, precision="float32", device="cpu")
    return list(jobs.stylize(CONTENT, STYLE, recipe))[-1]


def seen_from_afar(it):
    return resize(it.image, (64, 64), anti_aliasing=True)


def test_a_weight_means_the_same_at_six_times_the_area(real):
    small = {
        weight: stylized(size=64, min_size=0, steps=12, style_weight=weight)
        for weight in (2.0, 8.0, 32.0)
    }
    large = stylized(size=160, min_size=64, scale_ratio=2.5, steps=18, style_weight=8.0)
    for part in PARTS:
        assert 0.5 < large.losses[part] / small[8.0].losses[part] < 2, part

    # And of three weights at the small size, it is its own that the large picture looks like.
    picture = seen_from_afar(large)
    distances = {w: np.abs(picture - seen_from_afar(it)).mean() for w, it in small.items()}
    assert distances[8.0] < 0.8 * min(distances[2.0], distances[32.0])
    assert np.corrcoef(picture.ravel(), seen_from_afar(small[8.0]).ravel())[0, 1] > 0.97


@pytest.mark.parametrize(
    ("norm", "least", "most"),
    [("relative", 0.6, 1.6), ("sum", 4, 10)],
)
def test_one_picture_has_one_loss_at_every_size_unless_it_is_a_sum(real, norm, least, most):
    """As in many published programs, where six times the area is six times the content weight."""
    losses = [
        stylized(
            size=size, min_size=0, init="style", content_norm=norm, style_weight=0, steps=1
        ).losses
        for size in (64, 160)
    ]
    assert least < losses[1]["content"] / losses[0]["content"] < most
