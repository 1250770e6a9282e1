"""Gram matrices of content, styles and picture."""

import numpy as np
import pytest
from benchmarks.texture_distance import gram_matrices

from napari_nst.engine.inspect.gram import GramView, gram_view
from napari_nst.engine.job.build import (
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.vgg.network import VGG19
from tests.helpers.small_images import CONTENT, STYLE, with_alpha


def test_matrices_and_distances_are_those_of_the_images(quick, untrained):
    recipe = quick(size=0, pooling="max", padding="replicate")
    view = gram_view(order_to_stylize(CONTENT, STYLE, recipe), CONTENT // 2, "relu3_1")
    assert (view.layer, view.names) == ("relu3_1", ("content", "style", "picture"))
    assert (view.matrices.shape, view.matrices.dtype) == ((3, 256, 256), np.float32)
    network = VGG19(["relu3_1"], untrained, padding="replicate")
    for matrix, image in zip(view.matrices, (CONTENT, STYLE, CONTENT // 2), strict=True):
        expected = gram_matrices(network, image)["relu3_1"].numpy()
        np.testing.assert_allclose(matrix, expected, rtol=1e-3, atol=1e-5)
    assert list(view.distances) == ["content", "style"]
    for one, distance in zip(view.matrices[:2].astype(float), view.distances.values(), strict=True):
        picture = view.matrices[2].astype(float)
        mean = (np.linalg.norm(one) + np.linalg.norm(picture)) / 2
        assert distance == pytest.approx(np.linalg.norm(one - picture) / mean, rel=1e-3)


def test_names_follow_the_job_and_an_image_has_no_distance_from_itself(quick):
    recipe = quick(size=0, init="noise")
    view = gram_view(order_to_reconstruct(CONTENT, recipe), CONTENT, "conv2_2")
    assert (view.names, view.distances) == (("image", "picture"), {"image": 0.0})
    view = gram_view(order_to_synthesize([STYLE, CONTENT], recipe), STYLE, "relu1_1")
    assert view.names == ("exemplar 1", "exemplar 2", "picture")
    assert view.distances["exemplar 1"] == 0
    assert view.distances["exemplar 2"] > 0.1
    # An image that a run starts from is not compared.
    order = order_to_stylize(CONTENT, STYLE, quick(size=0, init="image"), init_image=STYLE)
    assert gram_view(order, CONTENT, "relu1_1").names == ("content", "style", "picture")
    region = np.zeros((64, 64), bool)
    region[20:40, 20:40] = True
    order = order_to_synthesize(None, quick(), into=CONTENT, region=region)
    view = gram_view(order, CONTENT, "relu1_1")
    assert view.names == ("into", "exemplar", "picture")
    assert view.distances["into"] == 0


def test_styles_have_the_colours_that_the_run_gives_them(quick):
    def distance(color):
        order = order_to_stylize(CONTENT, STYLE, quick(size=0, color=color))
        return gram_view(order, CONTENT, "relu1_1").distances["style"]

    assert distance("pca") < distance("style") / 2


def test_transparent_pixels_do_not_count(quick):
    visible = np.ones((64, 64), bool)
    visible[:, 32:] = False
    picture = CONTENT.copy()
    picture[:, 33:] = 0  # outside the receptive fields of the visible half

    def distance(content):
        order = order_to_stylize(content, STYLE, quick(size=0))
        return gram_view(order, picture, "relu1_1").distances["content"]

    assert distance(with_alpha(CONTENT, visible)) < distance(CONTENT) / 10


def test_matrices_are_shown_on_one_scale_with_the_largest_channels_first():
    of_style = np.array([[1.0, -2, 0], [-2, 16, 4], [0, 4, 9]], np.float32)
    view = GramView("conv1_1", ("style", "picture"), np.stack([of_style, of_style / 4]), {})
    style, picture = view.shown
    root = 2**0.5
    expected = (np.array([[4, 2, -root], [2, 3, 0], [-root, 0, 1]]) / 4 + 1) / 2
    np.testing.assert_allclose(style, expected, rtol=0.01)
    np.testing.assert_allclose(picture - 0.5, (style - 0.5) / 2, rtol=0.01, atol=1e-6)


def test_errors_name_the_argument(quick):
    order = order_to_stylize(CONTENT, STYLE, quick(size=0))
    with pytest.raises(ValueError, match=r"^picture is 32 × 64 pixels.* 64 × 64"):
        gram_view(order, CONTENT[::2], "relu1_1")
    with pytest.raises(ValueError, match="no layer 'relu'"):
        gram_view(order, CONTENT, "relu")
    order = order_to_stylize(CONTENT, STYLE, quick(size=12))
    with pytest.raises(ValueError, match=r"^picture is 12 × 12 pixels, and relu5_1 needs 16"):
        gram_view(order, CONTENT[:12, :12], "relu5_1")
    order = order_to_stylize(CONTENT, STYLE, quick(size=0, style_scale=0.2))
    with pytest.raises(ValueError, match=r"^style at this scale is 13 × 13 pixels, and relu5_1"):
        gram_view(order, CONTENT, "relu5_1")
