"""The presets of Kolkin et al. against their formulas, on features as large as layers are."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.layers import has_style_of_image
from napari_nst.engine.losses import NearestNeighbourLoss
from napari_nst.engine.objective.from_recipe import (
    WholeStyle,
    content_losses,
    style_loss_of_image,
    style_losses,
)
from napari_nst.recipe import preset

SIDE = 32
"""Pixels: the features of the first layers have 1,024 positions, all of which are compared."""

LAYERS = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_4")
CHANNELS = {"1": 64, "2": 128, "3": 256, "4": 512, "5": 512}


def pyramid(seed):
    """Features (1, 6, H, W) of every layer, positive after a ReLU, of few channels."""
    generator = torch.Generator().manual_seed(seed)
    features = {}
    for layer in (*LAYERS, "relu4_1", "relu4_2", "relu4_4", "relu5_4"):
        side = SIDE >> int(layer[4]) - 1
        drawn = torch.randn(1, 6, side, side, generator=generator, dtype=torch.float64)
        features[layer] = (drawn + 0.5).relu()
    return features


def hypercolumns(features, layers, factors=None):
    """Layers enlarged to the size of the first one and joined, as a matrix (C, H, W)."""
    enlarged = [
        functional.interpolate(features[k], (SIDE, SIDE), mode="bilinear")[0].numpy()
        * (factors[k] if factors else 1)
        for k in layers
    ]
    return np.concatenate(enlarged)


def distances(x, y, *, centred=False):
    """1 − cos of the columns of (C, K) and (C, n)."""
    if centred:
        x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return 1 - (x / np.linalg.norm(x, axis=0)).T @ (y / np.linalg.norm(y, axis=0))


def remd(d):
    return max(d.min(axis=0).mean(), d.min(axis=1).mean())


def joint(loss, features):
    """The weighted loss of hypercolumns at all positions."""
    one = loss.loss
    readings = one.readings((SIDE, SIDE))
    vectors = [reading.of(features[layer]) for layer, reading in readings.items()]
    return loss.weight * one.compare(one.joined(vectors)).item()


@pytest.mark.parametrize("phase", [0, 1, 2, 3, 4])
def test_strotss(phase):
    """stylize_objectives.py, eval: (α ℓ_c + ℓ_remd + ℓ_m + ℓ_p/max(α, 1))/(2 + α)."""
    alpha = [2.0, 16.0, 8.0, 4.0, 2.0][phase]  # the recipe's own is the last
    recipe = preset("strotss", weights="torchvision").phase(phase)
    image, content, style = (pyramid(seed) for seed in range(3))
    rng = np.random.default_rng(3)
    pixels, style_pixels = rng.random((2, 3, SIDE, SIDE))

    found = 0.0
    for term in recipe.with_terms():
        losses = content_losses(term, content)
        if has_style_of_image(term):
            exemplar = MaskedImage(torch.from_numpy(style_pixels)[None])
            (loss,) = style_loss_of_image(term, [exemplar]).values()
            found += loss(torch.from_numpy(pixels)[None]).item()
        else:
            losses |= style_losses(term, [WholeStyle(style)])
        found += sum(joint(loss, image) for loss in losses.values())

    layers = (*LAYERS, "relu4_4", "relu5_4")
    x, c, s = (hypercolumns(one, layers).reshape(-1, SIDE**2) for one in (image, content, style))
    own, its = distances(x, x), distances(c, c)
    of_content = SIDE**2 * np.abs(own / own.sum(axis=0) - its / its.sum(axis=0)).mean()
    means = np.abs(x.mean(axis=1) - s.mean(axis=1)).mean()
    moments = means + np.abs(np.cov(x, bias=True) - np.cov(s, bias=True)).mean()
    a, b = pixels.reshape(3, -1), style_pixels.reshape(3, -1)
    squares = np.square(a[:, :, None] - b[:, None]).sum(axis=0)
    palette = remd(distances(a, b) + np.sqrt(np.clip(squares, 1e-5, 1e5) / 3))
    of_style = remd(distances(x, s)) + moments + palette / max(alpha, 1)
    assert found == pytest.approx((alpha * of_content + of_style) / (2 + alpha), rel=1e-5)


def test_nnst_of_hypercolumns():
    """stylize.py, optimize_output_im: cosine distance from targets found by centred cosine."""
    image, query, style = (pyramid(seed) for seed in range(3))
    (loss,) = style_losses(preset("nnst"), [WholeStyle(style)]).values()
    nearest = loss.loss
    assert isinstance(nearest, NearestNeighbourLoss)
    readings = nearest.all_readings((SIDE, SIDE))
    nearest.choose(nearest.joined([one.of(query[k]) for k, one in readings.items()]))

    layers = (*LAYERS, "relu4_1", "relu4_2", "relu4_4")
    factors = {k: 1 / CHANNELS[k[4]] for k in layers}
    x, q = (
        hypercolumns(one, layers, factors)[:, ::4, ::4].reshape(-1, (SIDE // 4) ** 2)
        for one in (image, query)
    )
    s = hypercolumns(style, layers, factors).reshape(-1, SIDE**2)
    targets = s[:, distances(q, s, centred=True).argmin(axis=1)]
    expected = np.diagonal(distances(x, targets)).mean()
    assert joint(loss, image) == pytest.approx(expected, rel=1e-6)


def test_nnst_of_each_layer():
    """stylize.py, feature splitting: Σ of centred cosine distances, as intended."""
    image, style = pyramid(0), pyramid(2)
    losses = style_losses(preset("nnst").phase(1), [WholeStyle(style)])
    assert len(losses) == 10
    for name, loss in losses.items():
        layer = name.partition("/")[2]
        x, s = (one[layer][0].flatten(1).numpy() for one in (image, style))
        expected = distances(x, s, centred=True).min(axis=1).mean()
        assert loss(image[layer]).item() == pytest.approx(expected, rel=1e-6)
