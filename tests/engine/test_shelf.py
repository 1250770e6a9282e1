"""Where what is as large as a picture lies, and what it looks like there."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_nst.engine.shelf import MEMORY, Disk, free_on_disk
from napari_nst.errors import NstError

MAPS = Path("/proc/self/maps")
CPU = torch.device("cpu")
needs_maps = pytest.mark.skipif(not MAPS.exists(), reason="asks Linux what lies in files")


def files_in(folder):
    """Return where the memory of this process is files of a folder: (start, stop) of each."""
    mapped = [line.split(maxsplit=5) for line in MAPS.read_text().splitlines()]
    spans = [one[0].split("-") for one in mapped if len(one) == 6 and str(folder) in one[5]]
    return [(int(start, 16), int(stop, 16)) for start, stop in spans]


@pytest.fixture
def disk(tmp_path, monkeypatch):
    """A shelf for small things, computed a few rows at a time."""
    monkeypatch.setattr(Disk, "least", 0)
    monkeypatch.setattr(Disk, "part", 5000)
    return Disk(tmp_path / "not there yet")


@needs_maps
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_a_tensor_on_disk_is_a_file_until_nothing_uses_it(disk, dtype):
    tensor = disk.zeros((2, 3, 50, 40), dtype, CPU)
    ((start, stop),) = files_in(disk.folder)
    assert start <= tensor.data_ptr() < stop
    assert tensor.shape == (2, 3, 50, 40)
    assert tensor.dtype == dtype
    assert not tensor.any()
    tensor[1, 2, 49, 39] = 7
    row = tensor[1, 2, 49]
    assert list(disk.folder.iterdir()) == []
    del tensor
    assert row[39] == 7
    del row
    assert files_in(disk.folder) == []


@needs_maps
def test_what_is_small_stays_in_memory(tmp_path):
    shelf = Disk(tmp_path)
    small = shelf.filled((1, 3, 256, 1000), lambda rows: torch.ones(1, 3, 256, 1000)[:, :, rows])
    assert files_in(tmp_path) == []
    large = shelf.empty((Disk.least,), torch.uint8, CPU)
    assert len(files_in(tmp_path)) == 1
    assert small.all()
    del large


def test_what_is_computed_part_by_part_is_the_same(disk, random_image):
    image = random_image(97, 80)
    parts = []

    def doubled(rows):
        parts.append(rows)
        return image[:, :, rows] * 2

    assert torch.equal(disk.filled((1, 3, 97, 80), doubled), image * 2)
    assert [part.start for part in parts] == [0, 19, 38, 58, 77]
    assert torch.equal(MEMORY.filled((1, 3, 97, 80), doubled), image * 2)
    assert parts[-1] == slice(0, 97)


@pytest.mark.parametrize(
    "shapes", [((100, 150), (141, 212)), ((150, 200), (106, 141)), ((97, 33), (211, 33))], ids=str
)
@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("periodic", [True, False])
def test_it_is_resampled_to_the_same_bits(disk, random_image, shapes, smooth, periodic):
    image = random_image(*shapes[0])
    for channels in (3, 1):
        given = image[:, :channels]
        expected = MEMORY.resized(given, shapes[1], smooth=smooth, periodic=periodic)
        found = disk.resized(given, shapes[1], smooth=smooth, periodic=periodic)
        assert torch.equal(found, expected)
    assert disk.resized(image, shapes[0]) is image


@needs_maps
def test_an_array_lies_there_too(disk, random_image):
    image = random_image(60, 50) * 1.2 - 0.1
    array = disk.array(image)
    ((start, stop),) = files_in(disk.folder)
    assert start <= array.ctypes.data < stop
    np.testing.assert_array_equal(array, MEMORY.array(image))
    assert array.flags.writeable
    assert array.flags.c_contiguous


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="files grow as they are written")
def test_a_disk_that_is_full_is_told_before_anything_is_written(disk, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(NstError, match=r"cannot hold the picture \(No space left on device\)"):
        disk.empty((10, 10), torch.float32, CPU)
    assert list(disk.folder.iterdir()) == []


def test_what_a_disk_has_is_known_before_the_folder_is_made(tmp_path):
    assert free_on_disk(tmp_path / "a" / "b") == pytest.approx(free_on_disk(tmp_path), rel=0.05)
    assert not (tmp_path / "a").exists()
