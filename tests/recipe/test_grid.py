"""The axes of a sweep: the recipes that they make, and how a user writes them."""

import json

import pytest

from napari_nst.recipe import CONTROLS, Recipe, preset
from napari_nst.recipe.grid import MAX_PICTURES, Cell, Grid, parse_values, swept, value_words

LAYERS = {"relu1_1": 1.0}


def test_there_is_a_recipe_for_each_combination_row_by_row():
    base = preset(seed=3)
    recipes = swept(base, {"style_weight": [1, 2.5], "size": (64, 96, 128)})
    expected = [(1, 64), (1, 96), (1, 128), (2.5, 64), (2.5, 96), (2.5, 128)]
    assert [(one.style_weight, one.size) for one in recipes] == expected
    assert recipes[4] == base.replace(style_weight=2.5, size=96)


def test_values_have_to_be_allowed_together():
    recipes = swept(Recipe(), {"style_loss": ["mrf"], "style_norm": ["sum"]})
    assert recipes == [Recipe(style_loss="mrf", style_norm="sum")]
    with pytest.raises(ValueError, match="style_loss='gram'"):
        swept(Recipe(), {"style_loss": ["mrf", "gram"], "style_norm": ["sum"]})


@pytest.mark.parametrize(
    ("axes", "error", "message"),
    [
        ({}, ValueError, "one or two fields"),
        ({"size": [1], "steps": [1], "seed": [1]}, ValueError, "one or two fields"),
        ({"style_wait": [1]}, ValueError, "mean 'style_weight'"),
        ({"size": 64}, TypeError, "size.* list of values"),
        ({"size": "64"}, TypeError, "size.* list of values"),
        ({"size": []}, ValueError, "size.* no values"),
        ({"tv_weight": [1, -1]}, ValueError, "tv_weight.* at least 0"),
        ({"size": [64, 64.0]}, ValueError, "size.* twice"),
        ({"style_layers": [LAYERS, "relu1_1"]}, ValueError, "style_layers.* twice"),
        ({"size": list(range(32, 41)), "seed": list(range(8))}, ValueError, "would be 72"),
    ],
)
def test_other_axes_are_refused(axes, error, message):
    with pytest.raises(error, match=message):
        swept(Recipe(), axes)


def test_the_largest_sweep_is_allowed():
    axes = {"size": list(range(32, 40)), "seed": list(range(8))}
    assert len(swept(Recipe(), axes)) == MAX_PICTURES == 64


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("style_weight", "2, 4,8e1", [2.0, 4.0, 80.0]),
        ("size", " 96,128 ,", [96, 128]),
        ("color", "style, pca", ["style", "pca"]),
        ("line_search", "off, Yes", [False, True]),
        ("style_blend", "0.7, 0.3; 1, 0", [(0.7, 0.3), (1.0, 0.0)]),
        ("style_layers", "relu1_1; relu1_1:0.5, conv_4", [LAYERS, {"relu1_1": 0.5, "conv2_2": 1}]),
        ("size", "", []),
    ],
)
def test_values_are_read_from_text(name, text, values):
    assert parse_values(name, text) == values


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("size", "96, big"),
        ("size", "96.5"),
        ("style_weight", "2, nan"),
        ("line_search", "maybe"),
        ("padding", "zero"),
        ("style_layers", "relu9_9"),
        ("sise", "96"),
        ("name", "mine"),
    ],
)
def test_text_without_allowed_values_is_refused(name, text):
    with pytest.raises(ValueError, match=f"{name}|relu9_9"):
        parse_values(name, text)


@pytest.mark.parametrize("name", CONTROLS)
def test_short_text_of_a_value_can_be_read(name):
    value = 1.5 if name == "scale_ratio" else getattr(Recipe(), name)
    assert parse_values(name, value_words(value)) == ([value] if value != () else [])


def test_a_grid_is_plain_data():
    cells = [Cell(str(index), settings={"size": index}) for index in range(3)]
    grid = Grid.wrapped(cells, columns=2)
    assert [(cell.row, cell.column) for cell in grid.cells] == [(0, 0), (0, 1), (1, 0)]
    assert Grid.from_dict(json.loads(json.dumps(grid.to_dict()))) == grid
