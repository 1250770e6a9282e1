"""The Gram losses, and the one of mean and covariance, against NumPy in float64."""

import numpy as np
import pytest
import torch

from napari_nst.engine.losses import (
    CentredGramLoss,
    Exemplar,
    GramLoss,
    MeanCovarianceLoss,
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

SHAPES = [(1, 5, 7, 9), (1, 32, 6, 4), (1, 3, 1, 1), (1, 1, 4, 4)]


def gram(tensor, mask, exemplars):
    return mean_and_gram(tensor, mask)[1]


def shifted_gram(tensor, mask, exemplars):
    shift = blend(exemplars)[0].mean()
    return mean_and_gram(tensor.double() - shift, mask)[1]


def centred_gram(tensor, mask, exemplars):
    mean, second = mean_and_gram(tensor, mask)
    return second - np.outer(mean, mean)


def scaled(difference, target, norm, positions):
    """What a norm says of the difference of two matrices, both divided by positions."""
    channels = len(target)
    if norm == "raw":
        return mean_square(positions * difference)
    if norm == "per_element":
        return mean_square(positions * difference) / (channels * positions)
    if norm == "per_channel":
        return mean_square(difference / channels)
    return mean_square(difference) / (mean_square(target) if norm == "relative" else 1)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("norm", GramLoss.norms)
@pytest.mark.parametrize(
    ("kind", "matrix"),
    [(GramLoss, gram), (ShiftedGramLoss, shifted_gram), (CentredGramLoss, centred_gram)],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_gram_losses(shape, kind, matrix, norm, masked):
    value, channels = features(shape, 1), shape[1]
    mask = soft_mask(*shape[2:], seed=5) + 0.1 if masked else None
    exemplars = [
        Exemplar(features((1, channels, 8, 3), 2), 0.7, soft_mask(8, 3) if masked else None),
        Exemplar(features((1, channels, 4, 6), 3) + 1, 0.3),
    ]
    target = sum(e.share * matrix(e.features, e.mask, exemplars) for e in exemplars)
    difference = matrix(value, mask, exemplars) - target
    expected = scaled(difference, target, norm, weights(mask, value).sum())
    loss = kind(exemplars, norm=norm, mask=mask)(value)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_sums_of_equal_sizes_are_those_of_the_published_programs():
    value, style = (features((1, 5, 6, 7), seed) for seed in (1, 2))
    f, s = (t[0].flatten(1).double().numpy() for t in (value, style))
    raw = mean_square(f @ f.T - s @ s.T)
    for norm, expected in (("raw", raw), ("per_element", raw / 210), ("per_channel", raw / 210**2)):
        assert GramLoss([Exemplar(style)], norm=norm)(value).item() == pytest.approx(expected, 1e-5)


@pytest.mark.parametrize("norm", GramLoss.norms)
@pytest.mark.parametrize("kind", [GramLoss, ShiftedGramLoss, CentredGramLoss])
def test_the_size_of_a_style_does_not_matter(kind, norm):
    value, style = features((1, 5, 6, 7), 1), features((1, 5, 6, 7), 2)
    once = kind([Exemplar(style)], norm=norm)(value)
    four_times = kind([Exemplar(style.repeat(1, 1, 2, 2))], norm=norm)(value)
    torch.testing.assert_close(four_times, once)


def test_the_centred_loss_does_not_see_means():
    value, style = features((1, 5, 6, 7), 1), features((1, 5, 8, 3), 2)
    brighter = style + torch.arange(5).view(1, 5, 1, 1)
    plain = CentredGramLoss([Exemplar(style)])(value)
    torch.testing.assert_close(CentredGramLoss([Exemplar(brighter)])(value + 2), plain)
    both = [Exemplar(style, 0.5), Exemplar(brighter, 0.5)]
    torch.testing.assert_close(CentredGramLoss(both)(value), plain)


def test_the_shift_is_the_mean_activation_of_the_styles():
    exemplars = [
        Exemplar(torch.full((1, 2, 2, 2), 3.0), 0.25),
        Exemplar(torch.ones(1, 2, 5, 5), 0.75),
    ]
    assert ShiftedGramLoss(exemplars).shift == pytest.approx(1.5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("norm", MeanCovarianceLoss.norms)
@pytest.mark.parametrize("shape", SHAPES)
def test_mean_covariance_loss(shape, norm, masked):
    value, channels = features(shape, 1), shape[1]
    mask = soft_mask(*shape[2:], seed=5) + 0.1 if masked else None
    exemplars = [
        Exemplar(features((1, channels, 8, 3), 2), 0.7, soft_mask(8, 3) if masked else None),
        Exemplar(features((1, channels, 4, 6), 3) + 1, 0.3),
    ]
    mean, second = mean_and_gram(value, mask)
    style_mean, style_second = blend(exemplars)
    covariance = style_second - np.outer(style_mean, style_mean)
    of_means = mean_square(mean - style_mean)
    of_covariances = mean_square(second - np.outer(mean, mean) - covariance)
    if norm == "relative":
        of_means /= mean_square(style_mean)
        of_covariances /= mean_square(covariance)
    loss = MeanCovarianceLoss(exemplars, norm=norm, mask=mask)(value)
    assert loss.item() == pytest.approx((of_means + of_covariances) / 2, rel=1e-4)


def test_several_styles_have_the_covariance_of_one_image_that_holds_them_all():
    value = features((1, 5, 6, 6), 1)
    styles = [features((1, 5, height, 4), height) + height / 10 for height in (3, 8)]
    # Each style counts by its share, whatever its size.
    holds_both = torch.cat([styles[0].repeat(1, 1, 8, 1), styles[1].repeat(1, 1, 3, 1)], dim=2)
    apart = MeanCovarianceLoss([Exemplar(style, 0.5) for style in styles])(value)
    torch.testing.assert_close(apart, MeanCovarianceLoss([Exemplar(holds_both)])(value))


@pytest.mark.parametrize("kind", [MeanCovarianceLoss, CentredGramLoss])
@pytest.mark.parametrize("level", [0.1, 1.0, 30.0])
def test_a_flat_style_does_not_blow_the_loss_up(kind, level):
    """Its covariance is nothing but rounding errors, and no measure of anything."""
    flat = torch.full((1, 8, 16, 16), level) * torch.linspace(0.3, 1, 8).view(1, 8, 1, 1)
    value = features((1, 8, 16, 16)) * level
    assert 1 < kind([Exemplar(flat)], norm="relative")(value).item() < 1e5
