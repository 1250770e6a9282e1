"""What happens between the beginning and the end of a step: tiles told, and Stop."""

import sys

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.optim.lbfgs import LimitedMemoryBFGS
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.network import VGG19
from napari_nst.errors import Cancelled

RNG = np.random.default_rng(0)
CONTENT = RNG.random((150, 200, 3), dtype=np.float32)
STYLE = RNG.random((60, 60, 3), dtype=np.float32)


def watched(recipe, **arguments):
    tiles = []
    steering = Steering(watch=tiles.append)
    found = list(nst.stylize(CONTENT, STYLE, recipe, steering=steering, **arguments))
    return found, tiles


@pytest.mark.parametrize("image_range", ["clip", "free"])
def test_tiles_are_told_with_their_pixels(quick, image_range):
    recipe = quick(size=200, steps=2, tile=128, image_range=image_range, learning_rate=3)
    found, tiles = watched(recipe)
    for it in found:
        of_step = [tile for tile in tiles if tile.step == it.step][-8:]
        assert [tile.done for tile in of_step] == list(range(1, 9))
        assert {tile.total for tile in of_step} == {8}
        assert {tile.shape for tile in of_step} == {it.shape}
        assert [tile.pixels is None for tile in of_step] == [True] * 4 + [False] * 4
        shown = torch.zeros_like(it.pixels)
        for tile in of_step[4:]:
            shown[(..., *tile.window)] = tile.pixels
        np.testing.assert_array_equal(shown, it.pixels.clamp(0, 1))


@pytest.mark.parametrize("fields", [{"color": "luminance"}, {"ema": 0.9}], ids=str)
def test_pixels_that_are_not_what_is_shown_are_not_told(quick, fields):
    _, tiles = watched(quick(size=200, steps=1, tile=128, **fields))
    assert tiles[-1].window is not None
    assert all(tile.pixels is None for tile in tiles)


def test_a_picture_of_one_tile_has_none_to_tell(quick):
    assert watched(quick(size=100, tile=128))[1] == []


@pytest.mark.parametrize("fields", [{"tile": 128}, {"tile": 0}], ids=str)
@pytest.mark.parametrize("after", [0, 2])
def test_stop_ends_a_run_within_its_step(quick, monkeypatch, fields, after):
    steering, found, layers = Steering(), [], []
    iterations = nst.stylize(CONTENT, STYLE, quick(size=200, **fields), steering=steering)
    found = [next(iterations) for _ in range(after)]
    along = VGG19.along

    def stopped_meanwhile(network, *arguments):
        pulse = network.pulse

        def pulse_after_stop():
            layers.append(1)
            steering.stop()
            pulse()

        network.pulse = pulse_after_stop
        return along(network, *arguments)

    monkeypatch.setattr(VGG19, "along", stopped_meanwhile)
    found += list(iterations)  # ends, without an error
    assert len(found) == after
    assert len(layers) == 1


@pytest.mark.parametrize("within", ["_multiply", "_move"])
def test_stop_ends_a_run_within_the_optimisers_step(quick, monkeypatch, within):
    monkeypatch.setattr(LimitedMemoryBFGS, "chunk", 2**14)
    steering, parts, divide = Steering(), [], LimitedMemoryBFGS._parts
    recipe = quick(size=200, optimizer="lbfgs", steps=9)
    iterations = nst.stylize(CONTENT, STYLE, recipe, steering=steering)
    found = [next(iterations), next(iterations)]
    kept = found[-1].image.copy()

    def stopped_meanwhile(optimizer):
        within_it = sys._getframe(1).f_code.co_name == within
        for part in divide(optimizer):
            if within_it:
                parts.append(part)
                if len(parts) == 3:
                    steering.stop()
            yield part

    monkeypatch.setattr(LimitedMemoryBFGS, "_parts", stopped_meanwhile)
    found += list(iterations)
    assert [it.step for it in found] == [1, 2]
    assert len(parts) == 3, "of many"
    np.testing.assert_array_equal(found[-1].image, kept)


def test_a_network_that_is_not_wanted_any_more_is_no_silent_end(monkeypatch, quick):
    from napari_nst.engine.run import run as course

    def load(*_):
        raise Cancelled("Stopped by the user.")

    monkeypatch.setattr(course, "load", load)
    with pytest.raises(Cancelled):
        next(nst.stylize(CONTENT, STYLE, quick()))
