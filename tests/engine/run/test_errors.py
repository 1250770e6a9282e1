"""Memory that runs out while a run goes on: smaller tiles, the same picture."""

import weakref

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.distributed import ALONE, Processes
from napari_nst.engine.run.errors import (
    SharedOutOfMemory,
    is_out_of_memory,
    with_less_memory,
)
from napari_nst.engine.steering import Steering
from napari_nst.engine.tiling import budget as tiling
from napari_nst.engine.vgg.network import VGG19

RNG = np.random.default_rng(0)
CONTENT = RNG.random((50, 75, 3), dtype=np.float32)
STYLE = RNG.random((40, 36, 3), dtype=np.float32)


def no_memory():
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Allow tiles that are small enough for quick tests."""
    monkeypatch.setattr(tiling, "MIN_TILE", 32)


@pytest.fixture
def room(monkeypatch):
    """Return a function that lets the network fail for images of more pixels, from a call on."""

    def make(side, *, since=0, error=no_memory):
        along, calls = VGG19.along, []

        def limited(network, image, *joins):
            calls.append(image.shape)
            if len(calls) > since and image.shape[-2] * image.shape[-1] > side**2:
                raise error()
            return along(network, image, *joins)

        monkeypatch.setattr(VGG19, "along", limited)

    return make


def run(recipe, **arguments):
    said = []
    iterations = list(nst.stylize(CONTENT, STYLE, recipe, steering=Steering(said.append)))
    return iterations, said


@pytest.mark.parametrize("fields", [{"optimizer": "adam"}, {"optimizer": "lbfgs", "ema": 0.5}])
def test_a_run_goes_on_in_smaller_tiles_as_if_nothing_had_happened(quick, room, fields):
    recipe = quick(size=75, steps=5, **fields)
    expected, _ = run(recipe)
    room(40, since=2 + 1 + 3)  # content and style, the start, three steps
    found, said = run(recipe)
    assert said == ["Ran out of memory; going on from iteration 3 in tiles of 32 pixels."]
    assert [it.step for it in found] == [1, 2, 3, 4, 5]
    assert [it.record()["tile"] for it in found] == [0, 0, 0, 32, 32]
    for one, other in zip(found, expected, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-4)
        np.testing.assert_allclose(one.image, other.image, atol=2e-3)


def test_tiles_are_halved_until_they_fit(quick, room):
    recipe = quick(size=150, steps=2)
    room(38, since=0)
    found, said = run(recipe)
    assert said == [
        f"Ran out of memory; going on from the start in tiles of {tile} pixels."
        for tile in (64, 32)
    ]
    assert [it.step for it in found] == [1, 2]


def test_later_scales_begin_with_the_tiles_that_fitted(quick, room):
    recipe = quick(size=75, min_size=50, steps=4)
    room(40, since=0)
    found, said = run(recipe)
    assert len(said) == 1
    assert {it.shape[1]: it.record()["tile"] for it in found} == {53: 32, 75: 32}


def test_a_line_search_goes_on_too(quick, room):
    recipe = quick(size=75, steps=3, line_search=True)
    expected, _ = run(recipe)
    room(40, since=6)
    found, said = run(recipe)
    assert len(said) == 1
    assert found[-1].losses == pytest.approx(expected[-1].losses, rel=1e-3)


def in_turn(recipe, steering):
    layers = ["relu1_1", "relu2_1"]
    return nst.compare_reconstructions(CONTENT, recipe, layers=layers, steering=steering)


def swept(recipe, steering):
    def begin(one):
        return nst.stylize(CONTENT, STYLE, one, steering=steering)

    return nst.sweep(begin, recipe, {"style_weight": [2, 8]})


@pytest.mark.parametrize("run", [in_turn, swept])
def test_pictures_made_in_turn_go_on_in_smaller_tiles(quick, room, run):
    recipe, said = quick(size=75, steps=2, init="noise"), []
    expected = list(run(recipe, Steering()))
    room(40)
    found = list(run(recipe, Steering(said.append)))
    assert said == ["Ran out of memory; going on from the start in tiles of 32 pixels."] * 2
    assert [it.panel for it in found] == [0, 0, 1, 1]
    assert {it.record()["tile"] for it in found} == {32}
    for one, other in zip(found, expected, strict=True):
        # Steps that learn from differences of gradients enlarge what rounding leaves.
        assert np.abs(one.image - other.image).mean() < 1e-4


@pytest.mark.parametrize(
    ("fields", "side"),
    [({"size": 75}, 25), ({"size": 40}, 25), ({"size": 75, "style_loss": "mrf"}, 40)],
    ids=["no tile fits", "too small for tiles", "no loss for tiles"],
)
def test_a_run_that_cannot_go_on_in_tiles_says_what_to_do(quick, room, fields, side):
    recipe = quick(**fields, init="noise")
    room(side, since=3)
    with pytest.raises(nst.NstError, match=r"^Out of memory at \d+ pixels on device 'cpu'; "):
        run(recipe)


def test_one_of_several_processes_does_not_take_smaller_tiles_alone(quick, room, monkeypatch):
    # The others would wait for it. (Of this picture each computes all: it is too small to divide.)
    monkeypatch.setattr(tiling, "present", lambda: Processes(0, 2))
    monkeypatch.setattr(Processes, "least", lambda self, value: value)
    room(40, since=3)
    with pytest.raises(nst.NstError, match=r"^Out of memory at 75 pixels on device 'cpu'; "):
        run(quick(size=75))


def test_a_process_that_runs_out_makes_room_before_it_tells_the_others(monkeypatch):
    held, told = [], []

    class Large:
        pass

    def compute():
        large = Large()
        held.append(weakref.ref(large))
        raise MemoryError("5 GB")

    def total(self, value):
        told.append((value, held[0]()))
        return value

    monkeypatch.setattr(Processes, "total", total)
    with pytest.raises(SharedOutOfMemory, match="5 GB"), Processes(0, 2).all_or_none():
        compute()
    assert told == [(1, None)]


def test_a_process_that_is_told_of_another_stops_too(monkeypatch):
    monkeypatch.setattr(Processes, "total", lambda self, value: value + 1)
    with (
        pytest.raises(SharedOutOfMemory, match="Another process"),
        Processes(0, 2).all_or_none(),
    ):
        pass


def test_an_error_of_another_kind_and_one_of_a_process_alone_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(Processes, "total", None)  # nobody is asked
    for processes, error in [(Processes(0, 2), RuntimeError("access")), (ALONE, MemoryError())]:
        with pytest.raises(type(error)) as raised, processes.all_or_none():
            raise error
        assert raised.value is error


def test_other_errors_end_the_run(quick, room):
    room(25, since=3, error=lambda: RuntimeError("an illegal memory access"))
    with pytest.raises(nst.NstError, match="an illegal memory access"):
        run(quick(size=75))


def test_what_a_failed_attempt_held_is_free_before_the_next():
    attempts = []

    class Large:
        pass

    held = []

    def compute():
        large = Large()
        held.append(weakref.ref(large))
        attempts.append(len(attempts))
        if len(attempts) < 3:
            raise MemoryError
        return "done"

    def take_less(error):
        assert is_out_of_memory(error)
        assert held[-1]() is None

    assert with_less_memory(compute, take_less) == "done"
    assert attempts == [0, 1, 2]
