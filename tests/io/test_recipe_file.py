"""Recipes in JSON files."""

import pytest

from napari_nst.io.recipe_file import load_recipe, save_recipe
from napari_nst.recipe import Recipe, preset


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
    with pytest.raises(OSError, match=r"look.json cannot be written: No such file"):
        save_recipe(Recipe(), tmp_path / "nowhere" / "look.json")
