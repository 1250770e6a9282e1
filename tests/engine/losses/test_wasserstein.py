"""The Wasserstein losses, and square roots of matrices, against NumPy in float64."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from napari_nst.engine.losses import (
    Exemplar,
    SlicedRowsLoss,
    SlicedWassersteinLoss,
    WassersteinLoss,
    gram_matrix,
)
from napari_nst.engine.losses.moments import Moments
from napari_nst.engine.losses.wasserstein import LEAST_VARIANCE, square_root, trace_of_square_root
from napari_nst.engine.vgg.network import VGG19
from tests.helpers.loss_features import (
    blend,
    features,
    mean_and_gram,
    mean_square,
    positions,
    soft_mask,
)
from tests.helpers.small_images import CONTENT


def well_conditioned(channels):
    f = features((1, channels, 8, 8), 0, torch.float64)
    return gram_matrix(f) + 0.1 * torch.eye(channels, dtype=torch.float64)


def power_by_eigenvalues(matrix, exponent=0.5):
    values, vectors = np.linalg.eigh(matrix)
    return vectors * values**exponent @ vectors.T


@pytest.mark.parametrize("channels", [1, 12])
def test_square_roots_are_those_of_the_eigenvalues(channels):
    matrix = well_conditioned(channels)
    root, inverse = square_root(matrix)
    exact = matrix[0].numpy()
    np.testing.assert_allclose(root[0], power_by_eigenvalues(exact), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(inverse[0], power_by_eigenvalues(exact, -0.5), rtol=1e-4, atol=1e-5)


def test_gradient_of_the_trace_is_that_of_finite_differences():
    matrix = well_conditioned(6).requires_grad_()
    trace_of_square_root(matrix).sum().backward()
    expected = power_by_eigenvalues(matrix[0].detach().numpy(), -0.5) / 2
    np.testing.assert_allclose(matrix.grad[0], expected, rtol=1e-5, atol=1e-7)
    assert gradcheck(
        lambda m: trace_of_square_root((m + m.mT) / 2), matrix.detach().requires_grad_(), atol=1e-4
    )


def root_by_products(matrix):
    """Twelve Newton–Schulz steps, as in crowsonkb/style-transfer-pytorch."""
    norm = np.linalg.norm(matrix)
    y, z = matrix / norm, np.eye(len(matrix))
    for _ in range(12):
        t = (3 * np.eye(len(matrix)) - z @ y) / 2
        y, z = y @ t, t @ z
    return y * norm**0.5


def numpy_wasserstein(tensor, mask, exemplars, norm, root):
    (mean, second), (style_mean, style_second) = mean_and_gram(tensor, mask), blend(exemplars)
    floor = 1e-4 * np.eye(len(mean))
    covariance = second - np.outer(mean, mean) + floor
    style_covariance = style_second - np.outer(style_mean, style_mean) + floor
    style_root = root(style_covariance)
    shared = root(style_root @ covariance @ style_root)
    of_covariances = np.diagonal(style_covariance + covariance - 2 * shared).mean()
    energy = np.diagonal(style_second).mean() if norm == "relative" else 1
    return (mean_square(mean - style_mean) + of_covariances) / energy


@pytest.mark.parametrize("norm", WassersteinLoss.norms)
@pytest.mark.parametrize(
    ("shape", "masked"), [((1, 5, 7, 9), True), ((1, 12, 3, 2), False), ((1, 3, 1, 1), False)]
)
def test_wasserstein_loss(shape, masked, norm):
    value, channels = features(shape, 1), shape[1]
    mask = soft_mask(*shape[2:], seed=5) + 0.1 if masked else None
    exemplars = [
        Exemplar(features((1, channels, 8, 9), 2), 0.7, soft_mask(8, 9) if masked else None),
        Exemplar(features((1, channels, 4, 6), 3) + 1, 0.3),
    ]
    expected = numpy_wasserstein(value, mask, exemplars, norm, root_by_products)
    loss = WassersteinLoss(exemplars, norm=norm, mask=mask)(value)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_for_well_conditioned_covariances_it_is_the_exact_distance():
    value, style = features((1, 4, 12, 12), 1, torch.float64), features((1, 4, 9, 9), 2) * 2
    exemplars = [Exemplar(style.double())]
    expected = numpy_wasserstein(value, None, exemplars, "mean", power_by_eigenvalues)
    assert WassersteinLoss(exemplars)(value).item() == pytest.approx(expected, rel=1e-6)


def test_few_positions_have_a_finite_gradient():
    value = features((1, 64, 2, 2)).requires_grad_()
    loss = WassersteinLoss([Exemplar(torch.zeros(1, 64, 1, 1))], norm="relative")(value)
    loss.backward()
    assert loss.isfinite()
    assert value.grad.isfinite().all()


def numpy_sliced(tensor, exemplars, directions):
    ordered = np.sort(directions @ positions(tensor), axis=1)
    quantiles = (np.arange(ordered.shape[1]) + 0.5) / ordered.shape[1]
    target = 0
    for exemplar in exemplars:
        style = np.sort(directions @ positions(exemplar.features), axis=1)
        places = (np.arange(style.shape[1]) + 0.5) / style.shape[1]
        interpolated = np.stack([np.interp(quantiles, places, row) for row in style])
        target = target + exemplar.share * interpolated
    return mean_square(ordered - target)


@pytest.mark.parametrize("norm", SlicedWassersteinLoss.norms)
@pytest.mark.parametrize(
    ("shape", "projections"), [((1, 5, 7, 9), 0), ((1, 8, 2, 2), 40), ((1, 1, 1, 1), 3)]
)
def test_sliced_wasserstein_loss(shape, projections, norm):
    value, channels = features(shape, 1), shape[1]
    exemplars = [
        Exemplar(features((1, channels, 8, 3), 2), 0.7),
        Exemplar(features((1, channels, *shape[2:]), 3) + 1, 0.3),
    ]
    loss = SlicedWassersteinLoss(exemplars, norm=norm, projections=projections)
    directions = loss.directions.double().numpy()
    assert directions.shape == (projections or channels, channels)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-6)
    expected = numpy_sliced(value, exemplars, directions)
    if norm == "relative":
        expected /= sum(e.share * mean_square(positions(e.features)) for e in exemplars)
    assert loss(value).item() == pytest.approx(expected, rel=1e-4)


def test_directions_stay_until_they_are_drawn_again():
    value, exemplars = features((1, 5, 6, 7), 1), [Exemplar(features((1, 5, 6, 7), 2))]
    first, second = (SlicedWassersteinLoss(exemplars, seed=3) for _ in range(2))
    before = first(value)
    assert first(value) == before == second(value)
    first.redraw()
    assert first(value) != before
    second.redraw()
    assert first(value) == second(value)
    assert SlicedWassersteinLoss(exemplars, seed=4)(value) != before


def test_only_the_sliced_loss_tells_distributions_of_equal_moments_apart():
    two = torch.tensor([-1.0, 1.0]).repeat(50).view(1, 1, 10, 10)
    three = torch.tensor([-2.0, 0, 0, 0, 0, 0, 0, 2.0]).repeat(10).view(1, 1, 8, 10)
    assert WassersteinLoss([Exemplar(three)])(two).item() < 1e-4
    assert SlicedWassersteinLoss([Exemplar(three)])(two).item() > 0.1


def test_a_mask_of_halves_is_refused():
    half = torch.full((1, 1, 6, 7), 0.5)
    with pytest.raises(ValueError, match=r"mask is above 0\.5 at no position"):
        SlicedWassersteinLoss([Exemplar(features((1, 5, 6, 7)))], mask=half)


# Images of one colour, and dim ones: their covariances are mostly rounding errors


def plain(name):
    pixels = torch.from_numpy(CONTENT / np.float32(255)).permute(2, 0, 1)[None]
    return {
        "black": torch.zeros(1, 3, 48, 48),
        "white": torch.ones(1, 3, 48, 48),
        "red": torch.tensor([0.8, 0.05, 0.05]).view(1, 3, 1, 1).expand(1, 3, 128, 128),
        "dim": pixels * 0.01,
        "photo": pixels,
    }[name]


@pytest.fixture(scope="module", params=[torch.float32, torch.bfloat16], ids=str)
def network(request, gatys):
    return VGG19(["relu1_1", "relu2_1", "relu3_1"], gatys, padding="replicate", dtype=request.param)


@pytest.mark.network
@pytest.mark.parametrize("style", ["black", "white", "red", "dim", "photo"])
@pytest.mark.parametrize("image", ["black", "red", "dim", "photo"])
def test_images_of_one_colour_have_a_distance_and_a_gradient(network, style, image):
    for layer, of_style in network(plain(style)).items():
        loss = WassersteinLoss([Exemplar(of_style)])
        found = network(plain(image))[layer].float().requires_grad_()
        value = loss(found)
        value.backward()
        mean = found.detach().mean(dim=(2, 3))
        least = float((mean - of_style.float().mean(dim=(2, 3))).square().mean())
        # The distance of the means, and at most all variances; 1 % are rounding errors.
        energy = float(found.detach().square().mean() + of_style.float().square().mean())
        assert least - 0.01 * energy < value.item() < least + 1.01 * energy
        assert found.grad.isfinite().all()
        assert found.grad.norm() < 100 * found.detach().norm()


@pytest.mark.network
def test_photographs_have_the_same_distance_as_without_the_limit(network):
    for layer, features_of_photo in network(plain("photo")).items():
        moments = Moments.of(features_of_photo)
        loss = WassersteinLoss([Exemplar(features_of_photo)])
        identity = torch.eye(moments.first.shape[1])
        assert torch.equal(loss.covariance, moments.covariance + LEAST_VARIANCE * identity), layer


def columns(tensor, height):
    """The columns of each channel (1, C, H, W), in pieces that cover them, as (height, number)."""
    maps = tensor[0].double().numpy()
    full = maps.shape[1]
    tops = np.linspace(0, full - height, -(-full // height)).round().astype(int)
    return np.concatenate(
        [maps[:, top : top + height].transpose(1, 0, 2).reshape(height, -1) for top in tops], axis=1
    )


@pytest.mark.parametrize(
    ("image", "style"), [((8, 9), (8, 9)), ((19, 5), (8, 6)), ((6, 9), (14, 7))]
)
def test_sliced_rows_loss(image, style):
    value, other = features((1, 3, *image), 1), features((1, 3, *style), 2)
    loss = SlicedRowsLoss([Exemplar(other)], seed=5)
    found = loss(value)
    height = min(image[0], style[0])
    directions = loss.directions.double().numpy()
    assert directions.shape == (height, height)
    assert found == loss(value)
    ordered, target = (np.sort(directions @ columns(one, height), axis=1) for one in (value, other))
    quantiles, places = (
        (np.arange(one.shape[1]) + 0.5) / one.shape[1] for one in (ordered, target)
    )
    expected = np.stack([np.interp(quantiles, places, row) for row in target])
    assert found.item() == pytest.approx(mean_square(ordered - expected), rel=1e-4)


def test_pieces_of_columns_lie_inside_an_irregular_mask():
    value = features((1, 3, 24, 24), 1)
    distance = (torch.arange(24)[:, None] - 12) ** 2 + (torch.arange(24) - 12) ** 2
    mask = (distance < 100)[None, None].float()
    outside = torch.where(mask > 0, value, value + 100).requires_grad_()
    loss = SlicedRowsLoss([Exemplar(features((1, 3, 30, 9), 2))], mask=mask)
    found = loss(outside)
    torch.testing.assert_close(found, loss(value))
    found.backward()
    reached = outside.grad[0].abs().sum(dim=0) > 0
    assert not reached[mask[0, 0] == 0].any()
    assert reached[mask[0, 0] > 0].float().mean() > 0.6


def test_rows_know_where_structures_repeat():
    """Channels alone do not: a shuffled image has the same distribution of features."""
    rows = torch.arange(32)
    wall = ((rows[:, None] % 8 < 2) | (torch.arange(32) % 16 < 2)).float()[None, None]
    shuffled = wall[:, :, torch.randperm(32, generator=torch.Generator().manual_seed(0))]
    per_channel = SlicedWassersteinLoss([Exemplar(wall)], norm="relative")
    per_row = SlicedRowsLoss([Exemplar(wall)], norm="relative")
    assert per_channel(shuffled) == per_channel(wall) == per_row(wall) == 0
    assert per_row(shuffled) > 0.01
