"""Colour transfer against NumPy in float64."""

import numpy as np
import pytest
import skimage.data
import torch
from skimage.color import rgb2yiq

from napari_nst.engine.images.color_transfer import (
    COLOR_METHODS,
    LEAST_VARIANCE,
    luminance,
    match_colors,
    match_luminance,
    with_luminance,
)

LINEAR = ["cholesky", "pca", "symmetric"]


def mid_range(shape, seed, deviation=0.05):
    """Correlated colours about the middle, none of which is near 0 or 1 before or after."""
    rng = np.random.default_rng(seed)
    mixing = rng.uniform(-1, 1, (3, 3)) + 2 * np.eye(3)
    colors = mixing / np.linalg.norm(mixing, 2) @ rng.uniform(-1.7, 1.7, (3, shape[0] * shape[1]))
    colors = rng.uniform(0.45, 0.55, (3, 1)) + deviation * colors
    return torch.from_numpy(colors.reshape(1, 3, *shape).astype(np.float32))


def photograph(name, step=1):
    pixels = getattr(skimage.data, name)()[::step, ::step] / np.float32(255)
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None].copy())


def flat(color, shape=(6, 5)):
    return torch.tensor(color).view(1, 3, 1, 1).expand(1, 3, *shape).contiguous()


def grey(shape, seed=0):
    """Different pixels, all of them grey: a covariance of rank one."""
    return mid_range(shape, seed)[:, :1].expand(1, 3, *shape).contiguous()


def colors(image, mask=None):
    """Pixels (3, N) in float64, those where `mask` is above one half."""
    pixels = image[0].flatten(1).double().numpy()
    return pixels if mask is None else pixels[:, mask.flatten().numpy() > 0.5]


def covariance(image, mask=None):
    return np.cov(colors(image, mask), bias=True)


def assert_same_moments(matched, reference, mask=None, reference_mask=None, atol=1e-6):
    means = [colors(matched, mask).mean(axis=1), colors(reference, reference_mask).mean(axis=1)]
    np.testing.assert_allclose(*means, atol=atol)
    covariances = covariance(matched, mask), covariance(reference, reference_mask)
    np.testing.assert_allclose(*covariances, atol=atol)


def color_map(image, matched):
    """The matrix of the linear map from an image's colours to the matched ones."""
    source, target = (c - c.mean(axis=1, keepdims=True) for c in map(colors, (image, matched)))
    matrix, *_ = np.linalg.lstsq(source.T, target.T)
    np.testing.assert_allclose(matrix.T @ source, target, atol=1e-6)  # the map is linear
    return matrix.T


def numpy_power(matrix, exponent):
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(values**exponent) @ vectors.T


def numpy_map(method, source, target):
    """The formula of the paper."""
    if method == "cholesky":
        return np.linalg.cholesky(target) @ np.linalg.inv(np.linalg.cholesky(source))
    if method == "pca":
        return numpy_power(target, 0.5) @ numpy_power(source, -0.5)
    root, inverse = numpy_power(source, 0.5), numpy_power(source, -0.5)
    return inverse @ numpy_power(root @ target @ root, 0.5) @ inverse


def left_half(image):
    mask = torch.zeros(1, 1, *image.shape[2:])
    mask[..., : image.shape[3] // 2] = 0.6
    mask[..., image.shape[3] // 2 :] = 0.4  # not above one half: not selected
    return mask


@pytest.mark.parametrize("method", LINEAR)
def test_linear_maps_are_those_of_the_papers(method):
    image, reference = mid_range((30, 40), 1), mid_range((25, 25), 2)
    found = color_map(image, match_colors(image, reference, method))
    expected = numpy_map(method, covariance(image), covariance(reference))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_symmetric_map_is_symmetric_and_changes_colours_least():
    image, reference = mid_range((30, 40), 0), mid_range((25, 25), 100)
    matched = {method: match_colors(image, reference, method) for method in LINEAR}
    matrix = color_map(image, matched["symmetric"])
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-5)
    assert np.linalg.eigvalsh(matrix).min() > 0.01
    changes = {method: float((matched[method] - image).square().mean()) for method in LINEAR}
    assert min(changes, key=changes.__getitem__) == "symmetric"


@pytest.mark.parametrize("method", LINEAR)
def test_photographs_are_clipped_where_the_map_leaves_the_range(method):
    image, reference = photograph("astronaut", 4), photograph("coffee", 4)
    matrix = numpy_map(method, covariance(image), covariance(reference))
    means = [colors(i).mean(axis=1, keepdims=True) for i in (image, reference)]
    expected = matrix @ (colors(image) - means[0]) + means[1]
    assert expected.min() < 0 or expected.max() > 1  # the map leaves [0, 1]
    matched = match_colors(image, reference, method)
    np.testing.assert_allclose(colors(matched), np.clip(expected, 0, 1), atol=1e-6)


@pytest.mark.parametrize("shape", [(31, 17), (2, 2)])
def test_histograms_have_the_quantiles_of_the_reference(shape):
    image, reference = mid_range((7, 9), 0), mid_range(shape, 1)
    matched = colors(match_colors(image, reference, "histogram"))
    n = matched.shape[1]
    for channel, target in zip(matched, colors(reference), strict=True):
        expected = np.quantile(target, (np.arange(n) + 0.5) / n, method="hazen")
        np.testing.assert_allclose(np.sort(channel), expected, atol=1e-6)


def test_equal_values_stay_equal_in_a_histogram():
    image = photograph("coffee", 3)
    matched = match_colors(image, photograph("astronaut", 3), "histogram")
    for before, after in zip(colors(image), colors(matched), strict=True):
        levels, index = np.unique(before, return_inverse=True)
        np.testing.assert_array_equal(after, after[np.unique(index, return_index=True)[1]][index])
        assert len(np.unique(after)) <= len(levels) <= 256


@pytest.mark.parametrize("method", COLOR_METHODS)
def test_images_of_singular_covariance_get_finite_colours(method):
    image, reference = grey((8, 8), 6), flat([0.2, 0.5, 0.7])
    matched = match_colors(image, reference, method)
    assert matched.shape == image.shape
    assert 0 <= matched.min() <= matched.max() <= 1  # false for NaN
    if method != "histogram":
        means = colors(matched).mean(axis=1), colors(reference).mean(axis=1)
        np.testing.assert_allclose(*means, atol=1e-5)


@pytest.mark.parametrize("method", LINEAR)
def test_a_grey_reference_leaves_an_image_grey(method):
    matched = match_colors(photograph("coffee", 4), grey((20, 20)), method)
    assert (matched.amax(dim=1) - matched.amin(dim=1)).max() < 1e-4
    np.testing.assert_allclose(covariance(matched), covariance(grey((20, 20))), atol=1e-4)


@pytest.mark.parametrize("method", LINEAR)
def test_noise_of_a_grey_image_is_not_amplified_to_colours(method):
    """Noise of rounding to 8 bits stays far below the colours of the reference."""
    noise = torch.rand((1, 3, 40, 40), generator=torch.Generator().manual_seed(0)) - 0.5
    image, reference = grey((40, 40)) + noise / 255, mid_range((30, 30), 3)
    matrix = color_map(image, match_colors(image, reference, method))
    of_noise = matrix @ covariance(noise / 255) @ matrix.T
    assert np.trace(of_noise) < 0.2 * np.trace(covariance(reference))


@pytest.mark.parametrize("method", LINEAR)
def test_variance_above_noise_is_matched_exactly(method):
    image = 0.5 + (mid_range((40, 40), 1) - 0.5) * 0.2
    assert LEAST_VARIANCE < np.linalg.eigvalsh(covariance(image)).min() < 10 * LEAST_VARIANCE
    assert_same_moments(match_colors(image, reference := mid_range((30, 30), 2), method), reference)


@pytest.mark.parametrize("method", LINEAR)
def test_masks_select_the_pixels_of_linear_statistics(method):
    image, reference = mid_range((20, 30), 1), mid_range((16, 22), 2)
    image[..., 15:] -= 0.1
    reference[..., 11:] = 0.9
    masks = left_half(image), left_half(reference)
    matched = match_colors(image, reference, method, mask=masks[0], reference_mask=masks[1])
    assert_same_moments(matched, reference, *masks)
    # Pixels outside the mask are mapped by the same linear map.
    color_map(image, matched)
    cropped = match_colors(image[..., :15], reference[..., :11], method)
    torch.testing.assert_close(matched[..., :15], cropped)


def test_masks_select_the_pixels_of_histograms():
    image, reference = mid_range((20, 30), 1), mid_range((16, 22), 2)
    image[..., 15:], reference[..., 11:] = 0.99, 0.9
    masks = left_half(image), left_half(reference)
    matched = match_colors(image, reference, "histogram", mask=masks[0], reference_mask=masks[1])
    cropped = match_colors(image[..., :15], reference[..., :11], "histogram")
    torch.testing.assert_close(matched[..., :15], cropped)
    # Values above all selected ones become the maximum of the selected ones.
    maximum = matched[..., :15].amax(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(matched[..., 15:], maximum.expand(1, 3, 20, 15))


def test_histograms_are_interpolated_between_the_values_that_a_mask_selects():
    image = torch.linspace(0, 1, 11).expand(1, 3, 1, 11)
    mask = torch.zeros(1, 1, 1, 11)
    mask[..., [2, 6]] = 1
    reference = torch.tensor([0.3, 0.7]).expand(1, 3, 1, 2)
    matched = match_colors(image, reference, "histogram", mask=mask)
    expected = torch.tensor([0.3, 0.3, 0.3, 0.4, 0.5, 0.6, 0.7, 0.7, 0.7, 0.7, 0.7])
    torch.testing.assert_close(matched, expected.expand(1, 3, 1, 11))


def yiq(image):
    return rgb2yiq(colors(image).T).T


def test_another_luminance_keeps_i_and_q():
    image = mid_range((20, 30), 1)
    y = 0.35 + 0.3 * torch.rand((1, 1, 20, 30), generator=torch.Generator().manual_seed(0))
    before, after = yiq(image), yiq(with_luminance(image, y))
    np.testing.assert_allclose(colors(luminance(image))[0], before[0], atol=1e-6)
    np.testing.assert_allclose(after[0], colors(y)[0], atol=1e-6)
    np.testing.assert_allclose(after[1:], before[1:], atol=1e-6)


@pytest.mark.parametrize(("y", "limit"), [(-2.0, 0), (3.0, 1)])
def test_luminance_out_of_range_is_clipped(y, limit):
    painted = with_luminance(photograph("coffee", 8), torch.full((1, 1, 50, 75), y))
    assert torch.equal(painted, torch.full_like(painted, limit))


@pytest.mark.parametrize("masked", [False, True])
def test_matched_luminance_has_the_contents_mean_and_deviation(masked):
    style, content = luminance(photograph("coffee", 2)), luminance(photograph("astronaut", 3))
    masks = (left_half(style), left_half(content)) if masked else (None, None)
    matched = match_luminance(style, content, mask=masks[0], reference_mask=masks[1])
    assert matched.shape == style.shape
    assert matched.dtype == torch.float32
    s, c = colors(style, masks[0]), colors(content, masks[1])
    expected = (colors(style) - s.mean()) * c.std() / s.std() + c.mean()
    np.testing.assert_allclose(colors(matched), expected, atol=1e-6)


def test_a_flat_luminance_becomes_the_contents_mean_and_a_flat_content_gives_a_flat_one():
    y, constant = luminance(photograph("astronaut", 4)), torch.full((1, 1, 5, 6), 0.2)
    torch.testing.assert_close(match_luminance(constant, y), y.mean().expand(1, 1, 5, 6))
    flattened = match_luminance(y, constant)
    torch.testing.assert_close(flattened, torch.full_like(y, 0.2), rtol=0, atol=1e-5)
