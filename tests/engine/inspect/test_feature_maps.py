"""What the network sees in a picture, and where its losses come from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_nst.engine.api import reconstruct, stylize, synthesize
from napari_nst.engine.inspect import feature_maps as inspection
from napari_nst.engine.inspect.contributions import contributions
from napari_nst.engine.inspect.feature_maps import feature_maps, loss_maps
from napari_nst.engine.job.build import (
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.input_image import as_rgb
from napari_nst.engine.objective.from_recipe import WeightedLoss
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.run import run as course
from napari_nst.engine.vgg.network import VGG19
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

GREY = np.rint(CONTENT.mean(axis=2)).astype(np.uint8)
HIDDEN = np.zeros((64, 64), bool)
HIDDEN[:, 40:] = True


@pytest.fixture
def no_network(no_network, monkeypatch):
    monkeypatch.setattr(inspection, "load", course.load)


@pytest.fixture
def quick(quick, untrained, monkeypatch):
    monkeypatch.setattr(inspection, "load", lambda *args: untrained)
    return lambda **changes: quick(**{"tv_weight": 0, **changes})


def last(iterations):
    return list(iterations)[-1]


@pytest.mark.parametrize(
    ("content", "changes"),
    [
        (CONTENT, {}),
        (CONTENT, {"tv_weight": 0.01, "min_size": 16, "steps": 4, "optimizer": "adam"}),
        (CONTENT[:45, :33], {"size": 0, "style_loss": "mean_covariance"}),
        (CONTENT, {"color": "luminance", "tv_weight": 0.01, "optimizer": "adam"}),
        (CONTENT, {"color": "pca", "style_loss": "mrf"}),
        (CONTENT, {"padding": "circular", "tv_weight": 0.01}),
        (CONTENT, {"pooling": "max", "network_input": "255", "content_norm": "sum"}),
        (GREY, {"tv_weight": 0.01}),
        (with_alpha(CONTENT, ~HIDDEN), {}),
    ],
    ids=["plain", "scales", "odd", "luminance", "patches", "circular", "input", "grey", "alpha"],
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
        # With the content's colours, the luminance is lost where these leave [0, 1].
        close = 2e-3 if recipe.color == "luminance" else 2e-4
        assert values.sum(dtype=float) == pytest.approx(it.losses[name], rel=close)


def test_maps_of_a_texture_do_too(quick):
    recipe = quick(init="noise")
    it = last(synthesize(STYLE, recipe, shape=(40, 48)))
    maps = loss_maps(order_to_synthesize(STYLE, recipe, (40, 48)), it.image)
    assert set(maps) == {"style/relu1_1", "style/relu2_1"}
    assert sum(maps.values()).sum() == pytest.approx(it.losses["total"], rel=2e-4)


def test_the_map_of_a_reconstruction_does_too(quick):
    recipe = quick(init="noise", content_layers={"conv2_1": 2})
    it = last(reconstruct(CONTENT, recipe))
    maps = loss_maps(order_to_reconstruct(CONTENT, recipe), it.image)
    assert set(maps) == {"content/conv2_1"}
    assert maps["content/conv2_1"].sum() == pytest.approx(it.losses["total"], rel=2e-4)


def test_maps_of_a_run_that_keeps_pixels_sum_to_its_losses(quick):
    recipe, region = quick(tv_weight=0.01), np.zeros((64, 64), np.uint8)
    region[8:30, 20:50] = 1
    guided = {"guide": region, "keep_unlabelled": True}
    it = last(stylize(CONTENT, STYLE, recipe, **guided))
    order = order_to_stylize(CONTENT, STYLE, recipe, **guided)
    maps = loss_maps(order, it.picture)
    assert not maps["style/relu1_1"][region == 0].any()
    filling = {"into": CONTENT, "region": region}
    filled = last(synthesize(STYLE, recipe, **filling))
    of_filling = loss_maps(order_to_synthesize(STYLE, recipe, **filling), filled.picture)
    for losses, found in [(it.losses, maps), (filled.losses, of_filling)]:
        for name, values in found.items():
            assert values.shape == (64, 64)
            assert values.sum() == pytest.approx(losses[name], rel=2e-4)


def test_a_filled_region_lies_where_it_is_in_the_picture(quick):
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
    maps = loss_maps(order_to_stylize(CONTENT, STYLE, recipe), STYLE)
    network = VGG19(["relu2_1"], untrained)
    seen, wanted = (
        network(torch.from_numpy(as_rgb(image)).movedim(-1, 0)[None])["relu2_1"][0].double().numpy()
        for image in (STYLE, CONTENT)
    )
    per_position = 3 * ((seen - wanted) ** 2).sum(axis=0) / (wanted**2).sum()
    expected = np.kron(per_position, np.full((2, 2), 1 / 4))
    np.testing.assert_allclose(maps["content/relu2_1"], expected, rtol=1e-3, atol=1e-9)


def test_the_content_itself_has_a_content_map_of_nothing(quick):
    maps = loss_maps(order_to_stylize(CONTENT, STYLE, quick(size=0)), CONTENT)
    assert not maps["content/relu2_1"].any()
    assert all(np.isfinite(values).all() for values in maps.values())
    assert maps["style/relu1_1"].sum() > 0


def test_a_loss_that_pulls_nowhere_comes_from_everywhere(untrained, random_image):
    class Constant(torch.nn.Module):
        def forward(self, values):
            return values.sum() * 0 + 5

    network = VGG19(["relu1_1"], untrained)
    objective = Objective(network, {"style/relu1_1": WeightedLoss(Constant(), 2)}, {})
    maps = contributions(objective, random_image(4, 5))
    np.testing.assert_allclose(maps["style/relu1_1"], np.full((4, 5), 10 / 20))


@pytest.mark.parametrize("job", ["reconstruct", "synthesize"])
def test_what_is_changed_in_one_place_lights_up_there(quick, job):
    changed = STYLE.copy()
    changed[40:48, 8:16:2] = 255
    changed[40:48, 9:16:2] = 0
    order = {"reconstruct": order_to_reconstruct, "synthesize": order_to_synthesize}[job]
    (*_, values) = loss_maps(order(STYLE, quick(size=0, init="noise")), changed).values()
    near = values[36:52, 4:20].sum()
    if job == "reconstruct":
        assert near == pytest.approx(values.sum())
    else:  # statistics are everybody's, but what made them wrong stands out
        assert near / values.sum() > 4 * 16**2 / values.size


def test_odd_rows_and_columns_that_pooling_leaves_out_have_nothing(quick):
    order = order_to_reconstruct(CONTENT[:33, :35], quick(size=0, init="noise"))
    values = loss_maps(order, STYLE[:33, :35])["content/relu2_1"]
    assert values[:32, :34].all()
    assert not values[32:].any()
    assert not values[:, 34:].any()


def test_what_is_transparent_has_no_loss(quick):
    order = order_to_stylize(with_alpha(CONTENT, ~HIDDEN), STYLE, quick(size=0))
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


def test_a_layer_without_a_loss_is_refused(quick, no_network):
    order = order_to_stylize(CONTENT, STYLE, quick())
    said = r"^layer relu3_1 has no loss in this recipe; relu1_1, relu2_1 have\.$"
    with pytest.raises(ValueError, match=said):
        loss_maps(order, CONTENT[::2, ::2], layer="relu3_1")
    with pytest.raises(ValueError, match=r"no layer 'relu3_9'; did you mean"):
        loss_maps(order, CONTENT[::2, ::2], layer="relu3_9")


def test_a_picture_of_another_size_is_refused(quick, no_network):
    order = order_to_stylize(CONTENT, STYLE, quick(min_size=20))
    said = (
        r"^picture is 64 × 64 pixels, and those that its order makes are 23 × 23 or 32 × 32; give"
    )
    with pytest.raises(ValueError, match=said):
        loss_maps(order, CONTENT)
    with pytest.raises(ValueError, match=r"^picture must be an image"):
        loss_maps(order, np.zeros(3))


def test_feature_maps_are_the_networks(quick, untrained):
    recipe = quick(
        precision="bfloat16", pooling="average", padding="reflect", rescale_pooling=False
    )
    maps = feature_maps(CONTENT, "conv2_2", recipe)
    network = VGG19(["conv2_2"], untrained, pooling="average", padding="reflect")
    expected = network(torch.from_numpy(as_rgb(CONTENT)).movedim(-1, 0)[None])["conv2_2"][0]
    assert (maps.shape, maps.dtype) == ((128, 32, 32), np.float32)
    np.testing.assert_allclose(maps, expected.numpy(), rtol=1e-4, atol=1e-4)
    assert maps.min() < 0  # a convolution, before its rectifier


def test_feature_maps_at_another_size(quick):
    assert feature_maps(CONTENT[:, :32], "relu1_1", quick(), size=40).shape == (64, 40, 20)


def test_feature_maps_do_not_see_what_is_transparent(quick):
    other = with_alpha(CONTENT, ~HIDDEN)
    other[..., :3][HIDDEN] = 255
    one, other = (
        feature_maps(a, "relu2_1", quick()) for a in (with_alpha(CONTENT, ~HIDDEN), other)
    )
    np.testing.assert_array_equal(one, other)


def test_errors_of_feature_maps_name_argument_and_cure(quick, no_network):
    recipe = quick()
    with pytest.raises(ValueError, match=r"^VGG-19 has no layer 'relu9_1'; "):
        feature_maps(CONTENT, "relu9_1", recipe)
    with pytest.raises(TypeError, match=r"^recipe must be a Recipe"):
        feature_maps(CONTENT, "relu1_1", {"size": 3})
    with pytest.raises(ValueError, match=r"^size must be .*; not -3\.$"):
        feature_maps(CONTENT, "relu1_1", recipe, size=-3)
    said = r"^image is 16 × 8 pixels, and relu5_1 needs 16 on both sides; take a larger one, or"
    with pytest.raises(ValueError, match=said):
        feature_maps(CONTENT[:, :32], "relu5_1", recipe, size=16)
    with pytest.raises(ValueError, match=r"^device 'cuda:7' is not on this machine"):
        feature_maps(CONTENT, "relu1_1", replace(recipe, device="cuda:7"))
