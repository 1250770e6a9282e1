"""Content reconstruction: an image from the features of a layer."""

import numpy as np
import pytest

import napari_nst as nst
from tests.helpers.small_images import CONTENT


def correlation(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_the_features_and_with_them_the_image_are_recovered(quick):
    recipe = quick(init="noise", content_layers={"relu1_1": 1}, tv_weight=0, size=48, steps=30)
    content = CONTENT[:48, :48]
    first, *_, last = nst.reconstruct(content, recipe)
    assert {name for name in last.losses if "/" in name} == {"content/relu1_1"}
    assert last.losses["total"] < 0.02 * first.losses["total"]
    assert correlation(last.image, content) > 0.97


@pytest.mark.network
def test_deeper_layers_keep_less_of_the_pixels(quick, real):
    found = []
    for layer in ("relu1_2", "relu4_1"):
        recipe = quick(
            init="noise", content_layers={layer: 1}, tv_weight=1e-3, size=64, steps=25,
            weights="gatys",
        )  # fmt: skip
        found.append(correlation(list(nst.reconstruct(CONTENT, recipe))[-1].image, CONTENT))
    assert found[0] > 0.8
    assert found[1] < found[0] - 0.1


def test_style_and_colour_of_the_recipe_are_not_used(quick):
    variants = (
        {"style_weight": 0, "style_layers": {}},
        {"style_weight": 1e3, "style_blend": (1, 2, 3), "color": "luminance"},
    )
    one, other = (
        list(nst.reconstruct(CONTENT, quick(init="noise", **fields)))[-1] for fields in variants
    )
    np.testing.assert_array_equal(one.image, other.image)
    assert one.losses == other.losses
    assert one.losses["style"] == 0


def test_any_shape_is_reconstructed_at_every_scale(quick):
    shape = (64, 17)
    image = CONTENT[: shape[0], : shape[1]]
    first, *_, last = nst.reconstruct(image, quick(init="noise", size=0, min_size=32))
    assert max(first.shape) == 32
    assert last.image.shape == (*shape, 3)
