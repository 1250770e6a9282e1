"""Feature maps, loss maps and Gram matrices of images."""

import numpy as np
import pytest
import torch

from napari_nst.engine.api import reconstruct, stylize, synthesize
from napari_nst.engine.inspect import (
    GramView,
    displayable,
    feature_maps,
    gram_view,
    loss_maps,
)
from napari_nst.engine.job.build import (
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.network import VGG19
from napari_nst.texture_statistics.gram import gram_matrices
from tests.helpers.small_images import CONTENT, STYLE, with_alpha


@pytest.fixture
def quick(quick):
    """Return a function that makes a quick recipe without total variation."""
    return lambda **changes: quick(**{"tv_weight": 0, **changes})


# Feature maps


def test_feature_maps_are_the_output_of_the_network(quick, untrained):
    recipe = quick(
        precision="bfloat16", pooling="average", padding="reflect", rescale_pooling=False
    )
    maps = feature_maps(CONTENT, "conv2_2", recipe)
    network = VGG19(["conv2_2"], untrained, pooling="average", padding="reflect")
    expected = network(torch.from_numpy(as_rgb(CONTENT)).movedim(-1, 0)[None])["conv2_2"][0]
    assert (maps.shape, maps.dtype) == ((128, 32, 32), np.float32)
    np.testing.assert_allclose(maps, expected.numpy(), rtol=1e-4, atol=1e-4)
    assert maps.min() < 0  # before the ReLU


def test_feature_maps_at_another_size(quick):
    assert feature_maps(CONTENT[:, :32], "relu1_1", quick(), size=40).shape == (64, 40, 20)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"layer": "relu9_1"}, ValueError, "relu9_1"),
        ({"size": -3}, ValueError, "size.* must be"),
        ({"size": 16, "layer": "relu5_1"}, ValueError, "^image is 16 × 8 pixels, and relu5_1"),
    ],
)
def test_feature_maps_of_wrong_arguments_are_refused(quick, changes, error, message):
    arguments = {"layer": "relu1_1", "recipe": quick()} | changes
    with pytest.raises(error, match=message):
        feature_maps(CONTENT[:, :32], **arguments)


def test_values_of_any_range_are_displayable():
    values = np.linspace(0, 50, 10001, dtype=np.float32).reshape(73, 137)
    shown = displayable(values)
    assert shown.dtype == np.float32
    np.testing.assert_allclose(shown, np.clip(values / (0.999 * 50), 0, 1), rtol=1e-5)
    values[0, 0] = 1e9  # a single outlier does not leave the rest dark
    np.testing.assert_allclose(displayable(values)[1:], shown[1:], rtol=1e-3)
    np.testing.assert_allclose(displayable(np.array([-2.0, 0, 1])), [0, 0.5, 0.75], atol=1e-3)
    assert displayable(np.zeros(9)).max() == 0


# Loss maps

GREY = CONTENT[..., 1]
VISIBLE = np.ones((64, 64), bool)
VISIBLE[:, 40:] = False
JOBS = {stylize: order_to_stylize, synthesize: order_to_synthesize,
        reconstruct: order_to_reconstruct}  # fmt: skip


def last(iterations):
    return list(iterations)[-1]


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (CONTENT, {"tv_weight": 0.01, "min_size": 16, "steps": 4, "optimizer": "adam"}),
        (CONTENT[:45, :33], {"size": 0}),
        (CONTENT, {"color": "luminance", "tv_weight": 0.01, "optimizer": "adam"}),
        (CONTENT, {"color": "pca", "style_loss": "mrf"}),
        (CONTENT, {"padding": "circular", "tv_weight": 0.01}),
        (GREY, {"tv_weight": 0.01}),
        (with_alpha(CONTENT, VISIBLE), {}),
    ],
    ids=["scales", "odd", "luminance", "patches", "circular", "grey", "alpha"],
)
def test_maps_of_a_run_sum_to_its_losses(quick, content, changes):
    recipe = quick(**changes)
    it = last(stylize(content, STYLE, recipe))
    maps = loss_maps(order_to_stylize(content, STYLE, recipe), it.picture)
    parts = {name: loss for name, loss in it.losses.items() if "/" in name}
    assert maps.keys() == (parts | ({"tv": 0} if recipe.tv_weight else {})).keys()
    for name, values in maps.items():
        assert (values.shape, values.dtype) == (it.shape, np.float32)
        assert values.min() >= 0
        # Where the picture's colours leave [0, 1], they are clipped, and its luminance changes.
        close = 2e-3 if recipe.color == "luminance" else 2e-4
        assert values.sum(dtype=float) == pytest.approx(it.losses[name], rel=close)


REGION = np.zeros((64, 64), np.uint8)
REGION[8:30, 20:50] = 1


@pytest.mark.parametrize(
    ("function", "images", "arguments", "changes"),
    [
        (synthesize, [STYLE], {"shape": (40, 48)}, {"init": "noise"}),
        (reconstruct, [CONTENT], {}, {"init": "noise", "content_layers": {"conv2_1": 2}}),
        (stylize, [CONTENT, STYLE], {"guide": REGION, "keep_unlabelled": True}, {"tv_weight": 0.1}),
        (synthesize, [STYLE], {"into": CONTENT, "region": REGION}, {"tv_weight": 0.1}),
    ],
    ids=["texture", "reconstruction", "keep outside", "inpainting"],
)
def test_maps_of_other_jobs_sum_to_their_losses(quick, function, images, arguments, changes):
    recipe = quick(**changes)
    it = last(function(*images, recipe, **arguments))
    for name, values in loss_maps(JOBS[function](*images, recipe, **arguments), it.picture).items():
        assert values.shape == it.shape
        assert values.sum() == pytest.approx(it.losses[name], rel=2e-4)
        if "guide" in arguments and name.startswith("style"):
            assert not values[REGION == 0].any()


def test_the_map_of_an_inpainted_region_has_its_place_in_the_picture(quick):
    into, region = np.tile(CONTENT, (3, 4, 1)), np.zeros((192, 256), bool)
    region[100:110, 200:210] = True
    order = order_to_synthesize(STYLE, quick(), into=into, region=region)
    values = loss_maps(order, into)["style/relu1_1"]
    assert values.shape == (192, 256)
    assert values[92:118, 192:218].sum() == pytest.approx(values.sum())
    assert values[100:110, 200:210].all()


def test_a_content_map_is_the_squared_difference_at_each_position(quick, untrained):
    recipe = quick(size=0, content_weight=3, pooling="max", padding="zeros")
    order = order_to_stylize(CONTENT, STYLE, recipe)
    network = VGG19(["relu2_1"], untrained)
    features, target = (
        network(torch.from_numpy(as_rgb(image)).movedim(-1, 0)[None])["relu2_1"][0].double().numpy()
        for image in (STYLE, CONTENT)
    )
    per_position = 3 * ((features - target) ** 2).sum(axis=0) / (target**2).sum()
    expected = np.kron(per_position, np.full((2, 2), 1 / 4))
    found = loss_maps(order, STYLE)["content/relu2_1"]
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-9)
    assert not loss_maps(order, CONTENT)["content/relu2_1"].any()


@pytest.mark.parametrize("function", [reconstruct, synthesize])
def test_a_changed_place_has_most_of_the_loss(quick, function):
    changed = STYLE.copy()
    changed[40:48, 8:16:2] = 255
    changed[40:48, 9:16:2] = 0
    order = JOBS[function](STYLE, quick(size=0, init="noise"))
    (*_, values) = loss_maps(order, changed).values()
    near = values[36:52, 4:20].sum()
    if function is reconstruct:
        assert near == pytest.approx(values.sum())
    else:  # a statistic has a gradient at every position
        assert near / values.sum() > 4 * 16**2 / values.size


def test_odd_rows_and_columns_that_pooling_leaves_out_are_0(quick):
    order = order_to_reconstruct(CONTENT[:33, :35], quick(size=0, init="noise"))
    values = loss_maps(order, STYLE[:33, :35])["content/relu2_1"]
    assert values[:32, :34].all()
    assert not values[32:].any()
    assert not values[:, 34:].any()


def test_transparent_pixels_have_no_loss(quick):
    order = order_to_stylize(with_alpha(CONTENT, VISIBLE), STYLE, quick(size=0))
    for values in loss_maps(order, STYLE).values():
        assert values[:, :40].any()
        assert not values[:, 40:].any()


def test_maps_of_one_layer(quick):
    order = order_to_stylize(CONTENT, STYLE, quick(tv_weight=1))
    picture = CONTENT[::2, ::2]
    every = loss_maps(order, picture)
    assert list(every) == ["content/relu2_1", "style/relu1_1", "style/relu2_1", "tv"]
    of_one = loss_maps(order, picture, layer="block2_conv1")
    assert list(of_one) == ["content/relu2_1", "style/relu2_1"]
    for part, values in of_one.items():
        np.testing.assert_array_equal(values, every[part])


def test_loss_maps_of_wrong_arguments_are_refused(quick):
    order = order_to_stylize(CONTENT, STYLE, quick(min_size=20))
    with pytest.raises(ValueError, match="relu3_1 has no loss"):
        loss_maps(order, CONTENT[::2, ::2], layer="relu3_1")
    with pytest.raises(ValueError, match=r"^picture is 64 × 64 pixels.* 23 × 23 or 32 × 32; give"):
        loss_maps(order, CONTENT)


# Gram matrices


def test_matrices_and_distances_are_those_of_the_images(quick, untrained):
    recipe = quick(size=0, pooling="max", padding="replicate")
    view = gram_view(order_to_stylize(CONTENT, STYLE, recipe), CONTENT // 2, "relu3_1")
    assert (view.layer, view.names) == ("relu3_1", ("content", "style", "picture"))
    assert (view.matrices.shape, view.matrices.dtype) == ((3, 256, 256), np.float32)
    network = VGG19(["relu3_1"], untrained, padding="replicate")
    for matrix, image in zip(view.matrices, (CONTENT, STYLE, CONTENT // 2), strict=True):
        expected = gram_matrices(network, as_rgb(image))["relu3_1"].numpy()
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


def test_styles_have_the_colours_that_the_run_gives_them(quick):
    def distance(color):
        order = order_to_stylize(CONTENT, STYLE, quick(size=0, color=color))
        return gram_view(order, CONTENT, "relu1_1").distances["style"]

    assert distance("pca") < distance("style") / 2


def test_transparent_pixels_do_not_count_in_gram_matrices(quick):
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


def test_gram_views_of_wrong_arguments_are_refused(quick):
    order = order_to_stylize(CONTENT, STYLE, quick(size=0))
    with pytest.raises(ValueError, match=r"^picture is 32 × 64 pixels.* 64 × 64"):
        gram_view(order, CONTENT[::2], "relu1_1")
    order = order_to_stylize(CONTENT, STYLE, quick(size=12))
    with pytest.raises(ValueError, match=r"^picture is 12 × 12 pixels, and relu5_1 needs 16"):
        gram_view(order, CONTENT[:12, :12], "relu5_1")
    order = order_to_stylize(CONTENT, STYLE, quick(size=0, style_scale=0.2))
    with pytest.raises(ValueError, match=r"^style at this scale is 13 × 13 pixels, and relu5_1"):
        gram_view(order, CONTENT, "relu5_1")
