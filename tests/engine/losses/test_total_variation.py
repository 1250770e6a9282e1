"""Total variation, and smoothness across a seam, against NumPy in float64."""

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from napari_nst.engine.losses import SeamLoss, TotalVariationLoss, total_variation
from tests.helpers.loss_features import features

KINDS = ["mean", "nine_point", "sum", "inner_sum"]
SHAPES = [(1, 3, 7, 9), (1, 3, 2, 2), (1, 3, 1, 5), (1, 3, 5, 1)]


def numpy_total_variation(image, kind, exponent, circular):
    x = image[0].double().numpy()
    if kind == "nine_point":
        # The source's program: diagonals on the whole of the padded image.
        padding = ((0, 0), (0, 1), (0, 1)) if circular else ((0, 0), (1, 1), (1, 1))
        p = np.pad(x, padding, "wrap" if circular else "edge")
        inside = p if circular else p[:, 1:, 1:]
        down, across = np.diff(inside, axis=1)[:, :, :-1], np.diff(inside, axis=2)[:, :-1]
        falling, rising = p[:, 1:, 1:] - p[:, :-1, :-1], p[:, 1:, :-1] - p[:, :-1, 1:]
        d, a, f, r = (np.mean(np.abs(d) ** exponent) for d in (down, across, falling, rising))
        return 2 * (d + a) / 3 + (f + r) / 6
    if circular:
        differences = [np.roll(x, -1, axis) - x for axis in (1, 2)]
    else:
        differences = [np.diff(x, axis=axis) for axis in (1, 2)]
        if kind == "inner_sum":
            differences = [differences[0][..., :-1], differences[1][:, :-1]]
    powers = [np.abs(d) ** exponent for d in differences if d.size]
    if kind == "mean":
        return sum(p.mean() for p in powers)
    return 255**exponent * sum(p.sum() for p in powers)


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_total_variation(kind, circular):
    for shape in SHAPES:
        image = features(shape)
        for exponent in (0.5, 1.0, 1.5, 2.0):
            expected = numpy_total_variation(image, kind, exponent, circular)
            loss = TotalVariationLoss(kind, exponent, circular=circular)
            assert loss(image).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradient_is_that_of_finite_differences(kind, circular):
    image = features((1, 3, 4, 5), dtype=torch.float64).requires_grad_()
    for exponent in (0.5, 1.5, 2.0):
        loss = TotalVariationLoss(kind, exponent, circular=circular)
        size = loss(image).item()
        assert gradcheck(lambda pixels, loss=loss, size=size: loss(pixels) / size, image)


@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_blocks_of_rows_have_the_value_and_gradient_of_autograd(monkeypatch, kind, circular):
    monkeypatch.setattr(total_variation, "BLOCK", 20)
    for exponent in (0.5, 2.0):
        loss = TotalVariationLoss(kind, exponent, circular=circular)
        for height in (1, 2, 17):
            image = features((1, 3, height, 9), dtype=torch.float64).requires_grad_()
            value = loss(image)
            value.backward()
            torch.testing.assert_close(loss.value_and_grad(image), (value.detach(), image.grad))


@pytest.mark.parametrize("kind", KINDS)
def test_a_circular_image_may_start_anywhere(kind):
    image, loss = features((1, 3, 7, 9)), TotalVariationLoss(kind, circular=True)
    torch.testing.assert_close(loss(image.roll((3, 4), (2, 3))), loss(image))


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_image_has_no_total_variation_and_no_gradient(kind, exponent):
    for shape in ((1, 3, 1, 1), (1, 3, 5, 8)):
        image = torch.full(shape, 0.7).requires_grad_()
        value, gradient = TotalVariationLoss(kind, exponent).value_and_grad(image)
        TotalVariationLoss(kind, exponent, circular=True)(image).backward()
        assert value == 0
        assert not gradient.any()
        assert not image.grad.any()


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="kind must be one of mean, nine_point, sum, inner_sum"):
        TotalVariationLoss("max")
    for exponent in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="exponent must be above 0"):
            TotalVariationLoss(exponent=exponent)


def test_the_seam_loss_compares_neighbours_across_the_border():
    free = torch.zeros(1, 1, 5, 6, dtype=torch.bool)
    free[..., 1:3, 2:4] = True
    image = features((1, 3, 5, 6), 4, torch.float64)
    values, inside = image[0].numpy(), free[0, 0].numpy()
    expected = 0.0
    for row in range(5):
        for column in range(6):
            for other in ((row + 1, column), (row, column + 1)):
                if other[0] < 5 and other[1] < 6 and inside[row, column] != inside[other]:
                    expected += ((values[:, row, column] - values[:, *other]) ** 2).sum()
    loss = SeamLoss(free)
    assert float(loss(image)) == pytest.approx(expected / values.size)
    assert gradcheck(loss, image.requires_grad_())
    torch.testing.assert_close(loss.value_and_grad(image)[0], loss(image).detach())
