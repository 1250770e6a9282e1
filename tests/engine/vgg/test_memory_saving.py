"""The network's own forward and backward pass, compared with torch's graph of the same modules."""

import gc
import weakref

import pytest
import torch

from napari_nst.engine.vgg import memory_saving
from napari_nst.engine.vgg.network import PADDINGS, VGG19
from napari_nst.errors import Cancelled
from napari_nst.recipe.layer_names import LAYER_NAMES


def by_torch(network, image):
    """The features that torch computes with the network's modules."""
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


def assert_is_torchs(network, image):
    ours, theirs = network(image), by_torch(network, image)
    assert list(ours) == network.layers
    for layer, features in theirs.items():
        torch.testing.assert_close(ours[layer], features)
    torch.testing.assert_close(gradient(ours, image), gradient(theirs, image))


@pytest.fixture
def pixels(random_image):
    return lambda *size: random_image(*size).double().requires_grad_()


@pytest.mark.parametrize(
    ("pooling", "padding"),
    [*(("max", padding) for padding in PADDINGS), ("average", "zeros"), ("l2", "replicate")],
)
def test_features_and_gradient_are_torchs(untrained, pixels, pooling, padding):
    layers = ["relu1_1", "conv1_2", "pool1", "relu2_1", "conv3_1", "relu3_1", "relu4_2"]
    network = VGG19(layers, untrained, pooling, padding, dtype=torch.float64)
    assert_is_torchs(network, pixels(37, 30))


@pytest.mark.parametrize("layer", ["conv1_1", "relu1_1", "pool1", "conv2_1"])
def test_every_kind_of_layer_can_be_the_only_one(untrained, pixels, layer):
    assert_is_torchs(VGG19([layer], untrained, dtype=torch.float64), pixels(9, 12))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("size", [(1, 1), (2, 5)])
def test_tiny_images(untrained, pixels, padding, size):
    if padding == "reflect" and 1 in size:
        pytest.skip("reflection needs a second row")
    network = VGG19(["relu1_2"], untrained, padding=padding, dtype=torch.float64)
    assert_is_torchs(network, pixels(*size))


def test_several_images_at_once(untrained, pixels):
    network = VGG19(["relu2_1", "relu3_2"], untrained, dtype=torch.float64)
    image = torch.cat([pixels(13, 18).detach(), pixels(13, 18).detach().flip(3)])
    assert_is_torchs(network, image.requires_grad_())


def test_deeper_layers_without_a_loss(untrained, pixels):
    network = VGG19(["relu1_2", "pool2", "relu3_2"], untrained, dtype=torch.float64)
    image = pixels(20, 20)
    ours = {"relu1_2": network(image)["relu1_2"]}
    theirs = {"relu1_2": by_torch(network, image)["relu1_2"]}
    torch.testing.assert_close(gradient(ours, image), gradient(theirs, image))


@pytest.mark.network
def test_the_error_in_bfloat16_is_no_larger_than_torchs(gatys, random_image):
    layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    network = VGG19(layers, gatys, dtype=torch.bfloat16, padding="replicate")
    exact = VGG19(layers, gatys, padding="replicate")
    image = random_image(64, 48).requires_grad_()

    def loss_gradient(found):
        loss = sum(features.float().square().mean() for features in found.values())
        return torch.autograd.grad(loss, image)[0]

    expected = loss_gradient(exact(image))
    ours = (loss_gradient(network(image)) - expected).norm()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torchs = (loss_gradient(by_torch(exact, image)) - expected).norm()
    assert ours < 1.2 * torchs


@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize("layers", [["pool1", "relu2_1"], ["relu1_2", "pool1", "conv2_1"]])
def test_backward_passes_in_blocks_of_rows(untrained, pixels, monkeypatch, pooling, layers):
    monkeypatch.setattr(memory_saving, "BLOCK", 64 * 5 * 3)
    assert_is_torchs(VGG19(layers, untrained, pooling, dtype=torch.float64), pixels(23, 10))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_saved_signs_and_positions_give_the_same_gradient(untrained, random_image, dtype):
    """Bit for bit, also where a window has several equal maxima."""
    layers = ["relu1_1", "relu3_3"]
    image = (random_image(45, 38) * 4).round().div(4).requires_grad_()  # with many equal values
    found = VGG19(layers, untrained, padding="replicate", dtype=dtype)(image)
    # A network that returns every layer saves the features themselves.
    all_layers = LAYER_NAMES[: LAYER_NAMES.index("relu3_3") + 1]
    every = VGG19(all_layers, untrained, padding="replicate", dtype=dtype)(image)
    expected = {layer: every[layer] for layer in layers}
    assert all(torch.equal(found[layer], expected[layer]) for layer in layers)
    assert torch.equal(gradient(found, image), gradient(expected, image))


@pytest.mark.parametrize(("row", "column"), [(None, 21), (13, None), (13, 21)])
def test_a_tile_across_the_border_has_the_features_of_the_whole(
    untrained, random_image, row, column
):
    """A tile of a periodic image of 45 × 53 pixels, which starts in the row or column 32."""
    whole = random_image(45, 53)
    network = VGG19(["relu1_2", "relu2_2", "relu3_1"], untrained, padding="circular")
    shifts = [0 if start is None else -32 for start in (row, column)]
    tile = network(whole.roll(shifts, (2, 3)), (row, column))
    for depth, (layer, features) in enumerate(network(whole).items()):
        expected = features.roll([shift >> depth for shift in shifts], (2, 3))
        torch.testing.assert_close(tile[layer], expected)


def test_the_gradient_of_a_tile_across_the_border(untrained, pixels):
    network = VGG19(["relu2_1", "relu3_1"], untrained, padding="circular", dtype=torch.float64)
    image = pixels(26, 23)
    torch.manual_seed(0)
    weights = [torch.randn_like(one) for one in network(image, (10, None)).values()]

    def loss(image):
        found = network(image.roll(-16, 2), (10, None)).values()
        return sum((one * weight).sum() for one, weight in zip(found, weights, strict=True))

    (by_image,) = torch.autograd.grad(loss(image), image)
    for _ in range(5):
        direction = torch.randn_like(image)
        difference = loss(image + 1e-6 * direction) - loss(image - 1e-6 * direction)
        expected = (by_image * direction).sum() * 2e-6
        torch.testing.assert_close(difference.detach(), expected, rtol=1e-6, atol=1e-12)


def test_both_passes_can_be_cancelled(untrained, random_image):
    def cancel():
        raise Cancelled("Stopped by the user.")

    network = VGG19(["relu1_1", "relu2_1"], untrained)
    image = random_image(16, 16).requires_grad_()
    calls = []
    network.check_cancelled = lambda: calls.append(1)
    found = network(image)
    # conv1_1, relu1_1, conv1_2, relu1_2 with pool1, conv2_1, relu2_1
    assert len(calls) == 6
    sum(features.sum() for features in found.values()).backward()
    assert len(calls) == 12
    network.check_cancelled = cancel
    with pytest.raises(Cancelled):
        network(image)


def saved_by(features):
    return [saved for saved, _ in features.grad_fn.saved if saved is not None]


@pytest.mark.parametrize(
    ("pooling", "between"),
    [
        # Positions of maxima; signs of a ReLU, and one 0 in the shape of what is averaged.
        ("max", [(torch.int16, 64 * 64)]),
        ("average", [(torch.int8, 64 * 256), (torch.float32, 1)]),
        ("l2", [(torch.float32, 64 * 256)]),
    ],
)
def test_no_more_is_saved_than_the_backward_pass_needs(untrained, random_image, pooling, between):
    network = VGG19(["relu1_1", "relu2_2"], untrained, pooling, "replicate")
    found = network(random_image(16, 16).requires_grad_())
    saved = [one for features in found.values() for one in saved_by(features)]
    storages = {one.untyped_storage().data_ptr(): one for one in saved}.values()
    assert [(one.dtype, len(one.untyped_storage()) // one.itemsize) for one in storages] == [
        (torch.float32, 64 * 256),
        *between,
        (torch.int8, 128 * 64),
        (torch.float32, 128 * 64),
    ]
    assert network(random_image(16, 16))["relu2_2"].grad_fn is None


def test_the_backward_pass_frees_what_it_has_used(untrained, random_image):
    network = VGG19(["relu2_2"], untrained)
    saved, left = [], []
    network.check_cancelled = lambda: left.append(sum(one() is not None for one in saved))
    (features,) = network(random_image(16, 16).requires_grad_()).values()
    saved += [weakref.ref(one) for one in saved_by(features)]
    left.clear()
    features.sum().backward(retain_graph=True)
    # relu2_2, conv2_2, relu2_1, conv2_1, pool1 with relu1_2, conv1_2, relu1_1, conv1_1
    assert left == [4, 3, 3, 2, 2, 1, 1, 0]
    with pytest.raises(RuntimeError, match="compute the features again"):
        features.sum().backward()


def test_features_without_a_backward_pass_are_freed_at_once(untrained, random_image):
    (features,) = VGG19(["relu1_1"], untrained)(random_image(8, 8).requires_grad_()).values()
    saved = weakref.ref(saved_by(features)[-1])
    gc.disable()
    try:
        del features
        assert saved() is None
    finally:
        gc.enable()


@pytest.mark.parametrize(
    ("layers", "pooling"), [(["relu1_1"], "max"), (["relu1_2", "pool1"], "l2")]
)
def test_an_edit_of_needed_features_in_place_raises_an_error(
    untrained, random_image, layers, pooling
):
    found = VGG19(layers, untrained, pooling)(random_image(8, 8).requires_grad_())
    found[layers[0]].detach().mul_(2)
    with pytest.raises(RuntimeError, match="modified in place"):
        found[layers[-1]].sum().backward()


def test_conv_features_may_be_edited_in_place(untrained, random_image):
    network = VGG19(["conv1_2"], untrained)
    image = random_image(8, 8).requires_grad_()
    edited = gradient({"conv1_2": network(image)["conv1_2"].mul_(2)}, image)
    torch.testing.assert_close(edited, 2 * gradient(network(image), image))


def test_a_given_gradient_is_not_modified(untrained, random_image):
    network = VGG19(["relu1_2", "relu2_1"], untrained)
    found = list(network(random_image(8, 8).requires_grad_()).values())
    given = [torch.randn_like(features) for features in found]
    before = given[-1].clone()
    torch.autograd.backward(found, given)
    assert torch.equal(given[-1], before)


def test_positions_in_wide_images_do_not_overflow():
    """A pair of rows of more than 2^14 columns has positions that int16 cannot hold."""
    layer = memory_saving.ReLUMaxPooling()
    features = torch.zeros(1, 1, 2, 2**14 + 2)
    features[..., 1, -1] = features[..., 0, 0] = 1.0
    output, saved = layer.forward(features, in_place=True)
    by_features = layer.backward(torch.ones_like(output), saved, in_place=True)
    assert torch.equal(by_features, features)


@pytest.mark.parametrize("when", ["before the next layer", "after all layers"])
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
@pytest.mark.parametrize(
    "layers", [["conv1_1", "relu1_1"], ["relu1_2", "pool1"], ["conv1_2", "pool1", "relu2_1"]]
)
def test_an_edit_in_place_has_its_own_gradient_or_raises_an_error(
    untrained, pixels, layers, pooling, when
):
    network, image = VGG19(layers, untrained, pooling, dtype=torch.float64), pixels(9, 12)
    early = when.startswith("before")
    for edited in layers:
        in_place = {}
        for layer, features in network.iter_features(image):
            in_place[layer] = features.mul_(2) if early and layer == edited else features
        if not early:
            in_place[edited].mul_(2)
        apart, features = network(image), None
        for name, module in network.features.named_children():
            if features is not None:
                features = module(features)
                apart = {**apart, name: features} if name in layers else apart
            if name == edited:
                apart[edited] = apart[edited] * 2
                features = apart[edited] if early else None
        try:
            found = gradient(in_place, image)
        except RuntimeError as error:
            if "modified in place" not in str(error):
                raise
        else:
            torch.testing.assert_close(found, gradient(apart, image))
