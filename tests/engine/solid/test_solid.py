"""Solid textures: the pooled gradient, periodic volumes, what is refused, and a real one."""

import json
import math

import numpy as np
import pytest
import tifffile
import torch
from skimage import data

import napari_nst as nst
from napari_nst.engine.job.solid import order_to_synthesize_solid
from napari_nst.engine.objective.from_recipe import WholeStyle, style_losses
from napari_nst.engine.solid.objective import (
    SliceNetwork,
    SliceObjective,
    SolidObjective,
    enlarged,
    slices_of,
    variation,
)
from napari_nst.engine.vgg.network import VGG19
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_volume import decode_volume
from napari_nst.recipe import Recipe, preset


@pytest.fixture
def solid(quick):
    """Return a function that makes a recipe of few shallow layers for a solid texture."""

    def solid(**changes):
        fields = {"style_loss": "mean_covariance", "init": "noise", "optimizer": "adam"}
        return quick(**{"size": 0, "content_weight": 0.0, "tv_weight": 0.0, **fields, **changes})

    return solid


def _network(kind, recipe, weights):
    return kind(["relu1_1", "relu2_1"], weights, padding=recipe.padding)


@pytest.mark.parametrize("style_loss", ["mean_covariance", "gram", "wasserstein"])
def test_the_gradient_is_that_of_the_pooled_statistics(style_loss, untrained, random_image, solid):
    """The textbook computes all features of the batch in one graph, and pools them by hand."""
    recipe = solid(style_loss=style_loss)
    plain = _network(VGG19, recipe, untrained)
    features = WholeStyle(plain(random_image(24, 20)))
    losses = style_losses(recipe, [features])
    batch = torch.cat([random_image(16, 12, seed) for seed in range(5)])

    leaf = batch.clone().requires_grad_()
    pooled = {layer: torch.cat(list(found), dim=1)[None] for layer, found in plain(leaf).items()}
    values = {part: loss(pooled[part.split("/")[1]]) for part, loss in losses.items()}
    sum(values.values()).backward()
    expected = {part: float(value.detach()) for part, value in values.items()}

    network = _network(SliceNetwork, recipe, untrained)
    for at_once in (1, 2 * 16 * 12, 10**6):
        objective = SliceObjective(network, losses, at_once=at_once)
        parts, gradient = objective.value_and_grad(batch)
        assert parts == pytest.approx(expected, 1e-4)
        torch.testing.assert_close(gradient, leaf.grad, rtol=1e-3, atol=1e-3 * leaf.grad.std())


def test_slices_may_differ_from_the_exemplar_if_all_together_do_not(untrained, solid):
    recipe = solid()
    black, white = torch.zeros(1, 3, 16, 16), torch.ones(1, 3, 16, 16)
    network = _network(SliceNetwork, recipe, untrained)
    both = network(torch.cat([black, white]))
    objective = SliceObjective(network, style_losses(recipe, [WholeStyle(both)]))
    pooled = sum(objective.value_and_grad(torch.cat([white, black]))[0].values())
    alone = sum(objective.value_and_grad(white)[0].values())
    assert pooled < 1e-6 * alone


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_only_drawn_slices_of_the_exemplars_axis_have_a_gradient(axis, untrained, solid):
    recipe = solid()
    network = _network(SliceNetwork, recipe, untrained)
    losses = style_losses(recipe, [WholeStyle(network(torch.rand(1, 3, 16, 16)))])
    shape = (16, 18, 20)
    objective = SolidObjective(network, shape, {axis: losses}, recipe, 3, torch.Generator())
    _, gradient = objective.value_and_grad(torch.rand(1, 3, 16 * 18, 20))
    gradient = gradient.view(3, *shape)
    touched = slices_of(gradient, axis).abs().sum(dim=(1, 2, 3)).nonzero().flatten()
    assert touched.tolist() == objective.drawn[axis].tolist()
    assert len(set(touched.tolist())) == 3


def test_every_slice_is_drawn_at_times(untrained, solid):
    recipe = solid()
    network = _network(SliceNetwork, recipe, untrained)
    losses = style_losses(recipe, [WholeStyle(network(torch.rand(1, 3, 16, 16)))])
    objective = SolidObjective(network, (16, 16, 16), {0: losses}, recipe, 4, torch.Generator())
    seen = set()
    for _ in range(60):
        seen.update(objective.drawn[0].tolist())
        objective.redraw()
    assert seen == set(range(16))


@pytest.mark.parametrize("circular", [False, True])
def test_variation_is_that_of_three_axes(circular):
    volume = torch.rand(3, 5, 6, 7, dtype=torch.float64)
    expected = 0.0
    for axis in (1, 2, 3):
        after = np.roll(volume.numpy(), -1, axis) if circular else volume.numpy()
        pairs = after - volume.numpy() if circular else np.diff(after, axis=axis)
        expected += np.mean(np.abs(pairs) ** 1.5)
    assert float(variation(volume, 1.5, circular=circular)) == pytest.approx(expected)


def test_an_enlarged_volume_is_interpolated_and_goes_on_at_the_border():
    wave = torch.cos(torch.arange(16) * 2 * math.pi / 16)
    volume = wave.view(1, 1, 16, 1, 1).expand(1, 1, 16, 4, 4)
    finer = torch.cos(((torch.arange(32) + 0.5) / 2 - 0.5) * 2 * math.pi / 16)
    found = enlarged(volume, (32, 8, 8), periodic=True)
    assert found.shape == (1, 1, 32, 8, 8)
    torch.testing.assert_close(found[0, 0, :, 3, 3], finer, atol=0.03, rtol=0)
    bounded = enlarged(volume, (32, 8, 8), periodic=False)
    assert float(bounded[0, 0, 0, 0, 0]) == 1.0


def test_a_run_yields_volumes_from_coarse_to_fine_and_a_record(solid, tmp_path):
    exemplar = data.coins()[:48, :48]
    recipe = solid(min_size=16, scale_ratio=2.0, steps=4, first_scale_share=1.0)
    run = nst.synthesize_solid(exemplar, (20, 24, 32), recipe, slices=2)
    shapes = [iteration.shape for iteration in run]
    assert shapes == [(10, 12, 16)] * 2 + [(20, 24, 32)] * 2
    volume = run.result(progress=False)
    assert (volume.shape, volume.dtype) == ((20, 24, 32), np.uint8)
    record = run.last.record()
    assert record["job"] == "synthesize_solid"
    assert record["arguments"]["shape"] == [20, 24, 32]
    assert Recipe.from_dict(record["recipe"]) == recipe
    nst.save(tmp_path / "solid.tif", run)
    assert (decode_volume(tmp_path / "solid.tif").pixels == volume).all()
    assert json.loads(read_text(tmp_path / "solid.tif")) == record
    with pytest.raises(ValueError, match=r"\.tif"):
        nst.save(tmp_path / "solid.png", run)
    again = nst.synthesize_solid(exemplar, (20, 24, 32), recipe, slices=2)
    assert (again.result(progress=False) == volume).all()


def test_a_volume_has_voxels_as_large_as_the_pixels_in_the_file_of_its_exemplar(solid, tmp_path):
    exemplar, known = data.coins()[:48, :48], {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    tifffile.imwrite(tmp_path / "coins.ome.tif", exemplar, metadata={"axes": "YX", **known})
    run = nst.synthesize_solid(tmp_path / "coins.ome.tif", (16, 16, 16), solid(size=24, steps=1))
    run.result(progress=False)
    nst.save(tmp_path / "solid.tif", run)
    volume = decode_volume(tmp_path / "solid.tif")
    assert (volume.voxel, volume.unit) == ((1.0, 1.0, 1.0), "um")  # half as many pixels


def test_the_result_has_the_histogram_of_the_exemplars(solid):
    exemplar = data.astronaut()[:40, :40]
    volume = nst.synthesize_solid(exemplar, (16, 16, 16), solid()).result(progress=False)
    for channel in range(3):
        wanted = np.quantile(exemplar[..., channel], np.linspace(0, 1, 11))
        found = np.quantile(volume[..., channel], np.linspace(0, 1, 11))
        assert np.abs(found - wanted).max() <= 3


def test_exemplars_belong_to_axes():
    first, second, third = (np.full((32, 32), value, "f4") for value in (0.2, 0.5, 0.8))
    for given, of_axes in [
        (first, [0, 0, 0]),
        ([first], [0, 0, 0]),
        ([first, second], [0, 1, 1]),
        ([first, second, third], [0, 1, 2]),
        ([first, None, third], [0, None, 1]),
    ]:
        job = order_to_synthesize_solid(given, (32, 32, 32))
        assert list(job.of_axes) == of_axes
        assert len(job.exemplars) == len({one for one in of_axes if one is not None})


GREY = np.zeros((32, 32), "f4")


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"exemplars": np.zeros((6, 32), "f4")}, "`exemplars`"),
        ({"exemplars": GREY, "size": 6}, "`size`"),
        ({"exemplars": [GREY] * 4}, "`exemplars`"),
        ({"exemplars": []}, "`exemplars`"),
        ({"exemplars": [GREY, None]}, "`exemplars`"),
        ({"exemplars": np.zeros((4, 32, 32), "f4")}, "`exemplars`"),
        ({"exemplars": GREY, "shape": (64, 64)}, "`shape`"),
        ({"exemplars": GREY, "shape": 64}, "`shape`"),
        ({"exemplars": GREY, "shape": (64, 64, 0.5)}, "`shape`"),
        ({"exemplars": GREY, "shape": (64, 64, 4)}, "`shape`"),
        ({"exemplars": GREY, "slices": 0}, "`slices`"),
        ({"exemplars": GREY, "optimizer": "lbfgs"}, "`optimizer='adam'`"),
        ({"exemplars": GREY, "recipe": "texture"}, "`optimizer='adam'`"),
        ({"exemplars": GREY, "style_loss": "mrf"}, "`style_loss`"),
        ({"exemplars": GREY, "terms": [{"style_loss": "spectrum"}]}, "`style_loss='spectrum'`"),
        ({"exemplars": GREY, "parametrization": "laplacian"}, "`parametrization='pixels'`"),
        ({"exemplars": GREY, "init": "mix"}, "`init='noise'`"),
        ({"exemplars": GREY, "steering": nst.Steering(save_every=60)}, "`save_every`"),
    ],
)
def test_what_a_solid_texture_cannot_have_is_refused_at_once(arguments, names):
    with pytest.raises(ValueError, match=names):
        nst.synthesize_solid(**arguments)


def test_arguments_that_do_not_exist_are_refused():
    with pytest.raises(TypeError, match="slices"):
        nst.synthesize_solid(GREY, slice=4)


def test_a_run_can_be_stopped(solid):
    run = nst.synthesize_solid(data.coins()[:32, :32], (16, 16, 16), solid(steps=50))
    for iteration in run:
        if iteration.step == 2:
            run.stop()
    assert run.last.step == 2
    assert run.result(progress=False).shape == (16, 16, 16)


@pytest.mark.network
@pytest.mark.parametrize("padding", ["circular", "replicate"])
def test_a_periodic_volume_has_no_seam(padding, gatys, real):
    """Steps across the border are about as large as those inside if it is periodic."""
    exemplar = data.gravel()[:64, :64]  # smooth: neighbours are alike
    recipe = preset(
        "solid", padding=padding, steps=30, learning_rate=0.03, phases=(), min_size=12,
        style_layers={"relu1_1": 1, "relu2_1": 1}, precision="float32", device="cpu",
    )  # fmt: skip
    volume = nst.synthesize_solid(exemplar, (24, 24, 24), recipe).result(progress=False) / 255
    inside = np.mean([np.abs(np.diff(volume, axis=axis)).mean() for axis in range(3)])
    pairs = [(volume.take(0, axis), volume.take(-1, axis)) for axis in range(3)]
    across = np.mean([np.abs(first - last).mean() for first, last in pairs])
    assert (across < 1.4 * inside) == (padding == "circular"), across / inside
