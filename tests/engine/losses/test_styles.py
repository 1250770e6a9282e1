"""What all style losses have in common."""

import pytest
import torch
from torch.autograd import gradcheck

import napari_nst as nst
from napari_nst.engine.losses import (
    STYLE_LOSSES,
    CentredGramLoss,
    Exemplar,
    GramLoss,
    MeanCovarianceLoss,
    PatchLoss,
    ShiftedGramLoss,
    SlicedWassersteinLoss,
    WassersteinLoss,
)
from napari_nst.recipe.sections import NORMS
from tests.helpers.loss_features import box_mask, features, soft_mask

KINDS = {
    "gram": GramLoss,
    "shifted_gram": ShiftedGramLoss,
    "centred_gram": CentredGramLoss,
    "mean_covariance": MeanCovarianceLoss,
    "wasserstein": WassersteinLoss,
    "sliced_wasserstein": SlicedWassersteinLoss,
    "mrf": PatchLoss,
}
SHAPE = (1, 5, 6, 7)
EVERY = [
    pytest.param(kind, norm, id=f"{kind.__name__}-{norm}")
    for kind in KINDS.values()
    for norm in kind.norms
]


def style(seed=2, shape=SHAPE):
    return Exemplar(features(shape, seed))


def test_every_style_loss_of_a_recipe_exists():
    assert set(STYLE_LOSSES) == set(KINDS) == set(NORMS)


@pytest.mark.parametrize("name", KINDS)
def test_a_recipe_makes_its_style_loss(name):
    mask = torch.ones(1, 1, 6, 7)
    for norm in NORMS[name]:
        recipe = nst.Recipe(
            style_loss=name, style_norm=norm, projections=3, seed=4, patch_size=2, patch_stride=1
        )
        made = STYLE_LOSSES[name]([style()], recipe, mask)
        own = {
            "sliced_wasserstein": {"projections": 3, "seed": 4},
            "mrf": {"patch_size": 2, "stride": 1},
        }.get(name, {})
        expected = KINDS[name]([style()], norm=norm, mask=mask, **own)
        assert repr(made) == repr(expected)
        assert made(features(SHAPE, 1)) == expected(features(SHAPE, 1))


@pytest.mark.parametrize("name", KINDS)
def test_losses_know_the_norms_that_recipes_know(name):
    assert set(KINDS[name].norms) == set(NORMS[name])


@pytest.mark.parametrize(("kind", "norm"), EVERY)
def test_gradients_are_those_of_finite_differences(kind, norm):
    first, second = (features((1, 3, 4, 5), seed, torch.float64) for seed in (1, 2))
    mask = soft_mask(4, 5, 7, torch.float64) * 0.4 + 0.6
    loss = kind([Exemplar(first, 0.6), Exemplar(second + 1, 0.4)], norm=norm, mask=mask)
    value = features((1, 3, 4, 5), 3, torch.float64).requires_grad_()
    assert gradcheck(loss, value, atol=1e-4)


@pytest.mark.parametrize(("kind", "norm"), EVERY)
def test_masks_of_rectangles_crop(kind, norm):
    value, other = features((1, 5, 8, 9), 1), features((1, 5, 9, 8), 2)
    # Patches start at even places, those of the crop too.
    mask, cropped = box_mask(8, 9, slice(2, 7), slice(0, 5)), value[..., 2:7, 0:5]
    style_mask, cropped_style = box_mask(9, 8, slice(4, 9), slice(2, 7)), other[..., 4:9, 2:7]
    masked = kind([Exemplar(other, mask=style_mask)], norm=norm, mask=mask)(value)
    torch.testing.assert_close(masked, kind([Exemplar(cropped_style)], norm=norm)(cropped))


@pytest.mark.parametrize(("kind", "norm"), EVERY)
def test_a_mask_of_ones_is_no_mask(kind, norm):
    value, ones = features(SHAPE, 1), torch.ones(1, 1, 6, 7)
    masked = kind([Exemplar(features(SHAPE, 2), mask=ones)], norm=norm, mask=ones)(value)
    torch.testing.assert_close(masked, kind([style()], norm=norm)(value))


@pytest.mark.parametrize(("kind", "norm"), EVERY)
def test_what_is_masked_has_no_gradient(kind, norm):
    value = features((1, 5, 8, 9), 1).requires_grad_()
    mask = box_mask(8, 9, slice(2, 7), slice(0, 5))
    kind([style()], norm=norm, mask=mask)(value).backward()
    assert value.grad[..., 2:7, 0:5].abs().amax(dim=1).min() > 0
    assert (value.grad * (1 - mask)).abs().max() == 0


@pytest.mark.parametrize(("kind", "norm"), EVERY)
def test_a_style_that_is_given_twice_is_that_style(kind, norm):
    value, one = features((1, 5, 8, 5), 1), features(SHAPE, 2)
    twice = kind([Exemplar(one, 0.3), Exemplar(one, 0.7)], norm=norm)(value)
    torch.testing.assert_close(twice, kind([Exemplar(one)], norm=norm)(value))


@pytest.mark.parametrize(("kind", "norm"), EVERY)
def test_what_is_already_like_its_target_has_no_loss(kind, norm):
    target = features(SHAPE, 2)
    loss = kind([Exemplar(target)], norm=norm)
    # Wasserstein's square roots are approximate.
    close = 0.01 if kind is WassersteinLoss else 1e-8
    assert abs(loss(target).item()) <= close * loss(features(SHAPE, 1) * 2).item()


@pytest.mark.parametrize("kind", KINDS.values())
def test_a_relative_loss_does_not_depend_on_the_size_of_features(kind):
    """Weights mean the same for every flavour of the network."""
    target, value = features((1, 5, 9, 9), 2), features((1, 5, 9, 9), 1)
    small = kind([Exemplar(target)], norm="relative")(value)
    large = kind([Exemplar(target * 100)], norm="relative")(value * 100)
    # Wasserstein's least variance is that of one size.
    assert large.item() == pytest.approx(
        small.item(), rel=5e-3 if kind is WassersteinLoss else 1e-4
    )
    assert kind([Exemplar(target * 100)])(value * 100) > 1000 * kind([Exemplar(target)])(value)


@pytest.mark.parametrize("kind", KINDS.values())
def test_a_black_style_leaves_the_error_as_it_is(kind):
    nothing, value = Exemplar(torch.zeros(SHAPE)), features(SHAPE)
    plain = kind([nothing])(value).item()
    assert plain > 0.1
    assert kind([nothing], norm="relative")(value).item() == pytest.approx(plain, rel=1e-5)


@pytest.mark.parametrize(("kind", "norm"), EVERY)
def test_a_black_image_has_a_finite_gradient(kind, norm):
    for target in (features(SHAPE, 2), torch.zeros(SHAPE)):
        value = torch.zeros(SHAPE).requires_grad_()
        kind([Exemplar(target)], norm=norm)(value).backward()
        assert value.grad.isfinite().all()


@pytest.mark.parametrize(("kind", "norm"), EVERY)
def test_half_precision_features_are_compared_in_single(kind, norm):
    value, target = (
        features(SHAPE, seed, torch.bfloat16).to(memory_format=torch.channels_last)
        for seed in (1, 2)
    )
    mask = soft_mask(6, 7) * 0.4 + 0.6
    loss = kind([Exemplar(target, mask=mask)], norm=norm, mask=mask)(value)
    single = kind([Exemplar(target.float(), mask=mask)], norm=norm, mask=mask)(value.float())
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, single)
    exact = kind([style()], norm=norm)(features(SHAPE, 1)).item()
    assert kind([Exemplar(target)], norm=norm)(value).item() == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("kind", KINDS.values())
def test_targets_are_constants(kind):
    target = features(SHAPE, 2).requires_grad_()
    loss = kind([Exemplar(target)])
    assert all(not buffer.requires_grad for buffer in loss.buffers())
    loss(features(SHAPE, 1).requires_grad_()).backward()
    assert target.grad is None


@pytest.mark.parametrize("kind", KINDS.values())
def test_what_cannot_be_is_refused(kind):
    one, empty, other = style(), torch.zeros(1, 1, 6, 7), torch.ones(1, 1, 7, 6)
    with pytest.raises(ValueError, match="exemplars is empty"):
        kind([])
    allowed = ", ".join(kind.norms)
    with pytest.raises(ValueError, match=f"{kind.__name__} must be one of {allowed}; not 'none'"):
        kind([one], norm="none")
    with pytest.raises(ValueError, match=r"shares of the exemplars must sum to 1, not 2"):
        kind([one, one])
    with pytest.raises(ValueError, match="mask counts no position"):
        kind([one], mask=empty)
    with pytest.raises(ValueError, match="as large as the features, 6 × 7"):
        kind([one], mask=other)(features(SHAPE))


def test_an_exemplar_refuses_a_mask_that_is_not_its_own():
    with pytest.raises(ValueError, match="mask counts no position"):
        Exemplar(features(SHAPE), mask=torch.zeros(1, 1, 6, 7))
    with pytest.raises(ValueError, match="as large as the features, 6 × 7"):
        Exemplar(features(SHAPE), mask=torch.ones(1, 1, 7, 6))


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (SlicedWassersteinLoss, ", projections=5, seed=0"),
        (PatchLoss, ", patch_size=3, stride=2"),
        (GramLoss, ""),
        (WassersteinLoss, ""),
    ],
)
def test_repr_says_the_settings(kind, settings):
    assert repr(kind([style()])) == f"{kind.__name__}(norm='mean'{settings})"
    masked = kind([style()], norm="relative", mask=torch.ones(1, 1, 6, 7))
    assert repr(masked) == f"{kind.__name__}(norm='relative', masked{settings})"
