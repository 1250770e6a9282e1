"""The losses' numbers against NumPy's own statistics in float64, and their gradients."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

import napari_nst as nst
from napari_nst.engine.losses import (
    STYLE_LOSSES,
    ContentLoss,
    GramLoss,
    MeanCovarianceLoss,
    TotalVariationLoss,
    gram_matrix,
    mean_and_second_moment,
)

SHAPES = [(1, 5, 7, 9), (1, 64, 6, 4), (1, 3, 1, 1), (1, 1, 4, 4)]


def features(shape, seed=0, dtype=torch.float32):
    """Features as rectifiers leave them: mostly positive, with a mean of about 1."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).add(1).to(dtype)


def positions(tensor):
    """Features (1, C, H, W) as a float64 matrix (C, H·W)."""
    return tensor[0].flatten(1).double().numpy()


def numpy_gram(tensor):
    f = positions(tensor)
    return np.einsum("ik,jk->ij", f, f) / f.shape[1]


def mean_square(array):
    return np.mean(np.square(array))


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_matrix_is_the_mean_product_of_channels(shape):
    f = features(shape)
    np.testing.assert_allclose(gram_matrix(f)[0].numpy(), numpy_gram(f), rtol=1e-5, atol=1e-6)


def test_gram_matrices_of_a_batch_are_those_of_its_images():
    batch = features((3, 5, 4, 6))
    for image, gram in zip(batch.split(1), gram_matrix(batch), strict=True):
        torch.testing.assert_close(gram_matrix(image)[0], gram)


def test_gram_matrix_is_public():
    f = features((1, 4, 3, 3))
    torch.testing.assert_close(nst.losses.gram_matrix(f), gram_matrix(f))


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_moments_are_those_of_numpy(memory_format):
    f = features((1, 6, 5, 7)).contiguous(memory_format=memory_format)
    mean, second = mean_and_second_moment(f)
    np.testing.assert_allclose(mean[0].numpy(), positions(f).mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(second[0].numpy(), numpy_gram(f), rtol=1e-5)


def test_statistics_do_not_depend_on_where_features_are():
    f = features((1, 6, 5, 7))
    shuffled = f.flatten(2)[..., torch.randperm(35, generator=torch.Generator().manual_seed(0))]
    torch.testing.assert_close(gram_matrix(shuffled.view(1, 6, 7, 5)), gram_matrix(f))


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_content_loss(shape, relative):
    value, target = features(shape, 1), features(shape, 2)
    f, p = positions(value), positions(target)
    expected = mean_square(f - p) / (mean_square(p) if relative else 1)
    loss = ContentLoss(target, relative=relative)(value)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_gram_loss(shape, relative):
    value, style = features(shape, 1), features((1, shape[1], 8, 3), 2)
    g, a = numpy_gram(value), numpy_gram(style)
    expected = mean_square(g - a) / (mean_square(a) if relative else 1)
    assert GramLoss(style, relative=relative)(value).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_mean_covariance_loss(shape, relative):
    value, style = features(shape, 1), features((1, shape[1], 8, 3), 2)
    f, s = positions(value), positions(style)
    of_means = mean_square(f.mean(axis=1) - s.mean(axis=1))
    of_covariances = mean_square(np.cov(f, bias=True) - np.cov(s, bias=True))
    if relative:
        of_means /= mean_square(s.mean(axis=1))
        of_covariances /= mean_square(np.cov(s, bias=True))
    loss = MeanCovarianceLoss(style, relative=relative)(value)
    assert loss.item() == pytest.approx((of_means + of_covariances) / 2, rel=1e-5)


@pytest.mark.parametrize("relative", [False, True])
def test_gram_matrices_of_several_styles_are_averaged(relative):
    value = features((1, 5, 6, 6), 1)
    styles = [features((1, 5, height, 4), height) for height in (3, 8, 20)]
    a = np.mean([numpy_gram(style) for style in styles], axis=0)
    expected = mean_square(numpy_gram(value) - a) / (mean_square(a) if relative else 1)
    assert GramLoss(*styles, relative=relative)(value).item() == pytest.approx(expected, rel=1e-5)


def test_several_styles_have_the_covariance_of_one_image_that_holds_them_all():
    value = features((1, 5, 6, 6), 1)
    styles = [features((1, 5, height, 4), height) + height / 10 for height in (3, 8, 20)]
    everything = np.concatenate([positions(style) for style in styles], axis=1)
    # Each style counts the same, whatever its size.
    shares = np.concatenate([np.full(4 * height, 1 / height) for height in (3, 8, 20)])
    mean = np.average(everything, axis=1, weights=shares)
    covariance = np.cov(everything, bias=True, aweights=shares)
    f = positions(value)
    expected = mean_square(f.mean(axis=1) - mean) + mean_square(np.cov(f, bias=True) - covariance)
    assert MeanCovarianceLoss(*styles)(value).item() == pytest.approx(expected / 2, rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 7, 9), (1, 3, 2, 2), (1, 3, 33, 5)])
def test_total_variation(shape):
    image = features(shape)
    x = image[0].double().numpy()
    expected = mean_square(np.diff(x, axis=1)) + mean_square(np.diff(x, axis=2))
    assert TotalVariationLoss()(image).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("shape", "axis"), [((1, 3, 1, 9), 2), ((1, 3, 9, 1), 1)])
def test_total_variation_of_one_row_or_column_is_along_it(shape, axis):
    image = features(shape)
    expected = mean_square(np.diff(image[0].double().numpy(), axis=axis))
    assert TotalVariationLoss()(image).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 5, 8)])
def test_a_flat_image_has_no_total_variation(shape):
    assert TotalVariationLoss()(torch.full(shape, 0.7)).item() == 0


LOSSES = [
    pytest.param(lambda t, **options: ContentLoss(t, **options), id="content"),
    pytest.param(lambda t, **options: GramLoss(t, t.flip(3), **options), id="gram"),
    pytest.param(
        lambda t, **options: MeanCovarianceLoss(t, t * 2, **options), id="mean_covariance"
    ),
]
"""Feature losses with one target or several."""


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("make", LOSSES)
def test_gradients_are_those_of_finite_differences(make, relative):
    loss = make(features((1, 3, 4, 5), 1, torch.float64), relative=relative)
    value = features((1, 3, 4, 5), 2, torch.float64).requires_grad_()
    assert gradcheck(loss, value)


@pytest.mark.parametrize("function", [gram_matrix, mean_and_second_moment, TotalVariationLoss()])
def test_gradients_of_statistics_are_those_of_finite_differences(function):
    assert gradcheck(function, features((2, 3, 4, 5), dtype=torch.float64).requires_grad_())


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("make", [ContentLoss, GramLoss, MeanCovarianceLoss])
def test_what_is_already_like_its_target_has_no_loss(make, relative):
    target = features((1, 5, 6, 7))
    assert make(target, relative=relative)(target).item() == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("make", LOSSES)
def test_a_relative_loss_does_not_depend_on_the_size_of_features(make):
    """Weights mean the same for every flavour of the network."""
    target, value = features((1, 5, 6, 7), 1), features((1, 5, 6, 7), 2)
    small = make(target, relative=True)(value)
    large = make(target * 100, relative=True)(value * 100)
    assert large.item() == pytest.approx(small.item(), rel=1e-4)
    assert make(target * 100)(value * 100) > 1000 * make(target)(value)


@pytest.mark.parametrize("make", [ContentLoss, GramLoss, MeanCovarianceLoss])
def test_a_target_without_energy_leaves_the_error_as_it_is(make):
    nothing, value = torch.zeros(1, 5, 6, 7), features((1, 5, 6, 7))
    plain = make(nothing)(value).item()
    assert plain > 0.1
    assert make(nothing, relative=True)(value).item() == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize("level", [0.1, 1.0, 30.0])
def test_a_flat_style_does_not_blow_the_loss_up(level):
    """Its covariance is nothing but rounding errors, and no measure of anything."""
    flat = torch.full((1, 8, 16, 16), level) * torch.linspace(0.3, 1, 8).view(1, 8, 1, 1)
    value = features((1, 8, 16, 16)) * level
    assert MeanCovarianceLoss(flat, relative=True)(value).item() < 1e5


@pytest.mark.parametrize("make", LOSSES)
def test_half_precision_features_are_compared_in_single(make):
    target = features((1, 5, 6, 7), 1, torch.bfloat16)
    value = features((1, 5, 6, 7), 2, torch.bfloat16)
    loss = make(target, relative=True)(value)
    assert loss.dtype == torch.float32
    assert loss.item() == make(target.float(), relative=True)(value.float()).item()


def test_sums_over_many_positions_do_not_drown_in_half_precision():
    ones = torch.ones(1, 2, 200, 200, dtype=torch.bfloat16)
    torch.testing.assert_close(gram_matrix(ones), torch.ones(1, 2, 2))
    assert gram_matrix(ones * 200).isfinite().all()


@pytest.mark.parametrize("make", LOSSES)
def test_a_target_is_a_constant(make):
    target = features((1, 5, 6, 7), 1).requires_grad_()
    loss = make(target)
    assert all(not buffer.requires_grad for buffer in loss.buffers())
    loss(features((1, 5, 6, 7), 2).requires_grad_()).backward()
    assert target.grad is None


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("make", [ContentLoss, GramLoss, MeanCovarianceLoss])
def test_repr_says_whether_a_loss_is_relative(make, relative):
    shown = repr(make(torch.ones(1, 2, 2, 2), relative=relative))
    assert shown == f"{make.__name__}(relative={relative})"


def test_every_style_loss_of_a_recipe_exists():
    assert set(STYLE_LOSSES) == set(
        nst.Recipe.__dataclass_fields__["style_loss"].metadata["control"].choices
    )
