"""Style losses region by region: what each is, and what each counts."""

import numpy as np
import pytest
import torch

from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.guides import Guides
from napari_nst.engine.job.style_size import Fit
from napari_nst.engine.losses import STYLE_LOSSES, Exemplar, GuidedLoss, SeamLoss
from napari_nst.engine.objective.from_recipe import style_losses
from napari_nst.engine.objective.guided import guided_style_losses
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import NORMS
from tests.helpers.loss_features import box_mask, features, mean_and_gram, mean_square, soft_mask

EVERY_LOSS = [(loss, norm) for loss, norms in NORMS.items() for norm in norms]


def recipe_of(loss="gram", norm="mean", layer="relu1_1", **fields):
    fields = {"style_layers": {layer: 1.0}, "style_weight": 1.0, "patch_stride": 1} | fields
    return Recipe(style_loss=loss, style_norm=norm, **fields)


def guided(recipe, content_labels, style_labels, of_styles, mask=None, masks=None):
    """The only guided loss of a recipe, of content labels (H, W) at the layer's own size."""
    height, width = content_labels.shape
    masks = masks or [None] * len(of_styles)
    subjects, fits = [], []
    for one, own in zip(of_styles, masks, strict=True):
        shape = tuple(one.shape[2:])
        subjects.append(MaskedImage(torch.zeros(1, 3, *shape), own))
        fits.append(Fit((slice(None), slice(None)), shape))
    guides = Guides(content_labels, tuple(style_labels))
    (layer,) = recipe.style_layers
    of_styles = [{layer: one} for one in of_styles]
    shape = (height, width)
    losses = guided_style_losses(recipe, guides, shape, mask, subjects, fits, of_styles)
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
def test_a_small_region_is_asked_for_what_a_large_one_gives(loss, norm):
    """A tenth of the content, nine tenths of the style, of the same features: no loss."""
    column = features((1, 5, 20, 2), seed=1)
    rest = features((1, 5, 20, 18), seed=2)
    image = torch.cat([column, rest], dim=3)
    style = torch.cat([column.repeat(1, 1, 1, 9), rest[..., :2] + 7], dim=3)
    recipe = recipe_of(loss, norm, patch_size=1)
    of_style = columns(20, 20, 18)
    found = guided(recipe, columns(20, 20, 2), [of_style], [style])(image)
    other = guided(recipe, columns(20, 20, 2), [of_style], [style])(image * 2)
    assert found < 1e-4 * other


@pytest.mark.parametrize("with_masks", [False, True])
def test_the_loss_is_the_sum_of_each_regions_gram_difference_by_its_area(with_masks):
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
def test_every_pixel_is_pulled_as_hard_as_without_guides(loss, norm):
    """Halves of the same features, each with a region: the gradient of the whole, unguided."""
    half, style = features((1, 4, 8, 6)), features((1, 4, 8, 5), 1)
    image = torch.cat([half, half], dim=3)
    recipe = recipe_of(loss, norm, patch_size=1)
    pulls = []
    plain = style_losses(recipe, [{"relu1_1": style}])["style/relu1_1"]
    for one in (plain, guided(recipe, columns(8, 12, 6, 6), [None], [style])):
        given = image.clone().requires_grad_()
        one(given).backward()
        pulls.append(given.grad)
    # Sorted halves meet other quantiles of the style than the sorted whole.
    rtol = 0.2 if loss == "sliced_wasserstein" else 1e-3
    assert torch.linalg.vector_norm(pulls[1] - pulls[0]) < rtol * torch.linalg.vector_norm(pulls[0])


def test_every_loss_is_tried():
    assert {loss for loss, _ in EVERY_LOSS} == set(STYLE_LOSSES)


def test_regions_are_of_any_share():
    """One of 10 % and one of 60 %: the pull goes by the features alone."""
    column, style = features((1, 4, 8, 1)), features((1, 4, 8, 5), 1)
    image = column.repeat(1, 1, 1, 10).requires_grad_()
    guided(recipe_of(), columns(8, 10, 1, 6), [None], [style])(image).backward()
    pulls = image.grad.abs().sum(dim=(0, 1, 2))
    np.testing.assert_allclose(pulls[:7], pulls[0], rtol=1e-4)
    assert (pulls[7:] == 0).all()  # without a label


def test_a_style_whole_is_one_with_a_label_everywhere():
    image, styles = features((1, 4, 8, 10)), [features((1, 4, 7, 5), seed) for seed in (1, 2)]
    labels = columns(8, 10, 5, 5)
    ones = [np.full((7, 5), label) for label in (1, 2)]
    expected = guided(recipe_of(), labels, ones, styles)(image)
    torch.testing.assert_close(guided(recipe_of(), labels, [None, None], styles)(image), expected)


def test_a_style_that_alone_serves_counts_whatever_its_share():
    image, styles = features((1, 4, 8, 10)), [features((1, 4, 7, 5), seed) for seed in (1, 2)]
    labels = columns(8, 10, 5, 5)
    expected = guided(recipe_of(), labels, [None, None], styles)(image)
    found = guided(recipe_of(style_blend=(1.0, 0.0)), labels, [None, None], styles)(image)
    torch.testing.assert_close(found, expected)


def test_a_region_too_small_for_a_layer_is_left_out_there():
    recipe = recipe_of(layer="relu3_1")
    labels = np.zeros((16, 16), int)
    labels[:8], labels[12, 12] = 1, 2
    style = features((1, 4, 4, 4), 1)
    subject = MaskedImage(torch.zeros(1, 3, 16, 16))
    fit = Fit((slice(None), slice(None)), (16, 16))
    guides = Guides(labels, (None,))
    losses = guided_style_losses(
        recipe, guides, (16, 16), None, [subject], [fit], [{"relu3_1": style}]
    )
    assert list(losses["style/relu3_1"].loss.regions) == ["1"]
    other = np.zeros((16, 16), int)
    other[8, 8] = 1
    guides = Guides(labels, (other,))
    losses = guided_style_losses(
        recipe, guides, (16, 16), None, [subject], [fit], [{"relu3_1": style}]
    )
    image = features((1, 4, 4, 4), 3).requires_grad_()
    nothing = losses["style/relu3_1"](image)
    nothing.backward()
    assert nothing == 0
    assert (image.grad == 0).all()


def test_its_repr_reads_as_the_objective():
    mask = box_mask(4, 4, slice(0, 2), slice(0, 4))
    loss = STYLE_LOSSES["gram"]([Exemplar(features((1, 3, 4, 4)))], recipe_of(), mask)
    text = repr(GuidedLoss({3: loss}, {3: 0.5}))
    assert "3 × 0.5" in text
    assert "GramLoss(norm='mean', masked)" in text


def test_a_seam_is_what_neighbours_differ_by_across_the_border():
    free = torch.zeros(1, 1, 5, 6, dtype=torch.bool)
    free[..., 1:3, 2:4] = True
    image = features((1, 3, 5, 6), 4, torch.float64)
    values, inside = image[0].numpy(), free[0, 0].numpy()
    expected = 0.0
    for row in range(5):
        for column in range(6):
            for other in ((row + 1, column), (row, column + 1)):
                if other[0] < 5 and other[1] < 6 and inside[row, column] != inside[other]:
                    expected += ((values[:, row, column] - values[:, *other]) ** 2).sum()
    assert float(SeamLoss(free)(image)) == pytest.approx(expected / values.size)
