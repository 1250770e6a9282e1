"""One run repeated with other settings, and all layers explored."""

import json
import weakref

import numpy as np
import pytest

import napari_nst as nst
from napari_nst.engine.job import input_image
from napari_nst.recipe import Recipe
from napari_nst.recipe.grid import Grid
from tests.helpers.panels import assert_same_images, panels_of
from tests.helpers.small_images import CONTENT, STYLE

AXES = {"style_weight": [0.5, 4], "size": [24, 32]}


def paint(recipe):
    return nst.stylize(CONTENT, STYLE, recipe)


def grid_of(iteration):
    return Grid.from_dict(iteration.facts["grid"])


# Sweeps


def test_each_image_is_that_of_a_run_with_its_own_settings(quick):
    recipe = quick(steps=2)
    panels = panels_of(nst.sweep(paint, recipe, AXES))
    expected = [(0.5, 24), (0.5, 32), (4, 24), (4, 32)]
    for (weight, size), panel in zip(expected, panels, strict=True):
        own = recipe.replace(style_weight=weight, size=size)
        assert_same_images(panel, paint(own))
        assert panel[-1].shape == panel[-1].full_shape == (size, size)
        assert Recipe.from_dict(panel[-1].facts["recipe"]) == own


def test_the_grid_has_the_place_and_settings_of_each_image(quick):
    first = next(nst.sweep(paint, quick(steps=1), AXES))
    grid = grid_of(first)
    assert grid.rows == ("style_weight 0.5", "style_weight 4")
    assert grid.columns == ("size 24", "size 32")
    assert [(cell.row, cell.column) for cell in grid.cells] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert dict(grid.cells[1].settings) == {"style_weight": 0.5, "size": 32}
    assert first.panels == tuple(cell.label for cell in grid.cells)
    assert first.panels[2] == "style_weight 4 · size 24"
    record = first.record(["photo.png", "painting.png"])
    assert record["arguments"]["sweep"] == {"style_weight": [0.5, 4.0], "size": [24, 32]}
    assert record["inputs"]["content"]["name"] == "photo.png"
    assert json.loads(json.dumps(record))["grid"] == grid.to_dict()


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (5, 5), (7, 3)])
def test_a_single_field_is_a_row_or_several_with_captions(quick, count, columns):
    grid = grid_of(next(nst.sweep(paint, quick(steps=1), {"seed": range(count)})))
    assert [cell.caption for cell in grid.cells] == [f"seed {index}" for index in range(count)]
    places = [(cell.row, cell.column) for cell in grid.cells]
    assert places == [divmod(index, columns) for index in range(count)]


def test_headings_are_short_and_differ(quick):
    fields = {"style_loss": "remd", "style_layers": "relu1_1, relu2_1", "samples": 64}
    phases = [[], [fields], [{**fields, "style_weight": 2}]]
    grid = grid_of(next(nst.sweep(paint, quick(steps=1), {"phases": phases})))
    captions = [cell.caption for cell in grid.cells]
    assert len(set(captions)) == 3
    assert all(caption.startswith("phases ") and len(caption) < 80 for caption in captions)
    assert [len(cell.settings["phases"]) for cell in grid.cells] == [0, 1, 1]


def test_layers_and_choices_can_be_swept_in_any_job(quick):
    recipe = quick(init="noise", steps=1)
    axes = {"content_layers": [{"relu1_1": 1}, "relu2_1:2"], "pooling": ["max", "average"]}
    panels = panels_of(nst.sweep(lambda one: nst.reconstruct(CONTENT, one), recipe, axes))
    assert panels[2][0].panels[2] == "content_layers relu2_1:2 · pooling max"
    assert panels[3][0].facts["recipe"]["content_layers"] == {"relu2_1": 2.0}
    swept = panels[3][0].facts["arguments"]["sweep"]["content_layers"]
    assert swept == [{"relu1_1": 1.0}, {"relu2_1": 2.0}]

    def begin(one):
        return nst.synthesize(STYLE, one, shape=(24, 40))

    arguments = next(nst.sweep(begin, recipe, {"style_scale": [1, 0.75]})).facts["arguments"]
    assert arguments == {"shape": [24, 40], "sweep": {"style_scale": [1.0, 0.75]}}


@pytest.mark.parametrize(
    ("axes", "told"),
    [
        ({"style_weight": [1, -1]}, "style_weight.* at least 0"),
        ({"size": [32, 8]}, "recipe's layers need"),  # only the job can know this
        ({"init": ["content", "image"]}, "init_image"),
    ],
)
def test_all_is_checked_before_anything_starts(no_network, axes, told):
    recipe = nst.preset(size=32, min_size=0, content_layers={"relu4_1": 1}, device="cpu")
    with pytest.raises(ValueError, match=told):
        nst.sweep(paint, recipe, axes)


def test_checked_runs_are_not_held_until_their_turn(quick):
    """A run that has not begun holds its images."""
    begun, alive = [], weakref.WeakSet()

    def noted(recipe):
        begun.append(recipe.seed)
        iterations = paint(recipe)
        alive.add(iterations)
        return iterations

    iterations = nst.sweep(noted, quick(steps=1), {"seed": [5, 6]})
    assert begun == [5, 6]
    assert not alive
    assert [it.facts["seed"] for it in iterations] == [5, 6]


def test_images_are_converted_and_hashed_once(quick, monkeypatch):
    read, converted = input_image._read, []

    def counted(image, name):
        converted.append(name)
        return read(image, name)

    monkeypatch.setattr(input_image, "_read", counted)
    recipe, start = quick(steps=1, init="image"), CONTENT.copy()
    panels = panels_of(
        nst.sweep(lambda one: nst.stylize(CONTENT, STYLE, one, init_image=start), recipe, AXES)
    )
    assert len(panels) == 4
    assert converted == ["content", "style", "init_image"]


def test_an_array_that_takes_the_place_of_another_is_read(quick):
    """Arrays may be made for each image and freed; the next may have the same address."""

    def begin(recipe):
        return nst.stylize(np.full((32, 32, 3), 25 * recipe.seed, np.uint8), STYLE, recipe)

    recipe = quick(steps=1, learning_rate=1e-6)
    panels = panels_of(nst.sweep(begin, recipe, {"seed": range(1, 5)}))
    for seed, panel in enumerate(panels, start=1):
        assert panel[-1].image.mean() * 255 == pytest.approx(25 * seed, abs=1)


# Layers explored


def test_every_layer_has_a_reconstruction_and_a_texture_of_its_own(untrained_file):
    layers = ["relu1_2", "pool1", "relu2_1"]
    fields = {"precision": "float32", "device": "cpu", "seed": 4, "weights": untrained_file}
    panels = panels_of(nst.explore_layers(CONTENT, layers=layers, size=24, steps=2, **fields))
    first = panels[0][0]
    assert first.panels[:3] == ("relu1_2 reconstruction", "relu1_2 texture", "pool1 reconstruction")
    own = {"size": 24, "steps": 2, "tv_weight": 20, **fields}
    for layer, kept, texture in zip(layers, panels[::2], panels[1::2], strict=True):
        recipe = nst.preset("reconstruction", content_layers={layer: 1}, **own)
        assert_same_images(kept, nst.reconstruct(CONTENT, recipe))
        alone = {"style_layers": {layer: 1}, "terms": (), "phases": (), "min_size": 0}
        recipe = nst.preset("texture", **alone, **own)
        assert_same_images(texture, nst.synthesize(CONTENT, recipe))
    grid = grid_of(first)
    assert [(cell.caption, cell.row, cell.column) for cell in grid.cells] == [
        ("relu1_2", 0, 0), ("relu1_2", 0, 2), ("pool1", 0, 1), ("pool1", 0, 3),
        ("relu2_1", 1, 0), ("relu2_1", 1, 2),
    ]  # fmt: skip
    assert dict(grid.cells[-1].settings) == {"style_layers": {"relu2_1": 1.0}}
    assert [bool(heading) for heading in grid.columns] == [True, False, True, False]
    assert first.facts["arguments"]["explore"] == layers


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"layers": []}, "layers"),
        ({"layers": ["relu1_1", "block1_conv1"]}, "layers"),
        ({"size": 8}, "size.* 8 "),
        ({"colour": "style"}, "A recipe has no field 'colour'"),
    ],
)
def test_arguments_that_cannot_be_explored_are_refused_at_once(no_network, changes, told):
    with pytest.raises(ValueError, match=told):
        nst.explore_layers(CONTENT, **changes)


@pytest.mark.network
def test_deep_layers_keep_less_of_an_image(real):
    fields = {"size": 64, "steps": 25, "device": "cpu", "precision": "float32"}
    panels = panels_of(nst.explore_layers(CONTENT, layers=["relu1_1", "relu4_1"], **fields))
    shallow, deep = (np.abs(panel[-1].image - CONTENT / 255).mean() for panel in panels[::2])
    assert shallow < 0.08
    assert deep > 2 * shallow
