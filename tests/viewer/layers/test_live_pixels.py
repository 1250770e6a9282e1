"""The pixels that a run's thread writes: iterations, and tiles of the next."""

import numpy as np
import pytest
import torch

from napari_nst.engine.steering import TileDone
from napari_nst.viewer.layers import live_pixels
from napari_nst.viewer.layers.intensity import Intensity
from napari_nst.viewer.layers.live_pixels import LivePixels
from napari_nst.viewer.layers.read import OriginalPixels
from napari_nst.viewer.run import throttle
from tests.helpers.fake_iterations import iteration

RGB = Intensity(None, np.dtype(np.uint8), is_grey=False)
GREY = Intensity((100.0, 1100.0), np.dtype(np.uint16), is_grey=True)


@pytest.fixture(autouse=True)
def _small_is_large(monkeypatch):
    monkeypatch.setattr(live_pixels, "LARGE", 60)
    monkeypatch.setattr(live_pixels, "COARSEST", 20)
    monkeypatch.setattr(live_pixels, "_ROWS", 16)
    monkeypatch.setattr(throttle, "PAUSE", 0.0)


def tile(top, left, side=16, *, level, shape=(48, 64), step=2):
    window = slice(top, top + side), slice(left, left + side)
    return TileDone(step, 1, 12, window, torch.full((1, 3, side, side), level), shape)


def finest(drawn):
    return drawn.pyramid.levels[0]


def test_a_small_image_without_tiles_is_left_to_the_layer():
    drawn, one = LivePixels(RGB), iteration(1, 2, (30, 40))
    drawn.draw(one)
    assert drawn.pyramid is None
    assert "image" in one.__dict__, "fetched here, and not in the main thread"


def test_an_image_that_will_be_large_is_multiscale_from_the_start():
    drawn = LivePixels(RGB)
    drawn.draw(iteration(1, 4, (12, 16), full_shape=(48, 64), level=0.2))
    assert drawn.pyramid.multiscale
    assert [level.shape for level in drawn.pyramid.levels] == [(12, 16, 3)]
    drawn.draw(iteration(2, 4, (48, 64), level=0.4))
    assert [level.shape[:2] for level in drawn.pyramid.levels] == [(48, 64), (24, 32), (12, 16)]
    assert all((level == 102).all() for level in drawn.pyramid.levels)


def test_several_images_are_left_to_the_layer():
    drawn = LivePixels(RGB)
    drawn.draw(one := iteration(1, 4, panel=0, panels="ab"))
    drawn.draw_tile(tile(0, 0, level=1.0), one)
    assert drawn.pyramid is None


def test_tiles_cover_only_their_windows_and_can_be_removed():
    drawn, one = LivePixels(RGB), iteration(1, 4, level=0.2)
    drawn.draw(one)
    before, version = [level.copy() for level in drawn.pyramid.levels], drawn.version
    drawn.draw_tile(tile(16, 32, level=1.0), one)
    drawn.draw_tile(tile(0, 48, level=0.8), one)
    assert drawn.version == version + 2
    assert (finest(drawn)[16:32, 32:48] == 255).all()
    assert (finest(drawn)[:16, 48:] == 204).all()
    assert (drawn.pyramid.levels[1][8:16, 16:24] == 255).all()
    assert (finest(drawn) == 51).sum() == 3 * (48 * 64 - 2 * 16 * 16)
    drawn.draw(one)
    for level, was in zip(drawn.pyramid.levels, before, strict=True):
        np.testing.assert_array_equal(level, was)


def test_the_first_tile_of_a_scale_is_drawn_over_the_enlarged_last_scale():
    drawn, coarse = LivePixels(RGB), iteration(1, 4, (24, 32), full_shape=(48, 64))
    coarse.pixels[:] = torch.linspace(0, 1, 32)
    drawn.draw(coarse)
    drawn.draw_tile(tile(0, 0, level=1.0), coarse)
    assert finest(drawn).shape == (48, 64, 3)
    assert (finest(drawn)[:16, :16] == 255).all()
    row = np.rint(np.linspace(0, 1, 32, dtype=np.float32) * 255).repeat(2)
    np.testing.assert_array_equal(finest(drawn)[40, :, 0], row)
    drawn.draw(coarse)  # stopped before there was an iteration of this size
    assert finest(drawn).shape == (24, 32, 3)
    np.testing.assert_array_equal(finest(drawn)[0, :, 0], row[::2])


def test_a_small_image_with_tiles_has_one_level():
    drawn, one = LivePixels(RGB), iteration(1, 4, (48, 48), level=0.2)
    drawn.draw(one)
    drawn.draw_tile(tile(0, 0, level=1.0, shape=(48, 48)), one)
    [level] = drawn.pyramid.levels
    assert not drawn.pyramid.multiscale
    assert (level[:16, :16] == 255).all()
    assert (level[16:] == 51).all()
    drawn.draw(two := iteration(2, 4, (48, 48), full_shape=(64, 64), level=0.4))
    assert drawn.pyramid.multiscale
    assert len(drawn.pyramid.levels) == 3
    drawn.draw(two)
    assert (finest(drawn) == 102).all()


@pytest.mark.parametrize("keep_dtype", [False, True])
def test_grey_goes_through_the_contrast_limits(keep_dtype):
    drawn, one = LivePixels(GREY, keep_dtype), iteration(1, 4, level=0.25, grey=True)
    drawn.draw(one)
    drawn.draw_tile(tile(0, 0, level=0.5), one)
    assert finest(drawn).dtype == (np.uint16 if keep_dtype else np.float32)
    assert finest(drawn).shape == (48, 64)
    np.testing.assert_allclose(finest(drawn)[:16, :16], 600)
    np.testing.assert_allclose(drawn.pyramid.levels[2][4:], 350)


def test_a_tile_has_the_alpha_of_its_window():
    drawn, one = LivePixels(RGB), iteration(1, 4, level=0.2, alpha=0.4)
    one.alpha[..., :8] = 1.0
    drawn.draw(one)
    drawn.draw_tile(tile(0, 0, level=1.0), one)
    assert finest(drawn)[0, 0].tolist() == [255, 255, 255, 255]
    assert finest(drawn)[0, 8].tolist() == [255, 255, 255, 102]
    assert finest(drawn)[40, 40].tolist() == [51, 51, 51, 102]


def test_pixels_outside_the_region_keep_their_values():
    class Content:
        def read_raw(self):
            return np.arange(48 * 64, dtype=np.float32).reshape(48, 64)

    free = np.zeros((48, 64), bool)
    free[10:30, 20:40] = True
    original = OriginalPixels()
    original.read(Content())
    drawn = LivePixels(GREY, original=original)
    one = iteration(1, 4, level=0.25, grey=True, free=free)
    drawn.draw(one)
    drawn.draw_tile(tile(16, 16, level=0.5), one)
    expected = np.where(free, 350, Content().read_raw())
    expected[16:30, 20:32] = 600
    np.testing.assert_allclose(finest(drawn), expected, rtol=1e-6)


def test_drawing_takes_a_twentieth_of_the_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(throttle.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(throttle, "PAUSE", 20)
    drawn, one = LivePixels(RGB), iteration(1, 4)
    write = live_pixels.Pyramid.write

    def write_for_a_second(self, window, pixels):
        now[0] += 1
        write(self, window, pixels)

    monkeypatch.setattr(live_pixels.Pyramid, "write", write_for_a_second)
    drawn.draw(one)  # three blocks of rows, three seconds
    assert not drawn.is_due()
    drawn.draw_tile(tile(0, 0, level=1.0), one)
    drawn.draw_tile(tile(16, 0, level=1.0), one)
    assert (finest(drawn)[:16, :16] == 255).all()
    assert not (finest(drawn)[16:32, :16] == 255).any()
    now[0] = 4.0 + 20.0
    drawn.draw_tile(tile(32, 0, level=1.0), one)
    assert (finest(drawn)[32:, :16] == 255).all()
    assert not drawn.is_due()
    now[0] = 3.0 + 60.0
    assert drawn.is_due()
