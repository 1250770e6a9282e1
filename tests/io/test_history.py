"""Which pictures of a run are kept, and how they are one array."""

import copy
import threading
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from napari_nst.io.frame_stack import FrameStack, enlarged
from napari_nst.io.history import History


def iteration(step, steps, shape=(6, 8), panels=()):
    return SimpleNamespace(
        step=step, steps=steps, shape=shape, losses={"total": 3 / step}, panels=panels,
        picture=np.full((*shape, 3), step / steps, np.float32),
    )  # fmt: skip


def run(history, steps, first=1, of=None, shape=(6, 8)):
    for step in range(first, steps + 1):
        history.step(iteration(step, of or steps, shape))
    return history


KILOPICTURE = np.zeros((10, 100), np.uint8)
"""A thousand bytes."""


def fill(history, steps):
    for step in range(1, steps + 1):
        if history.wants(step, steps):
            history.keep(step, KILOPICTURE.copy(), str(step))
    return history


# ── which are kept ───────────────────────────────────────────────────────────────────────────


def test_evenly_is_the_first_each_nth_and_the_last():
    assert run(History("even", every=10), 35).steps == [1, 10, 20, 30, 35]
    assert run(History("even"), 5).steps == [1, 2, 3, 4, 5]


def test_log_spaced_is_all_at_first_then_steps_that_grow_in_proportion():
    steps = np.array(run(History("log"), 500).steps)
    assert steps[:20].tolist() == list(range(1, 21))
    assert steps[-1] == 500
    late = steps[(steps > 100) & (steps < 500)]
    ratios = late[1:] / late[:-1]
    assert ratios.min() > 1.04
    assert ratios.max() < 1.06


def test_what_is_kept_has_eight_bits_and_says_what_it_is():
    stack = run(History("even"), 4).stack()
    assert stack.dtype == np.uint8
    assert stack.shape == (4, 6, 8, 3)
    np.testing.assert_array_equal(stack[:, 0, 0, 0], [64, 128, 191, 255])
    assert stack.labels[1] == "iteration 2 of 4, 8 px, loss 1.5"


def test_a_run_that_is_stopped_keeps_the_picture_it_was_stopped_at():
    history = History("even", every=10)
    for step in range(1, 38):
        history.step(iteration(step, 100))
    history.step(iteration(37, 100), is_last=True)
    assert history.steps == [1, 10, 20, 30, 37]


def test_a_run_that_goes_on_goes_on_in_its_history():
    history = run(History("even", every=10), 35)
    run(history, 60, first=36)
    assert history.steps == [1, 10, 20, 30, 40, 50, 60]


@pytest.mark.parametrize("spacing", ["even", "log"])
def test_past_its_budget_a_history_keeps_half_and_both_ends(spacing):
    history = History(spacing, megabytes=0.02)
    for step in range(1, 1001):
        if history.wants(step, 1000):
            history.keep(step, KILOPICTURE.copy(), "")
            assert history.megabytes <= 0.02
            assert history.steps[0] == 1
            assert history.steps[-1] == step
    assert 10 <= len(history.steps) <= 20
    gaps = np.diff(history.steps)[1:-1]
    assert (gaps == 64).all() if spacing == "even" else (np.diff(gaps) >= 0).all()


def test_every_nth_becomes_every_second_of_these():
    history = fill(History("even", every=10, megabytes=0.006), 100)
    assert history.steps == [1, 20, 40, 60, 80, 100]


def test_the_ends_stay_even_where_they_pass_the_budget():
    assert fill(History(megabytes=0.0005), 50).steps == [1, 50]


def test_a_picture_may_be_replaced_but_not_come_late():
    history = History("even")
    history.keep(3, np.zeros((2, 2), np.uint8), "")
    history.keep(3, np.ones((2, 2), np.uint8), "again")
    assert history.stack().labels == ("again",)
    with pytest.raises(ValueError, match=r"^step must not be below 3, the newest; not 2"):
        history.keep(2, np.zeros((2, 2), np.uint8), "")


def test_of_several_pictures_that_are_made_in_turn_none_is_kept():
    history = History()
    history.step(iteration(1, 4, panels=("conv1_1", "conv2_1")))
    assert history.steps == []


def test_the_megabytes_are_those_that_the_memory_has_less():
    history = History("even", megabytes=1000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        run(history, 40, shape=(128, 128))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert history.megabytes == 40 * 128 * 128 * 3 / 1e6
    assert after - before == pytest.approx(history.megabytes * 1e6, rel=0.02)


def test_one_thread_may_add_while_another_looks():
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
    ("given", "message"),
    [
        ({"spacing": "odd"}, "^spacing must be 'log' or 'even'; not 'odd'.$"),
        ({"every": 0}, "^every must be at least 1; not 0.$"),
        ({"megabytes": 0}, "^megabytes must be above 0; not 0.$"),
        ({"megabytes": float("nan")}, "^megabytes must be above 0; not nan.$"),
    ],
)
def test_a_history_that_makes_no_sense_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        History(**given)


def test_there_is_no_stack_of_nothing():
    with pytest.raises(ValueError, match=r"^No picture has been kept yet; start a run"):
        History().stack()


# ── one array of them ────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sizes():
    """A coarse and a fine picture, and another fine one."""
    random = np.random.default_rng(0)
    shapes = {1: (6, 8, 3), 5: (12, 16, 3), 9: (12, 16, 3)}
    return {step: random.integers(0, 256, shape, np.uint8) for step, shape in shapes.items()}


def stack_of(pictures):
    return FrameStack({step: (pixels, f"step {step}") for step, pixels in pictures.items()})


def test_coarse_pictures_are_enlarged_to_the_size_of_the_largest(sizes):
    stack = stack_of(sizes)
    whole = np.asarray(stack)
    assert whole.shape == stack.shape == (3, 12, 16, 3)
    assert whole.dtype == stack.dtype == np.uint8
    np.testing.assert_array_equal(whole[0], enlarged(sizes[1], (12, 16)))
    np.testing.assert_array_equal(whole[1:], [sizes[5], sizes[9]])


@pytest.mark.parametrize(
    "key",
    [
        0, -1, (1, slice(2, 5), 3), slice(0, 2), (slice(1, None), 4), slice(3, 3), ...,
        (slice(None), slice(None), slice(None), 0), [0, 2], np.int64(2), (..., 1),
    ],
)  # fmt: skip
def test_a_part_of_a_stack_is_that_part_of_its_array(sizes, key):
    stack = stack_of(sizes)
    np.testing.assert_array_equal(stack[key], np.asarray(stack)[key])


def test_a_stack_of_other_axes_has_them_everywhere(sizes):
    stack = stack_of(sizes).converted(lambda picture: picture[None].swapaxes(1, 2))
    assert stack.shape == (3, 1, 16, 12, 3)
    assert stack.size == (12, 16)
    np.testing.assert_array_equal(stack[2, 0], sizes[9].swapaxes(0, 1))


def test_a_stack_can_be_copied_as_a_viewer_copies_layers(sizes):
    again = copy.deepcopy(stack_of(sizes))
    np.testing.assert_array_equal(again, stack_of(sizes))


def test_a_stack_does_not_pretend_to_be_an_array_already(sizes):
    with pytest.raises(ValueError, match="without a copy"):
        stack_of(sizes).__array__(copy=False)


def test_the_nearest_step_is_found_and_of_two_the_earlier(sizes):
    stack = stack_of(sizes)
    assert [stack.nearest(step) for step in (0, 1, 3, 4, 5, 7, 8, 100)] == [0, 0, 0, 1, 1, 1, 2, 2]


@pytest.mark.parametrize("shape", [(50, 70), (64, 64), (33, 47), (10, 100)])
def test_enlarging_is_linear_as_other_programs_do_it(shape):
    small = np.random.default_rng(0).random((33, 47)).astype(np.float32)
    if shape[0] < small.shape[0]:
        small = small[:10]  # Pillow averages where a side becomes smaller
    reference = Image.fromarray(small).resize(shape[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_allclose(enlarged(small, shape), reference, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32, np.float64, bool])
def test_enlarged_pictures_keep_their_type_and_range(dtype):
    most = np.iinfo(dtype).max if np.dtype(dtype).kind in "ui" else 1
    small = np.array([[0, most], [most, most]], dtype)
    large = enlarged(small, (8, 8))
    assert large.dtype == dtype
    assert (large[0, 0], large[-1, -1]) == (0, most)
    np.testing.assert_array_equal(enlarged(np.full((3, 3, 4), most, dtype), (7, 5)), most)


def test_a_picture_of_the_right_size_is_not_copied():
    picture = np.zeros((4, 5), np.uint8)
    assert enlarged(picture, (4, 5)) is picture
