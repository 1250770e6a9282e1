"""Arrays to tensors and back, and resampling."""

import numpy as np
import pytest
import torch

from napari_nst.engine.images import resize, to_array, to_tensor

CPU = torch.device("cpu")


def test_pixels_survive_the_round_trip():
    pixels = np.random.default_rng(0).random((4, 5, 3), np.float32)
    tensor = to_tensor(pixels, CPU)
    assert tensor.shape == (1, 3, 4, 5)
    assert tensor[0, 2, 1, 3] == pixels[1, 3, 2]
    np.testing.assert_array_equal(to_array(tensor), pixels)


def test_a_tensor_does_not_share_the_callers_memory(random_image):
    image = random_image(4, 5)
    array = to_array(image)
    array[:] = 0
    assert image.min() > 0


def test_an_array_is_clipped_and_laid_out_row_by_row():
    array = to_array(torch.tensor([-0.2, 0.5, 1.2]).view(1, 3, 1, 1).double())
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, [[[0, 0.5, 1]]])


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (13, 9), (8, 40), (1, 1)])
def test_a_flat_image_stays_flat_at_every_size(shape, smooth):
    resized = resize(torch.full((1, 3, 8, 8), 0.25), shape, smooth=smooth)
    torch.testing.assert_close(resized, torch.full((1, 3, *shape), 0.25))


def test_shrinking_averages_a_checkerboard_away():
    board = torch.zeros(1, 3, 64, 64)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = 1
    assert (resize(board, (16, 16)) - 0.5).abs().max() < 0.05


def test_without_smoothing_values_keep_their_range(random_image):
    step = (random_image(8, 8) > 0.5).float()
    enlarged = resize(step, (23, 23), smooth=False)
    assert enlarged.min() >= 0
    assert enlarged.max() <= 1
    assert resize(step, (23, 23)).min() < 0  # which is what bicubic does


def test_the_same_size_costs_nothing(random_image):
    image = random_image(8, 9)
    assert resize(image, (8, 9)) is image
