"""The content loss against NumPy in float64."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from napari_nst.engine.losses import ContentLoss
from tests.helpers.loss_features import box_mask, features, positions, soft_mask, weights


def numpy_content(value, target, norm, mask=None):
    f, p, w = positions(value), positions(target), weights(mask, target)
    total = (w * (f - p) ** 2).sum()
    if norm == "sum":
        return total
    return total / ((w * p**2).sum() if norm == "relative" else len(f) * w.sum())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("norm", ContentLoss.norms)
@pytest.mark.parametrize("shape", [(1, 64, 6, 4), (1, 1, 1, 1)])
def test_content_loss(shape, norm, masked):
    value, target = features(shape, 1), features(shape, 2)
    mask = soft_mask(*shape[2:], seed=3) + 0.1 if masked else None
    loss = ContentLoss(target, norm=norm, mask=mask)
    assert loss(value).item() == pytest.approx(numpy_content(value, target, norm, mask), rel=1e-5)
    assert loss(target) == 0


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


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("norm", ContentLoss.norms)
def test_windows_add_up_to_the_loss_and_its_gradient(norm, masked):
    target, mask = features((1, 4, 9, 8), 1), soft_mask(9, 8) if masked else None
    loss = ContentLoss(target, norm=norm, mask=mask)
    whole, parts = (features((1, 4, 9, 8), 2).requires_grad_() for _ in range(2))
    windows = [(rows, columns) for rows in (slice(0, 4), slice(4, 9))
               for columns in (slice(0, 1), slice(1, 8))]  # fmt: skip
    total = sum(loss.in_window(parts[(..., *window)], window) for window in windows)
    torch.testing.assert_close(total, loss(whole))
    total.backward()
    loss(whole).backward()
    torch.testing.assert_close(parts.grad, whole.grad)


def test_relative_does_not_depend_on_the_scale_of_features():
    target, value = features((1, 5, 6, 7), 1), features((1, 5, 6, 7), 2)
    small = ContentLoss(target, norm="relative")(value)
    large = ContentLoss(target * 100, norm="relative")(value * 100)
    torch.testing.assert_close(large, small)


def test_relative_to_a_black_target_is_the_mean():
    value, black = features((1, 5, 6, 7)), torch.zeros(1, 5, 6, 7)
    for mask in (None, soft_mask(6, 7)):
        mean = ContentLoss(black, mask=mask)(value)
        torch.testing.assert_close(ContentLoss(black, norm="relative", mask=mask)(value), mean)
        assert np.isclose(mean.item(), numpy_content(value, black, "mean", mask))


def test_bfloat16_features_are_compared_in_float32_with_a_constant_target():
    value, target = (features((1, 5, 6, 7), seed, torch.bfloat16) for seed in (1, 2))
    loss = ContentLoss(target.requires_grad_(), norm="relative")(value.requires_grad_())
    assert loss.dtype == torch.float32
    assert loss == ContentLoss(target.float(), norm="relative")(value.float())
    loss.backward()
    assert target.grad is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"norm": "raw"}, "norm of ContentLoss must be one of relative, mean, sum; not 'raw'"),
        ({"mask": torch.zeros(1, 1, 6, 7)}, "mask is 0 at every position"),
        ({"mask": torch.ones(1, 1, 7, 6)}, "as large as the features, 6 × 7"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ContentLoss(features((1, 5, 6, 7)), **settings)
