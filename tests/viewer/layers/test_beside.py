"""Results beside their sources instead of over them."""

import numpy as np
import pytest

from napari_nst.viewer.layers.position import move_slider
from napari_nst.viewer.layers.read import shown_slice
from napari_nst.viewer.settings.preferences import recalled
from napari_nst.viewer.style_transfer import StyleTransfer
from tests.viewer.layers.test_position import STACKS, TRANSFORMS, add_result


def sides(position):
    """The least and the largest place of an image along each of its two axes in the world."""
    corners = position.world_corners[:, list(position.axes)]
    return corners.min(axis=0), corners.max(axis=0)


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=TRANSFORMS)
def test_an_image_is_right_of_its_source_at_the_same_height(model, transform):
    content = model.add_image(np.zeros((60, 80)), **transform)
    source = shown_slice(content, model.dims).position
    (top, left), (bottom, right) = sides(source)
    beside = source.beside(source)
    (new_top, new_left), (new_bottom, _) = sides(beside)
    assert (new_top, new_bottom) == pytest.approx((top, bottom))
    assert right < new_left < right + 0.1 * (right - left)
    result = add_result(model, beside, (30, 40))
    first = result.data_to_world((-0.5, -0.5))
    np.testing.assert_allclose(first, beside.world_corners[0], atol=1e-9)


@pytest.mark.parametrize("transform", STACKS.values(), ids=STACKS)
@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_the_result_of_a_slice_stays_in_that_slice(model, transform):
    content = model.add_image(np.zeros((5, 60, 80)), **transform)
    move_slider(content, model.dims, 0, 3)
    source = shown_slice(content, model.dims).position
    beside = source.beside(source)
    assert sides(source)[1][1] < sides(beside)[0][1]
    np.testing.assert_allclose(beside.world_corners[:, :2], source.world_corners[:, :2], atol=1e-9)
    assert beside.index == source.index


def test_there_is_room_for_the_tiles_of_a_texture(model):
    content = model.add_image(np.zeros((60, 80)))
    source = shown_slice(content, model.dims).position
    (_, left), (_, right) = sides(source.beside(source, tiles=3))
    assert left - (right - left) > sides(source)[1][1]


@pytest.mark.window
def test_the_setting_is_remembered_but_in_no_record(viewer, dock, optimiser, finish):
    widget = dock("Style Transfer")
    cells = viewer.layers["cells"]
    cells.scale, cells.translate, cells.rotate = (0.5, 0.5), (7, 9), 10
    optimiser(steps=5)
    over = finish(widget)
    widget.beside.value = True
    beside = finish(widget)
    left = [one.extent.world[0][1] for one in (over, beside)]
    assert left[0] == pytest.approx(cells.extent.world[0][1], abs=0.5)
    assert left[1] > cells.extent.world[1][1]
    assert [one.extent.world[0][0] for one in (over, beside)] == pytest.approx(
        [cells.extent.world[0][0]] * 2, abs=0.5
    )
    widget.panel.history.show()
    history = widget.panel.history.current.layer.layer
    np.testing.assert_allclose(history.translate[-2:], beside.translate, atol=0.5)
    assert "beside" not in beside.metadata["napari-nst"]["controls"]
    assert recalled("transfer")["beside"] is True
    assert StyleTransfer(viewer).beside.value is True
