"""What is tuned at one size looks the same at another: weights mean the same everywhere.

A photograph in the style of a stained tissue, with the default recipe, at 64 pixels and at 192,
nine times the area.
"""

import numpy as np
import pytest
import skimage.data
import torch
from skimage.transform import resize

from napari_nst.engine import jobs
from napari_nst.engine.images import as_rgb, to_tensor
from napari_nst.engine.images import resize as resize_tensor
from napari_nst.engine.vgg import VGG19
from napari_nst.recipe import preset

pytestmark = pytest.mark.network

CONTENT = skimage.data.astronaut()
STYLE = skimage.data.immunohistochemistry()
WEIGHTS = (2.0, 8.0, 32.0)
SMALL = {"size": 64, "min_size": 0, "steps": 12}
LARGE = {"size": 192, "min_size": 64, "scale_ratio": 3.0, "steps": 20}


def stylized(**fields):
    recipe = preset(**fields, precision="float32", device="cpu")
    return list(jobs.stylize(CONTENT, STYLE, recipe))[-1]


def seen_from_afar(it):
    return resize(it.image, (64, 64), anti_aliasing=True)


def ratios(large, small):
    return {part: large.losses[part] / small.losses[part] for part in ("content", "style", "tv")}


@pytest.fixture(scope="module")
def small(gatys):
    """Return results at 64 pixels, by style weight."""
    return {weight: stylized(**SMALL, style_weight=weight) for weight in WEIGHTS}


def test_a_weight_means_the_same_at_nine_times_the_area(real, small):
    large = stylized(**LARGE, style_weight=8.0)
    for part, ratio in ratios(large, small[8.0]).items():
        assert 0.5 < ratio < 2, part

    # And of three weights at the small size, it is its own that a picture looks like.
    picture = seen_from_afar(large)
    distances = {w: np.abs(picture - seen_from_afar(it)).mean() for w, it in small.items()}
    assert distances[8.0] < 0.8 * min(distances[2.0], distances[32.0])
    assert np.corrcoef(picture.ravel(), seen_from_afar(small[8.0]).ravel())[0, 1] > 0.97


def test_it_does_not_where_losses_are_sums(real, small, gatys):
    """As in many published programs; a weight for the same content loss at 64 pixels."""
    image = resize_tensor(to_tensor(as_rgb(CONTENT), torch.device("cpu")), (64, 64))
    target = VGG19(["relu4_2"], gatys, padding="replicate")(image)["relu4_2"]
    sums = {"content_norm": "sum", "content_weight": 1 / target.square().sum().item()}
    assert stylized(**SMALL, **sums).losses == pytest.approx(small[8.0].losses, rel=0.02)
    assert ratios(stylized(**LARGE, **sums), small[8.0])["content"] > 3
