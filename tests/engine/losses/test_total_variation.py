"""Total variation against NumPy in float64."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from napari_nst.engine.losses import TotalVariationLoss, total_variation
from tests.helpers.loss_features import features

SHAPES = [(1, 3, 7, 9), (1, 3, 2, 2), (1, 3, 33, 5)]
EXPONENTS = [0.5, 1.0, 1.5, 2.0, 3.0]
KINDS = ["mean", "nine_point", "sum", "inner_sum"]


def differences(x, circular):
    """Down and across."""
    if circular:
        return [np.roll(x, -1, axis) - x for axis in (1, 2)]
    return [np.diff(x, axis=axis) for axis in (1, 2)]


def numpy_nine_point(x, exponent):
    """The source's program: diagonals on the whole of the padded image."""
    p = np.pad(x, ((0, 0), (1, 1), (1, 1)), "edge")
    across = np.abs(p[:, 1:-1, 2:] - p[:, 1:-1, 1:-1]) ** exponent
    down = np.abs(p[:, 2:, 1:-1] - p[:, 1:-1, 1:-1]) ** exponent
    falling = np.abs(p[:, 1:, 1:] - p[:, :-1, :-1]) ** exponent
    rising = np.abs(p[:, 1:, :-1] - p[:, :-1, 1:]) ** exponent
    return 2 * (across.mean() / 3 + down.mean() / 3 + falling.mean() / 12 + rising.mean() / 12)


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_mean_and_sum(shape, exponent, circular):
    image = features(shape)
    powers = [np.abs(d) ** exponent for d in differences(image[0].double().numpy(), circular)]
    mean = TotalVariationLoss("mean", exponent, circular=circular)(image)
    assert mean.item() == pytest.approx(sum(p.mean() for p in powers), rel=1e-5)
    total = TotalVariationLoss("sum", exponent, circular=circular)(image)
    assert total.item() == pytest.approx(255**exponent * sum(p.sum() for p in powers), rel=1e-5)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_inner_sum_leaves_out_the_last_row_and_column(shape, exponent):
    image = features(shape)
    down, across = differences(image[0].double().numpy(), circular=False)
    inner = np.abs(down[..., :-1]) ** exponent + np.abs(across[:, :-1]) ** exponent
    loss = TotalVariationLoss("inner_sum", exponent)(image)
    assert loss.item() == pytest.approx(255**exponent * inner.sum(), rel=1e-5)


@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_nine_point(shape, exponent):
    image = features(shape)
    expected = numpy_nine_point(image[0].double().numpy(), exponent)
    loss = TotalVariationLoss("nine_point", exponent)(image)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_circular_nine_point():
    x = features((1, 3, 7, 9))[0].double().numpy()
    across, down = np.roll(x, -1, 2), np.roll(x, -1, 1)
    falling, rising = np.roll(down, -1, 2) - x, down - across
    expected = 2 * (np.mean((across - x) ** 2) + np.mean((down - x) ** 2)) / 3
    expected += (np.mean(falling**2) + np.mean(rising**2)) / 6
    loss = TotalVariationLoss("nine_point", circular=True)(torch.from_numpy(x)[None])
    assert loss.item() == pytest.approx(expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_circular_image_may_start_anywhere(kind):
    image, loss = features((1, 3, 7, 9)), TotalVariationLoss(kind, circular=True)
    torch.testing.assert_close(loss(image.roll((3, 4), (2, 3))), loss(image))


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_that_of_finite_differences(kind, exponent, circular):
    image = features((1, 3, 4, 5), dtype=torch.float64).requires_grad_()
    loss = TotalVariationLoss(kind, exponent, circular=circular)
    size = loss(image).item()
    assert gradcheck(lambda pixels: loss(pixels) / size, image)


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_bands_of_rows_are_those_of_one_image(monkeypatch, kind, circular):
    loss = TotalVariationLoss(kind, circular=circular)
    image = features((1, 3, 17, 9), dtype=torch.float64).requires_grad_()
    value = loss(image)
    value.backward()
    for pixels_at_once in (total_variation.BLOCK, 20):
        monkeypatch.setattr(total_variation, "BLOCK", pixels_at_once)
        torch.testing.assert_close(loss.value_and_grad(image), (value.detach(), image.grad))


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("exponent", EXPONENTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 1, 4), (1, 3, 5, 1), (1, 3, 5, 8)])
def test_a_flat_image_has_no_total_variation_and_no_slope(shape, kind, exponent, circular):
    image = torch.full(shape, 0.7).requires_grad_()
    loss = TotalVariationLoss(kind, exponent, circular=circular)(image)
    loss.backward()
    assert loss.item() == 0
    assert image.grad.abs().max() == 0


@pytest.mark.parametrize(("shape", "axis"), [((1, 3, 1, 9), 2), ((1, 3, 9, 1), 1)])
def test_total_variation_of_one_row_or_column_is_along_it(shape, axis):
    image = features(shape)
    expected = np.mean(np.diff(image[0].double().numpy(), axis=axis) ** 2)
    assert TotalVariationLoss()(image).item() == pytest.approx(expected, rel=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(
        ValueError, match="kind must be one of mean, nine_point, sum, inner_sum; not 'max'"
    ):
        TotalVariationLoss("max")
    for exponent in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="exponent must be above 0"):
            TotalVariationLoss(exponent=exponent)


def test_repr_says_which_it_is():
    assert repr(TotalVariationLoss()) == "TotalVariationLoss(kind='mean', exponent=2)"
    shown = repr(TotalVariationLoss("sum", 1.25, circular=True))
    assert shown == "TotalVariationLoss(kind='sum', exponent=1.25, circular)"
