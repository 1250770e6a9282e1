"""The record of a result, in a layer's metadata or in the file that it was opened from."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from napari_nst.io.record import record_of
from napari_nst.io.write_image import write_image
from napari_nst.recipe import Recipe

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
