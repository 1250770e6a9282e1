"""Runs in float16, whose gradients would underflow or overflow without a loss scale."""

import pytest
import skimage.data
import torch

import napari_nst as nst
from napari_nst.errors import NstError
from napari_nst.recipe import preset, preset_names, published

CONTENT = skimage.data.astronaut()[100:148, 200:264]
STYLE = skimage.data.coffee()[150:190, 100:153]


@pytest.mark.parametrize("weight", [1e-6, 1e6])
def test_losses_of_any_size(quick, weight):
    """A small weight underflows, a large weight overflows unless the factor is lowered."""
    fields = {"content_weight": weight, "style_weight": 8 * weight, "tv_weight": 0}
    half = list(nst.stylize(CONTENT, STYLE, quick(**fields, precision="float16")))
    exact = list(nst.stylize(CONTENT, STYLE, quick(**fields)))
    assert half[-1].losses == pytest.approx(exact[-1].losses, rel=0.1)


@pytest.mark.parametrize("tile", [0, 128], ids=["whole", "tiled"])
def test_a_gradient_that_overflows_is_computed_again(quick, tile):
    fields = {"content_weight": 1e8, "style_weight": 1e9, "tile": tile, "size": 136}
    half = list(nst.stylize(CONTENT, STYLE, quick(**fields, precision="float16")))
    exact = list(nst.stylize(CONTENT, STYLE, quick(**fields)))
    assert half[-1].losses["total"] == pytest.approx(exact[-1].losses["total"], rel=0.05)
    assert half[-1].losses["total"] < 0.9 * half[0].losses["total"]


@pytest.mark.parametrize(
    ("optimizer", "pooling"), [("lbfgs", "max"), ("adam", "average"), ("lbfgs", "l2")]
)
def test_runs_in_float16(quick, optimizer, pooling):
    fields = {"optimizer": optimizer, "pooling": pooling, "size": 64, "min_size": 45, "steps": 12}
    half = list(nst.stylize(CONTENT, STYLE, quick(**fields, precision="float16")))
    exact = list(nst.stylize(CONTENT, STYLE, quick(**fields)))
    assert half[-1].record()["precision"] == "float16"
    assert half[0].losses == pytest.approx(exact[0].losses, rel=0.02)
    assert half[-1].losses["total"] == pytest.approx(exact[-1].losses["total"], rel=0.05)


def test_features_that_overflow_raise_an_error_with_the_cure(quick, untrained, tmp_path):
    large = untrained.parameters["conv1_1.weight"] * 1e6
    torch.save({**untrained.parameters, "conv1_1.weight": large}, tmp_path / "large.pth")
    recipe = quick(weights=str(tmp_path / "large.pth"))
    with pytest.raises(NstError, match="precision float32"):
        next(nst.stylize(CONTENT, STYLE, recipe.replace(precision="float16")))
    next(nst.stylize(CONTENT, STYLE, recipe))


@pytest.mark.network
@pytest.mark.parametrize("name", preset_names())
def test_every_preset_runs_in_float16(name):
    """The losses of the presets, and so their gradients, differ by ten orders of magnitude."""

    def last_loss(precision):
        fields = {"size": 48, "min_size": 0, "init": "noise", "steps": 2, "device": "cpu"}
        recipe = preset(name, **fields, weights="gatys", precision=precision)
        job = published(name).job
        if job == "transfer":
            iterations = nst.stylize(CONTENT, STYLE, recipe)
        elif job == "texture":
            iterations = nst.synthesize(STYLE, recipe)
        else:
            iterations = nst.reconstruct(STYLE, recipe)
        return list(iterations)[-1].losses["total"]

    assert last_loss("float16") == pytest.approx(last_loss("float32"), rel=0.03)
