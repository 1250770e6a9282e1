"""VGG-19's features compared with convolutions in NumPy, and the structure of the network."""

import dataclasses
import re
import subprocess
import sys

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
def test_features_of_the_real_network_are_numpys(gatys, random_image):
    assert_first_block_is_numpys(gatys, random_image(13, 18), "max", "zeros")


@pytest.mark.parametrize(
    ("pooling", "padding"),
    [*(("max", padding) for padding in PADDINGS), ("average", "zeros"), ("l2", "zeros")],
)
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
def test_the_normalized_network_has_mean_features_of_one(gatys):
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


def test_conv_layers_are_before_their_relu(untrained, random_image):
    pairs = [name for name in LAYER_NAMES if "_" in name]
    features = VGG19(pairs, untrained)(random_image(32, 32))
    for conv, relu in zip(pairs[::2], pairs[1::2], strict=True):
        assert features[conv].min() < 0, conv
        torch.testing.assert_close(features[relu], features[conv].clamp_min(0))


def test_each_layer_is_computed_from_the_layer_before(untrained, random_image):
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
def test_a_layer_has_several_names(untrained, random_image, alias, layer):
    image = random_image(16, 16)
    (found,) = VGG19([alias], untrained)(image).items()
    assert found[0] == layer
    torch.testing.assert_close(found[1], VGG19([layer], untrained)(image)[layer])


def test_layers_come_once_each_from_shallow_to_deep(untrained, random_image):
    network = VGG19(["relu2_1", "conv1_1", "block2_conv1", "relu1_1"], untrained)
    assert list(network(random_image(8, 8))) == ["conv1_1", "relu1_1", "relu2_1"]


@pytest.mark.parametrize("deepest", ["conv1_1", "relu4_2", "pool5"])
def test_no_layer_after_the_deepest_one_is_built(untrained, deepest):
    network = VGG19(["conv1_1", deepest], untrained)
    names = [name for name, _ in network.features.named_children()]
    assert names == list(LAYER_NAMES[: LAYER_NAMES.index(deepest) + 1])


def test_only_the_image_has_a_gradient(untrained, random_image):
    network = VGG19(["relu2_1"], untrained)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    image = random_image(8, 8).requires_grad_()
    network(image)["relu2_1"].sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_building_changes_neither_loaded_weights_nor_random_numbers(untrained):
    before = {name: value.clone() for name, value in untrained.parameters.items()}
    state = torch.random.get_rng_state()
    VGG19(["conv5_4"], untrained, dtype=torch.bfloat16)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in untrained.parameters.items())


def test_the_network_is_public_and_reads_files(untrained_file, random_image):
    network = nst.VGG19(["relu1_1"], weights=untrained_file, pooling="average", padding="circular")
    assert network(random_image(5, 7))["relu1_1"].shape == (1, 64, 5, 7)
    assert "circular" in repr(network)


def test_a_first_iteration_imports_no_torchvision(untrained_file):
    """Which would take as long as importing torch."""
    code = """if True:
        import sys
        import numpy as np
        import napari_nst as nst
        image = np.zeros((32, 48, 3), np.float32)
        layers = {"content_layers": {"relu2_1": 1}, "style_layers": {"relu1_1": 1}}
        recipe = nst.Recipe(**layers, size=32, min_size=0, weights=sys.argv[1], device="cpu")
        next(nst.stylize(image, image, recipe))
        print({"torchvision", "napari", "qtpy"} & set(sys.modules))
    """
    command = [sys.executable, "-c", code, untrained_file]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "set()\n"


def test_a_circular_network_has_no_border(untrained, random_image):
    network = VGG19(["relu1_2", "relu2_1", "relu3_1", "pool4"], untrained, padding="circular")
    image = random_image(32, 48)
    rolled = network(image.roll((16, 32), (2, 3)))
    for layer, values in network(image).items():
        stride = 32 // values.shape[-2]
        expected = values.roll((16 // stride, 32 // stride), (2, 3))
        torch.testing.assert_close(rolled[layer], expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("padding", ["replicate", "reflect", "circular"])
def test_features_of_a_flat_image_are_flat(untrained, padding):
    features = VGG19(["conv3_4"], untrained, padding=padding)(torch.full((1, 3, 16, 16), 0.3))
    deviation = features["conv3_4"].std(dim=(2, 3))
    assert deviation.max() < 1e-4 * features["conv3_4"].abs().max()


SOME_DEPTHS = ["relu1_2", "relu2_1", "relu3_4"]


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ("zeros", "circular"),
        ("circular", "replicate"),
        ("replicate", "replicate_first"),
        ("replicate_first", "reflect"),
        ("reflect", "zeros"),
    ],
)
def test_with_padding_equals_a_network_built_with_this_padding(untrained, random_image, own, other):
    image = random_image(20, 17)
    network = VGG19(SOME_DEPTHS, untrained, "average", own, rescale_pooling=True)
    before = network(image)
    changed = network.with_padding(other)
    built = VGG19(SOME_DEPTHS, untrained, "average", other, rescale_pooling=True)(image)
    for layer, values in changed(image).items():
        assert torch.equal(values, built[layer])
        assert torch.equal(network(image)[layer], before[layer])
    assert (network.padding, changed.padding) == (own, other)


def test_with_padding_shares_the_parameters(untrained):
    network = VGG19(SOME_DEPTHS, untrained, padding="circular")
    shared = dict(network.with_padding("replicate").named_parameters())
    for name, parameter in network.named_parameters():
        assert shared[name].data_ptr() == parameter.data_ptr()


def test_replicate_first_replicates_at_the_first_convolution_only(untrained, random_image):
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
def test_any_network_reads_0_to_255_minus_the_mean(untrained, random_image, order, scale):
    """As gordicaleksa's program does with torchvision's network."""
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
def test_bfloat16_features_give_nearly_the_same_style_loss(gatys):
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


def test_the_gradient_of_l2_pooling():
    features = torch.rand(
        1, 2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    assert gradcheck(L2Pool2d(), (features + 0.1).requires_grad_())


def test_l2_pooling_of_zeros_has_a_finite_gradient():
    features = torch.zeros(1, 1, 2, 2, requires_grad=True)
    L2Pool2d()(features).backward()
    assert torch.equal(features.grad, torch.zeros(1, 1, 2, 2))


@pytest.mark.parametrize(
    ("layer", "padding"),
    [
        ("conv1_1", "zeros"),
        ("pool1", "zeros"),
        ("conv3_4", "replicate"),
        ("relu4_2", "reflect"),
        ("conv1_1", "reflect"),
        ("pool5", "circular"),
    ],
)
def test_the_least_size_works_and_one_pixel_less_does_not(untrained, random_image, layer, padding):
    network = VGG19([layer], untrained, padding=padding)
    least = least_size([layer], padding)
    features = network(random_image(least, least + 3))[layer]
    assert features.numel() > 0
    assert features.isfinite().all()
    if least > 1:
        with pytest.raises(ValueError, match=rf"too small for {layer}; .* at least {least}\.$"):
            network(random_image(least - 1, 64))
        with pytest.raises(RuntimeError):  # torch's own error
            network.features(random_image(least - 1, 64))


def test_the_least_size_of_several_layers():
    assert least_size(["relu1_1", "relu5_1", "relu2_1"]) == least_size(["block5_conv1"]) == 16
    assert least_size(["relu1_1", "relu5_1"], "reflect") == 32
    assert least_size([]) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"layers": []},
        {"layers": ["relu4_7"]},
        {"pooling": "min"},
        {"padding": "mirror"},
        {"network_input": "1"},
        {"weights": "resnet"},
    ],
)
def test_an_unknown_option_raises_an_error_that_names_it(untrained, options):
    with pytest.raises(ValueError, match="layer" if "layers" in options else next(iter(options))):
        VGG19(**{"layers": ["relu1_1"], "weights": untrained, **options})
