"""Style losses of regions: their targets and their weights."""

import numpy as np
import pytest
import torch

from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.guides import Guides
from napari_nst.engine.job.schedule import Fit
from napari_nst.engine.losses import STYLE_LOSSES
from napari_nst.engine.objective.from_recipe import WholeStyle, style_losses
from napari_nst.engine.objective.guided import guided_style_losses
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import NORMS
from tests.helpers.loss_features import features, mean_and_gram, mean_square, soft_mask

EVERY_LOSS = [(loss, norm) for loss in STYLE_LOSSES for norm in NORMS[loss]]


def recipe_of(loss="gram", norm="mean", layer="relu1_1", **fields):
    fields = {"style_layers": {layer: 1.0}, "style_weight": 1.0, "patch_stride": 1} | fields
    return Recipe(style_loss=loss, style_norm=norm, **fields)


def guided(recipe, content_labels, style_labels, of_styles, mask=None, masks=None):
    """The guided loss of a recipe with one layer, whose features have the size of the labels."""
    masks = masks or [None] * len(of_styles)
    images = [
        MaskedImage(torch.zeros(1, 3, *one.shape[2:]), own)
        for one, own in zip(of_styles, masks, strict=True)
    ]
    fits = [Fit((slice(None), slice(None)), image.shape) for image in images]
    guides = Guides(content_labels, tuple(style_labels))
    (layer,) = recipe.style_layers
    of_styles = [WholeStyle({layer: one}) for one in of_styles]
    shape = content_labels.shape
    losses = guided_style_losses(recipe, guides, shape, mask, images, fits, of_styles)
    return losses[f"style/{layer}"]


def columns(height, width, *widths):
    """Labels 1, 2, … from left to right."""
    labels = np.zeros((height, width), int)
    left = 0
    for label, own in enumerate(widths, start=1):
        labels[:, left : left + own] = label
        left += own
    return labels


@pytest.mark.parametrize(("loss", "norm"), EVERY_LOSS)
def test_the_sizes_of_a_region_and_of_its_exemplar_are_independent(loss, norm):
    """Equal features in a tenth of the content and nine tenths of the style have no loss."""
    column = features((1, 5, 20, 2), seed=1)
    rest = features((1, 5, 20, 18), seed=2)
    image = torch.cat([column, rest], dim=3)
    style = torch.cat([column.repeat(1, 1, 1, 9), rest[..., :2] + 7], dim=3)
    recipe = recipe_of(loss, norm, patch_size=1)
    of_style = columns(20, 20, 18)
    found = guided(recipe, columns(20, 20, 2), [of_style], [style])(image)
    other = guided(recipe, columns(20, 20, 2), [of_style], [style])(image.flip(1) * 2)
    assert found < 1e-4 * other


@pytest.mark.parametrize("with_masks", [False, True])
def test_the_loss_is_the_sum_of_gram_losses_weighted_by_area(with_masks):
    image, styles = features((1, 4, 12, 15)), [features((1, 4, 9, 8), 1), features((1, 4, 7, 7), 2)]
    labels = columns(12, 15, 5, 4)
    of_styles = [columns(9, 8, 3, 5), columns(7, 7, 0, 7)]
    mask = soft_mask(12, 15, 3) if with_masks else None
    masks = [soft_mask(9, 8, 4), soft_mask(7, 7, 5)] if with_masks else [None, None]
    recipe = recipe_of(style_blend=(0.3, 0.9), style_weight=2.0)

    def region(image_labels, own, label):
        chosen = torch.from_numpy(image_labels == label)[None, None].float()
        return chosen if own is None else chosen * own

    visible = 12 * 15 if mask is None else float(mask.sum())
    expected = 0.0
    for label, shares in ((1, (1.0, 0.0)), (2, (0.25, 0.75))):
        target = sum(
            share * mean_and_gram(style, region(own, alpha, label))[1]
            for share, style, own, alpha in zip(shares, styles, of_styles, masks, strict=True)
            if share
        )
        here = region(labels, mask, label)
        difference = mean_and_gram(image, here)[1] - target
        expected += 2 * float(here.sum()) / visible * mean_square(difference)
    found = guided(recipe, labels, of_styles, styles, mask, masks)(image)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("loss", "norm"), EVERY_LOSS)
def test_every_pixel_has_the_gradient_that_it_has_without_guides(loss, norm):
    """Two regions with the same features have the gradient of one whole image."""
    half, style = features((1, 4, 8, 6)), features((1, 4, 8, 5), 1)
    image = torch.cat([half, half], dim=3)
    recipe = recipe_of(loss, norm, patch_size=1)
    gradients = []
    plain = style_losses(recipe, [WholeStyle({"relu1_1": style})])["style/relu1_1"]
    for one in (plain, guided(recipe, columns(8, 12, 6, 6), [None], [style])):
        given = image.clone().requires_grad_()
        one(given).backward()
        gradients.append(given.grad)
    # The quantiles of a sorted half are not those of the sorted whole, and the whole has more pairs
    # of positions than its halves.
    sliced = dict.fromkeys(("sliced_wasserstein", "sampled_wasserstein", "sliced_rows"), 0.2)
    rtol = {**sliced, "autocorrelation": 0.7}.get(loss, 1e-3)
    difference = gradients[1] - gradients[0]
    assert difference.norm() < rtol * gradients[0].norm()


def test_a_style_without_labels_serves_every_region_whatever_its_share():
    image, styles = features((1, 4, 8, 10)), [features((1, 4, 7, 5), seed) for seed in (1, 2)]
    labels = columns(8, 10, 5, 5)
    ones = [np.full((7, 5), label) for label in (1, 2)]
    expected = guided(recipe_of(), labels, ones, styles)(image)
    without = guided(recipe_of(), labels, [None, None], styles)(image)
    torch.testing.assert_close(without, expected)
    shares = recipe_of(style_blend=(1.0, 0.0))
    torch.testing.assert_close(guided(shares, labels, [None, None], styles)(image), expected)


def test_regions_too_small_for_a_layer_are_left_out():
    recipe, style = recipe_of(layer="relu3_1"), features((1, 4, 4, 4), 1)
    labels, small = np.zeros((16, 16), int), np.zeros((16, 16), int)
    labels[:8], labels[12, 12], small[8, 8] = 1, 2, 1
    images = [MaskedImage(torch.zeros(1, 3, 16, 16))]
    fits = [Fit((slice(None), slice(None)), (16, 16))]
    regions = []
    for of_style in (None, small):
        guides = Guides(labels, (of_style,))
        (loss,) = guided_style_losses(
            recipe, guides, (16, 16), None, images, fits, [WholeStyle({"relu3_1": style})]
        ).values()
        regions.append(list(loss.loss.regions))
    assert regions == [["1"], []]
    image = features((1, 4, 4, 4), 3).requires_grad_()
    value = loss(image)
    value.backward()
    assert value == 0
    assert (image.grad == 0).all()
