"""A picture and its halves, written a window at a time."""

from itertools import pairwise

import numpy as np
import pytest

from napari_nst.viewer.layers.live_pixels import Pyramid, halved


def picture(shape, dtype, seed=0):
    random = np.random.default_rng(seed)
    if dtype is bool:
        return random.random(shape) > 0.5
    if np.dtype(dtype).kind == "f":
        return random.random(shape).astype(dtype)
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("shape", [(64, 64), (67, 41), (9, 200, 3), (33, 64, 4)])
def test_levels_halve_until_they_are_small(shape):
    levels = Pyramid(shape[:2], np.zeros((1, 1, *shape[2:]), np.uint16), coarsest=16).levels
    assert levels[0].shape == shape
    assert max(levels[-1].shape[:2]) <= 16 < max(levels[-2].shape[:2])
    for fine, coarse in pairwise(levels):
        assert coarse.shape[2:] == fine.shape[2:]
        assert coarse.dtype == np.uint16
        for side, half in zip(fine.shape[:2], coarse.shape[:2], strict=True):
            assert half == (side + 1) // 2


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float16, np.float32])
def test_a_pixel_is_the_mean_of_four(dtype):
    fine = picture((6, 8, 3), dtype)
    means = fine.astype(np.float64).reshape(3, 2, 4, 2, 3).mean(axis=(1, 3))
    tolerance = 0.51 if fine.dtype.kind in "ui" else 1e-3
    np.testing.assert_allclose(halved(fine).astype(np.float64), means, atol=tolerance, rtol=1e-6)
    assert halved(fine).dtype == dtype


def test_what_is_odd_counts_twice():
    assert halved(np.array([[10, 20, 30]], np.uint8)).tolist() == [[15, 30]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint64, np.int64, bool])
def test_the_ends_of_a_range_stay(dtype):
    ends = (False, True) if dtype is bool else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    for end in ends:
        mean = halved(np.full((2, 2), end, dtype))
        assert mean.dtype == dtype
        assert float(mean[0, 0]) == pytest.approx(float(end), rel=1e-12)


@pytest.mark.parametrize("shape", [(48, 64, 3), (61, 45)])
def test_windows_come_to_the_same_as_the_whole(shape):
    whole = picture(shape, np.uint8)
    at_once, by_and_by = (Pyramid(shape[:2], whole[:1, :1], coarsest=8) for _ in range(2))
    at_once.write((slice(0, shape[0]), slice(0, shape[1])), whole)
    arrays = list(by_and_by.levels)
    for top in range(0, shape[0], 13):
        for left in range(0, shape[1], 17):
            bottom, right = min(top + 13, shape[0]), min(left + 17, shape[1])
            window = slice(top, bottom), slice(left, right)
            by_and_by.write(window, whole[window])
    assert len(at_once.levels) == len(by_and_by.levels) > 2
    for one, other, array in zip(at_once.levels, by_and_by.levels, arrays, strict=True):
        np.testing.assert_array_equal(one, other)
        assert other is array
