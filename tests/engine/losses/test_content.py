"""The content loss against NumPy in float64."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from napari_nst.engine.losses import ContentLoss
from tests.helpers.loss_features import box_mask, features, positions, soft_mask, weights

SHAPES = [(1, 5, 7, 9), (1, 64, 6, 4), (1, 3, 1, 1), (1, 1, 4, 4)]


def numpy_content(value, target, norm, mask=None):
    f, p, w = positions(value), positions(target), weights(mask, target)
    total = (w * (f - p) ** 2).sum()
    if norm == "sum":
        return total
    return total / ((w * p**2).sum() if norm == "relative" else len(f) * w.sum())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("norm", ContentLoss.norms)
@pytest.mark.parametrize("shape", SHAPES)
def test_content_loss(shape, norm, masked):
    value, target = features(shape, 1), features(shape, 2)
    mask = soft_mask(*shape[2:], seed=3) + 0.1 if masked else None
    expected = numpy_content(value, target, norm, mask)
    assert ContentLoss(target, norm=norm, mask=mask)(value).item() == pytest.approx(
        expected, rel=1e-5
    )


@pytest.mark.parametrize("norm", ContentLoss.norms)
def test_gradient_is_that_of_finite_differences(norm):
    target = features((1, 3, 4, 5), 1, torch.float64)
    value = features((1, 3, 4, 5), 2, torch.float64).requires_grad_()
    for mask in (None, soft_mask(4, 5, dtype=torch.float64)):
        assert gradcheck(ContentLoss(target, norm=norm, mask=mask), value)


@pytest.mark.parametrize("norm", ContentLoss.norms)
def test_a_mask_of_a_rectangle_crops(norm):
    value, target = features((1, 5, 8, 9), 1), features((1, 5, 8, 9), 2)
    mask = box_mask(8, 9, slice(2, 7), slice(1, 5))
    masked = ContentLoss(target, norm=norm, mask=mask)(value)
    cropped = ContentLoss(target[..., 2:7, 1:5], norm=norm)(value[..., 2:7, 1:5])
    torch.testing.assert_close(masked, cropped)
    everything = ContentLoss(target, norm=norm, mask=torch.ones(1, 1, 8, 9))(value)
    torch.testing.assert_close(everything, ContentLoss(target, norm=norm)(value))


@pytest.mark.parametrize("norm", ContentLoss.norms)
def test_what_is_already_like_its_target_has_no_loss(norm):
    target = features((1, 5, 6, 7))
    assert ContentLoss(target, norm=norm)(target).item() == 0


def test_a_relative_loss_does_not_depend_on_the_size_of_features():
    target, value = features((1, 5, 6, 7), 1), features((1, 5, 6, 7), 2)
    small = ContentLoss(target, norm="relative")(value)
    large = ContentLoss(target * 100, norm="relative")(value * 100)
    torch.testing.assert_close(large, small)


def test_a_black_target_leaves_the_error_as_it_is():
    value, nothing = features((1, 5, 6, 7)), torch.zeros(1, 5, 6, 7)
    for mask in (None, soft_mask(6, 7)):
        plain = ContentLoss(nothing, mask=mask)(value)
        torch.testing.assert_close(ContentLoss(nothing, norm="relative", mask=mask)(value), plain)
        assert np.isclose(plain.item(), numpy_content(value, nothing, "mean", mask))


def test_half_precision_features_are_compared_in_single():
    value, target = (features((1, 5, 6, 7), seed, torch.bfloat16) for seed in (1, 2))
    loss = ContentLoss(target, norm="relative")(value)
    assert loss.dtype == torch.float32
    assert loss.item() == ContentLoss(target.float(), norm="relative")(value.float()).item()


def test_a_target_is_a_constant():
    target = features((1, 5, 6, 7), 1).requires_grad_()
    ContentLoss(target)(features((1, 5, 6, 7), 2).requires_grad_()).backward()
    assert target.grad is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "raw"}, "norm of ContentLoss must be one of relative, mean, sum; not 'raw'"),
        ({"mask": torch.zeros(1, 1, 6, 7)}, "mask counts no position"),
        ({"mask": torch.ones(1, 1, 7, 6)}, "as large as the features, 6 × 7"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ContentLoss(features((1, 5, 6, 7)), **settings)


def test_repr_says_the_norm_and_the_mask():
    ones = torch.ones(1, 2, 2, 2)
    assert repr(ContentLoss(ones)) == "ContentLoss(norm='mean')"
    masked = ContentLoss(ones, norm="sum", mask=ones[:, :1])
    assert repr(masked) == "ContentLoss(norm='sum', masked)"
