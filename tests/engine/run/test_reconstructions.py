"""Content reconstruction: the image again from what a layer keeps of it."""

import numpy as np
import pytest

from napari_nst.engine import api as jobs
from tests.helpers.small_images import CONTENT


def correlation(one, other):
    return np.corrcoef(one.ravel(), other.ravel())[0, 1]


def test_the_features_come_back_and_with_them_the_image(quick):
    recipe = quick(init="noise", content_layers={"relu1_1": 1}, tv_weight=0, size=64, steps=40)
    first, *_, last = jobs.reconstruct(CONTENT, recipe)
    assert last.losses["total"] < 0.02 * first.losses["total"]
    assert correlation(last.image, CONTENT) > 0.97


@pytest.mark.network
def test_deeper_layers_keep_less_of_the_pixels(quick, real):
    found = []
    for layer in ("relu1_2", "relu4_1"):
        recipe = quick(init="noise", content_layers={layer: 1}, tv_weight=1e-3, size=64, steps=25)
        *_, it = jobs.reconstruct(CONTENT, recipe)
        found.append(correlation(it.image, CONTENT))
    assert found[0] > 0.8
    assert found[1] < found[0] - 0.1


def test_a_reconstruction_has_no_style(quick):
    """Whatever a recipe for transfers says."""
    plain, with_style = (
        list(jobs.reconstruct(CONTENT, quick(init="noise", **fields)))
        for fields in (
            {"style_weight": 0, "style_layers": {}},
            {"style_weight": 1e3, "style_loss": "gram", "style_blend": (1, 2, 3)},
        )
    )
    for one, other in zip(plain, with_style, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.losses == other.losses
        assert one.losses["style"] == 0


def test_steps_scales_and_names_are_those_of_the_recipe(quick):
    recipe = quick(init="noise", size=60, min_size=30, steps=7)
    iterations = list(jobs.reconstruct(CONTENT[:48], recipe))
    assert [it.step for it in iterations] == list(range(1, 8))
    assert iterations[0].shape == (22, 30)
    assert iterations[-1].shape == (45, 60)
    assert {name for name in iterations[0].losses if "/" in name} == {"content/relu2_1"}


def test_a_mixed_start_is_nearer(quick):
    starts = {}
    for share in (0.2, 0.8):
        recipe = quick(init="mix", init_noise=share, size=64, steps=1, learning_rate=1e-9)
        (it,) = jobs.reconstruct(CONTENT, recipe)
        starts[share] = it.losses["content"]
    assert starts[0.2] < 0.5 * starts[0.8]


def test_it_starts_from_another_image(quick):
    recipe = quick(init="image", size=64, steps=1, learning_rate=1e-9, tv_weight=0)
    (it,) = jobs.reconstruct(CONTENT, recipe, init_image=CONTENT)
    assert it.losses["total"] < 1e-6
    (other,) = jobs.reconstruct(CONTENT, recipe, init_image=CONTENT[::-1])
    np.testing.assert_allclose(other.image, CONTENT[::-1] / 255, atol=1e-4)
    assert other.losses["total"] > 0.1


@pytest.mark.parametrize("shape", [(33, 64), (64, 17)])
def test_any_shape_is_reconstructed(quick, shape):
    image = CONTENT[: shape[0], : shape[1]]
    *_, it = jobs.reconstruct(image, quick(init="noise", size=0))
    assert it.image.shape == (*shape, 3)


def test_colours_are_the_layers_whatever_the_recipe_says(quick):
    pictures = [
        list(jobs.reconstruct(CONTENT, quick(init="noise", color=color)))[-1].image
        for color in ("style", "luminance")
    ]
    np.testing.assert_array_equal(*pictures)
