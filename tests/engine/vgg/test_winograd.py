import pytest
import torch
from torch import nn

from napari_nst.engine.vgg import winograd
from napari_nst.engine.vgg.conv import Convolution
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.recipe import Recipe


@pytest.fixture(autouse=True)
def supported_cpu(monkeypatch):
    monkeypatch.setattr(winograd, "cpu_has", lambda capability: True)


def convolution(padding, *, channels=(128, 160), quick=True):
    torch.manual_seed(0)
    module = nn.Conv2d(*channels, 3, padding=1, padding_mode=padding).requires_grad_(False)
    return Convolution(module.to(memory_format=torch.channels_last), quick=quick)


def features_of(channels, shape, count=1):
    values = torch.randn(count, channels, *shape, generator=torch.Generator().manual_seed(1))
    return values.contiguous(memory_format=torch.channels_last)


def exact(module, features, gradient):
    """Return torch's output and gradient of the features, in float64."""
    double = nn.Conv2d(
        module.in_channels, module.out_channels, 3, padding=1, padding_mode=module.padding_mode
    ).double()
    double.load_state_dict(module.state_dict())
    given = features.double().requires_grad_()
    output = double(given)
    (by_features,) = torch.autograd.grad(output, given, gradient.double())
    return output.detach(), by_features


def error(found, expected):
    return float((found.detach().double() - expected.detach()).norm() / expected.detach().norm())


@pytest.mark.parametrize(
    ("padding", "shape"),
    [
        ("zeros", (24, 24)),  # which tiles divide
        ("zeros", (27, 41)),
        ("replicate", (33, 22)),
        ("reflect", (33, 22)),
        ("circular", (60, 37)),  # several blocks of tiles
    ],
)
def test_output_and_gradient_are_those_of_the_convolution(padding, shape):
    quick = convolution(padding)
    features, gradient = features_of(128, shape), features_of(160, shape)
    output, by_features = exact(quick.module, features, gradient)
    torchs = convolution(padding, quick=False)
    assert error(quick.forward(features)[0], output) < 4e-6
    assert error(quick.backward(gradient), by_features) < 4e-6
    assert not torch.equal(quick.forward(features)[0], torchs.forward(features)[0])


def test_the_backward_pass_is_the_adjoint_of_the_forward_pass():
    quick = winograd.Winograd(convolution("zeros").module.weight)
    features, gradient = features_of(128, (29, 25)), features_of(160, (27, 23))
    output = quick.forward(features).double()
    forward = (output * gradient.double()).sum()
    backward = (features.double() * quick.backward(gradient).double()).sum()
    assert float((forward - backward).abs()) < 1e-7 * float(output.norm() * gradient.norm())


def test_features_of_any_memory_format():
    quick = convolution("replicate")
    features = features_of(128, (31, 45))
    expected, _ = quick.forward(features)
    assert torch.equal(quick.forward(features.contiguous())[0], expected)
    cropped = features[..., 2:-2, 2:-2]
    assert torch.equal(quick.forward(cropped)[0], quick.forward(cropped.clone())[0])


@pytest.mark.parametrize(
    ("channels", "shape", "count", "dtype"),
    [
        pytest.param((64, 128), (32, 32), 1, torch.float32, id="few channels"),
        pytest.param((128, 128), (16, 16), 1, torch.float32, id="small"),
        pytest.param((128, 128), (32, 32), 2, torch.float32, id="two images"),
        pytest.param((128, 128), (32, 32), 1, torch.bfloat16, id="bfloat16"),
    ],
)
def test_torch_computes_where_winograd_is_not_faster(channels, shape, count, dtype):
    both = [convolution("replicate", channels=channels, quick=quick) for quick in (True, False)]
    for one in both:
        one.module.to(dtype)
    features = features_of(channels[0], shape, count).to(dtype)
    gradient = features_of(channels[1], shape, count).to(dtype)
    assert torch.equal(*(one.forward(features)[0] for one in both))
    assert torch.equal(*(one.backward(gradient) for one in both))


def test_torch_computes_on_cpus_without_avx2(monkeypatch):
    monkeypatch.setattr(winograd, "cpu_has", lambda capability: False)
    features = features_of(128, (32, 32))
    both = [convolution("zeros", quick=quick).forward(features)[0] for quick in (True, False)]
    assert torch.equal(*both)


@pytest.mark.network
def test_the_error_of_the_whole_network_is_small(gatys):
    images = torch.rand(1, 3, 136, 168, generator=torch.Generator().manual_seed(2))
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_2", "relu5_1"]
    found = []
    for quick in (True, False):
        pixels = images.clone().requires_grad_()
        features = VGG19(layers, gatys, padding="replicate", quick=quick)(pixels)
        sum(one.square().mean() for one in features.values()).backward()
        found.append((features, pixels.grad))
    (features, gradient), (expected, expected_gradient) = found
    for layer in layers:
        assert error(features[layer], expected[layer].double()) < 2e-5
    assert error(gradient, expected_gradient.double()) < 1e-4
    assert not torch.equal(features["relu5_1"], expected["relu5_1"])


@pytest.mark.parametrize(("precision", "is_quick"), [("auto", True), ("float32", False)])
def test_only_precision_auto_uses_it(untrained, precision, is_quick):
    network = network_of(Recipe(precision=precision), ["relu2_2"], untrained)
    assert network.quick is is_quick
    assert not network.with_padding("zeros").quick


def test_the_bytes_of_kernels(untrained):
    network = VGG19(["relu4_2"], untrained, quick=True)
    weights = {name: one.numel() * 4 for name, one in network.named_parameters() if one.ndim == 4}
    assert network.kernel_bytes(32**2) == 2 * sum(weights.values())
    # At 96 px conv4_1 has 12 × 12 pixels, too few.
    quick = ("conv2_2", "conv3_1", "conv3_2", "conv3_3", "conv3_4")
    transformed = sum(weights[f"features.{name}.weight"] for name in quick)
    assert network.kernel_bytes(96**2) == 2 * sum(weights.values()) + 3 * transformed
