"""Solid textures in the terminal: the volume's file, its record, and what is refused."""

import json

import numpy as np
import pytest
import tifffile

from napari_nst.cli import main
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_volume import decode_volume

QUICK = ["--style-layers", "relu1_1:1", "--steps", "2", "--slices", "2"]


@pytest.fixture
def exemplar(tmp_path):
    """A grey TIFF with pixels of half a micrometre."""
    path = tmp_path / "grains.tif"
    pixels = np.random.default_rng(0).integers(0, 256, (32, 40), np.uint8)
    metadata = {"unit": "um", "axes": "YX"}
    tifffile.imwrite(path, pixels, imagej=True, resolution=(2, 2), metadata=metadata)
    return path


@pytest.mark.network
def test_a_volume_is_written_with_its_voxels_and_its_record(exemplar, tmp_path):
    out = tmp_path / "solid.tif"
    arguments = ["solid", str(exemplar), "-o", str(out), *QUICK]
    assert main([*arguments, "--shape", "8", "10", "12", "--seamless", "--axis", "height"]) == 0
    volume = decode_volume(out)
    assert (volume.pixels.shape, volume.pixels.dtype) == ((8, 10, 12), np.uint8)
    assert volume.voxel == pytest.approx((0.5, 0.5, 0.5))
    assert volume.unit == "um"
    record = json.loads(read_text(out))
    assert record["recipe"]["padding"] == "circular"
    assert record["arguments"]["exemplar_of_axis"] == {"height": 1}
    again = tmp_path / "again.tif"
    assert main(["solid", "--like", str(out), "-o", str(again)]) == 0
    assert (decode_volume(again).pixels == volume.pixels).all()


@pytest.mark.network
def test_a_volume_of_colours_has_eight_bits(tmp_path):
    exemplar, out = tmp_path / "colours.tif", tmp_path / "solid.tif"
    pixels = np.random.default_rng(0).random((16, 16, 3), np.float32)
    tifffile.imwrite(exemplar, pixels, photometric="rgb")
    arguments = ["solid", str(exemplar), "-o", str(out), *QUICK]
    assert main([*arguments, "--shape", "8", "8", "8"]) == 0
    volume = decode_volume(out).pixels
    assert (volume.shape, volume.dtype) == ((8, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["-o", "solid.png"], "solid.png"),
        (["-o", "solid.tif", "--shape", "8", "8", "0"], "--shape"),
        (["-o", "solid.tif", "--optimizer", "lbfgs"], "--optimizer adam"),
        (["-o", "solid.tif", "--axis", "depth", "--axis", "width"], "--axis"),
        (["-o", "solid.tif", "--seamless", "--padding", "zeros"], "--seamless"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_run(arguments, named, exemplar, capsys, tmp_path):
    assert main(["solid", str(exemplar), *arguments]) == 2
    assert named in capsys.readouterr().err
    assert not list(tmp_path.glob("solid.*"))
