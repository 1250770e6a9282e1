"""Sums over positions: what they are, how exact, and that all losses of them take them in parts."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from napari_nst.engine.losses import (
    STYLE_LOSSES,
    ContentLoss,
    Exemplar,
    GramLoss,
    GuidedLoss,
    MeasuredExemplar,
    MomentLoss,
    Moments,
    PatchLoss,
    gradient_by_features,
    moment_losses,
)
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import MOMENT_LOSSES, NORMS
from tests.helpers.loss_features import box_mask, features, mean_and_gram, soft_mask

SHAPE = (1, 5, 6, 7)
MULTIPLIES = "napari_nst.engine.losses.moments.multiplies_bfloat16"
EVERY = [(name, norm) for name in MOMENT_LOSSES for norm in NORMS[name]]


def made(name, exemplars, mask=None, norm="mean"):
    return STYLE_LOSSES[name](exemplars, Recipe(style_loss=name, style_norm=norm), mask)


def rectified(shape, seed=0):
    """Features in bfloat16 as a layer has them: rectified, channels of different sizes, last."""
    sizes = torch.linspace(0.1, 50, shape[1]).view(1, -1, 1, 1)
    values = features(shape, seed).relu() * sizes
    return values.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def distance(value, expected):
    value, expected = (torch.as_tensor(matrix).double() for matrix in (value, expected))
    return float((value - expected).norm() / expected.norm())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_moments_are_those_of_numpy(memory_format, masked):
    f = features((1, 6, 5, 7)).contiguous(memory_format=memory_format)
    mask = soft_mask(5, 7) if masked else None
    moments, (mean, second) = Moments.of(f, mask), mean_and_gram(f, mask)
    assert moments.weight == pytest.approx(float(mask.sum()) if masked else 35)
    np.testing.assert_allclose(moments.mean[0], mean, rtol=1e-5)
    np.testing.assert_allclose(moments.second_moment[0], second, rtol=1e-5)
    covariance = second - np.outer(mean, mean)
    np.testing.assert_allclose(moments.covariance[0], covariance, rtol=1e-4, atol=1e-5)


def test_moments_of_a_masked_batch_are_those_of_its_images():
    batch, mask = features((3, 5, 4, 6)), soft_mask(4, 6)
    whole = Moments.of(batch, mask)
    for index, image in enumerate(batch.split(1)):
        alone = Moments.of(image, mask)
        torch.testing.assert_close(whole.first[index], alone.first[0])
        torch.testing.assert_close(whole.second[index], alone.second[0])


def test_a_mask_of_a_rectangle_crops():
    f = features((1, 6, 8, 9))
    masked = Moments.of(f, box_mask(8, 9, slice(2, 7), slice(1, 5)))
    cropped = Moments.of(f[..., 2:7, 1:5])
    assert masked.weight == cropped.weight
    torch.testing.assert_close(masked.first, cropped.first)
    torch.testing.assert_close(masked.second, cropped.second)


def test_moments_of_parts_add_up_even_where_a_mask_counts_none_of_one():
    f, mask = features((1, 6, 8, 9)), box_mask(8, 9, slice(0, 8), slice(0, 4))
    parts = [slice(0, 3), slice(3, 5), slice(5, 9)]
    found = [Moments.of(f[..., part], mask[..., part]) for part in parts]
    assert found[2].weight == 0
    total, whole = found[0] + found[1] + found[2], Moments.of(f, mask)
    assert total.weight == whole.weight
    torch.testing.assert_close(total.first, whole.first)
    torch.testing.assert_close(total.second, whole.second)


def test_moments_of_features_less_a_number():
    f, mask = features((1, 6, 8, 9)), soft_mask(8, 9)
    less, expected = Moments.of(f, mask).less(0.9), Moments.of(f - 0.9, mask)
    torch.testing.assert_close(less.first, expected.first, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(less.second, expected.second, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "of", [lambda m: m.mean, lambda m: m.second_moment, lambda m: (m.first, m.second)]
)
def test_gradients_of_moments_are_those_of_finite_differences(of, masked):
    mask = soft_mask(4, 5, dtype=torch.float64) if masked else None
    f = features((2, 3, 4, 5), dtype=torch.float64).requires_grad_()
    assert gradcheck(lambda value: of(Moments.of(value, mask)), f)


@pytest.mark.parametrize("hardware", [False, True])
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("height", "width"), [(80, 90), (3, 5), (1, 1)])
def test_bfloat16_is_summed_as_exactly_as_float32(monkeypatch, height, width, hardware, masked):
    """By products of bfloat16 or without: covariances are what the rounding of a sum would hurt."""
    monkeypatch.setattr(MULTIPLIES, lambda device: hardware)
    f = rectified((1, 96, height, width))
    mask = soft_mask(height, width) if masked else None
    moments, exact = Moments.of(f, mask), Moments.of(f.double(), mask)
    assert moments.second.dtype == torch.float32
    assert distance(moments.first, exact.first) < 1e-5
    assert distance(moments.second, exact.second) < 1e-5
    # As shares of what it is the difference of.
    error = (moments.covariance - exact.covariance).norm() / exact.second_moment.norm()
    assert error < 1e-5


@pytest.mark.parametrize("hardware", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_a_gradient_in_bfloat16_is_right_but_for_its_rounding(monkeypatch, hardware, masked):
    monkeypatch.setattr(MULTIPLIES, lambda device: hardware)
    f, style = rectified((1, 64, 30, 20)), rectified((1, 64, 20, 20), 1)
    mask = soft_mask(30, 20) if masked else None
    for name in MOMENT_LOSSES:
        pulls = []
        for value in (f.clone(), f.double()):
            made(name, [Exemplar(style.to(value.dtype))], mask)(value.requires_grad_()).backward()
            pulls.append(value.grad)
        assert pulls[0].dtype == torch.bfloat16
        assert pulls[0].is_contiguous(memory_format=torch.channels_last)
        assert distance(*pulls) < 0.01


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_measured_exemplars_are_as_good_as_features(name, norm):
    styles, masks = [features(SHAPE, seed) for seed in (2, 3)], (soft_mask(6, 7), None)
    pairs = list(zip(styles, (0.3, 0.7), masks, strict=True))
    seen = [Exemplar(style, share, mask) for style, share, mask in pairs]
    measured = [MeasuredExemplar(Moments.of(style, mask), share) for style, share, mask in pairs]
    value = features(SHAPE, 1)
    torch.testing.assert_close(
        made(name, measured, norm=norm)(value), made(name, seen, norm=norm)(value)
    )


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_a_loss_and_its_gradient_come_from_parts(name, norm):
    value, mask = features((1, 4, 9, 8), 1, torch.float64), soft_mask(9, 8, 3, torch.float64)
    loss = made(name, [Exemplar(features((1, 4, 7, 6), 2, torch.float64))], mask, norm)
    whole = loss(value.requires_grad_())
    whole.backward()
    parts = [slice(0, 2), slice(2, 5), slice(5, 9)]
    with torch.no_grad():
        found = [Moments.of(value[:, :, rows], mask[:, :, rows]) for rows in parts]
    total = found[0] + found[1] + found[2]
    of_parts = loss.compare(
        Moments(total.weight, total.first.requires_grad_(), total.second.requires_grad_())
    )
    torch.testing.assert_close(of_parts, whole)
    by_first, by_second = torch.autograd.grad(
        of_parts, (total.first, total.second), materialize_grads=True, allow_unused=True
    )
    for rows in parts:
        gradient = gradient_by_features(
            value.detach()[:, :, rows], mask[:, :, rows], by_first, by_second
        )
        torch.testing.assert_close(gradient, value.grad[:, :, rows])


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("norm", ContentLoss.norms)
def test_parts_of_a_content_loss_add_up(norm, masked):
    target, mask = features((1, 4, 9, 8), 1), soft_mask(9, 8) if masked else None
    loss, value = ContentLoss(target, norm=norm, mask=mask), features((1, 4, 9, 8), 2)
    windows = [(rows, columns) for rows in (slice(0, 4), slice(4, 9))
               for columns in (slice(0, 1), slice(1, 8))]  # fmt: skip
    parts = [loss.in_window(value[(..., *window)], window) for window in windows]
    torch.testing.assert_close(torch.stack(parts).sum(), loss(value))
    whole, cut = (value.clone().requires_grad_() for _ in range(2))
    loss(whole).backward()
    loss.in_window(cut[(..., *windows[3])], windows[3]).backward()
    torch.testing.assert_close(cut.grad[(..., *windows[3])], whole.grad[(..., *windows[3])])


def test_recipes_know_which_losses_are_of_moments():
    exemplar = Exemplar(features(SHAPE))
    kinds = {
        name: type(make([exemplar], Recipe(style_loss=name, patch_stride=1), None))
        for name, make in STYLE_LOSSES.items()
    }
    assert {name for name, kind in kinds.items() if issubclass(kind, MomentLoss)} == set(
        MOMENT_LOSSES
    )


def test_moment_losses_of_a_guided_loss_have_their_factors():
    exemplar = Exemplar(features(SHAPE))
    gram, raw, other = GramLoss([exemplar]), GramLoss([exemplar], norm="raw"), PatchLoss([exemplar])
    assert moment_losses(gram) == [(1.0, gram)]
    assert moment_losses(other) is None
    assert moment_losses(GuidedLoss({1: gram, 4: raw}, {1: 0.5, 4: 0.25})) == [
        (0.5, gram),
        (4.0, raw),
    ]
    assert moment_losses(GuidedLoss({1: gram, 2: other}, {1: 0.5, 2: 0.5})) is None
    assert moment_losses(GuidedLoss({}, {})) == []


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"as large as the features, 5 × 7; it is \(1, 1, 7, 5\)"):
        Moments.of(features((1, 6, 5, 7)), soft_mask(7, 5))
    none = Moments.of(features(SHAPE), torch.zeros(1, 1, 6, 7))
    with pytest.raises(ValueError, match="moments are of no position"):
        MeasuredExemplar(none)
    measured = MeasuredExemplar(Moments.of(features(SHAPE)))
    for name in set(STYLE_LOSSES) - set(MOMENT_LOSSES):
        with pytest.raises(TypeError, match=f"{name} compares features themselves"):
            made(name, [measured])
