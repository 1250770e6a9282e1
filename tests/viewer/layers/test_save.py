"""Saving a result, and showing it three by three."""

import json
import tracemalloc

import npe2
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.recipe import Recipe
from napari_nst.viewer.layers.channels import channel_slices
from napari_nst.viewer.layers.live_layer import LiveLayer
from napari_nst.viewer.layers.read import shown_slice
from napari_nst.viewer.layers.repeated_preview import tile_preview
from napari_nst.viewer.layers.save import save_result
from tests.helpers.fake_iterations import iteration

FACTS = {"recipe": Recipe(steps=7).to_dict()}


def result_of(model, content, image, keep_dtype=False, **options):
    """The result layer of a run whose one iteration has this image."""
    picture = shown_slice(content, model.dims)
    live = LiveLayer(model, "result", picture.position, picture.intensity, keep_dtype)
    one = iteration(1, 2, image.shape[:2], facts=FACTS, **options)
    one.__dict__["image"] = np.repeat(image[..., None], 3, -1) if image.ndim == 2 else image
    live.show(one)
    live.describe(one.record())
    return live.layer


def ramp(*shape):
    return np.linspace(0, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape)


def grey(model, dtype=np.float32, limits=(100, 1100), shape=(6, 8)):
    return model.add_image(np.zeros(shape, dtype), contrast_limits=limits)


def rgb(model, dtype=np.uint8, channels=3):
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    pixels = np.ones((6, 8, channels), dtype)
    return model.add_image(pixels, rgb=True, contrast_limits=(0, white))


# ── tiles ────────────────────────────────────────────────────────────────────────────────────


def test_tiles_surround_the_result(model):
    content = model.add_image(
        np.zeros((6, 8, 3), np.uint8), rgb=True, scale=(2, 3), translate=(5, 7), rotate=30
    )
    layer = result_of(model, content, ramp(12, 16, 3))
    preview = tile_preview(model, layer)
    assert preview.name == "result 3 × 3"
    assert preview.data.shape == (36, 48, 3)
    for row in range(3):
        for column in range(3):
            tile = preview.data[12 * row : 12 * row + 12, 16 * column : 16 * column + 16]
            np.testing.assert_array_equal(tile, layer.data)
    for pixel in [(0, 0), (11, 15)]:
        in_the_middle = np.add(pixel, (12, 16))
        np.testing.assert_allclose(
            preview.data_to_world(in_the_middle), layer.data_to_world(pixel), atol=1e-9
        )


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0)])
def test_tiles_of_a_slice_stay_in_that_slice(model, order):
    content = model.add_image(np.zeros((5, 6, 8)), scale=(10, 1, 1))
    model.dims.order = order
    model.dims.set_point(0, 30)
    layer = result_of(model, content, ramp(12, 16), grey=True)
    preview = tile_preview(model, layer)
    shown, tiled = layer._slice.image.raw, preview._slice.image.raw
    np.testing.assert_array_equal(tiled, np.tile(shown, (3, 3)))


def test_a_preview_is_updated(model):
    layer = result_of(model, rgb(model), ramp(6, 8, 3))
    preview = tile_preview(model, layer)
    other = tile_preview(model, result_of(model, rgb(model), ramp(6, 8, 3)))
    assert other is not preview
    count = len(model.layers)
    layer.data = np.full((12, 16, 3), 9, np.uint8)
    layer.scale = (0.5, 0.5)
    layer.name = "renamed"
    assert tile_preview(model, layer) is preview
    assert len(model.layers) == count
    assert preview.data.shape == (36, 48, 3)
    assert (np.asarray(preview.data) == 9).all()
    np.testing.assert_allclose(preview.data_to_world((12, 16)), layer.data_to_world((0, 0)))
    model.layers.remove(preview)
    assert tile_preview(model, layer) is not preview


def test_a_preview_copies_no_pixels(model):
    """Of a large texture, three by three copies would take nine times its memory."""
    layer = result_of(model, grey(model), ramp(6, 8), grey=True)
    levels = [np.broadcast_to(np.float32(0), (60000 >> n, 40000 >> n)) for n in range(7)]
    large = model.add_image(
        levels, multiscale=True, contrast_limits=(0, 1), metadata=layer.metadata
    )
    tracemalloc.start()
    preview = tile_preview(model, large)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert preview.data[0].shape == (180000, 120000)
    assert most < 40e6, "the coarsest level only, which is displayed"
    levels = [ramp(6, 8), ramp(3, 4)]
    large.data = levels
    tile_preview(model, large)
    tiled = np.tile(levels[0], (3, 3))
    assert preview.data[0][7, 9] == levels[0][1, 1]
    np.testing.assert_array_equal(preview.data[0][4:14:3, 5:20], tiled[4:14:3, 5:20])
    np.testing.assert_array_equal(preview.data[0][-2], tiled[-2])
    np.testing.assert_array_equal(np.asarray(preview.data[0]), tiled)


# ── files ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ending", [".png", ".tif", ".TIFF", ".jpg"])
def test_a_file_has_the_record(model, tmp_path, ending):
    path = tmp_path / f"result{ending}"
    save_result(result_of(model, rgb(model), ramp(6, 8, 3)), path)
    record = json.loads(read_text(path))
    assert Recipe.from_dict(record["recipe"]).steps == 7
    assert "layer" not in record


def test_a_result_without_a_record_is_saved_without_text(model, tmp_path):
    layer = result_of(model, rgb(model), ramp(6, 8, 3))
    layer.metadata["napari-nst"] = {"layer": layer.metadata["napari-nst"]["layer"]}
    save_result(layer, tmp_path / "result.png")
    assert read_text(tmp_path / "result.png") is None


@pytest.mark.parametrize("ending", [".png", ".tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_integers_are_saved_unchanged(model, tmp_path, ending, dtype, channels):
    path = tmp_path / f"result{ending}"
    if channels == 1:
        limits = (20, 120)
        layer = result_of(model, grey(model, dtype, limits), ramp(6, 8), True, grey=True)
    else:
        alpha = 0.4 if channels == 4 else None
        layer = result_of(model, rgb(model, dtype, channels), ramp(6, 8, 3), True, alpha=alpha)
    assert layer.data.dtype == dtype
    save_result(layer, path)
    saved = read_image(path)
    assert saved.dtype == dtype
    np.testing.assert_array_equal(saved, layer.data)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_a_tiff_has_other_values_unchanged(model, tmp_path, dtype):
    layer = result_of(model, grey(model, dtype), ramp(6, 8), keep_dtype=True, grey=True)
    save_result(layer, tmp_path / "result.tif")
    saved = read_image(tmp_path / "result.tif")
    assert saved.dtype == np.float32
    np.testing.assert_allclose(saved, layer.data)


def test_a_png_has_other_values_as_displayed(model, tmp_path):
    layer = result_of(model, grey(model), ramp(6, 8), grey=True)
    layer.contrast_limits = (100, 600)
    save_result(layer, tmp_path / "result.png")
    saved = read_image(tmp_path / "result.png")
    assert saved.dtype == np.uint16
    np.testing.assert_allclose(saved / 65535, np.clip(ramp(6, 8) * 2, 0, 1), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("colours", [False, True])
def test_a_jpeg_has_8_bit_as_shown(model, tmp_path, dtype, colours):
    content = rgb(model, dtype) if colours else grey(model, dtype)
    layer = result_of(model, content, np.full((6, 8), 0.5, np.float32), True, grey=not colours)
    save_result(layer, tmp_path / "result.jpg")
    saved = read_image(tmp_path / "result.jpg")
    assert saved.dtype == np.uint8
    np.testing.assert_allclose(saved, 128, atol=2)


@pytest.mark.parametrize("unit", ["um", "mm", "pixel"])
def test_a_tiff_has_the_layers_calibration(model, tmp_path, unit):
    content = model.add_image(
        np.zeros((6, 8), np.uint16), contrast_limits=(100, 1100), scale=(0.32, 0.64),
        translate=(3.2, -6.4), units=[unit] * 2,
    )  # fmt: skip
    layer = result_of(model, content, ramp(12, 16), grey=True)
    save_result(layer, tmp_path / "result.tif")
    with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
        tags, imagej = tiff.pages[0].tags, tiff.imagej_metadata
        x, y = (tags[name].value for name in ("XResolution", "YResolution"))
        factor = 1000 if unit == "mm" else 1
        np.testing.assert_allclose((y[1] / y[0], x[1] / x[0]), (0.16 * factor, 0.32 * factor))
        assert imagej["unit"] == ("pixel" if unit == "pixel" else "um")
        assert (imagej["min"], imagej["max"]) == (100, 1100)
        # By these, a program places the file where the layer lies in napari.
        np.testing.assert_allclose(
            layer.world_to_data((0, 0)), (imagej["yorigin"], imagej["xorigin"])
        )
    assert json.loads(read_text(tmp_path / "result.tif"))["recipe"]["steps"] == 7
    [opened] = npe2.read([str(tmp_path / "result.tif")], stack=False, plugin_name="napari")
    np.testing.assert_array_equal(opened[0], layer.data)


@pytest.mark.parametrize("turned", [{"rotate": 30}, {"scale": (-1, 2)}, {"shear": [0.5]}])
def test_what_a_file_cannot_say_is_left_out(model, tmp_path, turned):
    options = {"scale": (2, 2), "units": ["um"] * 2, **turned}
    content = model.add_image(np.zeros((6, 8)), contrast_limits=(0, 1), **options)
    save_result(result_of(model, content, ramp(6, 8), grey=True), tmp_path / "result.tif")
    with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
        assert tiff.imagej_metadata["unit"] == "um"
        assert "xorigin" not in tiff.imagej_metadata


def test_a_png_and_a_stack_have_the_layers_calibration(model, tmp_path):
    content = model.add_image(
        np.zeros((5, 6, 8, 3), np.uint8), rgb=True, scale=(3, 2, 2), units=["um"] * 3
    )
    model.dims.order = (2, 1, 0)
    layer = result_of(model, content, np.zeros((6, 5, 3), np.float32))
    save_result(layer, tmp_path / "result.png")
    with Image.open(tmp_path / "result.png") as file:
        x, y = file.info["dpi"]
    np.testing.assert_allclose((x, y), (25400 / 3, 25400 / 2), atol=0.02)
    labels = ("conv1_1", "conv2_1")
    layer = result_of(model, content, np.zeros((6, 5, 3), np.float32), panels=labels)
    save_result(layer, tmp_path / "stack.tif")
    with tifffile.TiffFile(tmp_path / "stack.tif") as tiff:
        assert tiff.pages[0].tags["XResolution"].value == (1, 3)
        assert tiff.pages[0].tags["YResolution"].value == (1, 2)
        assert tiff.imagej_metadata["unit"] == "um"


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 2, 0), (2, 1, 0)])
def test_a_slice_is_saved_upright(model, tmp_path, order):
    content = model.add_image(np.zeros((5, 6, 8)), contrast_limits=(0, 1))
    model.dims.order = order
    image = ramp(12, 16)
    save_result(result_of(model, content, image, grey=True), tmp_path / "result.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "result.tif"), image)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_several_images_become_labelled_pages(model, tmp_path, order):
    content = model.add_image(np.zeros((5, 6, 8)), contrast_limits=(0, 9))
    model.dims.order = order
    labels = ("conv1_1", "conv2_1")
    layer = result_of(model, content, ramp(12, 16), grey=True, panel=1, panels=labels)
    save_result(layer, tmp_path / "result.tif")
    with tifffile.TiffFile(tmp_path / "result.tif") as tiff:
        assert tiff.imagej_metadata["Labels"] == list(labels)
        pages = tiff.asarray()
    assert (pages[0] == 0).all()
    np.testing.assert_array_equal(pages[1], np.rint(ramp(12, 16) * 255))
    assert json.loads(read_text(tmp_path / "result.tif"))["recipe"]["steps"] == 7


def test_channels_become_pages_upright(model, tmp_path):
    content = model.add_image(np.zeros((8, 2, 6)), contrast_limits=(0, 1))
    model.dims.order = (1, 2, 0)
    channel = channel_slices(content, model.dims, 1)[0]
    live = LiveLayer(model, "result", channel.position, channel.intensity)
    one = iteration(1, 2, (6, 8), grey=True, panel=1, panels=("dapi", "gfp"))
    one.__dict__["image"] = np.repeat(ramp(6, 8)[..., None], 3, -1)
    live.show(one)
    assert live.layer.data.shape == (8, 2, 6)
    save_result(live.layer, tmp_path / "result.tif")
    pages = tifffile.imread(tmp_path / "result.tif")
    np.testing.assert_array_equal(pages[1], np.rint(ramp(6, 8) * 255))


def test_several_images_become_a_grid_without_alpha(model, tmp_path):
    content = rgb(model, channels=4)
    layer = result_of(model, content, ramp(12, 16, 3), alpha=0.5, panels=("a", "b", "c"))
    assert layer.data.shape == (3, 12, 16, 4)
    save_result(layer, tmp_path / "result.png")
    assert read_image(tmp_path / "result.png").shape[2:] == (3,)


@pytest.mark.parametrize("panels", [(), ("a", "b")])
def test_an_unknown_suffix_is_refused(model, tmp_path, panels):
    layer = result_of(model, rgb(model), ramp(6, 8, 3), panels=panels)
    with pytest.raises(ValueError, match=r"result\.gif must end in \.png, "):
        save_result(layer, tmp_path / "result.gif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("metadata", [{}, {"napari-nst": "?"}, {"napari-nst": {"recipe": {}}}])
def test_a_layer_that_is_no_result_is_refused(model, tmp_path, metadata):
    layer = model.add_image(np.zeros((6, 8)), name="other", metadata=metadata)
    with pytest.raises(ValueError, match="'other' is no result of this plugin"):
        save_result(layer, tmp_path / "other.png")
    with pytest.raises(ValueError, match="'other' is no result of this plugin"):
        tile_preview(model, layer)
