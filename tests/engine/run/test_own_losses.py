"""Losses of the caller beside those of the recipe."""

import json

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.recipe.sections import MIN_TILE
from tests.helpers.small_images import CONTENT, STYLE, with_alpha


class SquaredDifference:
    """The same as our content loss with norm "mean"; keeps the shapes of what it is given."""

    def __init__(self):
        self.shapes = []

    def target(self, features):
        self.shapes.append(tuple(features.shape))
        assert not features.requires_grad
        return features

    def forward(self, features, target):
        assert features.dtype == torch.float32
        return (features - target).square().mean()


def mean(image):
    return image.mean()


def last(content=CONTENT, style=STYLE, recipe=None, **options):
    return list(nst.stylize(content, style, recipe, **options))[-1]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"min_size": 16, "optimizer": "adam", "jitter": 4},
        {"phases": [{"sizes": "all", "optimizer": "adam"}], "refine_share": 0.5, "steps": 4},
        {"channels": "grey"},
    ],
    ids=["plain", "sizes and jitter", "phases", "grey"],
)
def test_an_own_content_loss_acts_as_ours(quick, changes):
    recipe = quick(content_norm="mean", content_weight=2, **changes)
    own = nst.OwnLoss("mine", SquaredDifference(), "relu2_1", of="content", weight=1)
    found = last(recipe=recipe.replace(content_weight=1), losses=[own])
    expected = last(recipe=recipe)
    assert found.losses["total"] == pytest.approx(expected.losses["total"], rel=1e-4)
    assert found.losses["mine"] == pytest.approx(expected.losses["content"] / 2, rel=1e-4)
    np.testing.assert_allclose(found.image, expected.image, atol=1e-3)


def test_losses_of_the_image_and_of_layers_are_parts_of_the_total(quick):
    losses = [
        nst.OwnLoss("dark", mean, weight=1e4),
        nst.OwnLoss("low", torch.nn.Sequential(torch.nn.Flatten(0)), "relu1_1"),
        nst.OwnLoss("features", lambda features: features.square().mean(), ("conv1_1", "pool2")),
    ]
    found = last(recipe=quick(steps=6), losses=[losses[0], losses[2]])
    parts = {name for name in found.losses if "/" in name}
    assert {"dark/image", "features/conv1_1", "features/pool2"} < parts
    assert found.losses["dark"] == pytest.approx(found.losses["dark/image"])
    sums = [found.losses[name] for name in ("content", "style", "tv", "dark", "features")]
    assert found.losses["total"] == pytest.approx(sum(sums))
    assert found.image.mean() < 0.5 * last(recipe=quick(steps=6)).image.mean()
    with pytest.raises(TypeError, match=r"'low'.*one element.*65536"):
        last(recipe=quick(), losses=losses[1:2])


def test_targets_are_made_for_each_size_and_each_style(quick):
    loss = SquaredDifference()
    own = nst.OwnLoss("mine", loss, ["relu1_1"], of="style")
    square = STYLE[:, ::-1].copy()
    recipe = quick(min_size=16, scale_ratio=2, style_blend=(3, 1), steps=2)
    found = last(style=[STYLE, square], recipe=recipe, losses=[own])
    assert loss.shapes == [(1, 64, 16, 16)] * 2 + [(1, 64, 32, 32)] * 2
    alone = [
        next(nst.stylize(CONTENT, one, quick(steps=1), losses=[own])).losses["mine"]
        for one in (STYLE, square)
    ]
    both = next(
        nst.stylize(CONTENT, [STYLE, square], quick(steps=1, style_blend=(3, 1)), losses=[own])
    )
    assert both.losses["mine"] == pytest.approx((3 * alone[0] + alone[1]) / 4, rel=0.05)
    assert found.record()["arguments"]["losses"][0]["name"] == "mine"


def test_textures_reconstructions_and_filled_regions_have_own_losses(quick):
    own = nst.OwnLoss("dark", mean)
    region = np.zeros((64, 64), int)
    region[20:40, 20:40] = 1
    noise = quick(init="noise")
    with pytest.warns(UserWarning, match="'dark'"):  # it does not compare region by region
        filled = nst.synthesize(into=CONTENT, region=region, recipe=noise, losses=[own])
    runs = (
        nst.synthesize(STYLE, noise, losses=[own]),
        nst.reconstruct(CONTENT, noise, losses=[own]),
        filled,
    )
    for run in runs:
        run.result(progress=False)
        assert run.last.losses["dark"] > 0


def test_steering_and_continued_runs_keep_them(quick):
    steering, own = nst.Steering(), nst.OwnLoss("dark", mean, weight=50)
    losses = []
    for it in nst.stylize(CONTENT, STYLE, quick(steps=4), steering=steering, losses=[own]):
        losses.append(it.losses["dark"])
        if it.step == 2:
            steering.change(style_weight=20)
    assert len(losses) == 4
    assert min(losses) > 0
    more = next(nst.stylize(CONTENT, STYLE, quick(), after=it, losses=[own]))
    assert more.losses["dark"] < 1.2 * losses[-1]


def test_images_are_compared_in_tiles_and_layers_are_not(quick):
    large = np.tile(CONTENT, (1 + MIN_TILE // 64, 1 + MIN_TILE // 64, 1))
    recipe = quick(size=0, steps=1, style_layers={"relu1_1": 1}, content_layers={"relu1_1": 1})
    own = nst.OwnLoss("dark", mean)
    tiled = next(nst.stylize(large, STYLE, recipe.replace(tile=MIN_TILE), losses=[own]))
    assert tiled.facts["tile"] == MIN_TILE
    whole = next(nst.stylize(large, STYLE, recipe, losses=[own]))
    assert tiled.losses["dark"] == pytest.approx(whole.losses["dark"], rel=1e-3)
    own = nst.OwnLoss("features", mean, "relu1_1")
    with pytest.raises(ValueError, match="tile"):
        nst.stylize(large, STYLE, recipe.replace(tile=MIN_TILE), losses=[own])


def test_the_record_names_them_and_states_refuse_them(quick):
    own = nst.OwnLoss("dark", mean, weight=2)
    record = last(recipe=quick(), losses=[own]).record()
    (entry,) = json.loads(json.dumps(record))["arguments"]["losses"]
    assert entry["function"].endswith("test_own_losses.mean")
    assert (entry["name"], entry["weight"], entry["layers"]) == ("dark", 2, [])
    assert "losses" not in last(recipe=quick()).record()["arguments"]
    with pytest.raises(ValueError, match="save_every"):
        nst.stylize(CONTENT, STYLE, quick(), steering=nst.Steering(save_every=60), losses=[own])


def test_loss_maps_have_them(quick):
    losses = [
        nst.OwnLoss("dark", lambda image: image.square().mean()),
        nst.OwnLoss("mine", SquaredDifference(), "relu2_1"),
    ]
    it = last(recipe=quick(), losses=losses)
    job = nst.order_to_stylize(CONTENT, STYLE, quick(), losses=losses)
    maps = nst.loss_maps(job, it.picture)
    for part in ("dark/image", "mine/relu2_1"):
        assert maps[part].shape == (32, 32)
        assert maps[part].sum() == pytest.approx(it.losses[part], rel=0.01)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: nst.OwnLoss("style", mean), "'style'"),
        (lambda: nst.OwnLoss("a/b", mean), "'a/b'"),
        (lambda: nst.OwnLoss("mine", SquaredDifference), r"SquaredDifference\(\)"),
        (lambda: nst.OwnLoss("mine", 3), "3"),
        (lambda: nst.OwnLoss("mine", mean, "relu9_1"), "relu9_1"),
        (lambda: nst.OwnLoss("mine", mean, of="both"), "'both'"),
        (lambda: nst.OwnLoss("mine", mean, weight=0), "weight"),
        (lambda: nst.stylize(CONTENT, STYLE, losses=[mean]), "OwnLoss"),
        (lambda: nst.stylize(CONTENT, STYLE, losses=[nst.OwnLoss("a", mean)] * 2), "a, a"),
        (
            lambda: nst.synthesize(
                STYLE, losses=[nst.OwnLoss("a", SquaredDifference(), of="content")]
            ),
            "of='style'",
        ),
        (
            lambda: nst.reconstruct(CONTENT, losses=[nst.OwnLoss("a", SquaredDifference())]),
            "of='content'",
        ),
        (
            lambda: nst.stylize(
                CONTENT, STYLE, "gatys-2016", size=20, losses=[nst.OwnLoss("a", mean, "pool5")]
            ),
            "32",
        ),
    ],
)
def test_what_cannot_be_a_loss_is_refused_before_the_run(no_network, make, told):
    with pytest.raises((TypeError, ValueError), match=told):
        make()


@pytest.mark.parametrize(
    "loss",
    [lambda image, target: image.mean(), torch.nn.MSELoss(), lambda: 0],
    ids=["two arguments", "module", "no argument"],
)
def test_a_function_of_other_arguments_is_refused(loss):
    with pytest.raises(TypeError, match="'mine'"):
        nst.OwnLoss("mine", loss)


@pytest.mark.parametrize("changes", [{"weight": "1"}, {"weight": float("inf")}, {"layers": 3}])
def test_other_parameters_are_refused_by_name(changes):
    with pytest.raises((TypeError, ValueError), match=f"`{next(iter(changes))}`"):
        nst.OwnLoss("mine", mean, **changes)


def test_errors_of_its_code_and_infinite_values_name_the_loss(quick):
    def broken(image):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as caught:
        last(recipe=quick(steps=1), losses=[nst.OwnLoss("mine", broken)])
    assert "'mine'" in caught.value.__notes__[0]
    endless = nst.OwnLoss("mine", lambda image: image.mean() / 0)
    with pytest.raises(nst.NstError, match="mine/image"):
        last(recipe=quick(steps=1), losses=[endless])


def test_an_iterator_of_losses_is_read_once(quick):
    found = last(recipe=quick(steps=1), losses=iter([nst.OwnLoss("dark", mean)]))
    assert "dark" in found.losses


@pytest.mark.parametrize("wrong", [lambda image: 3.0, lambda image: image.detach().mean()])
def test_a_loss_without_a_gradient_is_told(quick, wrong):
    with pytest.raises(TypeError, match="'mine'"):
        last(recipe=quick(), losses=[nst.OwnLoss("mine", wrong)])


def test_transparent_content_is_compared_whole(quick):
    seen = np.zeros((64, 64), bool)
    seen[:, :40] = True
    with pytest.warns(UserWarning, match="'dark'"):
        run = nst.stylize(
            with_alpha(CONTENT, seen), STYLE, quick(), losses=[nst.OwnLoss("dark", mean)]
        )
    assert run.result(progress=False).shape == (32, 32, 4)
