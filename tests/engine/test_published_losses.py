"""Every preset against the formula of its source, on the same features; and what articles saw."""

import numpy as np
import published_formulas
import published_formulas_beyond_gram as beyond_gram
import pytest
import skimage.data
import torch
from published_formulas import Evaluation
from skimage.transform import resize
from transfer_objective import transfer_objective

from napari_nst.engine.jobs import reconstruct, synthesize
from napari_nst.engine.objective import content_losses, image_losses, network_layers, style_losses
from napari_nst.engine.vgg import VGG19
from napari_nst.recipe import preset, preset_names, published
from napari_nst.recipe.flavours import on_flavour
from napari_nst.recipe.layer_names import LAYER_NAMES

CHANNELS = dict(zip("12345", (64, 128, 256, 512, 512), strict=True))
"""Of VGG-19's blocks."""

OF_ONE_SIZE = {
    "gatys-2016-paper": "raw matrices, divided by one M",
    "tf-gatys": "raw matrices, divided by one M",
    "udacity": "raw matrices; the notebook squashes the style to the content's shape",
    "lets-enhance-style": "raw matrices, divided by a constant",
    "sliced-wasserstein": "sorted values are paired",
}
"""Presets whose sources compare images of one size alone, and why."""

OURS = [name for name in preset_names() if published(name).source == "napari-nst"]
PRESETS = [(name, published(name).flavour) for name in preset_names()] + [("gatys-2016", "caffe")]


def source_of(recipe):
    """Return a function from an evaluation to what the preset's source makes of it."""
    name = recipe.name.replace("-", "_")
    if recipe.name in OURS:
        return lambda evaluation: beyond_gram.ours(evaluation, recipe)
    if recipe.weights != published(recipe.name).flavour:
        name += f"_{recipe.weights}"
    return getattr(published_formulas, name, None) or getattr(beyond_gram, name)


def random_features(seed, size, narrower=1):
    """Features (C, H, W) of every layer: signed before rectifiers, rectified after them."""
    rng, features = np.random.default_rng(seed), {}
    for layer in LAYER_NAMES:
        channels = CHANNELS[layer[4]] // narrower
        if layer.startswith("relu"):
            features[layer] = np.maximum(features[layer.replace("relu", "conv")], 0)
        else:
            spread, mean = rng.uniform(0.5, 1.5, (2, channels, 1, 1))
            signed = spread * (rng.standard_normal((channels, *size)) + mean - 0.5)
            features[layer] = np.maximum(signed, 0) if layer.startswith("pool") else signed
    return features


def tensors(features):
    return {layer: torch.from_numpy(array)[None] for layer, array in features.items()}


def losses_of(recipe, content, style):
    return content_losses(recipe, tensors(content)) | style_losses(recipe, [tensors(style)])


def directions_of(losses):
    """Return what is random in a sliced loss: its directions."""
    return {
        name.split("/")[1]: weighted.loss.directions.numpy()
        for name, weighted in losses.items()
        if hasattr(weighted.loss, "directions")
    }


def sums(losses, features):
    """Return the sums of the losses of content and of style."""
    total = {"content": torch.zeros((), dtype=torch.float64), "style": torch.zeros(())}
    for name, loss in losses.items():
        kind, layer = name.split("/")
        total[kind] = total[kind] + loss(features[layer])
    return total


@pytest.mark.parametrize("style_size", [(6, 7), (5, 9)], ids=str)
@pytest.mark.parametrize(("name", "flavour"), PRESETS)
def test_a_preset_has_the_loss_of_its_source(name, flavour, style_size):
    if style_size != (6, 7) and name in OF_ONE_SIZE:
        style_size = (7, 6)
    recipe = preset(name, weights=flavour)
    features, content = random_features(1, (6, 7)), random_features(2, (6, 7))
    style = random_features(3, style_size)
    rgb = np.random.default_rng(4).random((3, 9, 11))

    losses = losses_of(recipe, content, style)
    value = {kind: float(part) for kind, part in sums(losses, tensors(features)).items()}
    value["tv"] = sum(float(tv(torch.from_numpy(rgb)[None])) for tv in image_losses(recipe).values())
    value["total"] = sum(value.values())

    evaluation = Evaluation(features, content, style, rgb, directions_of(losses))
    assert value == pytest.approx(source_of(recipe)(evaluation), rel=1e-5)
    assert value["total"] > 0
