"""Jobs are checked before anything slow starts, and errors name the argument."""

import subprocess
import sys
import warnings

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.recipe import preset
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

GREY = CONTENT[..., 0]
HIDDEN = with_alpha(CONTENT, np.zeros((64, 64), bool))


def transfer(content=CONTENT, style=STYLE, options=None, **fields):
    recipe = preset(**{"padding": "replicate", **fields})
    return lambda: nst.stylize(content, style, recipe, **(options or {}))


def texture(exemplar=STYLE, shape=None, **fields):
    return lambda: nst.synthesize(exemplar, preset("texture", **fields), shape=shape)


def reconstruction(image=CONTENT, **fields):
    return lambda: nst.reconstruct(image, preset("reconstruction", **fields))


def pixels(*sizes, style=STYLE, **fields):
    return transfer(style=style, options={"pixel_sizes": sizes}, **fields)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (transfer(CONTENT[0, 0]), "content.* must be an image"),
        (transfer(HIDDEN), "content.* transparent"),
        (transfer(size=10), "size.* 10 .* 16"),
        (transfer(CONTENT[:4], size=0), "size.* 64 .* 4 pixels"),
        (transfer(style=[STYLE, STYLE[:, :9]]), "style.* 64 × 9 .* 16 "),
        (transfer(weights="resnet"), "weights.* gatys, .*'resnet'"),
        (transfer(device="abacus"), "device='abacus'"),
        (transfer(style_blend=(1, 2)), "style_blend.* 1 .* 2"),
        (transfer(init="image"), "init='image'.*init_image"),
        (pixels(1.0), "pixel_sizes.* 2 "),
        (pixels(1, 0), "pixel_sizes.* above 0"),
        (pixels("a", "b"), "pixel_sizes"),
        (pixels(1, 1, style=[STYLE] * 2), "pixel_sizes.* 3 "),
        (pixels(1, 0.1, style_sizing="physical", size=64), "style is 6 pixels .* need 16"),
        (texture([]), "exemplar.* empty"),
        (texture(STYLE[:7]), "exemplar.* 7 × 64"),
        (texture(style_weight=0, content_weight=1), "style_weight.*style_layers"),
        (texture(init="content"), "init='content'"),
        (texture(shape=(7, 200)), " 7 × 200 .*shape"),
        (texture(shape=64), "shape.* not 64"),
        (reconstruction(content_weight=0, style_weight=1), "content_weight.*content_layers"),
        (reconstruction(init="style"), "init='style'"),
        # Several runs: before the first one, not when it is the turn of the one at fault.
        (lambda: nst.compare_reconstructions(CONTENT, layers=[]), "layers"),
        (
            lambda: nst.compare_textures(STYLE, layers=["relu1_1", "block1_conv1"]),
            "layers",
        ),
        (lambda: nst.compare_reconstructions(HIDDEN), "image.* transparent"),
        (
            lambda: nst.stylize_channels([GREY, GREY[:40]], [STYLE]),
            "contents",
        ),
        (
            lambda: nst.stylize_channels([GREY] * 3, [STYLE] * 2),
            "styles.* 3 channels",
        ),
        (
            lambda: nst.stylize_channels([GREY] * 2, [STYLE], labels=["DAPI"]),
            "labels.* 2 channels",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_arguments_that_cannot_be_used_are_refused_at_once(no_network, call, told):
    with pytest.raises(ValueError, match=told):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda recipe: nst.stylize(CONTENT, STYLE, recipe),
        lambda recipe: nst.synthesize(STYLE, recipe),
        lambda recipe: nst.reconstruct(CONTENT, recipe),
        lambda recipe: nst.stylize_channels([GREY], [STYLE], recipe),
        lambda recipe: nst.compare_reconstructions(CONTENT, recipe),
        lambda recipe: nst.compare_textures(STYLE, recipe),
    ],
)
def test_a_recipe_must_be_a_recipe(no_network, call):
    with pytest.raises(TypeError, match="recipe"):
        call({"size": 64})
    with pytest.raises(ValueError, match="gatys-2016"):
        call("gatys-2106")


def test_checking_arguments_imports_no_torch():
    program = (
        "import sys, numpy, napari_nst as nst\n"
        "image = numpy.zeros((64, 64, 3))\n"
        "nst.order_to_stylize(image, image, guide=numpy.ones((64, 64), int)).notes_on_regions()\n"
        "region = numpy.eye(64, dtype=int)\n"
        "nst.order_to_synthesize(None, None, into=image, region=region)\n"
        "nst.order_to_reconstruct(image)\n"
        "try:\n"
        "    nst.stylize('missing.png', image)\n"
        "except FileNotFoundError:\n"
        "    pass\n"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_doubtful_input_is_told_before_the_run():
    deep = CONTENT.astype(np.uint16) * 16
    with pytest.warns(UserWarning, match=r"content.* nearly black: .* 4\d\d\d of 65535"):
        nst.stylize(deep, STYLE)
    with pytest.warns(UserWarning, match="500"):
        nst.stylize(np.zeros((32, 1000, 3), np.uint8), STYLE, preset(size=200))
    nearest = preset(terms=[{"style_loss": "nn"}], style_blend=(3, 1))
    with pytest.warns(UserWarning, match="'nn'"):
        nst.stylize(CONTENT, [STYLE, STYLE], nearest)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nst.stylize(CONTENT, [STYLE, STYLE], nearest.replace(style_blend=(0, 1)))
        nst.stylize(CONTENT.astype(np.uint16) * 257, STYLE)
        nst.stylize(np.zeros((64, 64), np.uint16), STYLE)


ORDERS = {
    "default": lambda *recipe, **fields: nst.order_to_stylize(CONTENT, STYLE, *recipe, **fields),
    "texture": lambda *recipe, **fields: nst.order_to_synthesize(STYLE, *recipe, **fields),
    "reconstruction": lambda *recipe, **fields: nst.order_to_reconstruct(
        CONTENT, *recipe, **fields
    ),
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_recipe_is_named_and_its_fields_are_keywords(tmp_path, name):
    order = ORDERS[name]
    assert order(size=80).recipe == order(preset(name, size=80)).recipe
    assert order(name, steps=7).recipe == order(preset(name, steps=7)).recipe
    recipe = preset(name, size=96, seed=5)
    assert order(recipe, steps=7).recipe == order(recipe.replace(steps=7)).recipe
    (tmp_path / "mine.json").write_text(recipe.to_json())
    assert order(tmp_path / "mine.json").recipe == order(recipe).recipe
    assert order(str(tmp_path / "mine.json"), seed=6).recipe.seed == 6


def test_any_preset_can_be_named():
    for name in nst.preset_names("transfer"):
        assert nst.order_to_stylize(CONTENT, STYLE, name).recipe == preset(name)


@pytest.mark.parametrize(
    ("call", "near"),
    [
        (lambda: nst.stylize(CONTENT, STYLE, szie=64), "'size'"),
        (lambda: nst.stylize(CONTENT, STYLE, guides=CONTENT), "'guide'"),
        (lambda: nst.synthesize(STYLE, exemplar_regions=STYLE), "'exemplar_region'"),
        (lambda: nst.reconstruct(CONTENT, steerings=None), "'steering'"),
        (lambda: nst.stylize(CONTENT, STYLE, iterations=100), "'steps'"),
        (lambda: nst.reconstruct(CONTENT, guide=CONTENT), "init_image"),  # the arguments there are
    ],
)
def test_unknown_keywords_are_refused_with_the_nearest_name(call, near):
    with pytest.raises(TypeError, match=near):
        call()


@pytest.mark.parametrize("name", ["progress", "steering", "after", "losses"])
@pytest.mark.parametrize("value", [True, CONTENT])
def test_options_of_a_run_are_checked_before_it(no_network, name, value):
    with pytest.raises(TypeError, match=f"`{name}`"):
        nst.reconstruct(CONTENT, **{name: value})


def test_an_image_where_another_argument_belongs_is_named_by_its_shape(no_network):
    with pytest.raises(TypeError, match=r"`recipe`.*\(64, 64, 3\)\.$"):
        nst.stylize(CONTENT, STYLE, STYLE)
    with pytest.raises(TypeError, match=r"`size`.*\(64, 64, 3\)\.$"):
        nst.stylize(CONTENT, STYLE, size=STYLE)


def test_a_start_image_that_is_not_used_is_told(no_network):
    with pytest.warns(UserWarning, match="`init_image`"):
        nst.stylize(CONTENT, STYLE, init_image=STYLE)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: nst.loss_maps(CONTENT, STYLE), "order"),
        (lambda: nst.gram_view(CONTENT, STYLE, "relu1_1"), "order"),
        (lambda: nst.sweep(lambda _: None, nst.preset(), ["size"]), "axes"),
        (lambda: nst.on_flavour("default", "gatys"), "recipe"),
        (lambda: nst.Steering(save_every="60"), "save_every"),
        (lambda: nst.Steering().change(style_wieght=3), "style_wieght.*'style_weight'"),
    ],
)
def test_other_functions_name_the_argument_of_a_wrong_type(no_network, call, named):
    with pytest.raises((TypeError, ValueError), match=f"`{named}"):
        call()
