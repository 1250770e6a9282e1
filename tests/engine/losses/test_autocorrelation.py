"""The autocorrelation loss against sums over pairs of positions, in NumPy and float64."""

import numpy as np
import pytest
import torch

from napari_nst.engine.losses import AutocorrelationLoss, Exemplar
from tests.helpers.loss_features import box_mask, features, mean_square, soft_mask


def periodic(maps):
    """Mean of f(p) f(p + t), the image repeated, for features (C, H, W) at each distance t."""
    height, width = maps.shape[1:]
    return np.stack(
        [
            [(maps * np.roll(maps, (-y, -x), axis=(1, 2))).mean(axis=(1, 2)) for x in range(width)]
            for y in range(height)
        ]
    )


def of_pairs(maps, weights, down, across):
    """Weighted mean of f(p) f(p + t) over pairs inside, and their weight over that of t = 0."""
    height, width = weights.shape
    means, shares = [], []
    for y in range(-down, down + 1):
        for x in range(-across, across + 1):
            rows, columns = (slice(max(0, -t), n - max(0, t)) for t, n in ((y, height), (x, width)))
            there = slice(rows.start + y, rows.stop + y), slice(columns.start + x, columns.stop + x)
            both = weights[rows, columns] * weights[there]
            products = maps[:, rows, columns] * maps[(slice(None), *there)]
            means.append((products * both).sum(axis=(1, 2)) / both.sum())
            shares.append(both.sum() / (weights**2).sum())
    return np.array(means), np.array(shares)


def array(tensor):
    return tensor[0].double().numpy()


@pytest.mark.parametrize("size", [(6, 7), (5, 8)])
@pytest.mark.parametrize("norm", AutocorrelationLoss.norms)
def test_images_of_one_size_are_periodic(size, norm):
    value, style = features((1, 3, *size), 1), features((1, 3, *size), 2)
    target = periodic(array(style))
    expected = mean_square(periodic(array(value)) - target)
    if norm == "relative":
        expected /= mean_square(target)
    if norm == "per_channel":
        expected /= 3
    found = AutocorrelationLoss([Exemplar(style)], norm=norm)(value)
    assert found.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("masked", [False, True])
def test_otherwise_pairs_inside_count(masked):
    value = features((1, 20, 9, 7), 1)
    styles = [features((1, 20, 6, 11), 2), features((1, 20, 8, 8), 3) + 1]
    masks = [None, None, None]
    if masked:
        masks = [soft_mask(9, 7, 4), soft_mask(6, 11, 5), None]
    exemplars = [
        Exemplar(one, share, mask)
        for one, share, mask in zip(styles, (0.7, 0.3), masks[1:], strict=True)
    ]
    found = AutocorrelationLoss(exemplars, mask=masks[0])(value)

    weights = [
        np.ones(one.shape[2:]) if mask is None else mask[0, 0].double().numpy()
        for one, mask in zip((value, *styles), masks, strict=True)
    ]
    assert all(w.any(axis=1).all() and w.any(axis=0).all() for w in weights)  # not cropped
    (own, own_share), *of_styles = (
        of_pairs(array(one), w, 2, 3) for one, w in zip((value, *styles), weights, strict=True)
    )
    target = 0.7 * of_styles[0][0] + 0.3 * of_styles[1][0]
    share = np.min([own_share, *(share for _, share in of_styles)], axis=0)
    expected = ((own - target) ** 2 * share[:, None]).sum() / (20 * share.sum())
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_a_shifted_image_has_no_loss_and_a_shuffled_one_has():
    """Gram matrices see neither."""
    style = features((1, 4, 8, 9), 1)
    loss = AutocorrelationLoss([Exemplar(style)], norm="relative")
    assert loss(style.roll((3, 2), dims=(2, 3))).item() < 1e-8
    shuffled = style.flatten(2)[..., torch.randperm(72)].view_as(style)
    assert loss(shuffled).item() > 1e-3


def test_a_period_is_kept_whatever_the_sizes():
    rows = torch.arange(40)
    wave = (rows * (2 * torch.pi / 8)).sin()[None, None, :, None].expand(1, 2, 40, 30)
    style = wave[..., 3:27, :20]
    loss = AutocorrelationLoss([Exemplar(style)], norm="relative")
    assert loss(wave).item() < 0.02 < 0.2 < loss(wave.mT).item()
    masked = AutocorrelationLoss(
        [Exemplar(style)], norm="relative", mask=box_mask(40, 30, slice(9, 37), slice(2, 24))
    )
    assert masked(wave).item() < 0.02
