"""One run again and again with other settings, and every layer explored."""

import json
import weakref

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine import api as jobs
from napari_nst.engine.sweep import explore_layers, sweep
from napari_nst.recipe import Recipe
from napari_nst.recipe.grid import Grid
from napari_nst.recipe.layer_names import EXPLORED_LAYERS
from tests.helpers.small_images import CONTENT, STYLE

AXES = {"style_weight": [0.5, 4], "size": [24, 32]}


def paint(recipe):
    return jobs.stylize(CONTENT, STYLE, recipe)


def panels_of(iterations):
    """Return the iterations of each panel."""
    iterations = list(iterations)
    return [
        [it for it in iterations if it.panel == index] for index in range(len(iterations[0].panels))
    ]


def assert_same_pictures(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        assert one.losses == other.losses


def grid_of(iteration):
    return Grid.from_dict(iteration.facts["grid"])


# Sweeps


def test_each_picture_is_that_of_a_run_with_its_own_settings(quick):
    recipe = quick()
    panels = panels_of(sweep(paint, recipe, AXES))
    expected = [(0.5, 24), (0.5, 32), (4, 24), (4, 32)]
    assert len(panels) == len(expected)
    for (weight, size), panel in zip(expected, panels, strict=True):
        own = recipe.replace(style_weight=weight, size=size)
        assert_same_pictures(panel, paint(own))
        assert panel[-1].shape == panel[-1].full_shape == (size, size)
        assert Recipe.from_dict(panel[-1].facts["recipe"]) == own


def test_the_grid_says_what_stands_where_and_is_plain_data(quick):
    last = list(sweep(paint, quick(steps=1), AXES))[-1]
    grid = grid_of(last)
    assert grid.rows == ("style_weight 0.5", "style_weight 4")
    assert grid.columns == ("size 24", "size 32")
    assert [(cell.row, cell.column) for cell in grid.cells] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert [dict(cell.settings) for cell in grid.cells][1:3] == [
        {"style_weight": 0.5, "size": 32},
        {"style_weight": 4.0, "size": 24},
    ]
    assert last.panels == tuple(cell.label for cell in grid.cells)
    assert last.panels[2] == "style_weight 4 · size 24"
    assert not any(cell.caption for cell in grid.cells)
    record = last.record(["photo.png", "painting.png"])
    assert record["arguments"]["sweep"] == {"style_weight": [0.5, 4.0], "size": [24, 32]}
    assert record["inputs"]["content"]["name"] == "photo.png"
    assert json.loads(json.dumps(record))["grid"] == grid.to_dict()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (3, 3), (5, 5), (7, 3)])
def test_a_single_field_is_a_row_or_several_with_captions(quick, count, columns):
    first = next(sweep(paint, quick(steps=1), {"seed": range(count)}))
    grid = grid_of(first)
    assert [cell.caption for cell in grid.cells] == [f"seed {index}" for index in range(count)]
    assert (len(grid.columns), len(grid.cells)) == (columns, count)
    assert {(cell.row, cell.column) for cell in grid.cells} == {
        divmod(index, columns) for index in range(count)
    }


def test_layers_and_choices_can_be_swept_in_any_job(quick):
    recipe = quick(init="noise", steps=1)
    axes = {"content_layers": [{"relu1_1": 1}, "relu2_1:2"], "pooling": ["max", "average"]}
    panels = panels_of(sweep(lambda one: jobs.reconstruct(CONTENT, one), recipe, axes))
    assert panels[2][0].panels[2] == "content_layers relu2_1:2 · pooling max"
    assert panels[3][0].facts["recipe"]["content_layers"] == {"relu2_1": 2.0}
    assert panels[3][0].facts["arguments"]["sweep"]["content_layers"] == [
        {"relu1_1": 1.0},
        {"relu2_1": 2.0},
    ]
    textures = sweep(
        lambda one: jobs.synthesize(STYLE, one, shape=(24, 40)), recipe, {"style_scale": [1, 0.75]}
    )
    arguments = next(textures).facts["arguments"]
    assert arguments == {"shape": [24, 40], "sweep": {"style_scale": [1.0, 0.75]}}


def test_steps_of_different_pictures_add_up(quick):
    iterations = list(sweep(paint, quick(), {"steps": [1, 3, 2]}))
    assert [it.step for it in iterations] == [1, 2, 3, 4, 5, 6]
    assert {it.steps for it in iterations} == {6}
    assert [it.panel for it in iterations] == [0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("axes", "says"),
    [
        ({"style_weight": [1, -1]}, "style_weight must be at least 0"),
        ({"style_wait": [1]}, "did you mean 'style_weight'"),
        ({"seed": range(65)}, "at most 64 pictures"),
        # Only the job knows what is too small for its layers.
        ({"size": [32, 8]}, "recipe's layers need"),
        ({"init": ["content", "image"]}, "init_image is missing"),
    ],
)
def test_all_is_checked_before_anything_starts(no_network, axes, says):
    recipe = nst.preset(size=32, min_size=0, content_layers={"relu4_1": 1}, device="cpu")
    with pytest.raises(ValueError, match=says):
        sweep(paint, recipe, axes)


def test_what_is_checked_is_not_held_until_its_turn(quick):
    """A run that has not begun holds the images that it has read."""
    begun, alive = [], weakref.WeakSet()

    def noted(recipe):
        begun.append(recipe.seed)
        iterations = paint(recipe)
        alive.add(iterations)
        return iterations

    iterations = sweep(noted, quick(steps=1), {"seed": [5, 6, 7]})
    assert begun == [5, 6, 7]
    assert not alive
    assert [it.facts["seed"] for it in iterations] == [5, 6, 7]
    assert begun == [5, 6, 7] * 2


# Layers explored


def test_every_layer_has_a_reconstruction_and_a_texture_of_itself_alone(quick):
    quick()  # installs the network
    layers = ["relu1_2", "pool1", "relu2_1"]
    fields = {"precision": "float32", "device": "cpu", "seed": 4}
    panels = panels_of(explore_layers(CONTENT, layers=layers, size=24, steps=2, **fields))
    assert panels[0][0].panels == tuple(
        f"{layer} {kind}" for layer in layers for kind in ("reconstruction", "texture")
    )
    own = {"size": 24, "steps": 2, "tv_weight": 20, **fields}
    for layer, kept, look in zip(layers, panels[::2], panels[1::2], strict=True):
        kept_recipe = nst.preset("reconstruction", content_layers={layer: 1}, **own)
        look_recipe = nst.preset("texture", style_layers={layer: 1}, min_size=0, **own)
        assert_same_pictures(kept, jobs.reconstruct(CONTENT, kept_recipe))
        assert_same_pictures(look, jobs.synthesize(CONTENT, look_recipe))
        assert Recipe.from_dict(look[0].facts["recipe"]).style_layers == {layer: 1.0}


def test_the_layers_stand_by_their_blocks_reconstructions_left_of_textures(quick):
    quick()
    first = next(explore_layers(CONTENT, layers=["relu1_2", "pool1", "relu2_1"], size=24, steps=1))
    grid = grid_of(first)
    assert [(cell.caption, cell.row, cell.column) for cell in grid.cells] == [
        ("relu1_2", 0, 0), ("relu1_2", 0, 2), ("pool1", 0, 1), ("pool1", 0, 3),
        ("relu2_1", 1, 0), ("relu2_1", 1, 2),
    ]  # fmt: skip
    assert dict(grid.cells[0].settings) == {"content_layers": {"relu1_2": 1.0}}
    assert dict(grid.cells[-1].settings) == {"style_layers": {"relu2_1": 1.0}}
    assert [bool(heading) for heading in grid.columns] == [True, False, True, False]
    assert first.facts["arguments"]["explore"] == ["relu1_2", "pool1", "relu2_1"]


def test_all_that_can_be_chosen_with_sense_is_explored(no_network):
    assert len(EXPLORED_LAYERS) == 21
    assert (EXPLORED_LAYERS[0], EXPLORED_LAYERS[-1]) == ("relu1_1", "pool5")
    with pytest.raises(AssertionError, match="reached for the weights"):
        next(explore_layers(CONTENT))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"layers": []}, r"^layers must name each once, and at least one; not \[\]\.$"),
        ({"layers": ["relu1_1", "block1_conv1"]}, "layers must name each once"),
        ({"layers": ["relu9_1"]}, "VGG-19 has no layer 'relu9_1'"),
        ({"size": 8}, "^size 8 makes the content 8 pixels narrow"),
        ({"steps": 0}, "steps must be between 1"),
        ({"pooling": "none"}, "pooling must be one of"),
        ({"colour": "style"}, "A recipe has no field 'colour'"),
    ],
)
def test_what_cannot_be_explored_is_told_at_once(no_network, changes, says):
    with pytest.raises(ValueError, match=says):
        explore_layers(CONTENT, **changes)


@pytest.mark.network
def test_deep_layers_keep_less_of_an_image(real):
    fields = {"size": 64, "steps": 25, "device": "cpu", "precision": "float32"}
    panels = panels_of(explore_layers(CONTENT, layers=["relu1_1", "relu4_1"], **fields))
    shallow, deep = (np.abs(panel[-1].image - CONTENT / 255).mean() for panel in panels[::2])
    assert shallow < 0.08
    assert deep > 2 * shallow
