"""The images of a run that are kept, within a limit of memory."""

import copy
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from napari_nst.io.history import FrameStack, History, enlarged

KILOBYTE = np.zeros((10, 100), np.uint8)


def iteration(step, steps, shape=(6, 8), panels=()):
    return SimpleNamespace(
        step=step, steps=steps, shape=shape, losses={"total": 3 / step}, panels=panels,
        picture=np.full((*shape, 3), step / steps, np.float32),
    )  # fmt: skip


def run(history, steps, first=1):
    for step in range(first, steps + 1):
        history.step(iteration(step, steps))
    return history


def fill(history, steps):
    for step in range(1, steps + 1):
        if history.wants(step, steps):
            history.keep(step, KILOBYTE.copy(), str(step))
    return history


def test_even_spacing_keeps_the_first_each_nth_and_the_last():
    history = run(History("even", every=10), 35)
    assert history.steps == [1, 10, 20, 30, 35]
    run(history, 60, first=36)
    assert history.steps == [1, 10, 20, 30, 40, 50, 60], "the run was continued"


def test_logarithmic_spacing_keeps_all_early_steps_and_then_constant_ratios():
    steps = np.array(run(History("log"), 500).steps)
    assert steps[:20].tolist() == list(range(1, 21))
    assert steps[-1] == 500
    late = steps[(steps > 100) & (steps < 500)]
    ratios = late[1:] / late[:-1]
    assert ratios.min() > 1.04
    assert ratios.max() < 1.06


def test_images_are_converted_to_eight_bits_and_labelled():
    stack = run(History("even"), 4).stack()
    assert stack.dtype == np.uint8
    assert stack.shape == (4, 6, 8, 3)
    np.testing.assert_array_equal(stack[:, 0, 0, 0], [64, 128, 191, 255])
    assert stack.labels[1] == "iteration 2 of 4, 8 px, loss 1.5"


def test_the_last_image_of_a_stopped_run_is_kept():
    history = History("even", every=10)
    for step in range(1, 38):
        history.step(iteration(step, 100))
    history.step(iteration(37, 100), is_last=True)
    assert history.steps == [1, 10, 20, 30, 37]


@pytest.mark.parametrize("spacing", ["even", "log"])
def test_above_its_limit_a_history_keeps_every_second_image_and_both_ends(spacing):
    history = History(spacing, megabytes=0.02)
    for step in range(1, 1001):
        if history.wants(step, 1000):
            history.keep(step, KILOBYTE.copy(), "")
            assert history.megabytes <= 0.02
            assert history.steps[0] == 1
            assert history.steps[-1] == step
    assert 10 <= len(history.steps) <= 20
    gaps = np.diff(history.steps)[1:-1]
    assert (gaps == 64).all() if spacing == "even" else (np.diff(gaps) >= 0).all()


def test_the_first_and_the_last_image_are_kept_in_any_case():
    assert fill(History(megabytes=0.0005), 50).steps == [1, 50]


def test_an_image_may_be_replaced_but_not_be_late():
    history = History("even")
    history.keep(3, np.zeros((2, 2), np.uint8), "")
    history.keep(3, np.ones((2, 2), np.uint8), "again")
    assert history.stack().labels == ("again",)
    with pytest.raises(ValueError, match=r"^step must not be below 3"):
        history.keep(2, np.zeros((2, 2), np.uint8), "")


def test_iterations_of_several_panels_are_not_kept():
    history = History()
    history.step(iteration(1, 4, panels=("conv1_1", "conv2_1")))
    assert history.steps == []
    with pytest.raises(ValueError, match=r"^No picture has been kept yet"):
        history.stack()


def test_one_thread_may_add_images_while_another_reads():
    history, done = History("even", megabytes=0.05), threading.Event()

    def add():
        fill(history, 5000)
        done.set()

    thread = threading.Thread(target=add)
    thread.start()
    try:
        while not done.is_set():
            steps = history.steps
            assert steps == sorted(steps)
            if steps:
                stack = history.stack()
                assert np.asarray(stack).shape[0] == len(stack.labels)
    finally:
        thread.join()


@pytest.mark.parametrize(
    "given", [{"spacing": "odd"}, {"every": 0}, {"megabytes": 0}, {"megabytes": float("nan")}]
)
def test_other_settings_are_refused_by_name(given):
    with pytest.raises(ValueError, match=rf"{next(iter(given))}.* must be "):
        History(**given)


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
    large = enlarged(small, (8, 8))
    assert large.dtype == dtype
    assert (large[0, 0], large[-1, -1]) == (0, largest)
