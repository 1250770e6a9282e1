"""The Solid Texture dock in a real window."""

import numpy as np
import pytest
import skimage.data

from napari_nst.io.image_files.read_volume import decode_volume
from napari_nst.io.record import RECORD

pytestmark = [pytest.mark.window, pytest.mark.network]
SIDE = 16


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    viewer = make_napari_viewer_proxy()
    options = {"scale": (0.5, 0.5), "units": "µm"}
    viewer.add_image(skimage.data.gravel()[:48, :48], name="gravel", **options)
    viewer.add_image(skimage.data.astronaut()[:32, :32], name="colours", **options)
    return viewer


@pytest.fixture
def widget(viewer, dock):
    widget = dock("Solid Texture")
    for box in widget.sides:
        box.value = SIDE
    widget.steps.value = 2
    return widget


def test_a_grey_volume_grows_beside_its_exemplar_with_its_pixel_size(
    widget, viewer, until, tmp_path
):
    widget.exemplar.value = viewer.layers["gravel"]
    widget.run_button.native.click()
    assert not widget.run_button.enabled
    until(lambda: not widget.busy)
    (layer,) = widget.layers
    assert layer.data.shape == (SIDE,) * 3
    assert np.allclose(layer.scale, 0.5)
    assert {str(unit) for unit in layer.units} == {"micrometer"}
    assert layer.extent.world[0][2] > viewer.layers["gravel"].extent.world[1][1]
    assert viewer.dims.ndisplay == 3
    assert layer.metadata[RECORD]["job"] == "synthesize_solid"
    assert widget.run_button.enabled
    widget.save(tmp_path / "solid.tif")
    saved = decode_volume(tmp_path / "solid.tif")
    assert (saved.voxel, saved.unit) == ((0.5, 0.5, 0.5), "um")
    np.testing.assert_array_equal(saved.pixels, np.rint(layer.data * 65535))


def test_a_coloured_volume_has_a_layer_for_each_colour(widget, viewer, until):
    widget.exemplar.value = viewer.layers["colours"]
    widget.seamless.value = True
    widget.run_button.native.click()
    until(lambda: not widget.busy)
    red, _, blue = widget.layers
    assert red.data.mean() != blue.data.mean()
    assert red.metadata[RECORD]["recipe"]["padding"] == "circular"


def test_a_stopped_run_keeps_its_volume(widget, viewer, until):
    widget.exemplar.value = viewer.layers["gravel"]
    widget.steps.value = 5000
    widget.run_button.native.click()
    until(lambda: widget.layers)
    widget.stop_button.native.click()
    until(lambda: not widget.busy)
    assert widget.layers[0] in viewer.layers
    assert widget.layers[0].metadata[RECORD]["step"] < 5000
