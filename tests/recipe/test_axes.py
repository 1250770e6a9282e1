"""The axes of a sweep: what may be varied, and how a user writes it."""

import pytest

from napari_nst.recipe import CONTROLS, Recipe, preset
from napari_nst.recipe.sweep_axes import MAX_PICTURES, parse_values, swept, value_words


def test_there_is_a_recipe_for_each_combination_row_by_row():
    base = preset(seed=3)
    recipes = swept(base, {"style_weight": [1, 2.5], "size": (64, 96, 128)})
    expected = [(1, 64), (1, 96), (1, 128), (2.5, 64), (2.5, 96), (2.5, 128)]
    assert [(one.style_weight, one.size) for one in recipes] == expected
    assert recipes[4] == base.replace(style_weight=2.5, size=96)


def test_values_that_go_together_need_not_go_with_the_rest():
    recipes = swept(Recipe(), {"style_loss": ["mrf"], "style_norm": ["sum"]})
    assert recipes == [Recipe(style_loss="mrf", style_norm="sum")]
    with pytest.raises(ValueError, match="does not go with style_loss 'gram'"):
        swept(Recipe(), {"style_loss": ["mrf", "gram"], "style_norm": ["sum"]})


LAYERS = {"relu1_1": 1.0}
WRONG = {
    "nothing": ({}, ValueError, r"^A sweep varies one or two fields .*; not none\.$"),
    "three": (
        {"size": [1], "steps": [1], "seed": [1]},
        ValueError,
        r"not size, steps, seed\.$",
    ),
    "unknown": ({"style_wait": [1]}, ValueError, "did you mean 'style_weight'"),
    "no list": ({"size": 64}, TypeError, r"^size must be a list of values to sweep, not 64\.$"),
    "a text": ({"size": "64"}, TypeError, "size must be a list of values"),
    "no values": ({"size": []}, ValueError, r"^size has no values to sweep; give at least one\.$"),
    "out of bounds": ({"tv_weight": [1, -1]}, ValueError, "tv_weight must be at least 0"),
    "no choice": ({"color": ["red"]}, ValueError, "color must be one of style, luminance"),
    "twice": ({"size": [64, 64.0]}, ValueError, r"^size has a value twice among 64, 64\.0; give "),
    "layers twice": ({"style_layers": [LAYERS, "relu1_1"]}, ValueError, "has a value twice"),
    "too many": (
        {"size": list(range(32, 41)), "seed": list(range(8))},
        ValueError,
        r"^A sweep makes at most 64 pictures; 9 of size × 8 of seed would be 72, give fewer\.$",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_makes_no_sweep_is_refused(case):
    axes, error, says = WRONG[case]
    with pytest.raises(error, match=says):
        swept(Recipe(), axes)


def test_as_many_pictures_as_allowed_are_allowed():
    axes = {"size": list(range(32, 40)), "seed": list(range(8))}
    assert len(swept(Recipe(), axes)) == MAX_PICTURES == 64


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("style_weight", "2, 4,8e1", [2.0, 4.0, 80.0]),
        ("size", " 96,128 ,", [96, 128]),
        ("color", "style, pca", ["style", "pca"]),
        ("line_search", "off, on", [False, True]),
        ("line_search", "Yes", [True]),
        ("style_blend", "0.7, 0.3; 1, 0", [(0.7, 0.3), (1.0, 0.0)]),
        (
            "style_layers",
            "relu1_1; relu1_1:0.5, conv_4",
            [{"relu1_1": 1.0}, {"relu1_1": 0.5, "conv2_2": 1.0}],
        ),
        ("weights", "gatys, caffe", ["gatys", "caffe"]),
        ("size", "", []),
    ],
)
def test_values_are_read_as_a_user_types_them(name, text, values):
    parsed = parse_values(name, text)
    assert parsed == values
    assert [type(one) for one in parsed] == [type(one) for one in values] or name == "style_layers"


@pytest.mark.parametrize(
    ("name", "text", "error", "says"),
    [
        ("size", "96, big", ValueError, r"^size must be whole numbers such as .*; not 'big'\.$"),
        ("size", "96.5", ValueError, "size must be whole numbers"),
        ("style_weight", "2 4", ValueError, r"^style_weight must be numbers such as .*; not '2 4'"),
        ("style_weight", "2, nan", ValueError, "style_weight must be at least 0"),
        ("line_search", "maybe", ValueError, r"^line_search must be on or off; not 'maybe'\.$"),
        ("padding", "zero", ValueError, "padding must be one of zeros"),
        ("style_layers", "relu9_9", ValueError, "VGG-19 has no layer 'relu9_9'"),
        ("sise", "96", ValueError, r"A recipe has no field 'sise'; did you mean 'size'\?$"),
        ("name", "mine", ValueError, r"^name has no effect on the result; sweep another field"),
    ],
)
def test_values_that_cannot_be_read_are_told(name, text, error, says):
    with pytest.raises(error, match=says):
        parse_values(name, text)


def test_values_are_written_short():
    words = [value_words(one) for one in (2.0, 1e-8, 96, True, False, "pca", (0.5, 2.0), LAYERS)]
    assert words == ["2", "1e-08", "96", "on", "off", "pca", "0.5, 2", "relu1_1:1"]


@pytest.mark.parametrize("name", CONTROLS)
def test_what_is_written_can_be_read(name):
    value = getattr(Recipe(), name)
    if name == "scale_ratio":  # of which six digits are written
        value = 1.5
    assert parse_values(name, value_words(value)) == ([value] if value != () else [])
