"""Pictures that the program of 2026-11, before its rebuild, wrote: ``--like`` makes them again."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_nst.cli import main
from napari_nst.io.read_image import read_image

WRITTEN = Path(__file__).parents[1] / "data" / "written_by_0.1.0"


@pytest.mark.network
@pytest.mark.parametrize(
    ("job", "name", "options", "atol"),
    [
        ("stylize", "stylized.png", [], 2 / 255),
        ("synthesize", "filled.tif", ["--region", "region.png"], 1 / 255),
        ("reconstruct", "reconstructed.jpg", [], 12 / 255),  # JPEG, twice
    ],
)
def test_a_picture_of_0_1_0_is_made_again(tmp_path, monkeypatch, job, name, options, atol):
    shutil.copytree(WRITTEN, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    assert main([job, "--like", name, "-o", f"again-{name}", *options]) == 0
    before, after = (np.asarray(read_image(path)) for path in (name, f"again-{name}"))
    assert before.dtype == after.dtype
    largest = np.iinfo(before.dtype).max
    np.testing.assert_allclose(before / largest, after / largest, atol=atol)
