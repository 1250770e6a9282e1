"""What a result holds after a crash at any moment."""

from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_nst.stacks import store
from napari_nst.stacks.places import choose_places
from napari_nst.stacks.source import Axis, Stack, array_axes

STACK = Stack(
    "cells", np.zeros((2, 3, 20, 30), np.uint8), array_axes("tzyx", (2, 3, 20, 30)), False
)
PLACES = choose_places(STACK)
PLANE = (Axis("y", 10), Axis("x", 15))
RECORD = {"job": "stylize", "recipe": {"steps": 3}, "arguments": {}, "inputs": {}, "starts": []}


def opened(path, samples=1):
    dtype = np.dtype(np.uint8)
    return store.open_store(path, PLACES, PLANE, samples, dtype, (0.0, 255.0), RECORD)


def test_slices_are_read_as_they_were_written(tmp_path):
    grey, rgb = opened(tmp_path / "a.zarr"), opened(tmp_path / "b.zarr", 3)
    pixels = np.random.default_rng(0).integers(0, 256, (10, 15, 3), np.uint8)
    grey.write((1, 2), pixels[..., 0], 0.5)
    rgb.write((1, 2), pixels, 0.5)
    np.testing.assert_array_equal(opened(tmp_path / "a.zarr").read((1, 2)), pixels[..., 0])
    np.testing.assert_array_equal(opened(tmp_path / "b.zarr", 3).read((1, 2)), pixels)
    assert rgb.pixels.shape == (2, 3, 3, 10, 15)  # t, c, z, y, x
    assert rgb.losses()[1, 2] == 0.5
    assert np.isnan(rgb.losses()).sum() == 5


@pytest.mark.parametrize("array", ["pixels", "_losses", "_states"])
def test_a_slice_counts_when_all_of_it_is_written(tmp_path, monkeypatch, array):
    result = opened(tmp_path / "a.zarr")

    class Full:
        ndim = 4

        def __setitem__(self, index, values):
            raise OSError("the disk is full")

    monkeypatch.setattr(result, array, Full())
    with pytest.raises(OSError, match="full"):
        result.write((0, 1), np.ones((10, 15), np.uint8), 0.5)
    assert not opened(tmp_path / "a.zarr").is_done((0, 1))


def test_a_store_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr.Group, "create_array", broken)
    with pytest.raises(OSError, match=r"a\.zarr"):
        opened(tmp_path / "a.zarr")
    assert not [*tmp_path.iterdir()]


def test_a_store_that_another_process_makes_meanwhile_is_kept(tmp_path, monkeypatch):
    rename = Path.rename

    def late(temporary, path):
        monkeypatch.undo()
        opened(path).write((0, 1), np.ones((10, 15), np.uint8), 0.5)
        return rename(temporary, path)

    monkeypatch.setattr(Path, "rename", late)
    assert opened(tmp_path / "a.zarr").is_done((0, 1))
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_each_slice_is_a_chunk(tmp_path):
    """So that no slice is read or changed when another one is written."""
    assert opened(tmp_path / "a.zarr", 3).pixels.chunks == (1, 3, 1, 10, 15)
