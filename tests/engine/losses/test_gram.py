"""The Gram losses, and the loss of mean and covariance, against NumPy in float64."""

import numpy as np
import pytest
import torch

from napari_nst.engine.losses import (
    CentredGramLoss,
    Exemplar,
    GramLoss,
    MeanCovarianceLoss,
    MeanStdLoss,
    ShiftedGramLoss,
)
from tests.helpers.loss_features import (
    blend,
    features,
    mean_and_gram,
    mean_square,
    soft_mask,
    weights,
)


def gram(tensor, mask, exemplars):
    return mean_and_gram(tensor, mask)[1]


def shifted_gram(tensor, mask, exemplars):
    shift = blend(exemplars)[0].mean()
    return mean_and_gram(tensor.double() - shift, mask)[1]


def centred_gram(tensor, mask, exemplars):
    mean, second = mean_and_gram(tensor, mask)
    return second - np.outer(mean, mean)


MATRICES = {GramLoss: gram, ShiftedGramLoss: shifted_gram, CentredGramLoss: centred_gram}


def scaled(difference, target, norm, positions):
    """A norm of the difference of two matrices that are both divided by positions."""
    channels = len(target)
    if norm == "raw":
        return mean_square(positions * difference)
    if norm == "per_element":
        return mean_square(positions * difference) / (channels * positions)
    if norm == "per_channel":
        return mean_square(difference / channels)
    return mean_square(difference) / (mean_square(target) if norm == "relative" else 1)


def inputs(shape, masked):
    """Features, their mask, and two exemplars."""
    channels = shape[1]
    exemplars = [
        Exemplar(features((1, channels, 8, 3), 2), 0.7, soft_mask(8, 3) if masked else None),
        Exemplar(features((1, channels, 4, 6), 3) + 1, 0.3),
    ]
    mask = soft_mask(*shape[2:], seed=5) + 0.1 if masked else None
    return features(shape, 1), mask, exemplars


@pytest.mark.parametrize(
    ("kind", "norm", "shape", "masked"),
    [
        *((kind, norm, (1, 5, 7, 9), True) for kind in MATRICES for norm in GramLoss.norms),
        *((GramLoss, norm, (1, 32, 6, 4), False) for norm in ("mean", "raw", "per_element")),
        *((kind, "relative", (1, 3, 1, 1), False) for kind in MATRICES),
    ],
)
def test_gram_losses(kind, norm, shape, masked):
    value, mask, exemplars = inputs(shape, masked)
    matrix = MATRICES[kind]
    target = sum(e.share * matrix(e.features, e.mask, exemplars) for e in exemplars)
    difference = matrix(value, mask, exemplars) - target
    expected = scaled(difference, target, norm, weights(mask, value).sum())
    loss = kind(exemplars, norm=norm, mask=mask)(value)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("norm", GramLoss.norms)
def test_the_size_of_a_style_has_no_effect(norm):
    value, style = features((1, 5, 6, 7), 1), features((1, 5, 6, 7), 2)
    for kind in MATRICES:
        once = kind([Exemplar(style)], norm=norm)(value)
        four_times = kind([Exemplar(style.repeat(1, 1, 2, 2))], norm=norm)(value)
        torch.testing.assert_close(four_times, once)


def test_the_centred_loss_does_not_compare_means():
    value, style = features((1, 5, 6, 7), 1), features((1, 5, 8, 3), 2)
    brighter = style + torch.arange(5).view(1, 5, 1, 1)
    plain = CentredGramLoss([Exemplar(style)])(value)
    torch.testing.assert_close(CentredGramLoss([Exemplar(brighter)])(value + 2), plain)
    both = [Exemplar(style, 0.5), Exemplar(brighter, 0.5)]
    torch.testing.assert_close(CentredGramLoss(both)(value), plain)


@pytest.mark.parametrize("norm", MeanCovarianceLoss.norms)
@pytest.mark.parametrize(("shape", "masked"), [((1, 5, 7, 9), True), ((1, 3, 1, 1), False)])
def test_mean_covariance_loss(shape, masked, norm):
    value, mask, exemplars = inputs(shape, masked)
    (mean, second), (style_mean, style_second) = mean_and_gram(value, mask), blend(exemplars)
    covariance = style_second - np.outer(style_mean, style_mean)
    of_means = mean_square(mean - style_mean)
    of_covariances = mean_square(second - np.outer(mean, mean) - covariance)
    if norm == "relative":
        of_means /= mean_square(style_mean)
        of_covariances /= mean_square(covariance)
    loss = MeanCovarianceLoss(exemplars, norm=norm, mask=mask)(value)
    assert loss.item() == pytest.approx((of_means + of_covariances) / 2, rel=1e-4)


@pytest.mark.parametrize("norm", MeanStdLoss.norms)
@pytest.mark.parametrize(("shape", "masked"), [((1, 5, 7, 9), True), ((1, 3, 2, 1), False)])
def test_mean_std_loss(shape, masked, norm):
    value, mask, exemplars = inputs(shape, masked)
    (mean, second), (style_mean, style_second) = mean_and_gram(value, mask), blend(exemplars)
    deviation = np.sqrt(np.diagonal(second) - mean**2)
    style_deviation = np.sqrt(np.diagonal(style_second) - style_mean**2)
    of_means = mean_square(mean - style_mean)
    of_deviations = mean_square(deviation - style_deviation)
    if norm == "relative":
        of_means /= mean_square(style_mean)
        of_deviations /= mean_square(style_deviation)
    loss = MeanStdLoss(exemplars, norm=norm, mask=mask)(value)
    assert loss.item() == pytest.approx((of_means + of_deviations) / 2, rel=1e-4)


def test_several_styles_have_the_covariance_of_one_image_made_of_all():
    value = features((1, 5, 6, 6), 1)
    styles = [features((1, 5, height, 4), height) + height / 10 for height in (3, 8)]
    # Each style counts by its share, whatever its size.
    together = torch.cat([styles[0].repeat(1, 1, 8, 1), styles[1].repeat(1, 1, 3, 1)], dim=2)
    apart = MeanCovarianceLoss([Exemplar(style, 0.5) for style in styles])(value)
    torch.testing.assert_close(apart, MeanCovarianceLoss([Exemplar(together)])(value))


@pytest.mark.parametrize("kind", [MeanCovarianceLoss, MeanStdLoss, CentredGramLoss])
@pytest.mark.parametrize("level", [0.1, 30.0])
def test_a_flat_style_does_not_make_the_relative_loss_explode(kind, level):
    """The covariance of a flat style consists of rounding errors, or it is 0."""
    flat = torch.full((1, 8, 16, 16), level) * torch.linspace(0.3, 1, 8).view(1, 8, 1, 1)
    value = features((1, 8, 16, 16)) * level
    assert 1 < kind([Exemplar(flat)], norm="relative")(value).item() < 1e5
