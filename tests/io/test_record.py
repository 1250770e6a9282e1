"""The record of a result, in a layer's metadata or in the file that it was opened from."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from napari_nst.io.image_files.write_image import write_image
from napari_nst.io.record import load_recipe, record_of, save_recipe
from napari_nst.recipe import Recipe, preset

RECORD = {
    "job": "stylize",
    "recipe": Recipe(steps=7).to_dict(),
    "inputs": {"content": {"name": "cells"}},
    "arguments": {},
}


def layer(metadata=None, path=None):
    return SimpleNamespace(metadata=metadata or {}, source=SimpleNamespace(path=path))


def picture(path, text):
    write_image(path, np.zeros((4, 5, 3), np.uint8), text=text)
    return str(path)


@pytest.mark.parametrize("ending", ["png", "tif", "jpg"])
def test_a_saved_layer_has_its_record_in_its_file(tmp_path, ending):
    path = picture(tmp_path / f"result.{ending}", json.dumps(RECORD))
    assert record_of(layer(path=path)) == RECORD
    assert Recipe.from_layer(layer(path=path)) == Recipe(steps=7)


def test_the_metadata_of_a_layer_is_preferred_to_its_file(tmp_path):
    path = picture(tmp_path / "result.png", json.dumps(RECORD))
    own = {"recipe": Recipe(steps=9).to_dict()}
    assert record_of(layer({"napari-nst": own}, path)) == own


@pytest.mark.parametrize("text", ["", "no JSON", "[]", json.dumps({**RECORD, "recipe": 3})])
def test_other_texts_are_no_records(tmp_path, text):
    assert record_of(layer(path=picture(tmp_path / "other.png", text))) is None


def test_other_layers_have_no_record(tmp_path):
    (tmp_path / "points.csv").write_text("1, 2")
    for path in (None, "", str(tmp_path), str(tmp_path / "gone.png"), str(tmp_path / "points.csv")):
        assert record_of(layer({"napari-nst": "text"}, path)) is None
    assert record_of(SimpleNamespace(metadata={})) is None


def test_a_recipe_is_read_as_it_was_written(tmp_path):
    recipe = preset("gatys-2016", steps=7, style_blend=(0.7, 0.3), style_weight=1.23456789e-7)
    path = save_recipe(recipe, tmp_path / "look.json")
    assert load_recipe(path) == recipe
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("given", "written"),
    [("look", "look.json"), ("v1.2", "v1.2.json"), ("look.JSON", "look.JSON")],
)
def test_a_missing_ending_is_added(tmp_path, given, written):
    assert save_recipe(Recipe(), str(tmp_path / given)) == tmp_path / written
    assert (tmp_path / written).is_file()


def test_a_byte_order_mark_is_accepted(tmp_path):
    path = tmp_path / "look.json"
    path.write_text('{"steps": 7}', encoding="utf-8-sig")
    assert load_recipe(path) == Recipe(steps=7)


@pytest.mark.parametrize("data", [b"style weight: 3", b'{"step": 3}', b'{"steps": 0}', b"\x89PNG"])
def test_other_files_are_refused_by_name(tmp_path, data):
    path = tmp_path / "look.json"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"look\.json"):
        load_recipe(path)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    with pytest.raises(OSError, match=r"nowhere.json cannot be read: No such file"):
        load_recipe(tmp_path / "nowhere.json")
    with pytest.raises(OSError, match=r"^There is no folder .*nowhere"):
        save_recipe(Recipe(), tmp_path / "nowhere" / "look.json")
