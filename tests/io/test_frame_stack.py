"""Frames of several sizes as one array."""

import copy

import numpy as np
import pytest
from PIL import Image

from napari_nst.io.frame_stack import FrameStack, enlarged, repeated


@pytest.fixture
def frames():
    """A small frame and two large ones."""
    random = np.random.default_rng(0)
    shapes = {1: (6, 8, 3), 5: (12, 16, 3), 9: (12, 16, 3)}
    return {step: random.integers(0, 256, shape, np.uint8) for step, shape in shapes.items()}


@pytest.fixture
def stack(frames):
    return FrameStack({step: (pixels, f"step {step}") for step, pixels in frames.items()})


def test_small_frames_are_enlarged_to_the_size_of_the_largest(stack, frames):
    whole = np.asarray(stack)
    assert whole.shape == stack.shape == (3, 12, 16, 3)
    assert whole.dtype == stack.dtype == np.uint8
    np.testing.assert_array_equal(whole[0], enlarged(frames[1], (12, 16)))
    np.testing.assert_array_equal(whole[1:], [frames[5], frames[9]])
    np.testing.assert_array_equal(copy.deepcopy(stack), whole)
    with pytest.raises(ValueError, match="without a copy"):
        stack.__array__(copy=False)


@pytest.mark.parametrize(
    "key",
    [
        0, -1, (1, slice(2, 5), 3), slice(0, 2), (slice(1, None), 4), slice(3, 3), ...,
        (slice(None), slice(None), slice(None), 0), [0, 2], np.int64(2), (..., 1),
    ],
)  # fmt: skip
def test_a_stack_is_indexed_like_its_array(stack, key):
    np.testing.assert_array_equal(stack[key], np.asarray(stack)[key])


def test_frames_may_be_converted(stack, frames):
    converted = stack.converted(lambda frame: frame[None].swapaxes(1, 2))
    assert converted.shape == (3, 1, 16, 12, 3)
    assert converted.size == (12, 16)
    np.testing.assert_array_equal(converted[2, 0], frames[9].swapaxes(0, 1))


def test_the_nearest_step_is_found(stack):
    assert [stack.nearest(step) for step in (0, 1, 3, 4, 5, 7, 8, 100)] == [0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("shape", [(50, 70), (64, 64), (33, 47)])
def test_enlarging_is_linear_as_in_pillow(shape):
    small = np.random.default_rng(0).random((33, 47)).astype(np.float32)
    reference = Image.fromarray(small).resize(shape[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(enlarged(small, shape), reference, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float64, bool])
def test_enlarged_images_keep_their_type_and_range(dtype):
    largest = np.iinfo(dtype).max if np.dtype(dtype).kind in "ui" else 1
    small = np.array([[0, largest], [largest, largest]], dtype)
    for resize in (enlarged, repeated):
        large = resize(small, (8, 8))
        assert large.dtype == dtype
        assert (large[0, 0], large[-1, -1]) == (0, largest)
