import pytest
import torch
from torch import nn

from napari_nst.engine.vgg import winograd
from napari_nst.engine.vgg.conv import Convolution
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.engine.vgg.weights import load
from napari_nst.engine.vgg.winograd import Winograd
from napari_nst.recipe import Recipe

PADDINGS = ("zeros", "replicate", "reflect", "circular")
SHAPES = ((24, 24), (27, 41), (33, 22))
"""Heights and widths that windows divide, and such that they do not."""


@pytest.fixture(autouse=True)
def on_a_processor_that_it_is_for(monkeypatch):
    monkeypatch.setattr(winograd, "has_avx2", lambda: True)


def convolution(padding, *, channels=(128, 160), quick=True):
    torch.manual_seed(0)
    module = nn.Conv2d(*channels, 3, padding=1, padding_mode=padding).requires_grad_(False)
    return Convolution(module.to(memory_format=torch.channels_last), quick=quick)


def features_of(channels, shape, count=1):
    values = torch.randn(count, channels, *shape, generator=torch.Generator().manual_seed(1))
    return values.contiguous(memory_format=torch.channels_last)


def exact(module, features, gradient):
    """Return a module's result and the gradient by its features, in float64 by torch's own."""
    double = nn.Conv2d(
        module.in_channels, module.out_channels, 3, padding=1, padding_mode=module.padding_mode
    ).double()
    double.load_state_dict(module.state_dict())
    given = features.double().requires_grad_()
    result = double(given)
    (by_features,) = torch.autograd.grad(result, given, gradient.double())
    return result.detach(), by_features


def error(found, wanted):
    return float((found.detach().double() - wanted.detach()).norm() / wanted.detach().norm())


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_the_convolution_and_its_way_back(padding, shape):
    quick = convolution(padding)
    features, gradient = features_of(128, shape), features_of(160, shape)

    result, by_features = exact(quick.module, features, gradient)

    assert error(quick.forward(features), result) < 4e-6
    assert error(quick.backward(gradient), by_features) < 4e-6
    assert quick._winograd is not None


def test_the_way_back_is_the_adjoint_of_what_was_computed():
    quick = Winograd(convolution("zeros").module.weight)
    given, upstream = features_of(128, (29, 25)), features_of(160, (27, 23))

    result = quick.forward(given).double()
    there = (result * upstream.double()).sum()
    back = (given.double() * quick.backward(upstream).double()).sum()

    assert float((there - back).abs()) < 1e-7 * float(result.norm() * upstream.norm())


def test_features_in_any_order_of_memory_are_taken():
    quick = convolution("replicate")
    features = features_of(128, (27, 41))
    there = quick.forward(features)

    assert torch.equal(quick.forward(features.contiguous()), there)
    assert torch.equal(quick.forward(features_of(128, (31, 45))[..., 2:-2, 2:-2].clone()),
                       quick.forward(features_of(128, (31, 45))[..., 2:-2, 2:-2]))  # fmt: skip


def test_parts_of_the_windows_make_the_same_whole(monkeypatch):
    quick = convolution("zeros")
    features, gradient = features_of(128, (60, 37)), features_of(160, (60, 37))
    there, back = quick.forward(features), quick.backward(gradient)

    monkeypatch.setattr(winograd, "AT_A_TIME", 23)

    assert error(quick.forward(features), there.double()) < 1e-6
    assert error(quick.backward(gradient), back.double()) < 1e-6


@pytest.mark.parametrize(
    ("channels", "shape", "count", "dtype"),
    [
        pytest.param((64, 128), (32, 32), 1, torch.float32, id="narrow"),
        pytest.param((128, 64), (32, 32), 1, torch.float32, id="narrow on the way back"),
        pytest.param((128, 128), (16, 16), 1, torch.float32, id="small"),
        pytest.param((128, 128), (32, 32), 2, torch.float32, id="two images"),
        pytest.param((128, 128), (32, 32), 1, torch.bfloat16, id="another number format"),
    ],
)
def test_what_it_does_not_suit_goes_torchs_own_way(channels, shape, count, dtype):
    ways = [convolution("replicate", channels=channels, quick=quick) for quick in (True, False)]
    for way in ways:
        way.module.to(dtype)
    features = features_of(channels[0], shape, count).to(dtype)
    gradient = features_of(channels[1], shape, count).to(dtype)

    assert torch.equal(*(way.forward(features) for way in ways))
    assert torch.equal(*(way.backward(gradient) for way in ways))
    assert ways[0]._winograd is None


def test_processors_that_it_was_not_measured_on_go_torchs_own_way(monkeypatch):
    monkeypatch.setattr(winograd, "has_avx2", lambda: False)
    quick = convolution("zeros")

    quick.forward(features_of(128, (32, 32)))

    assert quick._winograd is None


@pytest.mark.network
def test_the_whole_network_is_off_by_little():
    images = torch.rand(1, 3, 136, 168, generator=torch.Generator().manual_seed(2))
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_2", "relu5_1"]
    found = []
    for quick in (True, False):
        pixels = images.clone().requires_grad_()
        features = VGG19(layers, padding="replicate", quick=quick)(pixels)
        sum(one.square().mean() for one in features.values()).backward()
        found.append((features, pixels.grad))
    (features, gradient), (wanted, wanted_gradient) = found

    for layer in layers:
        assert error(features[layer], wanted[layer].double()) < 2e-5
    assert error(gradient, wanted_gradient.double()) < 1e-4
    assert not torch.equal(features["relu5_1"], wanted["relu5_1"])


@pytest.mark.network
@pytest.mark.parametrize(("precision", "is_quick"), [("auto", True), ("float32", False)])
def test_it_is_the_recipes_automatic_precision_that_wants_it(precision, is_quick):
    network = network_of(Recipe(precision=precision), ["relu4_2"], load("gatys"))

    assert network.quick is is_quick
    assert not network.with_padding("zeros").quick


@pytest.mark.network
def test_kernels_take_what_is_said_of_them():
    network = VGG19(["relu4_2"], quick=True)
    small, large = 32, 256
    once = sum(one.numel() * 4 for name, one in network.named_parameters() if "weight" in name)

    assert network.kernel_bytes(small**2) == 2 * once
    pixels = torch.rand(1, 3, large, large).requires_grad_()
    network(pixels)["relu4_2"].sum().backward()
    held = sum(
        of_way.numel() * 4
        for stage in network._stages.values()
        if isinstance(stage, Convolution)
        for of_way in (stage._turned, stage._winograd and stage._winograd.kernels)
        if of_way is not None
    )

    assert network.kernel_bytes(large**2) == once + held
