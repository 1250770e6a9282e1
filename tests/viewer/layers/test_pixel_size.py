"""How large pixels are, where that is known, and whether two layers' sizes compare."""

import numpy as np
import pytest
from napari.components import ViewerModel

from napari_nst.viewer.layers.read import comparable_sizes, shown_slice


@pytest.fixture
def pick():
    model = ViewerModel()

    def add(shape=(20, 30), size=0, **transform):
        layer = model.add_image(np.zeros(shape), rgb=False, **transform)
        return shown_slice(layer, model.dims, size)

    return add


def test_lengths_are_given_in_micrometres(pick):
    for unit, scale in [("um", 0.25), ("nm", 250), ("mm", 0.00025)]:
        picture = pick(units=[unit] * 2, scale=[scale] * 2)
        assert picture.pixel_size == pytest.approx(0.25)
        assert picture.unit == "micrometer"


def test_of_oblong_pixels_it_is_the_geometric_mean(pick):
    assert pick(units=["um"] * 2, scale=(2, 8)).pixel_size == pytest.approx(4)
    assert pick(units=["um", "nm"], scale=(2, 8000)).pixel_size == pytest.approx(4)


def test_neither_turning_nor_mirroring_changes_it(pick):
    for transform in ({"rotate": 33}, {"affine": np.diag([-1, 1, 1])}):
        assert pick(units=["um"] * 2, scale=(3, 3), **transform).pixel_size == pytest.approx(3)


def test_only_the_shown_axes_count(pick):
    picture = pick((4, 20, 30), units=["s", "um", "um"], scale=(60, 2, 2))
    assert picture.pixel_size == pytest.approx(2)


@pytest.mark.filterwarnings("ignore:Non-orthogonal slicing")
def test_a_way_through_time_is_no_part_of_a_length(pick):
    rolling = np.eye(4)
    rolling[0, 1] = 1e-3  # a camera that exposes row after row
    picture = pick((4, 20, 30), units=["s", "um", "um"], affine=rolling * [1, 2, 2, 1])
    assert picture.pixel_size == pytest.approx(2, rel=1e-12)


def test_a_coarse_level_has_larger_pixels(pick):
    model = ViewerModel()
    levels = [np.zeros((n, n)) for n in (400, 100)]
    layer = model.add_image(levels, multiscale=True, units=["um"] * 2, scale=(0.5, 0.5))
    assert shown_slice(layer, model.dims).pixel_size == pytest.approx(0.5)
    assert shown_slice(layer, model.dims, 100).pixel_size == pytest.approx(2)


def test_a_layer_without_calibration_has_none(pick):
    assert pick().pixel_size is None
    assert pick((4, 20, 30), scale=(5, 1, 1)).pixel_size is None  # calibrated in depth alone


def test_a_scale_without_a_unit_is_in_pixels(pick):
    picture = pick(scale=(2, 2))
    assert (picture.pixel_size, picture.unit) == (2, "pixel")


def test_sizes_compare_if_they_share_a_unit(pick):
    fine, coarse = (pick(units=["um"] * 2, scale=[side] * 2) for side in (0.1, 0.4))
    assert comparable_sizes([fine, coarse]) == [0.1, 0.4]
    for other in (pick(scale=(2, 2)), pick()):  # in pixels, and without a scale
        assert comparable_sizes([fine, other]) is None
    assert comparable_sizes([pick(), pick()]) is None
