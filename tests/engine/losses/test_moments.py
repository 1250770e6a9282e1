"""Moments of features: exact, additive, and enough for every moment loss."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import napari_nst as nst
from napari_nst.engine.losses import (
    STYLE_LOSSES,
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


def after_relu(shape, seed=0):
    """Features in bfloat16 as a layer returns them: after a ReLU, channels last."""
    scales = torch.linspace(0.1, 50, shape[1]).view(1, -1, 1, 1)
    values = features(shape, seed).relu() * scales
    return values.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def distance(value, expected):
    value, expected = (torch.as_tensor(matrix).double() for matrix in (value, expected))
    return float((value - expected).norm() / expected.norm())


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_moments_are_those_of_numpy(memory_format, masked):
    batch = features((3, 6, 5, 7)).contiguous(memory_format=memory_format)
    mask = soft_mask(5, 7) if masked else None
    moments = Moments.of(batch, mask)
    assert moments.weight == pytest.approx(float(mask.sum()) if masked else 35)
    torch.testing.assert_close(nst.losses.gram_matrix(batch, mask), moments.second_moment)
    for index, image in enumerate(batch.split(1)):
        mean, second = mean_and_gram(image, mask)
        np.testing.assert_allclose(moments.mean[index], mean, rtol=1e-5)
        np.testing.assert_allclose(moments.second_moment[index], second, rtol=1e-5)
        covariance = second - np.outer(mean, mean)
        np.testing.assert_allclose(moments.covariance[index], covariance, rtol=1e-4, atol=1e-5)


def test_moments_of_parts_add_up_even_if_a_mask_is_0_in_one():
    f, mask = features((1, 6, 8, 9)), box_mask(8, 9, slice(2, 7), slice(1, 5))
    parts = [slice(0, 3), slice(3, 5), slice(5, 9)]
    found = [Moments.of(f[..., part], mask[..., part]) for part in parts]
    assert found[2].weight == 0
    cropped = Moments.of(f[..., 2:7, 1:5])
    for total in (found[0] + found[1] + Moments.nothing(f), Moments.of(f, mask)):
        assert total.weight == cropped.weight
        torch.testing.assert_close(total.first, cropped.first)
        torch.testing.assert_close(total.second, cropped.second)


def test_moments_of_features_minus_a_constant():
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
@pytest.mark.parametrize(("height", "width"), [(80, 90), (1, 1)])
def test_sums_of_bfloat16_are_as_exact_as_float32(monkeypatch, height, width, hardware, masked):
    monkeypatch.setattr(MULTIPLIES, lambda device: hardware)
    f = after_relu((1, 96, height, width))
    mask = soft_mask(height, width) if masked else None
    moments, exact = Moments.of(f, mask), Moments.of(f.double(), mask)
    assert moments.second.dtype == torch.float32
    assert distance(moments.first, exact.first) < 1e-5
    assert distance(moments.second, exact.second) < 1e-5
    # The covariance is a difference of two large matrices.
    error = (moments.covariance - exact.covariance).norm() / exact.second_moment.norm()
    assert error < 1e-5


def test_sums_over_many_positions_of_bfloat16_do_not_saturate():
    ones = torch.ones(1, 2, 200, 200, dtype=torch.bfloat16)
    torch.testing.assert_close(nst.losses.gram_matrix(ones), torch.ones(1, 2, 2))
    assert nst.losses.gram_matrix(ones * 200).isfinite().all()


@pytest.mark.parametrize("hardware", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_in_bfloat16_are_exact_except_for_rounding(monkeypatch, hardware, masked):
    monkeypatch.setattr(MULTIPLIES, lambda device: hardware)
    f, style = after_relu((1, 64, 30, 20)), after_relu((1, 64, 20, 20), 1)
    mask = soft_mask(30, 20) if masked else None
    for name in MOMENT_LOSSES:
        gradients = []
        for value in (f.clone(), f.double()):
            made(name, [Exemplar(style.to(value.dtype))], mask)(value.requires_grad_()).backward()
            gradients.append(value.grad)
        assert gradients[0].dtype == torch.bfloat16
        assert gradients[0].is_contiguous(memory_format=torch.channels_last)
        assert distance(*gradients) < 0.01


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_measured_exemplars_give_the_same_loss_as_features(name, norm):
    styles, masks = [features(SHAPE, seed) for seed in (2, 3)], (soft_mask(6, 7), None)
    triples = list(zip(styles, (0.3, 0.7), masks, strict=True))
    exemplars = [Exemplar(style, share, mask) for style, share, mask in triples]
    measured = [MeasuredExemplar(Moments.of(style, mask), share) for style, share, mask in triples]
    value = features(SHAPE, 1)
    torch.testing.assert_close(
        made(name, measured, norm=norm)(value), made(name, exemplars, norm=norm)(value)
    )


@pytest.mark.parametrize(("name", "norm"), EVERY)
def test_a_loss_and_its_gradient_can_be_computed_from_parts(name, norm):
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


def test_recipes_know_which_losses_are_moment_losses():
    exemplar = Exemplar(features(SHAPE))
    kinds = {
        name: type(make([exemplar], Recipe(style_loss=name, patch_stride=1), None))
        for name, make in STYLE_LOSSES.items()
    }
    assert {n for n, kind in kinds.items() if issubclass(kind, MomentLoss)} == set(MOMENT_LOSSES)


def test_moment_losses_of_a_guided_loss_have_their_factors():
    exemplar = Exemplar(features(SHAPE))
    gram, raw, other = GramLoss([exemplar]), GramLoss([exemplar], norm="raw"), PatchLoss([exemplar])
    assert moment_losses(gram) == [(1.0, gram)]
    assert moment_losses(other) is None
    guided = GuidedLoss({1: gram, 4: raw}, {1: 0.5, 4: 0.25})
    assert moment_losses(guided) == [(0.5, gram), (4.0, raw)]
    assert moment_losses(GuidedLoss({1: gram, 2: other}, {1: 0.5, 2: 0.5})) is None
    assert moment_losses(GuidedLoss({}, {})) == []


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match=r"as large as the features, 5 × 7; it is \(1, 1, 7, 5\)"):
        Moments.of(features((1, 6, 5, 7)), soft_mask(7, 5))
    with pytest.raises(ValueError, match="moments have weight 0"):
        MeasuredExemplar(Moments.nothing(features(SHAPE)))
