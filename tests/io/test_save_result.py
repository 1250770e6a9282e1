"""`save` writes the picture of an iteration, and how it was made."""

import numpy as np
import pytest

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.record import record_in
from napari_nst.io.save_result import save

RECORD = {"job": "stylize", "recipe": {"steps": 3}, "inputs": {}, "arguments": {}}


class Made:
    def __init__(self, dtype, picture):
        self.input_dtype, self.picture = np.dtype(dtype), picture

    def record(self):
        return RECORD


class Run:
    last = None


GREY = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)


@pytest.mark.parametrize(
    ("name", "dtype", "depth", "expected"),
    [
        ("a.png", "uint8", None, "uint8"),
        ("a.png", "uint16", None, "uint16"),
        ("a.jpg", "uint16", None, "uint8"),
        ("a.tif", "float32", None, "uint16"),
        ("a.tif", "uint8", 32, "float32"),
    ],
)
def test_picture_and_record_are_written(tmp_path, name, dtype, depth, expected):
    path = tmp_path / name
    save(path, Made(dtype, GREY), depth=depth)
    pixels = read_image(path)
    assert pixels.dtype == expected
    white = np.iinfo(expected).max if expected != "float32" else 1
    np.testing.assert_allclose(pixels / white, GREY, atol=0.02)
    assert record_in(read_text(path)) == RECORD


def test_the_newest_iteration_of_a_run_is_written(tmp_path):
    run = Run()
    with pytest.raises(ValueError, match="result"):
        save(tmp_path / "a.png", run)
    run.last = Made("uint8", GREY)
    save(str(tmp_path / "a.png"), run)
    assert read_image(tmp_path / "a.png").shape == (4, 5)


def test_arrays_and_formats_that_do_not_suit_are_refused(tmp_path):
    with pytest.raises(TypeError, match=r"Iteration.*ndarray"):
        save(tmp_path / "a.png", GREY)
    with pytest.raises(TypeError, match="`path`"):
        save(Made("uint8", GREY), tmp_path / "a.png")
    with pytest.raises(ValueError, match="alpha"):
        save(tmp_path / "a.jpg", Made("uint8", np.dstack([GREY] * 4)))
    with pytest.raises(ValueError, match="must end in"):
        save(tmp_path / "a.psd", Made("uint8", GREY))
    assert not list(tmp_path.iterdir())
