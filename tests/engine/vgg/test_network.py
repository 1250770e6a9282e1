"""VGG-19's features against convolutions in NumPy, and the shape of the network."""

import dataclasses
import re

import numpy as np
import pytest
import skimage.data
import torch
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn
from torch.autograd import gradcheck

import napari_nst as nst
from napari_nst.engine.job.layers import least_size
from napari_nst.engine.losses import Exemplar, GramLoss
from napari_nst.engine.vgg.network import VGG19
from napari_nst.engine.vgg.pooling import L2Pool2d
from napari_nst.recipe.layer_names import LAYER_NAMES

PADDINGS = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "circular": "wrap"}
"""Ours → NumPy's."""

VGG_PADDINGS = ["zeros", "replicate", "replicate_first", "reflect", "circular"]

POOLINGS = {"max": np.max, "average": np.mean, "l2": lambda x, axis: np.sqrt(np.mean(x**2, axis))}

FIRST_BLOCK = ["conv1_1", "relu1_1", "conv1_2", "relu1_2", "pool1"]


def numpy_first_block(pretrained, image, pooling, padding):
    """Compute the features of an RGB image (3, H, W) in [0, 1] by their definition, in float64."""

    def convolve(x, layer):
        weight = pretrained.parameters[f"{layer}.weight"].double().numpy()
        bias = pretrained.parameters[f"{layer}.bias"].double().numpy()
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1)), PADDINGS[padding])
        patches = sliding_window_view(padded, (3, 3), axis=(1, 2))
        return np.einsum("oiyx,ihwyx->ohw", weight, patches) + bias[:, None, None]

    def column(values):
        return np.array(values)[:, None, None]

    channels = image[::-1] if pretrained.channel_order == "BGR" else image
    x = channels * pretrained.input_scale
    x = (x - column(pretrained.mean)) / column(pretrained.std)
    features = {}
    for layer in ("1_1", "1_2"):
        features[f"conv{layer}"] = x = convolve(x, f"conv{layer}")
        features[f"relu{layer}"] = x = np.maximum(x, 0)
    channels, height, width = x.shape
    windows = x[:, : height // 2 * 2, : width // 2 * 2]
    windows = windows.reshape(channels, height // 2, 2, width // 2, 2)
    features["pool1"] = POOLINGS[pooling](windows, axis=(2, 4))
    return features


def assert_first_block_is_numpys(pretrained, image, pooling, padding):
    network = VGG19(FIRST_BLOCK, pretrained, pooling, padding)
    expected = numpy_first_block(pretrained, image[0].double().numpy(), pooling, padding)
    features = network(image)
    assert list(features) == FIRST_BLOCK
    for layer, values in expected.items():
        found = features[layer][0].numpy()
        np.testing.assert_allclose(found, values, atol=1e-5 * np.abs(values).max(), err_msg=layer)


@pytest.mark.network
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_features_of_the_real_network_are_numpys(gatys, random_image, pooling, padding):
    assert_first_block_is_numpys(gatys, random_image(13, 18), pooling, padding)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("padding", PADDINGS)
def test_features_are_numpys(untrained, random_image, pooling, padding):
    assert_first_block_is_numpys(untrained, random_image(7, 6), pooling, padding)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_the_input_is_what_the_weights_were_trained_on(untrained, random_image, order):
    pretrained = dataclasses.replace(
        untrained,
        channel_order=order,
        input_scale=1.0,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    assert_first_block_is_numpys(pretrained, random_image(5, 6), "max", "zeros")


@pytest.mark.network
def test_the_real_network_reads_blue_first(gatys, random_image):
    image = random_image(8, 8)
    network = VGG19(["conv1_1"], gatys)
    blue_first = image.flip(1) * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    weight, bias = gatys.parameters["conv1_1.weight"], gatys.parameters["conv1_1.bias"]
    expected = nn.functional.conv2d(blue_first, weight, bias, padding=1)
    torch.testing.assert_close(network(image)["conv1_1"], expected, rtol=1e-4, atol=1e-4)
    assert not torch.allclose(network(image.flip(1))["conv1_1"], expected, rtol=0.1, atol=0.1)


@pytest.mark.network
def test_the_normalised_network_has_mean_activations_of_one(gatys):
    layers = [f"relu{block}_1" for block in range(1, 6)]
    photograph = torch.from_numpy(skimage.data.astronaut() / np.float32(255)).permute(2, 0, 1)
    features = VGG19(layers, gatys)(photograph[None])
    for layer in layers:
        assert 0.8 < features[layer].mean().item() < 1.25, layer


def test_every_layer_has_its_channels_and_stride(untrained, random_image):
    features = VGG19(LAYER_NAMES, untrained)(random_image(40, 33))
    assert list(features) == list(LAYER_NAMES)
    for layer, values in features.items():
        block = int(re.search(r"\d", layer).group())
        stride = 2**block if layer.startswith("pool") else 2 ** (block - 1)
        assert values.shape == (1, min(64 * 2 ** (block - 1), 512), 40 // stride, 33 // stride)


def test_convolutions_keep_their_values_beside_their_rectifiers(untrained, random_image):
    pairs = [name for name in LAYER_NAMES if "_" in name]
    features = VGG19(pairs, untrained)(random_image(32, 32))
    for conv, relu in zip(pairs[::2], pairs[1::2], strict=True):
        assert features[conv].min() < 0, conv
        torch.testing.assert_close(features[relu], features[conv].clamp_min(0))


def test_each_layer_is_computed_from_the_one_before(untrained, random_image):
    network = VGG19(LAYER_NAMES[:12], untrained, "average", "reflect")
    features = list(network(random_image(16, 16)).values())
    for before, after, module in zip(
        features, features[1:], list(network.features)[1:], strict=False
    ):
        torch.testing.assert_close(after, module(before))


@pytest.mark.parametrize(
    ("alias", "layer"),
    [("conv_5", "conv3_1"), ("block2_conv2", "relu2_2"), ("block3_pool", "pool3")],
)
def test_layers_go_by_any_of_their_names(untrained, random_image, alias, layer):
    image = random_image(16, 16)
    (found,) = VGG19([alias], untrained)(image).items()
    assert found[0] == layer
    torch.testing.assert_close(found[1], VGG19([layer], untrained)(image)[layer])


def test_layers_come_once_each_from_shallow_to_deep(untrained, random_image):
    network = VGG19(["relu2_1", "conv1_1", "block2_conv1", "relu1_1"], untrained)
    assert list(network(random_image(8, 8))) == ["conv1_1", "relu1_1", "relu2_1"]


@pytest.mark.parametrize("deepest", ["conv1_1", "relu1_1", "pool2", "relu4_2", "pool5"])
def test_nothing_deeper_than_the_deepest_layer_is_built(untrained, deepest):
    network = VGG19(["conv1_1", deepest], untrained)
    names = [name for name, _ in network.features.named_children()]
    assert names == list(LAYER_NAMES[: LAYER_NAMES.index(deepest) + 1])
    assert not any(isinstance(module, nn.Linear) for module in network.modules())


def test_the_network_is_frozen_but_lets_gradients_through(untrained, random_image):
    network = VGG19(["relu2_1"], untrained)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    image = random_image(8, 8).requires_grad_()
    network(image)["relu2_1"].sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_building_leaves_the_loaded_weights_and_the_random_numbers_alone(untrained):
    before = {name: value.clone() for name, value in untrained.parameters.items()}
    state = torch.random.get_rng_state()
    VGG19(["conv5_4"], untrained, dtype=torch.bfloat16)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in untrained.parameters.items())


def test_two_networks_of_one_set_of_weights_agree(untrained, random_image):
    image = random_image(16, 16)
    first, second = (VGG19(["relu3_1"], untrained)(image)["relu3_1"] for _ in range(2))
    assert torch.equal(first, second)


def test_the_network_is_public_and_reads_files(untrained_file, random_image):
    network = nst.VGG19(["relu1_1"], weights=untrained_file, pooling="average", padding="circular")
    assert network(random_image(5, 7))["relu1_1"].shape == (1, 64, 5, 7)
    assert "relu1_1" in repr(network)
    assert "circular" in repr(network)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_circular_network_knows_no_border(untrained, random_image, pooling):
    network = VGG19(["relu1_2", "relu2_1", "relu3_1", "pool4"], untrained, pooling, "circular")
    image = random_image(32, 48)
    rolled = network(image.roll((16, 32), (2, 3)))
    for layer, values in network(image).items():
        stride = 32 // values.shape[-2]
        expected = values.roll((16 // stride, 32 // stride), (2, 3))
        torch.testing.assert_close(rolled[layer], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["zeros", "replicate", "reflect"])
def test_the_other_paddings_do(untrained, random_image, padding):
    network = VGG19(["relu2_1"], untrained, padding=padding)
    image = random_image(16, 16)
    expected = network(image)["relu2_1"].roll((4, 4), (2, 3))
    assert not torch.allclose(network(image.roll((8, 8), (2, 3)))["relu2_1"], expected, atol=0.1)


@pytest.mark.parametrize("padding", ["replicate", "reflect", "circular"])
def test_every_convolution_pads_what_a_flat_image_has(untrained, padding):
    """So that the features of a flat image are flat, at the border too."""
    features = VGG19(["conv3_4"], untrained, padding=padding)(torch.full((1, 3, 16, 16), 0.3))
    spread = features["conv3_4"].std(dim=(2, 3))
    assert spread.max() < 1e-4 * features["conv3_4"].abs().max()


SOME_DEPTHS = ["relu1_2", "relu2_1", "relu3_4"]


@pytest.mark.parametrize("own", VGG_PADDINGS)
@pytest.mark.parametrize("other", VGG_PADDINGS)
def test_another_padding_is_what_a_network_built_with_it_has(untrained, random_image, own, other):
    image = random_image(20, 17)
    network = VGG19(SOME_DEPTHS, untrained, "average", own, rescale_pooling=True)
    before = network(image)
    changed = network.with_padding(other)
    built = VGG19(SOME_DEPTHS, untrained, "average", other, rescale_pooling=True)(image)
    for layer, values in changed(image).items():
        assert torch.equal(values, built[layer])
        assert torch.equal(network(image)[layer], before[layer])
    assert changed.padding == other
    assert network.padding == own


def test_another_padding_shares_its_parameters(untrained):
    network = VGG19(SOME_DEPTHS, untrained, padding="circular")
    shared = dict(network.with_padding("replicate").named_parameters())
    for name, parameter in network.named_parameters():
        assert shared[name].data_ptr() == parameter.data_ptr()


def test_replicate_first_replicates_at_the_first_convolution_alone(untrained, random_image):
    image = random_image(12, 15)
    layers = ["conv1_1", "conv1_2", "relu2_2"]
    found = VGG19(layers, untrained, padding="replicate_first")(image)
    replicated = VGG19(layers, untrained, padding="replicate")(image)
    assert torch.equal(found["conv1_1"], replicated["conv1_1"])
    after = VGG19(layers, untrained, padding="zeros").features[1:](found["conv1_1"])
    torch.testing.assert_close(found["relu2_2"], after)
    inside, border = (slice(None), slice(None), slice(1, -1), slice(1, -1)), (..., 0)
    torch.testing.assert_close(found["conv1_2"][inside], replicated["conv1_2"][inside])
    assert not torch.allclose(found["conv1_2"][border], replicated["conv1_2"][border], atol=0.1)


@pytest.mark.parametrize("order", ["RGB", "BGR"])
@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_any_network_can_be_fed_bytes_less_their_mean(untrained, random_image, order, scale):
    """As gordicaleksa feeds torchvision's, which was trained on normalised pixels."""
    mean = (0.485, 0.456, 0.406) if scale == 1 else (103.939, 116.779, 123.68)
    pretrained = dataclasses.replace(
        untrained, channel_order=order, input_scale=scale, mean=mean, std=(0.229, 0.224, 0.225)
    )
    image = random_image(6, 7)
    found = VGG19(["conv1_1"], pretrained, network_input="255")(image)["conv1_1"]

    channels = (image.flip(1) if order == "BGR" else image).double()
    centred = channels * 255 - torch.tensor(mean).double().view(1, 3, 1, 1) * (255 / scale)
    weight = pretrained.parameters["conv1_1.weight"].double()
    bias = pretrained.parameters["conv1_1.bias"].double()
    expected = nn.functional.conv2d(centred, weight, bias, padding=1)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-2)
    own = VGG19(["conv1_1"], pretrained)(image)["conv1_1"]
    assert (own - found).abs().max() > 1


@pytest.mark.network
def test_half_precision_features_give_nearly_the_same_style_loss(gatys):
    def photograph(name):
        image = getattr(skimage.data, name)()[100:196, 100:196] / np.float32(255)
        return torch.from_numpy(image).permute(2, 0, 1)[None]

    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1"]
    losses = {}
    for dtype in (torch.float32, torch.bfloat16):
        network = VGG19(layers, gatys, dtype=dtype)
        style, image = network(photograph("coffee")), network(photograph("astronaut"))
        assert all(features.dtype == dtype for features in image.values())
        losses[dtype] = [
            GramLoss([Exemplar(style[layer])], norm="relative")(image[layer]).item()
            for layer in layers
        ]
    np.testing.assert_allclose(losses[torch.bfloat16], losses[torch.float32], rtol=0.02)
    assert losses[torch.bfloat16] != losses[torch.float32]


@pytest.mark.parametrize(("pooling", "expected"), [("max", 5), ("average", 2), ("l2", 7.5**0.5)])
def test_pooling_keeps_features_at_the_size_they_have(untrained, pooling, expected):
    pool = VGG19(["pool1"], untrained, pooling).features.pool1
    assert pool(torch.tensor([[[[5.0, 1.0], [2.0, 0.0]]]])).item() == pytest.approx(expected)
    assert pool(torch.full((1, 2, 7, 5), 3.0)).shape == (1, 2, 3, 2)
    torch.testing.assert_close(pool(torch.full((1, 2, 4, 4), 3.0)), torch.full((1, 2, 2, 2), 3.0))


def test_gradient_of_l2_pooling_is_that_of_finite_differences():
    features = torch.rand(
        1, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    assert gradcheck(L2Pool2d(), (features + 0.1).requires_grad_())


def test_l2_pooling_has_a_slope_where_a_rectifier_left_nothing():
    features = torch.zeros(1, 1, 2, 2, requires_grad=True)
    L2Pool2d()(features).backward()
    assert torch.equal(features.grad, torch.zeros(1, 1, 2, 2))


SOME_LAYERS = ["conv1_1", "pool1", "relu2_1", "conv3_4", "pool3", "relu4_2", "conv5_1", "pool5"]


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("layer", SOME_LAYERS)
def test_the_least_size_works_and_one_pixel_less_does_not(untrained, random_image, layer, padding):
    network = VGG19([layer], untrained, padding=padding)
    least = least_size([layer], padding)
    features = network(random_image(least, least + 3))[layer]
    assert features.numel() > 0
    assert features.isfinite().all()
    if least > 1:
        with pytest.raises(ValueError, match=f"too small for {layer}; .* at least {least}\\.$"):
            network(random_image(least - 1, 64))
        with pytest.raises(ValueError, match=f"^An image of 64 × {least - 1} pixels is too small"):
            network(random_image(64, least - 1))
        with pytest.raises(RuntimeError):  # what torch would have said
            network.features(random_image(least - 1, 64))


def test_the_least_size_is_that_of_the_deepest_layer():
    assert least_size(["relu1_1", "relu5_1", "relu2_1"]) == least_size(["block5_conv1"]) == 16
    assert least_size(["relu1_1", "relu5_1"], "reflect") == 32
    assert least_size([]) == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"layers": []}, r"^layers is empty; name at least one, such as relu4_2\.$"),
        ({"layers": ["relu4_7"]}, "^VGG-19 has no layer 'relu4_7'; did you mean 'relu4_"),
        ({"pooling": "min"}, r"^pooling must be one of max, average, l2; not 'min'\.$"),
        (
            {"padding": "mirror"},
            "^padding must be one of zeros, replicate, replicate_first, reflect, circular; ",
        ),
        ({"network_input": "1"}, r"^network_input must be own or 255; not '1'\.$"),
        ({"weights": "resnet"}, "^weights is 'resnet', but must be 'gatys', "),
    ],
)
def test_what_does_not_exist_is_refused(untrained, options, told):
    with pytest.raises(ValueError, match=told):
        VGG19(**{"layers": ["relu1_1"], "weights": untrained, **options})
