"""Arrays to tensors and back, and resampling."""

import numpy as np
import pytest
import torch

from napari_nst.engine.images.convert import resize, to_array, to_tensor

CPU = torch.device("cpu")


def test_an_array_as_a_tensor_and_back():
    pixels = np.random.default_rng(0).random((4, 5, 3), np.float32)
    tensor = to_tensor(pixels, CPU)
    assert tensor.shape == (1, 3, 4, 5)
    assert tensor[0, 2, 1, 3] == pixels[1, 3, 2]
    array = to_array(tensor)
    np.testing.assert_array_equal(array, pixels)
    array[:] = 2  # a copy
    assert tensor.max() <= 1


def test_an_array_is_clipped_and_laid_out_row_by_row():
    array = to_array(torch.tensor([-0.2, 0.5, 1.2]).view(1, 3, 1, 1).double())
    assert array.dtype == np.float32
    assert array.flags.c_contiguous
    np.testing.assert_array_equal(array, [[[0, 0.5, 1]]])


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("shape", [(13, 9), (1, 1)])
def test_a_flat_image_stays_flat_at_every_size(shape, smooth):
    resized = resize(torch.full((1, 3, 8, 8), 0.25), shape, smooth=smooth)
    torch.testing.assert_close(resized, torch.full((1, 3, *shape), 0.25))


def test_bilinear_values_keep_their_range(random_image):
    step = (random_image(8, 8) > 0.5).float()
    enlarged = resize(step, (23, 23), smooth=False)
    assert enlarged.min() >= 0
    assert enlarged.max() <= 1
    assert resize(step, (23, 23)).min() < 0  # which is what bicubic does


def wave(height, width):
    """Return a periodic image, sampled at the centre of each pixel."""
    y = (np.arange(height) + 0.5)[:, None] / height
    x = (np.arange(width) + 0.5) / width
    tiled = 0.5 + 0.2 * np.sin(2 * np.pi * (x + y)) + 0.2 * np.cos(2 * np.pi * (2 * y - x) + 1)
    return torch.from_numpy(np.stack([tiled, tiled.clip(0.4), 1 - tiled]))[None].float()


@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("shape", [(33, 47), (91, 128)])
def test_a_periodic_image_stays_periodic_at_every_size(shape, smooth):
    """As exactly at the border as inside, and without a shift."""
    error = (resize(wave(45, 64), shape, smooth=smooth, periodic=True) - wave(*shape)).abs()
    inside = error[..., 3:-3, 3:-3].max()
    assert inside < 0.08  # the filter lowers the waves a little
    border = torch.cat([error[..., 0, :], error[..., -1, :]], dim=-1).max()
    sides = torch.cat([error[..., :, 0], error[..., :, -1]], dim=-1).max()
    assert max(border, sides) < inside + 0.01
