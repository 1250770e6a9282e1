"""Losses of vectors at random positions, compared with their formulas in NumPy."""

import numpy as np
import pytest
import torch

from napari_nst.engine.losses import (
    Exemplar,
    NearestNeighbourLoss,
    PaletteLoss,
    RelaxedEMDLoss,
    SampledExemplar,
    SampledMomentsLoss,
    SampledWassersteinLoss,
    SelfSimilarityLoss,
)
from napari_nst.engine.losses.sampled import readings_of
from tests.helpers.loss_features import box_mask, features, positions

STYLE_LOSSES = [RelaxedEMDLoss, PaletteLoss, SampledMomentsLoss, NearestNeighbourLoss]
STYLE_LOSSES += [SampledWassersteinLoss]


def cosine_distances(x, y, *, centred):
    """d(x, y) of the columns of (C, K) and (C, n)."""
    if centred:
        x, y = x - x.mean(axis=1, keepdims=True), y - y.mean(axis=1, keepdims=True)
    return 1 - (x / np.linalg.norm(x, axis=0)).T @ (y / np.linalg.norm(y, axis=0))


def relaxed_emd(d):
    return max(d.min(axis=1).mean(), d.min(axis=0).mean())


def pair(channels=5, seed=0):
    """An image and a style, so small that all positions are compared."""
    return features((1, channels, 6, 7), seed), features((1, channels, 8, 5), seed + 1)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_relaxed_earth_movers_distance(centred, seed):
    image, style = pair(seed=seed)
    if seed % 2:  # so that the other direction is the larger one
        image = image[..., :2, :2]
    found = RelaxedEMDLoss([Exemplar(style)], centred=centred)(image)
    d = cosine_distances(positions(image), positions(style), centred=centred)
    assert found.item() == pytest.approx(relaxed_emd(d), abs=1e-5)


def test_palette():
    image, style = pair(3)
    # The authors' program rotates the colours first.
    rotation = np.array([[1, 1, 1], [-1, 1.366025, -0.366025], [-1, -0.366025, 1.366025]]) / 3**0.5
    x, y = rotation @ positions(image), rotation @ positions(style)
    squares = np.square(x[:, :, None] - y[:, None]).sum(axis=0)
    d = cosine_distances(x, y, centred=False) + np.sqrt(squares / 3)
    found = PaletteLoss([Exemplar(style)])(image)
    assert found.item() == pytest.approx(relaxed_emd(d), rel=1e-5)


@pytest.mark.parametrize("norm", ["mean", "relative"])
def test_moments(norm):
    image, style = pair()
    x, y = positions(image), positions(style)
    pairs = [(x.mean(axis=1), y.mean(axis=1)), (np.cov(x, bias=True), np.cov(y, bias=True))]
    divisors = [2 * np.abs(own).mean() if norm == "relative" else 1 for _, own in pairs]
    expected = sum(np.abs(a - b).mean() / c for (a, b), c in zip(pairs, divisors, strict=True))
    found = SampledMomentsLoss([Exemplar(style)], norm=norm)(image)
    assert found.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("centred", [True, False])
def test_nearest_neighbours(centred):
    image, style = pair()
    query = features(image.shape, seed=5)
    x, y = positions(image), positions(style)
    loss = NearestNeighbourLoss([Exemplar(style)], centred=centred)
    d = cosine_distances(x, y, centred=centred)
    nearest = cosine_distances(x, y, centred=True).argmin(axis=1)
    assert loss(image).item() == pytest.approx(d[np.arange(42), nearest].mean(), abs=1e-5)
    loss.choose(query[0].flatten(1).T)
    nearest = cosine_distances(positions(query), y, centred=True).argmin(axis=1)
    assert loss(image).item() == pytest.approx(d[np.arange(42), nearest].mean(), abs=1e-5)


@pytest.mark.parametrize("norm", ["mean", "relative"])
def test_self_similarity(norm):
    image, content = features((1, 5, 6, 7)), features((1, 5, 6, 7), seed=1)
    own, other = (
        cosine_distances(positions(one), positions(one), centred=False) for one in (image, content)
    )
    if norm == "relative":
        columns = [d / d.sum(axis=0) for d in (own, other)]
        expected = 42 * np.abs(columns[0] - columns[1]).mean()
    else:
        expected = np.abs(own - other).mean()
    loss = SelfSimilarityLoss(content, norm=norm)
    assert loss(image).item() == pytest.approx(expected, rel=1e-4)
    assert loss(content).item() == pytest.approx(0, abs=1e-6)


def test_image_and_content_are_compared_at_the_same_positions():
    content = features((1, 5, 20, 30))
    loss = SelfSimilarityLoss(content, samples=50)
    for _ in range(3):
        loss.redraw()
        assert loss(content).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", STYLE_LOSSES)
def test_gradients(kind):
    image, style = pair(3)
    loss = kind([Exemplar(style.double())], samples=10)
    leaf = image.double().requires_grad_()
    assert torch.autograd.gradcheck(loss, leaf)


def test_gradient_of_self_similarity():
    image, content = features((2, 3, 6, 7), dtype=torch.float64).split(1)
    loss = SelfSimilarityLoss(content, samples=10)
    assert torch.autograd.gradcheck(loss, image.requires_grad_())


@pytest.mark.parametrize("kind", STYLE_LOSSES)
def test_positions_outside_a_mask_do_not_count(kind):
    image, style = pair(3)
    mask = box_mask(6, 7, slice(2, 5), slice(3, 7))
    style_mask = box_mask(8, 5, slice(1, 4), slice(0, 5))
    loss = kind([Exemplar(style, mask=style_mask)], mask=mask)
    whole = kind([Exemplar(style[..., 1:4, :])])
    assert loss(image).item() == pytest.approx(whole(image[..., 2:5, 3:]).item(), rel=1e-5)
    with pytest.raises(ValueError, match="mask"):
        loss(features((1, 3, 7, 7)))


def test_a_style_counts_by_its_share_and_not_by_its_size():
    image, style = pair()
    half = style.new_zeros(1, 5, 8, 5).copy_(style)
    small, large = features((1, 5, 2, 2), seed=3), half
    loss = SampledMomentsLoss([Exemplar(small, 0.75), Exemplar(large, 0.25)], norm="mean")
    mean = 0.75 * positions(small).mean(axis=1) + 0.25 * positions(large).mean(axis=1)
    assert loss.mean.numpy() == pytest.approx(mean, rel=1e-5)
    alone = RelaxedEMDLoss([Exemplar(small, 0.0), Exemplar(large, 1.0)])
    assert alone(image) == RelaxedEMDLoss([Exemplar(large)])(image)


def test_positions_are_spread_drawn_anew_and_drawn_again():
    loss = RelaxedEMDLoss([Exemplar(features((1, 5, 8, 5)))], samples=16)
    first = loss.readings((16, 32))[""].rows.flatten()
    assert torch.equal(first // 32, torch.arange(16))  # one in each row
    state = loss.random_state
    loss.redraw()
    assert not torch.equal(loss.readings((16, 32))[""].rows.flatten(), first)
    loss.redraw(state)
    assert torch.equal(loss.readings((16, 32))[""].rows.flatten(), first)


def test_deeper_layers_are_read_where_the_pixels_are():
    """A slope remains the same slope when its means over 2 × 2 and 4 × 4 pixels are read."""
    slope = torch.arange(16.0).view(1, 1, 16, 1) + torch.arange(24.0) * 100
    layers = {"relu1_1": 1.0, "relu2_1": 1.0, "relu3_1": 0.5}
    inner = torch.tensor([[y * 24 + x for y in range(2, 14) for x in range(2, 22)]]).flatten()
    found = readings_of(inner, (16, 24), layers)
    for side, (layer, reading) in zip((1, 2, 4), found.items(), strict=True):
        pooled = torch.nn.functional.avg_pool2d(slope, side)
        expected = slope.flatten()[inner]
        assert torch.allclose(reading.of(pooled).flatten(), expected, atol=1e-3), layer


def test_joined_layers():
    loss = RelaxedEMDLoss([SampledExemplar(torch.rand(9, 3))], layers={"relu1_1": 1, "relu2_1": 2})
    joined = loss.joined([torch.ones(4, 2), torch.ones(4, 1)])
    assert joined.tolist() == [[1, 1, 2]] * 4


# Sliced Wasserstein distance


@pytest.mark.parametrize("norm", ["relative", "mean"])
def test_the_wasserstein_distance_of_one_channel_is_that_of_sorted_values(norm):
    image, style = features((1, 1, 5, 6), 1), features((1, 1, 6, 5), 2) * 2
    value = SampledWassersteinLoss([Exemplar(style)], norm=norm)(image)
    x, s = (np.sort(one.flatten().numpy()) for one in (image, style))
    expected = np.mean((x - s) ** 2) / (np.mean(s**2) if norm == "relative" else 1)
    assert value.item() == pytest.approx(expected, rel=1e-5)


def test_styles_count_by_their_shares_in_the_distribution():
    image = features((1, 1, 3, 4), 1)
    many, few = features((1, 1, 2, 3), 2), features((1, 1, 1, 3), 3) + 1
    value = SampledWassersteinLoss([Exemplar(many, 0.5), Exemplar(few, 0.5)], norm="mean")(image)
    union = torch.cat([many.flatten(), few.flatten(), few.flatten()])  # each has half of the values
    expected = (image.flatten().sort().values - union.sort().values).square().mean()
    assert value.item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_wasserstein_distance_sees_more_than_each_channel():
    style = features((1, 4, 16, 16), 1)
    shuffled = style.flatten(2)[..., torch.randperm(256)].view_as(style)
    apart = torch.stack([one[torch.randperm(256)] for one in style.flatten(2)[0]]).view_as(style)
    loss = SampledWassersteinLoss([Exemplar(style)], projections=16)
    assert loss(shuffled).item() == pytest.approx(0, abs=1e-12)
    related = style + style.roll(1, dims=1)
    loss = SampledWassersteinLoss([Exemplar(related)], projections=16)
    assert loss(apart + apart.roll(1, dims=1)).item() < loss(apart * 2**0.5).item()


def test_directions_are_drawn_anew_with_positions():
    loss = SampledWassersteinLoss([Exemplar(features((1, 4, 6, 5), 2))], samples=1000)
    image, state = features((1, 4, 6, 5), 1), loss.random_state
    before = loss(image)
    loss.redraw()
    assert loss(image) != before
    loss.redraw(state)
    assert loss(image) == before
