"""Memory that runs out during a run: smaller tiles, the same image."""

import weakref

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.distributed import Processes, SharedOutOfMemory
from napari_nst.engine.steering import Steering
from napari_nst.engine.tiling import budget
from napari_nst.engine.torch_errors import is_out_of_memory, with_less_memory
from napari_nst.engine.vgg.network import VGG19

RNG = np.random.default_rng(0)
CONTENT = RNG.random((50, 75, 3), dtype=np.float32)
STYLE = RNG.random((40, 36, 3), dtype=np.float32)


def no_memory():
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.fixture(autouse=True)
def small_tiles(monkeypatch):
    """Allow tiles that are small enough for quick tests."""
    monkeypatch.setattr(budget, "MIN_TILE", 32)


@pytest.fixture
def memory_for(monkeypatch):
    """Return a function that lets the network fail for larger images, from a call on."""

    def limit(side, *, since=0, error=no_memory):
        forward, calls = VGG19.iter_features, []

        def limited(network, image, *wrap_around):
            calls.append(image.shape)
            if len(calls) > since and image.shape[-2] * image.shape[-1] > side**2:
                raise error()
            return forward(network, image, *wrap_around)

        monkeypatch.setattr(VGG19, "iter_features", limited)

    return limit


def run(recipe):
    said = []
    iterations = list(nst.stylize(CONTENT, STYLE, recipe, steering=Steering(said.append)))
    return iterations, said


@pytest.mark.parametrize(
    ("fields", "since"),
    [
        ({"optimizer": "adam"}, 2 + 1 + 3),  # content and style, the start, three steps
        ({"optimizer": "lbfgs", "ema": 0.5}, 2 + 1 + 3),
        ({"line_search": True}, 6),
    ],
)
def test_a_run_goes_on_in_smaller_tiles_as_if_nothing_had_happened(
    quick, memory_for, fields, since
):
    recipe = quick(size=75, steps=5, **fields)
    expected, _ = run(recipe)
    memory_for(40, since=since)
    found, said = run(recipe)
    assert len(said) == 1
    assert "tiles of 32 pixels" in said[0]
    tiles = [it.record()["tile"] for it in found]
    assert tiles[0] == 0
    assert tiles[-1] == 32
    for one, other in zip(found, expected, strict=True):
        assert one.losses == pytest.approx(other.losses, rel=1e-3)
        assert np.abs(one.image - other.image).mean() < 1e-4


def test_tiles_are_halved_until_they_fit(quick, memory_for):
    memory_for(38)
    found, said = run(quick(size=150, steps=2))
    assert ["64 pixels" in said[0], "32 pixels" in said[1]] == [True, True]
    assert [it.step for it in found] == [1, 2]


def test_later_scales_start_with_the_tiles_that_fitted(quick, memory_for):
    memory_for(40)
    found, said = run(quick(size=75, min_size=50, steps=4))
    assert len(said) == 1
    assert {it.shape[1]: it.record()["tile"] for it in found} == {53: 32, 75: 32}


def test_images_made_in_turn_go_on_in_smaller_tiles(quick, memory_for):
    memory_for(40)
    recipe, said = quick(size=75, steps=2, init="noise"), []
    found = list(
        nst.compare_reconstructions(
            CONTENT, recipe, layers=["relu1_1", "relu2_1"], steering=Steering(said.append)
        )
    )
    assert len(said) == 2
    assert [it.panel for it in found] == [0, 0, 1, 1]
    assert {it.record()["tile"] for it in found} == {32}


@pytest.mark.parametrize(
    ("fields", "side"),
    [({"size": 75}, 25), ({"size": 40}, 25), ({"size": 75, "style_loss": "mrf"}, 40)],
    ids=["no tile fits", "too small for tiles", "no loss for tiles"],
)
def test_a_run_that_cannot_go_on_in_tiles_says_what_to_do(quick, memory_for, fields, side):
    memory_for(side, since=3)
    with pytest.raises(nst.NstError, match=r"^Out of memory at \d+ pixels on device 'cpu'"):
        run(quick(**fields, init="noise"))


def test_one_of_several_processes_does_not_take_smaller_tiles_alone(quick, memory_for, monkeypatch):
    # The others would wait for it.
    monkeypatch.setattr(budget, "present", lambda: Several(1, 2))
    memory_for(40)
    with pytest.raises(nst.NstError, match="Out of memory"):
        run(quick(size=75))


class Several(Processes):
    """Two processes, of which the other one is never out of memory unless told so."""

    other_fails = False

    def _gathered(self, value):
        return [value, value if value > 1 else float(self.other_fails)]


def test_all_processes_stop_when_one_is_out_of_memory():
    several = Several(0, 2)
    with pytest.raises(SharedOutOfMemory), several.all_or_none():
        raise no_memory()
    Several.other_fails = True
    try:
        with pytest.raises(SharedOutOfMemory), several.all_or_none():
            pass
    finally:
        Several.other_fails = False
    with pytest.raises(RuntimeError, match="another error"), several.all_or_none():
        raise RuntimeError("another error")


def test_other_errors_end_the_run(quick, memory_for):
    memory_for(40, error=lambda: RuntimeError("expected scalar type Float"))
    with pytest.raises(nst.NstError, match="expected scalar type Float"):
        run(quick(size=75))


def test_a_failed_attempt_frees_its_tensors_before_the_next():
    held = []

    def attempt():
        if held:
            return held[0]() is None
        large = torch.zeros(10)
        held.append(weakref.ref(large))
        raise no_memory()

    assert with_less_memory(attempt, lambda error: None)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        no_memory(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 GB"),
        RuntimeError("MPS backend out of memory"),
    ],
)
def test_out_of_memory_is_recognised_on_every_device(error):
    assert is_out_of_memory(error)
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.parametrize("error", [no_memory, MemoryError])
def test_a_change_that_there_is_no_memory_for_leaves_the_run_as_it_was(quick, monkeypatch, error):
    """The image is too small for tiles; the objective that the run has stays as it is."""
    recipe, said, found = quick(steps=6), [], []
    expected, _ = run(recipe)
    forward, steering = VGG19.iter_features, Steering(said.append)

    def without_targets(network, image, *wrap_around):
        if not image.requires_grad:
            raise error()
        return forward(network, image, *wrap_around)

    for it in nst.stylize(CONTENT, STYLE, recipe, steering=steering):
        found.append(it)
        if it.step == 2:
            monkeypatch.setattr(VGG19, "iter_features", without_targets)
            steering.change(style_weight=3.0)
    assert [sentence.split(":")[0] for sentence in said] == ["Not changed"]
    assert len(found) == 6
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one.image, other.image)


def test_a_change_goes_on_in_smaller_tiles(quick, memory_for):
    recipe, said, found = quick(size=75, steps=4), [], []
    steering = Steering(said.append)
    for it in nst.stylize(CONTENT, STYLE, recipe, steering=steering):
        found.append(it)
        if it.step == 2:
            memory_for(40)
            steering.change(style_weight=3.0)
    assert [("tiles of 32 pixels" in sentence) for sentence in said] == [True]
    assert [it.record()["tile"] for it in found] == [0, 0, 32, 32]
    assert found[-1].facts["recipe"]["style_weight"] == 3
