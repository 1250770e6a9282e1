"""The losses of the whole image: spectrum against the projection of its article, in NumPy; S2."""

import numpy as np
import pytest
import torch
from skimage.filters import gaussian, threshold_otsu
from torch.autograd import gradcheck

from napari_nst.engine.losses import Exemplar, SpectrumLoss, TwoPointLoss
from napari_nst.texture_statistics.sample import lightness_of
from napari_nst.texture_statistics.two_point import two_point_correlation, two_point_distance
from tests.helpers.loss_features import box_mask
from tests.helpers.two_phases import discs

RNG = np.random.default_rng(0)


def picture(*size):
    """An image (1, 3, H, W) in [0, 1] of coloured noise with long waves."""
    waves = np.sin(np.arange(size[0])[:, None] * 0.7 + np.arange(size[1]) * 0.4)
    return torch.from_numpy(0.4 + 0.2 * waves + 0.3 * RNG.random((1, 3, *size)))


def nearest_with_spectrum(image, style):
    """Liu et al. 2016, eq. 5."""
    x, a = (np.fft.fft2(one[0].numpy()) for one in (image, style))
    product = (x * a.conj()).sum(axis=0)
    return np.fft.ifft2(product / np.abs(product) * a).real


@pytest.mark.parametrize("norm", SpectrumLoss.norms)
@pytest.mark.parametrize("size", [(8, 10), (7, 9)])
def test_it_is_the_distance_from_the_nearest_image_with_the_spectrum(size, norm):
    image, style, other = (picture(*size) for _ in range(3))
    found = SpectrumLoss([Exemplar(style, 0.7), Exemplar(other, 0.3)], norm=norm)(image)
    expected, variance = 0.0, 0.0
    for share, one in ((0.7, style), (0.3, other)):
        expected += share * np.mean((image[0].numpy() - nearest_with_spectrum(image, one)) ** 2)
        variance += share * np.mean(one.var(dim=(2, 3), correction=0).numpy())
    if norm == "relative":
        expected /= variance
    assert found.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("size", [(8, 10), (5, 12), (12, 9)])
def test_the_gradient_is_that_of_finite_differences(size):
    loss = SpectrumLoss([Exemplar(picture(8, 10))], norm="relative")
    assert gradcheck(loss, picture(*size).requires_grad_())
    value, gradient = loss.value_and_grad(picture(*size))
    assert value > 0
    assert gradient.shape == (1, 3, *size)


def test_a_shifted_image_has_no_loss_and_one_of_other_waves_has():
    style = picture(16, 20)
    loss = SpectrumLoss([Exemplar(style)], norm="relative")
    assert loss(style.roll((5, 3), dims=(2, 3))) < 1e-12
    assert loss(style.flip(3)) > 0.05


def test_another_size_has_the_waves_and_the_colour_of_the_style():
    style = picture(32, 40)
    larger, other = style.tile(1, 1, 2, 2)[..., :56, :70], style.flip(3).tile(1, 1, 2, 2)
    loss = SpectrumLoss([Exemplar(style)], norm="relative")
    assert loss(larger) < loss(other[..., :56, :70]) / 2
    assert loss(style[..., 3:25, 4:31]) < loss(other[..., 3:25, 4:31]) / 2
    assert loss(larger + 0.3) > loss(larger) + 0.5  # the colour counts


@pytest.mark.parametrize("size", [(20, 24), (9, 30)])
def test_a_mask_of_a_rectangle_crops_the_style(size):
    style = picture(32, 40)
    mask = box_mask(32, 40, slice(4, 24), slice(6, 30)).double()
    masked = SpectrumLoss([Exemplar(style, mask=mask)], norm="relative")
    cropped = SpectrumLoss([Exemplar(style[..., 4:24, 6:30])], norm="relative")
    image = picture(*size)
    if size == (20, 24):
        torch.testing.assert_close(masked(image), cropped(image))
    assert masked(style[..., 4:24, 6:30]) < 0.05 < masked(style.flip(3)[..., :20, :24])


def test_flat_images_and_styles_have_finite_gradients():
    flat = torch.full((1, 3, 8, 8), 0.5)
    for style in (flat, picture(8, 8).float()):
        value, gradient = SpectrumLoss([Exemplar(style)], norm="relative").value_and_grad(flat)
        assert value.isfinite()
        assert gradient.isfinite().all()


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="exemplars is empty"):
        SpectrumLoss([])
    with pytest.raises(ValueError, match="must be one of relative, mean; not 'raw'"):
        SpectrumLoss([Exemplar(picture(4, 4))], norm="raw")


def soft_phase(image, style, mask=None):
    """The bright phase of an image by the threshold of a style, as arrays."""
    pixels, lightness = (lightness_of(one[0].numpy().transpose(1, 2, 0)) for one in (image, style))
    inside = lightness if mask is None else lightness[mask]
    return 1 / (1 + np.exp((threshold_otsu(inside) - pixels) / (inside.std() / 4)))


@pytest.mark.parametrize("norm", TwoPointLoss.norms)
@pytest.mark.parametrize("size", [(24, 32), (20, 41)])
def test_s2_is_that_of_the_statistics(size, norm):
    image, style, other = picture(*size), picture(24, 32), picture(28, 36)
    loss = TwoPointLoss([Exemplar(style, 0.7), Exemplar(other, 0.3)], norm=norm)
    expected = 0.0
    for share, one in ((0.7, style), (0.3, other)):
        reach = [min(pair) // 4 for pair in zip(size, one.shape[2:], strict=True)]
        phases = soft_phase(image, one), soft_phase(one, one)
        distance = two_point_distance(*(two_point_correlation(p, reach) for p in phases))
        energy = phases[1].var() ** 2 if norm == "relative" else 1
        expected += share * distance**2 / energy
    assert loss(image).item() == pytest.approx(expected, rel=1e-9)


def test_s2_counts_pairs_inside_the_mask_of_a_style_alone():
    style, image = picture(32, 40), picture(24, 24)
    mask = RNG.random((32, 40)) < 0.7
    loss = TwoPointLoss([Exemplar(style, mask=torch.from_numpy(mask)[None, None].double())])
    of_style = two_point_correlation(soft_phase(style, style, mask), (6, 6), mask)
    of_image = two_point_correlation(soft_phase(image, style, mask), (6, 6))
    expected = two_point_distance(of_style, of_image) ** 2
    assert loss(image).item() == pytest.approx(expected, rel=1e-9)


def test_the_s2_that_the_statistics_report_is_optimised():
    def phases(radius, seed):
        smooth = gaussian(discs((64, 64), 25, radius, seed).astype(float), 1.5)
        return torch.from_numpy(np.repeat(0.2 + 0.6 * smooth[None], 3, axis=0)[None])

    style, image = phases(6, 0), phases(4, 1).requires_grad_()
    loss, optimizer = TwoPointLoss([Exemplar(style)], norm="relative"), torch.optim.LBFGS([image])

    def distance():
        bright = ((one.detach()[0, 0] > 0.5).numpy() for one in (image, style))
        return two_point_distance(*(two_point_correlation(one, 16) for one in bright))

    def evaluate():
        value, image.grad = loss.value_and_grad(image)
        return value

    before = distance()
    for _ in range(3):
        optimizer.step(evaluate)
    assert distance() < 0.2 * before


@pytest.mark.parametrize("size", [(8, 10), (12, 9)])
def test_the_gradient_of_s2_is_that_of_finite_differences(size):
    loss = TwoPointLoss([Exemplar(picture(8, 10))], norm="relative")
    assert gradcheck(loss, picture(*size).requires_grad_())
    flat = torch.full((1, 3, 8, 8), 0.5)
    for style in (flat, picture(8, 8).float()):
        value, gradient = TwoPointLoss([Exemplar(style)], norm="relative").value_and_grad(flat)
        assert value.isfinite()
        assert gradient.isfinite().all()
    with pytest.raises(ValueError, match="leave mask out"):
        TwoPointLoss([Exemplar(flat)], mask=flat[:, :1])
