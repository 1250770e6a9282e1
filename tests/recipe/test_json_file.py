"""Recipes in files: written whole, read back the same, and every fault named with the file."""

import pytest

from napari_nst.io.recipe_file import load_recipe, save_recipe
from napari_nst.recipe import Recipe, preset


def test_a_recipe_comes_back_as_it_was(tmp_path):
    recipe = preset("gatys-2016", steps=7, style_blend=(0.7, 0.3), style_weight=1.23456789e-7)
    path = save_recipe(recipe, tmp_path / "look.json")
    assert load_recipe(path) == recipe
    assert path.read_text().startswith("{\n"), "for a person to read"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("given", "written"),
    [("look", "look.json"), ("v1.2", "v1.2.json"), ("look.JSON", "look.JSON")],
)
def test_the_ending_is_added_where_it_is_missing(tmp_path, given, written):
    assert save_recipe(Recipe(), str(tmp_path / given)) == tmp_path / written
    assert (tmp_path / written).is_file()


def test_a_file_from_a_windows_editor_is_read(tmp_path):
    path = tmp_path / "look.json"
    path.write_text('{"steps": 7}', encoding="utf-8-sig")
    assert load_recipe(path) == Recipe(steps=7)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"style weight: 3", "not JSON"),
        (b"[1, 2]", "must be a JSON object of fields"),
        (b'{"step": 3}', "no field 'step'; did you mean 'steps'?"),
        (b'{"steps": 0}', "steps must be between 1 and"),
        (b'{"steps": "many"}', "steps must be a whole number"),
        (b"\x89PNG\r\n\x1a\n", "is not text"),
    ],
    ids=["text", "list", "field", "bounds", "kind", "picture"],
)
def test_what_is_no_recipe_is_refused_by_name(tmp_path, data, sentence):
    path = tmp_path / "look.json"
    path.write_bytes(data)
    with pytest.raises((TypeError, ValueError)) as refusal:
        load_recipe(path)
    assert str(path) in str(refusal.value)
    assert sentence in str(refusal.value)


def test_files_that_cannot_be_read_or_written_are_named(tmp_path):
    with pytest.raises(OSError, match=r"nowhere.json cannot be read: No such file"):
        load_recipe(tmp_path / "nowhere.json")
    with pytest.raises(OSError, match=r"look.json cannot be written: No such file"):
        save_recipe(Recipe(), tmp_path / "nowhere" / "look.json")
