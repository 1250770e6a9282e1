"""The network's own forward and backward pass, beside torch's graph of the same modules."""

import gc
import weakref

import pytest
import torch
from torch import nn

from napari_nst.engine.vgg import maximum, passes
from napari_nst.engine.vgg import stages as stages_module
from napari_nst.engine.vgg.network import PADDINGS, VGG19
from napari_nst.engine.vgg.passes import features_along, stages_of
from napari_nst.engine.vgg.stages import NO_JOINS
from napari_nst.errors import Cancelled

POOLINGS = ["max", "average", "l2"]


def by_torch(network, image):
    """The features that the network's modules give one after the other."""
    mean, std = network.get_buffer("mean"), network.get_buffer("std")
    features, found = (image * network.input_scale - mean) / std, {}
    for name, module in network.features.named_children():
        features = module(features)
        if name in network.layers:
            found[name] = features
    return found


def gradient(found, image):
    torch.manual_seed(1)
    weights = [torch.randn_like(features) for features in found.values()]
    return torch.autograd.grad(list(found.values()), image, weights)[0]


@pytest.fixture
def pixels(random_image):
    return lambda *size: random_image(*size).double().requires_grad_()


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_it_is_what_torch_computes(untrained, pixels, padding, pooling):
    layers = ["relu1_1", "conv1_2", "pool1", "relu2_1", "conv3_1", "relu3_1", "relu4_2"]
    network = VGG19(layers, untrained, pooling, padding, dtype=torch.float64)
    image = pixels(37, 30)
    ours, theirs = network(image), by_torch(network, image)
    assert list(ours) == network.layers
    for layer, features in theirs.items():
        torch.testing.assert_close(ours[layer], features)
    torch.testing.assert_close(gradient(ours, image), gradient(theirs, image))


@pytest.mark.parametrize("layer", ["conv1_1", "relu1_1", "pool1", "conv2_1", "pool2"])
def test_every_kind_of_layer_can_be_the_only_one(untrained, pixels, layer):
    network = VGG19([layer], untrained, dtype=torch.float64)
    image = pixels(9, 12)
    torch.testing.assert_close(
        gradient(network(image), image), gradient(by_torch(network, image), image)
    )


def test_layers_that_nothing_is_asked_of_on_the_way_back(untrained, pixels):
    """A loss of a shallow layer alone, of a network that goes deeper."""
    network = VGG19(["relu1_2", "pool2", "relu3_2"], untrained, dtype=torch.float64)
    image = pixels(20, 20)
    one = {"relu1_2": network(image)["relu1_2"]}
    other = {"relu1_2": by_torch(network, image)["relu1_2"]}
    torch.testing.assert_close(gradient(one, image), gradient(other, image))


@pytest.mark.parametrize(
    ("padding", "size"),
    [
        (padding, size)
        for padding in PADDINGS
        for size in [(1, 1), (1, 7), (2, 2), (2, 5)]
        if padding != "reflect" or 1 not in size  # which has a second row to reflect
    ],
)
def test_borders_that_are_nearly_all_there_is(untrained, pixels, padding, size):
    network = VGG19(["relu1_2"], untrained, padding=padding, dtype=torch.float64)
    image = pixels(*size)
    torch.testing.assert_close(
        gradient(network(image), image), gradient(by_torch(network, image), image)
    )


@pytest.mark.network
def test_half_precision_is_torchs_but_for_the_order_of_sums(gatys, random_image):
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    network = VGG19(layers, gatys, dtype=torch.bfloat16, padding="replicate")
    exact = VGG19(layers, gatys, padding="replicate")
    image = random_image(64, 48).requires_grad_()

    def loss_gradient(found):
        loss = sum(features.float().square().mean() for features in found.values())
        return torch.autograd.grad(loss, image)[0]

    wanted = loss_gradient(exact(image))
    ours = (loss_gradient(network(image)) - wanted).norm()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torchs = (loss_gradient(by_torch(exact, image)) - wanted).norm()
    assert ours < 1.2 * torchs


@pytest.mark.parametrize("at", [(None, 21), (13, None), (13, 22)])
def test_across_a_join_poolings_are_the_wholes(untrained, random_image, at):
    """A periodic image of odd size, cut out across its border, has the features of the whole."""
    whole = random_image(45, 53)
    layers = ["relu1_2", "relu2_2", "relu3_1"]
    network = VGG19(layers, untrained, padding="circular")
    found = network(whole)
    # The parts before a join begin on the grid of the deepest layer: at 32 of 45 and 53.
    row, column = at
    part = whole
    if row is not None:
        part = torch.cat([part[:, :, 32:], part[:, :, :32]], dim=2)
    if column is not None:
        part = torch.cat([part[..., 32:], part[..., :32]], dim=3)
    joins = (None if row is None else 45 - 32, None if column is None else 53 - 32)
    cut = network(part, joins)
    for k, layer in enumerate(layers):
        # What lies between is whole; the cut's own outer border is not looked at.
        first = found[layer]
        if row is not None:
            first = torch.roll(first, -(32 >> k), dims=2)
        if column is not None:
            first = torch.roll(first, -(32 >> k), dims=3)
        torch.testing.assert_close(cut[layer], first)


def test_the_way_back_across_a_join(untrained, pixels):
    network = VGG19(["relu2_1", "relu3_1"], untrained, padding="circular", dtype=torch.float64)
    image = pixels(26, 23)

    def features(image):
        cut = torch.cat([image[:, :, 16:], image[:, :, :16]], dim=2)
        return list(network(cut, (10, None)).values())

    torch.manual_seed(0)
    for _ in range(5):
        weights = [torch.randn_like(one) for one in features(image)]
        (slope,) = torch.autograd.grad(features(image), image, weights)
        direction = torch.randn_like(image)
        ahead, behind = (
            sum((one * weight).sum() for one, weight in zip(features(at), weights, strict=True))
            for at in (image + 1e-6 * direction, image - 1e-6 * direction)
        )
        torch.testing.assert_close(
            (slope * direction).sum(), (ahead - behind) / 2e-6, rtol=1e-6, atol=1e-6
        )


def test_its_pulse_can_end_it_on_both_ways(untrained, random_image):
    network = VGG19(["relu1_1", "relu2_1"], untrained)
    image = random_image(16, 16).requires_grad_()
    beats = []
    network.pulse = lambda: beats.append(1)
    found = network(image)
    # conv1_1, relu1_1, conv1_2, relu1_2 with pool1, conv2_1, relu2_1
    assert len(beats) == 6
    sum(features.sum() for features in found.values()).backward()
    assert len(beats) == 12

    def stop():
        raise Cancelled("Stopped by the user.")

    found = network(image)
    network.pulse = stop
    with pytest.raises(Cancelled):
        network(image)
    del found


@pytest.mark.parametrize(
    ("pooling", "hidden"),
    [
        # What was largest; two rectifiers' signs; a single zero has the shape of what is averaged.
        ("max", [(torch.int16, 64 * 64)]),
        ("average", [(torch.int8, 64 * 256), (torch.float32, 1)]),
        ("l2", [(torch.float32, 64 * 256)]),
    ],
)
def test_it_keeps_no_more_than_the_way_back_needs(untrained, random_image, pooling, hidden):
    layers = ["relu1_1", "relu2_2"]
    stages = stages_of(VGG19(layers, untrained, pooling, "replicate").features)
    image = random_image(16, 16).requires_grad_()
    found = dict(features_along(image, stages, layers))
    own = [one for features in found.values() for one, _ in features.grad_fn.kept]
    kept = {one.untyped_storage().data_ptr(): one for one in own if one is not None}
    assert [(one.dtype, len(one.untyped_storage()) // one.itemsize) for one in kept.values()] == [
        (torch.float32, 64 * 256),
        *hidden,
        (torch.int8, 128 * 64),
        (torch.float32, 128 * 64),
    ]
    with torch.no_grad():
        assert dict(features_along(image, stages, layers))["relu2_2"].grad_fn is None


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_what_is_kept_of_a_hidden_rectifier_gives_the_same_gradient(
    untrained, random_image, monkeypatch, dtype
):
    """As the result itself, to the last bit, whichever of two equal numbers is the largest."""
    layers = ["relu1_1", "relu3_3"]
    network = VGG19(layers, untrained, padding="replicate", dtype=dtype)
    image = (random_image(45, 38) * 4).round().div(4).requires_grad_()  # with many equal numbers
    found = network(image)
    ours = gradient(found, image)
    with monkeypatch.context() as context:
        context.setattr(passes, "_added", lambda way, stage: [*way, stage])
        plain = network(image)
        assert all(torch.equal(plain[layer], found[layer]) for layer in layers)
        theirs = gradient(plain, image)
    assert torch.equal(ours, theirs)
    assert ours.abs().sum() > 0


def test_what_nobody_goes_back_from_keeps_nothing(untrained, random_image, monkeypatch):
    network = VGG19(["relu2_2"], untrained)
    kept = []
    forward = maximum.RectifiedMaximum.forward
    monkeypatch.setattr(
        maximum.RectifiedMaximum,
        "forward",
        lambda *of, **how: kept.append(1) or forward(*of, **how),
    )
    network(random_image(16, 16))
    assert not kept
    network(random_image(16, 16).requires_grad_())
    assert kept


def test_several_images_at_once(untrained, pixels):
    network = VGG19(["relu2_1", "relu3_2"], untrained, dtype=torch.float64)
    image = torch.cat([pixels(13, 18).detach(), pixels(13, 18).detach().flip(3)]).requires_grad_()
    ours, theirs = network(image), by_torch(network, image)
    torch.testing.assert_close(gradient(ours, image), gradient(theirs, image))


def test_places_of_a_wide_image_have_room():
    """Of 16,384 columns a pair of rows has more places than 16 bits count."""
    features = torch.zeros(1, 1, 2, 2**14 + 2)
    features[..., 1, -1] = features[..., 0, 0] = 1.0
    stage = maximum.RectifiedMaximum(nn.MaxPool2d(2))
    halved, places = stage.forward(features, NO_JOINS, is_own=True)
    by_features = stage.backward(torch.ones_like(halved), places, NO_JOINS, is_own=True)
    assert torch.equal(by_features, features)


def test_what_the_way_back_has_passed_it_keeps_no_longer(untrained, random_image):
    network = VGG19(["relu2_2"], untrained)
    kept, left = [], []
    network.pulse = lambda: left.append(sum(one() is not None for one in kept))
    (features,) = network(random_image(16, 16).requires_grad_()).values()
    kept += [weakref.ref(one) for one, _ in features.grad_fn.kept if one is not None]
    left.clear()
    features.sum().backward(retain_graph=True)
    # relu2_2, conv2_2, relu2_1, conv2_1, pool1 with relu1_2, conv1_2, relu1_1, conv1_1
    assert left == [4, 3, 3, 2, 2, 1, 1, 0]
    with pytest.raises(RuntimeError, match="compute features again"):
        features.sum().backward()


def test_features_that_nobody_goes_back_from_are_freed_at_once(untrained, random_image):
    (features,) = VGG19(["relu1_1"], untrained)(random_image(8, 8).requires_grad_()).values()
    kept = weakref.ref(features.grad_fn.kept[-1][0])
    gc.disable()
    try:
        del features
        assert kept() is None
    finally:
        gc.enable()


def test_a_gradient_that_is_given_stays_as_it_is(untrained, random_image):
    network = VGG19(["relu1_2", "relu2_1"], untrained)
    found = list(network(random_image(8, 8).requires_grad_()).values())
    given = [torch.randn_like(features) for features in found]
    (deepest,) = [given[-1].clone()]
    torch.autograd.backward(found, given)
    assert torch.equal(given[-1], deepest)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("size", [(22, 9), (23, 10), (24, 11)])
def test_poolings_go_back_in_bands(untrained, pixels, monkeypatch, pooling, size):
    """Also where nobody sees the rectifier before, and where somebody does."""
    monkeypatch.setattr(stages_module, "BAND", 64 * 5 * 3)
    for layers in (["pool1", "relu2_1"], ["relu1_2", "pool1", "conv2_1"]):
        network = VGG19(layers, untrained, pooling, dtype=torch.float64)
        image = pixels(*size)
        ours, theirs = network(image), by_torch(network, image)
        for layer, features in theirs.items():
            torch.testing.assert_close(ours[layer], features)
        torch.testing.assert_close(gradient(ours, image), gradient(theirs, image))


def test_other_devices_than_processors_are_told_of_larger_parts():
    """Since telling a GPU takes as long as what it does of a small one."""
    parts = {
        device: len(list(stages_module.bands_of(torch.empty(1, 64, 512, 512, device=device))))
        for device in ("cpu", "meta")
    }
    assert parts == {"cpu": 64, "meta": 4}


def test_other_padding_has_stages_of_its_own(untrained, pixels):
    network = VGG19(["relu1_2"], untrained, padding="zeros", dtype=torch.float64)
    other = network.with_padding("circular")
    image = pixels(8, 8)
    torch.testing.assert_close(other(image), by_torch(other, image))
    assert not torch.equal(other(image)["relu1_2"], network(image)["relu1_2"])
