"""Stacks of every kind, as axes and slices."""

import dask.array as da
import numpy as np
import pytest
import tifffile
import zarr
from napari.layers import Image, Labels

from napari_nst.stacks.source import Axis, open_stack

STACK = np.random.default_rng(0).integers(0, 4096, (2, 3, 20, 30)).astype(np.uint16)  # C, Z, Y, X


def described(stack):
    return {axis.name: (axis.length, axis.scale, axis.unit) for axis in stack.axes}


@pytest.mark.parametrize("make", [np.asarray, da.asarray, lambda a: zarr.array(a)])
def test_arrays_have_pixels_on_their_last_axes(make):
    stack = open_stack(make(STACK[0]))
    assert [axis.name for axis in stack.axes] == ["z", "y", "x"]
    assert not stack.is_rgb
    np.testing.assert_array_equal(stack.read({"z": 2}), STACK[0, 2])


def test_a_last_axis_of_three_after_three_others_is_rgb():
    colours = open_stack(np.zeros((5, 20, 30, 3), np.uint8))
    assert colours.is_rgb
    assert colours.read({"z": 1}).shape == (20, 30, 3)
    assert not open_stack(np.zeros((5, 20, 3), np.uint8)).is_rgb


def test_axes_without_a_name_have_their_number():
    names = [axis.name for axis in open_stack(np.zeros((2, 3, 4, 20, 30))).axes]
    assert names == ["axis 0", "axis 1", "axis 2", "y", "x"]


def test_only_the_slice_that_is_read_is_computed():
    computed = []

    def plane(block_info):
        computed.append(block_info[None]["chunk-location"][0])
        return np.zeros((1, 20, 30), np.uint8)

    lazy = da.map_blocks(plane, chunks=((1,) * 4, (20,), (30,)), dtype=np.uint8)
    open_stack(lazy).read({"z": 2})
    assert computed == [2]


def test_an_ome_tiff_has_names_scale_and_units(tmp_path):
    known = {"axes": "CZYX", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.25}
    known |= {"PhysicalSizeYUnit": "µm", "PhysicalSizeZ": 2000, "PhysicalSizeZUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", STACK, ome=True, metadata=known)
    stack = open_stack(tmp_path / "a.ome.tif")
    assert described(stack) == {
        "c": (2, 1, None), "z": (3, 2000, "nanometer"), "y": (20, 0.25, "micrometer"),
        "x": (30, 0.5, "micrometer"),
    }  # fmt: skip
    np.testing.assert_array_equal(stack.read({"c": 1, "z": 2}), STACK[1, 2])


def test_a_tiff_of_imagej_has_a_display_range_too(tmp_path):
    known = {"axes": "TZYX", "unit": "um", "spacing": 3.0, "finterval": 4.0, "min": 10, "max": 900}
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, resolution=(2, 2), metadata=known)
    stack = open_stack(tmp_path / "a.tif")
    assert described(stack) == {
        "t": (2, 4, "second"), "z": (3, 3, "micrometer"), "y": (20, 0.5, "micrometer"),
        "x": (30, 0.5, "micrometer"),
    }  # fmt: skip
    assert stack.limits == (10, 900)
    assert open_stack(tmp_path / "a.tif", limits=(0, 4095)).limits == (0, 4095)


def test_pages_without_a_meaning_are_slices_and_may_be_rgb(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        for number in range(3):
            file.write(np.full((20, 30, 3), number, np.uint8), photometric="rgb", metadata=None)
    stack = open_stack(tmp_path / "a.tif")
    assert stack.is_rgb
    (axis,) = stack.slice_axes
    assert axis.length == 3
    assert (stack.read({axis.name: 2}) == 2).all()


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_an_ome_zarr_image_is_read_at_its_finest_level(tmp_path, version):
    axes = [{"name": "z", "type": "space", "unit": "micrometer"}, {"name": "y"}, {"name": "x"}]
    of_level = [
        {"type": "scale", "scale": [4, 2, 2]},
        {"type": "translation", "translation": [8, 0, 0]},
    ]
    levels = [{"path": "0", "coordinateTransformations": of_level}, {"path": "1"}]
    image = {
        "axes": axes,
        "datasets": levels,
        "coordinateTransformations": [{"type": "scale", "scale": [1, 0.5, 0.5]}],
    }
    known = {"multiscales": [image]}
    group = zarr.open_group(
        str(tmp_path / "a.zarr"), mode="w", zarr_format=2 if version == "0.4" else 3,
        attributes=known if version == "0.4" else {"ome": known},
    )  # fmt: skip
    group.create_array("0", data=STACK[0])
    group.create_array("1", data=STACK[0, :, ::2, ::2])
    stack = open_stack(tmp_path / "a.zarr")
    assert stack.data.shape == STACK[0].shape
    assert stack.axes[0] == Axis("z", 3, 4.0, 8.0, "micrometer")
    assert stack.axes[1].scale == 1.0


def test_a_layer_is_read_at_its_finest_level_in_its_display_range():
    levels = [STACK, STACK[..., ::2, ::2]]
    layer = Image(
        levels, multiscale=True, contrast_limits=(0, 2000), scale=(1, 2, 0.5, 0.5),
        translate=(0, 10, 0, 0), axis_labels=("c", "z", "y", "x"),
        units=("pixel", "um", "um", "um"),
    )  # fmt: skip
    stack = open_stack(layer)
    assert stack.limits == (0, 2000)
    assert stack.axes[1] == Axis("z", 3, 2.0, 10.0, "micrometer")
    np.testing.assert_array_equal(stack.read({"c": 0, "z": 1}), STACK[0, 1])


def test_rows_may_be_behind_columns():
    layer = Image(STACK[0], axis_labels=("x", "z", "y"))
    assert open_stack(layer).read({"z": 4}).shape == (30, 3)


def test_axes_of_a_part_and_of_another_size_cover_the_same_area():
    axis = Axis("z", 40, 2.0, 10.0, "micrometer")
    assert axis.part(range(5, 20, 3)) == Axis("z", 5, 6.0, 20.0, "micrometer")
    half = axis.resized(20)
    edges = [(a.origin - a.scale / 2, a.origin + (a.length - 0.5) * a.scale) for a in (axis, half)]
    np.testing.assert_allclose(*edges)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (np.zeros(20), ValueError),
        (np.zeros((0, 20, 30)), ValueError),
        (np.zeros((3, 20, 30), complex), TypeError),
        ([[1, 2], [3, 4]], TypeError),
        ("gone.tif", FileNotFoundError),
        (Labels(np.zeros((3, 20, 30), int), name="cells"), TypeError),
    ],
)
def test_what_is_no_stack_is_refused(content, error):
    with pytest.raises(error, match="`content`"):
        open_stack(content)


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.zarr"])
def test_files_that_are_no_stack_are_refused(tmp_path, name):
    if name == "a.zarr":
        zarr.open_group(str(tmp_path / name), mode="w")
    else:
        (tmp_path / name).write_text("no image")
    with pytest.raises(ValueError, match=name):
        open_stack(tmp_path / name)
