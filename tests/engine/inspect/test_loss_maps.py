"""Loss maps sum to the losses of a run, and show where they come from."""

import numpy as np
import pytest
import torch

from napari_nst.engine.api import reconstruct, stylize, synthesize
from napari_nst.engine.inspect.loss_maps import loss_maps
from napari_nst.engine.job.build import (
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.vgg.network import VGG19
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

GREY = np.rint(CONTENT.mean(axis=2)).astype(np.uint8)
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
        (CONTENT[:45, :33], {"size": 0, "style_loss": "mean_covariance"}),
        (CONTENT, {"color": "luminance", "tv_weight": 0.01, "optimizer": "adam"}),
        (CONTENT, {"color": "pca", "style_loss": "mrf"}),
        (CONTENT, {"padding": "circular", "tv_weight": 0.01}),
        (CONTENT, {"pooling": "max", "network_input": "255", "content_norm": "sum"}),
        (GREY, {"tv_weight": 0.01}),
        (with_alpha(CONTENT, VISIBLE), {}),
    ],
    ids=["scales", "odd", "luminance", "patches", "circular", "input", "grey", "alpha"],
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


def test_a_picture_of_a_coarser_scale_has_the_losses_of_that_scale(quick):
    recipe = quick(min_size=16, steps=4)
    first, *_ = stylize(CONTENT, STYLE, recipe)
    maps = loss_maps(order_to_stylize(CONTENT, STYLE, recipe), first.picture)
    assert maps["content/relu2_1"].shape == first.shape != (32, 32)
    assert maps["style/relu1_1"].sum() == pytest.approx(first.losses["style/relu1_1"], rel=2e-4)


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


def test_errors_name_the_argument(quick):
    order = order_to_stylize(CONTENT, STYLE, quick(min_size=20))
    with pytest.raises(ValueError, match="layer relu3_1 has no loss in this recipe"):
        loss_maps(order, CONTENT[::2, ::2], layer="relu3_1")
    with pytest.raises(ValueError, match=r"^picture is 64 × 64 pixels.* 23 × 23 or 32 × 32; give"):
        loss_maps(order, CONTENT)
    with pytest.raises(ValueError, match=r"^picture must be an image"):
        loss_maps(order, np.zeros(3))
