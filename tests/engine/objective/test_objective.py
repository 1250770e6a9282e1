"""The objective: its named parts, compared with their formulas, and their sum."""

import numpy as np
import pytest
import torch

from napari_nst.engine.job.layers import network_layers, shares_of
from napari_nst.engine.objective.objective import summarise
from napari_nst.engine.vgg.network import VGG19
from napari_nst.recipe import Recipe
from tests.helpers.transfer_objective import transfer_objective

RECIPE = Recipe(
    content_layers={"conv2_1": 0.5, "relu1_2": 2.0},
    style_layers={"relu1_1": 0.75, "relu2_1": 0.25},
    content_weight=3.0,
    style_weight=7.0,
    tv_weight=11.0,
)


@pytest.fixture
def build(untrained, random_image):
    """Return a function from a recipe to its objective and the images that it was made of."""

    def build(recipe=RECIPE, dtype=torch.float32):
        network = VGG19(network_layers(recipe), untrained, recipe.pooling, recipe.padding, dtype)
        content = random_image(12, 14, seed=1)
        styles = [random_image(12, 12, seed=2), random_image(16, 12, seed=3) * 0.5]
        return transfer_objective(recipe, network, content, styles), content, styles

    return build


def positions(features):
    return features[0].flatten(1).double().numpy()


def mean_square(array):
    return np.mean(np.square(array))


@pytest.mark.parametrize("norm", ["mean", "relative"])
@pytest.mark.parametrize("style_loss", ["gram", "mean_covariance"])
def test_every_part_has_the_value_of_its_weighted_formula(build, random_image, style_loss, norm):
    recipe = RECIPE.replace(style_loss=style_loss, style_norm=norm, content_norm=norm)
    objective, content, styles = build(recipe)
    image = random_image(12, 14, seed=9)
    of_image, of_content, *of_styles = (objective.network(i) for i in (image, content, *styles))

    def error(value, target):
        return mean_square(value - target) / (mean_square(target) if norm == "relative" else 1)

    expected = {}
    for layer, weight in recipe.content_layers.items():
        value, target = positions(of_image[layer]), positions(of_content[layer])
        expected[f"content/{layer}"] = 3.0 * weight * error(value, target)
    for layer, weight in recipe.style_layers.items():
        f, *targets = (positions(features[layer]) for features in (of_image, *of_styles))
        gram = np.mean([t @ t.T / t.shape[1] for t in targets], axis=0)
        mean = np.mean([t.mean(axis=1) for t in targets], axis=0)
        of_gram = error(f @ f.T / f.shape[1], gram)
        of_mean = error(f.mean(axis=1), mean)
        of_covariance = error(np.cov(f, bias=True), gram - np.outer(mean, mean))
        value = of_gram if style_loss == "gram" else (of_mean + of_covariance) / 2
        expected[f"style/{layer}"] = 7.0 * weight * value
    x = image[0].double().numpy()
    expected["tv"] = 11.0 * (mean_square(np.diff(x, axis=1)) + mean_square(np.diff(x, axis=2)))

    parts = {name: part.item() for name, part in objective(image).items()}
    assert parts == pytest.approx(expected, rel=1e-4)
    assert summarise(parts)["total"] == pytest.approx(sum(expected.values()), rel=1e-4)


@pytest.mark.parametrize("style_loss", ["gram", "mean_covariance"])
@pytest.mark.parametrize("pooling", ["max", "average", "l2"])
def test_the_gradient_is_that_of_finite_differences(build, random_image, style_loss, pooling):
    recipe = RECIPE.replace(style_loss=style_loss, pooling=pooling, padding="replicate")
    objective, _, _ = build(recipe, torch.float64)
    image = random_image(12, 14, seed=9, dtype=torch.float64).requires_grad_()

    def total(pixels):
        return sum(objective(pixels).values())

    total(image).backward()
    for seed in range(4):
        direction = random_image(12, 14, seed=seed, dtype=torch.float64) - 0.5
        with torch.no_grad():
            difference = (total(image + 1e-6 * direction) - total(image - 1e-6 * direction)) / 2e-6
        assert difference.item() == pytest.approx((image.grad * direction).sum().item(), rel=1e-4)


def test_an_image_in_its_own_style_has_no_loss(untrained, random_image):
    recipe = RECIPE.replace(tv_weight=0)
    network = VGG19(network_layers(recipe), untrained, recipe.pooling, recipe.padding)
    image = random_image(12, 14)
    objective = transfer_objective(recipe, network, image, [image])
    assert all(part.item() == pytest.approx(0, abs=1e-8) for part in objective(image).values())
    assert all(part.item() > 0.01 for part in objective(image.flip(1) / 2).values())


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, {"content/conv2_1", "content/relu1_2", "style/relu1_1", "style/relu2_1", "tv"}),
        (
            {"tv_weight": 0},
            {"content/conv2_1", "content/relu1_2", "style/relu1_1", "style/relu2_1"},
        ),
        ({"content_weight": 0}, {"style/relu1_1", "style/relu2_1", "tv"}),
        ({"style_weight": 0}, {"content/conv2_1", "content/relu1_2", "tv"}),
        ({"style_layers": {}}, {"content/conv2_1", "content/relu1_2", "tv"}),
        (
            {"style_layers": {"relu1_1": 0, "relu2_1": 1}, "content_layers": {}},
            {"style/relu2_1", "tv"},
        ),
    ],
)
def test_parts_without_weight_are_not_computed(build, random_image, changes, names):
    recipe = RECIPE.replace(**changes)
    objective, _, _ = build(recipe)
    assert set(objective(random_image(12, 14))) == names
    layers = {name.split("/")[1] for name in names if "/" in name}
    assert set(network_layers(recipe)) == set(objective.network.layers) == layers


def test_content_and_style_may_use_the_same_layer(build, random_image):
    recipe = RECIPE.replace(content_layers={"relu2_1": 1}, style_layers={"relu2_1": 1})
    objective, _, _ = build(recipe)
    assert set(objective(random_image(12, 14))) == {"content/relu2_1", "style/relu2_1", "tv"}


def test_targets_are_constants(build, random_image):
    objective, content, styles = build()
    image = random_image(12, 14).requires_grad_()
    sum(objective(image).values()).backward()
    assert image.grad.isfinite().all()
    assert not any(tensor.requires_grad for tensor in (content, *styles, *objective.buffers()))


def test_losses_of_bfloat16_features_are_float32(build, random_image):
    objective, _, _ = build(dtype=torch.bfloat16)
    exact, _, _ = build()
    image = random_image(12, 14, seed=9)
    parts = objective(image)
    assert all(part.dtype == torch.float32 for part in parts.values())
    for name, part in exact(image).items():
        assert parts[name].item() == pytest.approx(part.item(), rel=0.05), name


def test_repr_names_the_losses_and_their_weights(build):
    objective, _, _ = build()
    shown = repr(objective)
    for name in (
        "content/conv2_1",
        "style/relu2_1",
        "tv",
        "MeanCovarianceLoss",
        "TotalVariationLoss",
    ):
        assert name in shown
    assert "weight=1.75" in shown  # 7 × 0.25
    assert "weight=11" in shown


def test_a_summary_contains_the_sums_of_parts():
    parts = {"content/relu4_2": 1.0, "style/relu1_1": 2.0, "style/relu2_1": 4.0, "tv": 8.0}
    sums = {"total": 15.0, "content": 1.0, "style": 6.0, "tv": 8.0}
    assert summarise(parts) == {**sums, **parts}
    assert list(summarise(parts))[:4] == ["total", "content", "style", "tv"]


def test_absent_parts_are_0_in_a_summary():
    assert summarise({"style/relu1_1": 2.0}) == {
        "total": 2.0, "content": 0.0, "style": 2.0, "tv": 0.0, "style/relu1_1": 2.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("blend", "styles", "shares"),
    [((), 1, [1]), ((), 4, [0.25] * 4), ((3,), 1, [1]), ((3, 1), 2, [0.75, 0.25])],
)
def test_the_shares_of_styles_sum_to_1(blend, styles, shares):
    assert shares_of(Recipe(style_blend=blend), styles) == shares


def test_a_blend_needs_a_number_for_each_style():
    with pytest.raises(ValueError, match=r"style_blend.* 1 .* 2"):
        shares_of(Recipe(style_blend=(1, 2)), 1)


def test_a_blend_weights_the_statistics_of_styles(untrained, random_image):
    recipe = RECIPE.replace(content_weight=0, tv_weight=0, style_blend=(1, 0))
    network = VGG19(network_layers(recipe), untrained)
    image = random_image(12, 14)
    objective = transfer_objective(recipe, network, image, [image, random_image(9, 9, seed=7)])
    assert all(part.item() == pytest.approx(0, abs=1e-8) for part in objective(image).values())


def test_redraw_draws_new_random_directions(build, random_image):
    recipe = RECIPE.replace(style_loss="sliced_wasserstein", projections=4)
    objective, _, _ = build(recipe)
    image = random_image(12, 14, seed=9)

    def parts():
        return {name: part.item() for name, part in objective(image).items()}

    before = parts()
    assert parts() == before
    assert objective.redraw()
    after = parts()
    for name in before:
        assert (after[name] == before[name]) == (not name.startswith("style/")), name


def test_an_objective_without_random_directions_draws_none(build):
    assert not build()[0].redraw()
