"""Every preset against the formula of its source, on the same features."""

import numpy as np
import pytest
import skimage.data
import torch
from skimage.transform import resize
from torch.nn import functional

from napari_nst.engine.api import reconstruct, synthesize
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.layers import has_style_of_image, network_layers
from napari_nst.engine.objective.from_recipe import (
    WholeStyle,
    content_losses,
    image_losses,
    named_as_term,
    style_loss_of_image,
    style_losses,
)
from napari_nst.engine.objective.objective import summarise
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import preset, preset_names, published
from napari_nst.recipe.convert_weights import on_flavour
from napari_nst.recipe.layer_names import LAYER_NAMES
from tests.helpers import published_formulas
from tests.helpers import published_formulas_beyond_gram as beyond_gram
from tests.helpers import published_formulas_of_long_range as long_range
from tests.helpers.published_formulas import Evaluation
from tests.helpers.transfer_objective import transfer_objective

CHANNELS = dict(zip("12345", (64, 128, 256, 512, 512), strict=True))
"""Block of VGG-19 → channels."""

OF_ONE_SIZE = {
    "gatys-2016-paper": "raw matrices, divided by one M",
    "tf-gatys": "raw matrices, divided by one M",
    "udacity": "raw matrices; the notebook squashes the style to the content's shape",
    "lets-enhance-style": "raw matrices, divided by a constant",
    "sliced-wasserstein": "sorted values are paired; they are repeated for twice the size",
}
"""Presets whose sources require style and content of one number of positions → why."""

OF_ONE_SHAPE = ("gonthier-autocorrelation", "long-range-sw")
"""Presets whose sources require style and content of one height and width."""


def style_sizes(name):
    if name in OF_ONE_SHAPE:
        return [(6, 7)]
    return [(7, 6)] if name in OF_ONE_SIZE else [(6, 7), (5, 9)]


OURS = [name for name in preset_names() if published(name).source == "napari-nst"]
OF_SAMPLES = ("strotss", "nnst")
"""Presets that join layers of different sizes: see test_published_samples.py."""

PRESETS = [
    *((name, published(name).flavour) for name in preset_names() if name not in OF_SAMPLES),
    ("gatys-2016", "caffe"),
]


def source_of(recipe):
    """Return the function that computes the losses of the preset's source."""
    name = recipe.name.replace("-", "_")
    if recipe.name in OURS:
        return lambda evaluation: beyond_gram.ours(evaluation, recipe)
    if recipe.weights != published(recipe.name).flavour:
        name += f"_{recipe.weights}"
    modules = (published_formulas, beyond_gram, long_range)
    return next(getattr(module, name) for module in modules if hasattr(module, name))


def random_features(seed, size, narrower=1):
    """Features (C, H, W) of every layer, positive after a ReLU."""
    rng, features = np.random.default_rng(seed), {}
    for layer in LAYER_NAMES:
        channels = CHANNELS[layer[4]] // narrower
        deviation, mean = rng.uniform(0.5, 1.5, (2, channels, 1, 1))
        signed = deviation * (rng.standard_normal((channels, *size)) + mean - 0.5)
        features[layer] = signed if layer.startswith("conv") else np.maximum(signed, 0)
    return features


def tensors(features):
    return {layer: torch.from_numpy(array)[None] for layer, array in features.items()}


def losses_of(recipe, content, style):
    losses = {}
    for index, one in enumerate(recipe.with_terms()):
        found = content_losses(one, tensors(content)) | style_losses(
            one, [WholeStyle(tensors(style))]
        )
        losses |= named_as_term(one, found, losses) if index else found
    return losses


def style_losses_of_pixels(recipe, style):
    """Return the style losses of the image itself; `style` are pixels (3, H, W)."""
    image = MaskedImage(torch.from_numpy(style)[None])
    terms = filter(has_style_of_image, recipe.with_terms())
    return [loss for one in terms for loss in style_loss_of_image(one, [image]).values()]


def directions_of(losses):
    """Return the random directions of sliced Wasserstein losses."""
    return {
        name.partition("/")[2]: weighted.loss.directions.numpy()
        for name, weighted in losses.items()
        if hasattr(weighted.loss, "directions")
    }


def sums(losses, features):
    """Return the sums of the losses of content and of style."""
    total = {"content": torch.zeros(()), "style": torch.zeros(())}
    for name, loss in losses.items():
        kind, layer = name.split("/")[:2]
        total[kind] = total[kind] + loss(features[layer])
    return total


def derivative_along(function, features, direction):
    """Return the derivative of a function of features along a direction, by finite differences."""

    def at(distance):
        return function({k: f + distance * direction[k] for k, f in features.items()})

    return (at(1e-7) - at(-1e-7)) / 2e-7


def gradient_of(value, leaves):
    """Return the gradient for each layer that a value depends on."""
    if not value.requires_grad:
        return {}
    gradients = torch.autograd.grad(value, leaves.values(), allow_unused=True)
    return {k: g[0].numpy() for k, g in zip(leaves, gradients, strict=True) if g is not None}


# The same features


@pytest.mark.parametrize(
    ("name", "flavour", "style_size"),
    [(name, flavour, size) for name, flavour in PRESETS for size in style_sizes(name)],
    ids=str,
)
def test_a_preset_has_the_loss_of_its_source(name, flavour, style_size):
    recipe = preset(name, weights=flavour)
    features, content = random_features(1, (6, 7)), random_features(2, (6, 7))
    style = random_features(3, style_size)
    rgb, style_rgb = np.random.default_rng(4).random((2, 3, 9, 11))

    losses = losses_of(recipe, content, style)
    value = {kind: part.item() for kind, part in sums(losses, tensors(features)).items()}
    pixels = torch.from_numpy(rgb)[None]
    value["style"] += sum(loss(pixels).item() for loss in style_losses_of_pixels(recipe, style_rgb))
    value["tv"] = sum(loss(pixels).item() for loss in image_losses(recipe).values())
    value["total"] = sum(value.values())

    evaluation = Evaluation(features, content, style, rgb, directions_of(losses), style_rgb)
    assert value == pytest.approx(source_of(recipe)(evaluation), rel=1e-5)
    assert value["total"] > 0


@pytest.mark.parametrize(("name", "flavour"), PRESETS)
def test_a_preset_has_the_gradient_of_its_source(name, flavour):
    # Few channels and many positions: covariances are well conditioned, so twelve steps of the
    # square root have the gradient of the exact root.
    recipe = preset(name, weights=flavour)
    image, content, style = (random_features(seed, (12, 14), narrower=16) for seed in (1, 2, 3))
    rng = np.random.default_rng(4)
    image = {layer: f + 0.1 * rng.random(f.shape) for layer, f in image.items()}  # without ties
    losses = losses_of(recipe, content, style)
    leaves = {layer: tensor.requires_grad_() for layer, tensor in tensors(image).items()}
    directions, rgb = directions_of(losses), np.random.default_rng(5).random((3, 2, 2))

    def published_losses(features):
        evaluation = Evaluation(features, content, style, rgb, directions, rgb)
        return np.array([source_of(recipe)(evaluation)[kind] for kind in ("content", "style")])

    gradients = [gradient_of(part, leaves) for part in sums(losses, leaves).values()]
    for _ in range(3):
        direction = {layer: rng.standard_normal(f.shape) for layer, f in image.items()}
        derivatives = [sum(np.sum(g * direction[k]) for k, g in of.items()) for of in gradients]
        expected = derivative_along(published_losses, image, direction)
        # A finite step swaps the ranks of some sorted values.
        assert derivatives == pytest.approx(expected, rel=1e-3 if directions else 1e-5)


def test_patches_have_the_gradient_of_the_program():
    """CNNMRF computes no loss, only a gradient."""
    image, style = random_features(1, (6, 7)), random_features(3, (5, 9))
    leaves = {layer: tensor.requires_grad_() for layer, tensor in tensors(image).items()}
    losses = style_losses(preset("li-wand"), [WholeStyle(tensors(style))])
    gradient = gradient_of(sums(losses, leaves)["style"], leaves)
    assert set(gradient) == {"relu3_1", "relu4_1"}
    for layer, found in gradient.items():
        expected = beyond_gram.mrf_gradient(image[layer], style[layer])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-12)


# A real pair


def photograph(image, longest):
    """An image of skimage's as (1, 3, H, W)."""
    factor = longest / max(image.shape)
    shape = [round(side * factor) for side in image.shape[:2]]
    small = resize(image, shape, anti_aliasing=True).astype(np.float32)
    return torch.from_numpy(small).permute(2, 0, 1)[None]


@pytest.mark.network
def test_gatys_2016_on_a_real_pair_is_the_published_notebooks(gatys):
    recipe = preset("gatys-2016")
    network = VGG19(network_layers(recipe), gatys, recipe.pooling, recipe.padding)
    content, style = (photograph(i, 96) for i in (skimage.data.astronaut(), skimage.data.coffee()))
    image = 0.7 * content + 0.3 * functional.interpolate(style, content.shape[2:])
    value = transfer_objective(recipe, network, content, [style])(image)
    value = summarise({name: part.item() for name, part in value.items()})

    features = (
        {layer: f[0].double().numpy() for layer, f in network(i).items()}
        for i in (image, content, style)
    )
    expected = published_formulas.gatys_2016(Evaluation(*features, image[0].numpy()))
    assert {kind: value[kind] for kind in expected} == pytest.approx(expected, rel=1e-4)


# The experiment of the article on content and texture loss: two seeds of noise


def two_seeds(job, name, steps):
    """Return the mean difference of two runs, divided by the image's standard deviation."""
    astronaut = skimage.data.astronaut()
    recipe = on_flavour(preset(name), "gatys").replace(size=64, steps=steps, device="cpu")
    one, other = ([*job(astronaut, recipe.replace(seed=seed))][-1].image for seed in (0, 1))
    return np.abs(one - other).mean() / (astronaut / 255).std()


@pytest.mark.network
def test_two_noise_seeds_reconstruct_one_image_but_for_a_faint_noise(real):
    assert two_seeds(reconstruct, "conv-k-reconstruction", steps=80) < 0.15


@pytest.mark.network
def test_two_noise_seeds_give_two_textures(real):
    assert two_seeds(synthesize, "conv-k-texture", steps=20) > 0.3
