import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.read_image import read_labels

HALVES = np.where(np.arange(96) < 48, 1, 2) * np.ones((72, 1), int)


def test_labels_are_read_without_a_change(tmp_path):
    grey = Image.fromarray(HALVES.astype(np.uint8))
    grey.save(tmp_path / "guide.png")
    tifffile.imwrite(tmp_path / "guide.tif", HALVES.astype(np.int32))
    paletted = Image.fromarray(HALVES.astype(np.uint8), mode="P")
    paletted.putpalette([0, 0, 0, 250, 3, 9, 7, 200, 100])
    paletted.save(tmp_path / "palette.png")
    Image.fromarray(HALVES > 1).save(tmp_path / "bits.png")
    for name in ("guide.png", "guide.tif", "palette.png"):
        np.testing.assert_array_equal(read_labels(tmp_path / name), HALVES)
    np.testing.assert_array_equal(read_labels(tmp_path / "bits.png"), HALVES > 1)


@pytest.mark.parametrize("array", [np.zeros((5, 6), np.float32), np.zeros((2, 5, 6), np.uint8)])
def test_floats_and_several_pages_hold_no_labels(tmp_path, array):
    tifffile.imwrite(tmp_path / "no.tif", array)
    with pytest.raises(ValueError, match=r"no.tif holds no labels"):
        read_labels(tmp_path / "no.tif")


def test_a_jpeg_holds_no_labels(tmp_path):
    Image.fromarray(HALVES.astype(np.uint8)).save(tmp_path / "no.jpg")
    with pytest.raises(ValueError, match=r"no.jpg is a JPEG"):
        read_labels(tmp_path / "no.jpg")
