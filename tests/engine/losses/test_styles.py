"""Properties that all style losses share."""

import pytest
import torch
from torch.autograd import gradcheck

import napari_nst as nst
from napari_nst.engine.losses import (
    STYLE_LOSSES,
    AutocorrelationLoss,
    CentredGramLoss,
    Exemplar,
    GramLoss,
    MeanCovarianceLoss,
    MeanStdLoss,
    NearestNeighbourLoss,
    PatchLoss,
    RelaxedEMDLoss,
    SampledMomentsLoss,
    SampledWassersteinLoss,
    ShiftedGramLoss,
    SlicedRowsLoss,
    SlicedWassersteinLoss,
    WassersteinLoss,
)
from napari_nst.recipe.sections import IMAGE_LOSSES, NORMS
from tests.helpers.loss_features import box_mask, features, soft_mask

KINDS = {
    "gram": GramLoss,
    "shifted_gram": ShiftedGramLoss,
    "centred_gram": CentredGramLoss,
    "mean_covariance": MeanCovarianceLoss,
    "mean_std": MeanStdLoss,
    "wasserstein": WassersteinLoss,
    "sliced_wasserstein": SlicedWassersteinLoss,
    "sliced_rows": SlicedRowsLoss,
    "autocorrelation": AutocorrelationLoss,
    "mrf": PatchLoss,
}
SAMPLED = {
    "remd": RelaxedEMDLoss,
    "nn": NearestNeighbourLoss,
    "moments": SampledMomentsLoss,
    "sampled_wasserstein": SampledWassersteinLoss,
}
"""Losses with properties of their own: see test_sampled.py."""

SHAPE = (1, 5, 6, 7)
every_norm = pytest.mark.parametrize(
    ("kind", "norm"),
    [
        pytest.param(kind, norm, id=f"{kind.__name__}-{norm}")
        for kind in KINDS.values()
        for norm in kind.norms
    ],
)
every_kind = pytest.mark.parametrize("kind", KINDS.values())


def style(seed=2):
    return Exemplar(features(SHAPE, seed))


@pytest.mark.parametrize(("name", "kind"), (KINDS | SAMPLED).items())
def test_a_recipe_makes_its_style_loss(name, kind):
    assert set(STYLE_LOSSES) == set(KINDS | SAMPLED) == set(NORMS) - set(IMAGE_LOSSES)
    assert set(kind.norms) == set(NORMS[name])
    mask = torch.ones(1, 1, 6, 7)
    for norm in NORMS[name]:
        recipe = nst.Recipe(
            style_loss=name,
            style_norm=norm,
            projections=3,
            seed=4,
            patch_size=2,
            patch_stride=1,
            samples=20,
            style_samples=16,
        )
        made = STYLE_LOSSES[name]([style()], recipe, mask)
        settings = {
            "sliced_wasserstein": {"projections": 3, "seed": 4},
            "sliced_rows": {"projections": 3, "seed": 4},
            "mrf": {"patch_size": 2, "stride": 1},
            "remd": {"centred": True, "samples": 20, "style_samples": 16, "seed": 4},
            "nn": {
                "centred": True,
                "targets": "scale",
                "samples": 20,
                "style_samples": 16,
                "seed": 4,
            },
            "moments": {"samples": 20, "style_samples": 16, "seed": 4},
            "sampled_wasserstein": {
                "projections": 3,
                "samples": 20,
                "style_samples": 16,
                "seed": 4,
            },
        }.get(name, {})
        expected = kind([style()], norm=norm, mask=mask, **settings)
        assert repr(made) == repr(expected)
        assert made(features(SHAPE, 1)) == expected(features(SHAPE, 1))


@every_norm
def test_gradients_are_those_of_finite_differences(kind, norm):
    first, second = (features((1, 3, 4, 5), seed, torch.float64) for seed in (1, 2))
    mask = soft_mask(4, 5, 7, torch.float64) * 0.4 + 0.6
    loss = kind([Exemplar(first, 0.6), Exemplar(second + 1, 0.4)], norm=norm, mask=mask)
    value = features((1, 3, 4, 5), 3, torch.float64).requires_grad_()
    assert gradcheck(loss, value, atol=1e-4)


@every_norm
def test_masks_of_rectangles_crop(kind, norm):
    value, other = features((1, 5, 8, 9), 1).requires_grad_(), features((1, 5, 9, 8), 2)
    # The windows start at even positions, because patches do.
    mask, cropped = box_mask(8, 9, slice(2, 7), slice(0, 5)), value[..., 2:7, 0:5]
    style_mask, cropped_style = box_mask(9, 8, slice(4, 9), slice(2, 7)), other[..., 4:9, 2:7]
    masked = kind([Exemplar(other, mask=style_mask)], norm=norm, mask=mask)(value)
    torch.testing.assert_close(masked, kind([Exemplar(cropped_style)], norm=norm)(cropped))
    masked.backward()
    assert value.grad[..., 2:7, 0:5].abs().amax(dim=1).min() > 0
    assert (value.grad * (1 - mask)).abs().max() == 0


@every_norm
def test_a_style_given_twice_is_the_same_as_once(kind, norm):
    value, one = features((1, 5, 8, 5), 1), features(SHAPE, 2)
    twice = kind([Exemplar(one, 0.3), Exemplar(one, 0.7)], norm=norm)(value)
    torch.testing.assert_close(twice, kind([Exemplar(one)], norm=norm)(value))


@every_norm
def test_the_style_itself_has_no_loss(kind, norm):
    target = features(SHAPE, 2)
    loss = kind([Exemplar(target)], norm=norm)
    # Square roots of the Wasserstein loss are approximate.
    close = 0.01 if kind is WassersteinLoss else 1e-8
    assert abs(loss(target).item()) <= close * loss(features(SHAPE, 1) * 2).item()


@every_kind
def test_relative_does_not_depend_on_the_scale_of_features(kind):
    """The same weights suit every flavour of the network."""
    target, value = features((1, 5, 9, 9), 2), features((1, 5, 9, 9), 1)
    small = kind([Exemplar(target)], norm="relative")(value)
    large = kind([Exemplar(target * 100)], norm="relative")(value * 100)
    # The smallest variance of the Wasserstein loss is a constant.
    close = 5e-3 if kind is WassersteinLoss else 1e-4
    assert large.item() == pytest.approx(small.item(), rel=close)


@every_kind
def test_relative_to_a_black_style_is_the_mean(kind):
    black, value = Exemplar(torch.zeros(SHAPE)), features(SHAPE)
    mean = kind([black])(value).item()
    assert mean > 0.1
    assert kind([black], norm="relative")(value).item() == pytest.approx(mean, rel=1e-5)


@every_norm
def test_a_black_image_has_a_finite_gradient(kind, norm):
    for target in (features(SHAPE, 2), torch.zeros(SHAPE)):
        value = torch.zeros(SHAPE).requires_grad_()
        kind([Exemplar(target)], norm=norm)(value).backward()
        assert value.grad.isfinite().all()


@every_norm
def test_bfloat16_features_are_compared_in_float32_with_constant_targets(kind, norm):
    value, target = (
        features(SHAPE, seed, torch.bfloat16).to(memory_format=torch.channels_last).requires_grad_()
        for seed in (1, 2)
    )
    mask = soft_mask(6, 7) * 0.4 + 0.6
    loss = kind([Exemplar(target, mask=mask)], norm=norm, mask=mask)
    exact = kind([Exemplar(target.detach().float(), mask=mask)], norm=norm, mask=mask)
    found = loss(value)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, exact(value.detach().float()))
    assert all(not buffer.requires_grad for buffer in loss.buffers())
    found.backward()
    assert target.grad is None


@every_kind
def test_wrong_arguments_are_refused(kind):
    one, empty, other = style(), torch.zeros(1, 1, 6, 7), torch.ones(1, 1, 7, 6)
    with pytest.raises(ValueError, match="exemplars is empty"):
        kind([])
    allowed = ", ".join(kind.norms)
    with pytest.raises(ValueError, match=f"{kind.__name__} must be one of {allowed}; not 'none'"):
        kind([one], norm="none")
    with pytest.raises(ValueError, match=r"shares of the exemplars must sum to 1, not 2"):
        kind([one, one])
    with pytest.raises(ValueError, match="mask is 0 at every position"):
        kind([one], mask=empty)
    with pytest.raises(ValueError, match="as large as the features, 6 × 7"):
        kind([one], mask=other)(features(SHAPE))


def test_an_exemplar_refuses_a_wrong_mask():
    with pytest.raises(ValueError, match="mask is 0 at every position"):
        Exemplar(features(SHAPE), mask=torch.zeros(1, 1, 6, 7))
    with pytest.raises(ValueError, match="as large as the features, 6 × 7"):
        Exemplar(features(SHAPE), mask=torch.ones(1, 1, 7, 6))
