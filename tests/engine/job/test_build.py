"""What jobs say, in one sentence and before anything starts, of what they cannot use."""

import re

import numpy as np
import pytest

from napari_nst.engine import api as jobs
from napari_nst.engine import compare as series
from napari_nst.recipe import preset
from tests.helpers.small_images import CONTENT, STYLE, with_alpha

GREY = CONTENT[..., 0]
HIDDEN = with_alpha(CONTENT, np.zeros((64, 64), bool))


def said_by(call):
    """Return what a call says, as one sentence; nothing may have been started."""
    with pytest.raises((ValueError, TypeError)) as told:
        call()
    said = str(told.value)
    assert said.endswith((".", "?"))
    assert "\n" not in said
    assert len(said) < 250
    return type(told.value), said


def check(call, error, told):
    kind, said = said_by(call)
    assert kind is error
    assert re.search(told, said), said


def transfer(content=CONTENT, style=STYLE, options=None, **fields):
    recipe = preset(**{"padding": "replicate", **fields})
    return lambda: jobs.stylize(content, style, recipe, **(options or {}))


def texture(exemplar=STYLE, options=None, **fields):
    return lambda: jobs.synthesize(exemplar, preset("texture", **fields), **(options or {}))


def reconstruction(image=CONTENT, options=None, **fields):
    return lambda: jobs.reconstruct(image, preset("reconstruction", **fields), **(options or {}))


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (transfer(CONTENT[0, 0]), ValueError, "^content must be an image "),
        (transfer(style=STYLE[None]), ValueError, "^style must be an image "),
        (transfer(style=[STYLE, STYLE[0, 0]]), ValueError, "^style must be an image "),
        (transfer(style=[]), ValueError, r"^style is an empty list; give at least one image\.$"),
        (transfer(CONTENT.astype(int)), TypeError, "^content must be .* its type is int"),
        (transfer(style=STYLE > 0), TypeError, "^style must be .* its type is bool"),
        (transfer(CONTENT * 1.0), ValueError, r"^content must be in \[0, 1\]; "),
        (transfer(np.full((40, 40), np.nan)), ValueError, "^content has pixels that are NaN"),
        (transfer(style=np.full((40, 40), np.inf)), ValueError, "^style has pixels that are NaN"),
        (transfer(CONTENT[:0]), ValueError, "^content must have at least one pixel"),
        (transfer(HIDDEN), ValueError, "^content is transparent everywhere; "),
        (transfer(size=10), ValueError, "^size 10 .* take a size of at least 16.$"),
        (transfer(CONTENT[:4], size=10), ValueError, "^size 10 .* size of at least 256.$"),
        (transfer(CONTENT[:4], size=0), ValueError, "^size 64 makes the content 4 pixels narrow"),
        (transfer(style=STYLE[:15]), ValueError, "^style is 15 × 64 pixels; .* at least 16 "),
        (transfer(style=[STYLE, STYLE[:, :9]]), ValueError, "^style is 64 × 9 pixels; "),
        (transfer(weights="resnet"), ValueError, "^weights must be gatys, .*'resnet'"),
        (transfer(weights=""), ValueError, "^weights must be gatys, "),
        (transfer(device="abacus"), ValueError, "^device 'abacus' is not on this mach"),
        (
            transfer(style_blend=(1, 2)),
            ValueError,
            r"^style_blend has 2 numbers for 1 style; give one for each\.$",
        ),
        (
            transfer(style=[STYLE] * 3, style_blend=(1,)),
            ValueError,
            "^style_blend has 1 numbers for 3 styles; ",
        ),
        (
            transfer(init="image"),
            ValueError,
            r"^init is 'image', but init_image is missing; give one, or another init\.$",
        ),
        (
            transfer(init="image", options={"init_image": CONTENT[0, 0]}),
            ValueError,
            "^init_image must be an image ",
        ),
        (
            transfer(options={"pixel_sizes": (1.0,)}),
            ValueError,
            r"^pixel_sizes must be the content's and each style's, all above 0; not \[1\.0\] for",
        ),
        (transfer(options={"pixel_sizes": (1, 1, 1)}), ValueError, "^pixel_sizes .* for 1 style.$"),
        (
            transfer(options={"pixel_sizes": (1, 0)}),
            ValueError,
            r"^pixel_sizes .* not \[1\.0, 0\.0\] ",
        ),
        (transfer(options={"pixel_sizes": (-1, 1)}), ValueError, "^pixel_sizes .* all above 0; "),
        (transfer(options={"pixel_sizes": (1, np.nan)}), ValueError, "^pixel_sizes .* all above"),
        (transfer(options={"pixel_sizes": (np.inf, 1)}), ValueError, "^pixel_sizes .* all above"),
        (
            transfer(style=[STYLE] * 2, options={"pixel_sizes": (1, 1)}),
            ValueError,
            "^pixel_sizes .* for 2 styles",
        ),
        (
            transfer(style_sizing="physical", size=64, options={"pixel_sizes": (1, 0.1)}),
            ValueError,
            r"^style is 6 pixels narrow at the .* need 16; take a larger size or style_scale, or",
        ),
        (
            transfer(style_sizing="physical", size=32, style_scale=0.25),
            ValueError,
            "^style is 8 pixels narrow at the content's pixel size, ",
        ),
        # Textures
        (texture([]), ValueError, r"^exemplar is an empty list; give at least one image\.$"),
        (texture(STYLE[0, 0]), ValueError, "^exemplar must be an image "),
        (texture(STYLE[:15]), ValueError, "^exemplar is 15 × 64 pixels; .* take a larger image"),
        (texture([STYLE, HIDDEN]), ValueError, "^exemplar is transparent everywhere; "),
        (
            texture(style_weight=0, content_weight=1),
            ValueError,
            r"^style_weight is 0, or all style_layers are; a texture needs some style\.$",
        ),
        (
            texture(style_layers={"relu1_1": 0}, content_weight=1),
            ValueError,
            "^style_weight is 0, or all style_layers are; ",
        ),
        (
            texture(init="content"),
            ValueError,
            r"^init is 'content', which a texture does not have; take 'noise'\.$",
        ),
        (texture(init="image"), ValueError, "^init is 'image', but init_image is missing; "),
        (texture(style_blend=(1, 2)), ValueError, "^style_blend has 2 numbers for 1 style; "),
        (texture(options={"shape": (8, 200)}), ValueError, "^shape 8 × 200 is too small .* 16 pix"),
        (texture(options={"shape": (0, 200)}), ValueError, "^shape must be at least one pixel on"),
        (texture(options={"shape": (-5, 200)}), ValueError, "^shape must be at least one pixel"),
        (
            texture(options={"shape": 64}),
            ValueError,
            r"^shape must be height and width in pixels; not 64\.$",
        ),
        (texture(options={"shape": (64,)}), ValueError, r"^shape must be height and width .*\(64,"),
        (texture(options={"shape": (64, 64, 3)}), ValueError, "^shape must be height and width"),
        (texture(options={"shape": "big"}), ValueError, "^shape must be height and width in pix"),
        (texture(options={"shape": (64, None)}), ValueError, "^shape must be height and width"),
        (texture(options={"shape": (64, np.inf)}), ValueError, "^shape must be height and width"),
        (texture(weights="resnet"), ValueError, "^weights must be gatys, "),
        (texture(device="abacus"), ValueError, "^device 'abacus' is not on this mach"),
        # Reconstructions
        (reconstruction(CONTENT[0, 0]), ValueError, "^image must be an image "),
        (reconstruction(HIDDEN), ValueError, "^image is transparent everywhere; "),
        (reconstruction(CONTENT > 0), TypeError, "^image must be .* its type is bool"),
        (
            reconstruction(content_weight=0, style_weight=1),
            ValueError,
            r"^content_weight is 0, or all content_layers are; .* needs some content\.$",
        ),
        (
            reconstruction(content_layers={"relu4_2": 0}, style_weight=1),
            ValueError,
            "^content_weight is 0, or all content_layers are; ",
        ),
        (
            reconstruction(init="content"),
            ValueError,
            r"^init is 'content', which leaves nothing to reconstruct; take 'noise' or 'mix'\.$",
        ),
        (reconstruction(init="style"), ValueError, "^init is 'style', which leaves nothing to rec"),
        (reconstruction(init="image"), ValueError, "^init is 'image', but init_image is missing; "),
        (reconstruction(size=4), ValueError, "^size 4 makes the content 4 pixels narrow, "),
        (reconstruction(weights="resnet"), ValueError, "^weights must be gatys, "),
    ],
    ids=lambda value: value.strip("^")[:50] if isinstance(value, str) else "",
)
def test_bad_input_is_told_at_once(no_network, call, error, told):
    check(call, error, told)


@pytest.mark.parametrize("pixel_sizes", [0.5, ["a", "b"], [None, 1.0]], ids=str)
def test_pixel_sizes_that_are_no_numbers_are_told_in_a_sentence(no_network, pixel_sizes):
    _, said = said_by(transfer(options={"pixel_sizes": pixel_sizes}))
    assert said.startswith("pixel_sizes must be ")


@pytest.mark.parametrize(
    "job",
    [
        lambda recipe: jobs.synthesize(STYLE, recipe),
        lambda recipe: jobs.reconstruct(CONTENT, recipe),
        lambda recipe: series.stylize_channels([GREY], [STYLE], recipe),
        lambda recipe: list(series.compare_reconstructions(CONTENT, recipe)),
        lambda recipe: list(series.compare_textures(STYLE, recipe)),
    ],
    ids=["synthesize", "reconstruct", "channels", "reconstructions", "textures"],
)
@pytest.mark.parametrize("recipe", ["texture", {"steps": 3}, 3])
def test_what_is_no_recipe_is_refused(no_network, job, recipe):
    kind, said = said_by(lambda: job(recipe))
    assert kind is TypeError
    assert said.startswith("recipe must be a Recipe, such as preset('default'); ")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            lambda: series.compare_reconstructions(CONTENT, layers=[]),
            r"^layers is empty; name at least one, such as relu4_2\.$",
        ),
        (
            lambda: series.compare_textures(STYLE, layers=["relu1_1", "conv2_1", "block1_conv1"]),
            "^layers names one of relu1_1, conv2_1, relu1_1 twice; give each once",
        ),
        (
            lambda: series.compare_reconstructions(CONTENT, layers=["relu9_1"]),
            "^VGG-19 has no layer 'relu9_1'; ",
        ),
        (lambda: series.compare_textures(STYLE[:4]), "^exemplar is 4 × 64 pixels; "),
        (lambda: series.compare_textures(STYLE, shape=(4, 4)), "^shape 4 × 4 is too small "),
        (lambda: series.compare_reconstructions(HIDDEN), "^image is transparent everywhere"),
        (
            lambda: series.stylize_channels([], [STYLE]),
            "^contents must be channels of one shape; theirs are none",
        ),
        (
            lambda: series.stylize_channels([GREY, GREY[:40]], [STYLE]),
            r"^contents must be channels of one shape; theirs are \[\(40, 64\), \(64, 64\)\]\.$",
        ),
        (
            lambda: series.stylize_channels([GREY] * 3, [STYLE] * 2),
            "^styles must be one for all, or one for each of the 3 channels; there are 2",
        ),
        (
            lambda: series.stylize_channels([GREY] * 3, []),
            "^styles must be one for all, or one for each of the 3 channels; there are 0",
        ),
        (
            lambda: series.stylize_channels([GREY] * 2, [STYLE], labels=["DAPI"]),
            "^labels must be one for each of the 2 channels; there is 1",
        ),
    ],
    ids=lambda value: value.strip("^")[:50] if isinstance(value, str) else "",
)
def test_bad_input_to_a_series_is_told_at_once(no_network, call, told):
    """Before the first picture, not when the turn of the one at fault comes."""
    check(call, ValueError, told)
