"""Evaluations that are replayed: when, whether they are right, and what becomes of a run if not."""

import gc
import weakref
from types import SimpleNamespace

import imaginary_cuda
import numpy as np
import pytest
import torch
from small_images import CONTENT, STYLE
from torch import nn
from transfer_objective import transfer_objective

import napari_nst as nst
from napari_nst.engine import replay
from napari_nst.engine.losses import sliced_wasserstein
from napari_nst.engine.objective import Objective
from napari_nst.engine.processes import Processes
from napari_nst.engine.replay import EAGER, TRIALS, WARM_UPS, CudaGraph, recorder_for, recorder_on
from napari_nst.engine.steering import Steering
from napari_nst.engine.steppers import LBFGS
from napari_nst.engine.tiled import TiledObjective
from napari_nst.engine.vgg import network_of
from napari_nst.engine.weighted import WeightedLoss
from napari_nst.recipe import Recipe, preset

LAST_EAGER = EAGER + TRIALS
RECIPE = Recipe(content_layers={"relu1_1": 1}, style_layers={"relu1_1": 1, "relu1_2": 1})


@pytest.fixture
def cuda(monkeypatch):
    """Let the processor be a device with graphs, in which no replay is too slow."""
    imaginary_cuda.install(monkeypatch)
    monkeypatch.setattr(replay, "recorder_on", lambda device: CudaGraph)
    monkeypatch.setattr(replay, "WORTH", float("inf"))
    return imaginary_cuda.graphs


@pytest.fixture
def objective(untrained, random_image):
    """Return a function that makes an objective, with one more loss of the image if wanted."""

    def make(extra=None, dtype=torch.float32):
        network = network_of(RECIPE, ["relu1_1", "relu1_2"], untrained, dtype)
        images = random_image(24, 32, seed=1), random_image(24, 24, seed=2)
        found = transfer_objective(RECIPE, network, images[0], images[1:])
        if extra is not None:
            found.on_image["tv/extra"] = WeightedLoss(extra, 1.0)
        return found

    return make


@pytest.fixture
def evaluations(monkeypatch):
    """Count the evaluations of objectives, by what goes wrong with them, if anything."""
    forward, seen = Objective.forward, []

    def counted(objective, image):
        seen.append(image.shape)
        if (error := seen_errors.pop(len(seen), None)) is not None:
            raise error
        return forward(objective, image)

    seen_errors = {}
    monkeypatch.setattr(Objective, "forward", counted)
    return SimpleNamespace(seen=seen, fail=seen_errors.update)


def steps(objective, image, count=10, make=LBFGS):
    stepper = make(RECIPE)
    stepper.begin(image, objective)
    return stepper, [stepper.step() for _ in range(count)]


def as_without(objective, image, found, monkeypatch, make=LBFGS):
    """Compare losses with those of the same steps without replays."""
    monkeypatch.setattr(replay, "recorder_on", lambda device: None)
    assert found == steps(objective, image, len(found), make)[1]


def unwanted(error):
    raise AssertionError("took smaller tiles") from error


# ── when ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_objective_is_recorded_once_it_lasts_and_replayed_from_then_on(
    cuda, objective, evaluations, random_image, monkeypatch
):
    of, image = objective(), random_image(24, 32)
    stepper, _ = steps(of, image, EAGER - 1)  # the first evaluation is before the first step
    assert (len(cuda), len(evaluations.seen)) == (0, EAGER)
    found = [stepper.step() for _ in range(10)]
    (graph,) = cuda
    assert len(evaluations.seen) == EAGER + WARM_UPS + 1 + 2 * TRIALS
    assert graph.replayed == 2 * TRIALS + 10 - TRIALS
    monkeypatch.setattr(replay, "recorder_on", lambda device: None)
    assert steps(of, image, EAGER - 1 + 10)[1][EAGER - 1 :] == found


@pytest.mark.parametrize(("share", "kept"), [(0.5, True), (0.99, False)])
def test_a_replay_that_is_hardly_faster_is_given_up(
    cuda, objective, random_image, monkeypatch, share, kept
):
    clock = SimpleNamespace(now=0.0, perf_counter=lambda: clock.now)

    def taking(seconds, function):
        def slowly(*arguments):
            clock.now += seconds
            return function(*arguments)

        return slowly

    monkeypatch.setattr(replay, "time", clock)
    monkeypatch.setattr(replay, "WORTH", 0.95)
    monkeypatch.setattr(Objective, "forward", taking(1, Objective.forward))
    monkeypatch.setattr(CudaGraph, "replay", taking(share, CudaGraph.replay))
    steps(objective(), random_image(24, 32))
    (graph,) = cuda
    assert (graph.operations is not None) is kept
    assert (graph.replayed > 2 * TRIALS) is kept


def test_what_is_not_recorded(cuda, objective, random_image, monkeypatch):
    of, image = objective(), random_image(24, 32)
    assert recorder_for(of, image) is CudaGraph
    assert recorder_for(TiledObjective(of, 16), image) is None
    assert recorder_for(lambda image: {}, image) is None
    assert recorder_for(of, image.to("meta")) is None, "the picture on another device"
    assert recorder_for(of, image.expand(1, 3, 24, 32).repeat(1, 1, 256, 256)) is None
    monkeypatch.setattr(replay, "present", lambda: Processes(0, 2))
    assert recorder_for(of, image) is None


def test_only_cuda_has_graphs():
    assert recorder_on(torch.device("cuda", 1)) is CudaGraph
    assert recorder_on(torch.device("cpu")) is None
    assert recorder_on(torch.device("mps")) is None


# ── what is recorded anew ────────────────────────────────────────────────────────────────────────


def test_another_objective_is_recorded_anew_in_memory_that_was_given_back(
    cuda, objective, random_image
):
    stepper, _ = steps(objective(), random_image(24, 32))
    stepper.begin(stepper.current, objective())
    assert [graph.operations for graph in cuda] == [None]
    for _ in range(10):
        stepper.step()
    assert [graph.operations is None for graph in cuda] == [True, False]


def test_another_loss_scale_is(cuda, objective, random_image):
    of = objective(dtype=torch.float16)
    stepper, _ = steps(of, random_image(24, 32))
    before = stepper.pixels.grad.clone()
    of.network.loss_scale.factor = 2.0**-20  # at which float16 loses most
    stepper._evaluate()
    expected = stepper.pixels.grad.clone()
    assert (expected - before).norm() > 0.1 * before.norm()
    for _ in range(LAST_EAGER):
        stepper._evaluate()
    assert [graph.operations is None for graph in cuda] == [True, False]
    torch.testing.assert_close(stepper.pixels.grad, expected, rtol=0, atol=0)


def test_nothing_outlives_a_scale(cuda, objective, random_image):
    of = objective()
    stepper, _ = steps(of, random_image(24, 32))
    recording = stepper.replays._recording
    kept = [weakref.ref(one) for one in (of, recording, recording._numbers, cuda[-1])]
    del of, recording
    cuda.clear()
    gc.disable()
    try:
        stepper.end()
        assert [one() for one in kept] == [None] * len(kept)
    finally:
        gc.enable()


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────


class Counting(nn.Module):
    """A loss with a number of Python that is another each time."""

    count = 0

    def forward(self, image):
        self.count += 1
        return image.square().mean() * self.count


class Waiting(nn.Module):
    """A loss that looks at a number."""

    def forward(self, image):
        return image.square().mean() * (2.0 if image.mean() > 0.1 else 1.0)


def test_a_replay_that_differs_is_given_up_and_never_used(cuda, objective, random_image):
    counting = Counting()
    _, found = steps(objective(counting), random_image(24, 32))
    (graph,) = cuda
    assert graph.operations is None
    assert graph.replayed == 2
    # Ten steps and the beginning; besides, warming up, recording and a second image.
    assert counting.count == 11 + WARM_UPS + 1 + 1
    assert found[-1]["tv/extra"] > found[0]["tv/extra"]


def test_a_replay_deaf_to_its_image_is_found_out(cuda, objective, random_image, monkeypatch):
    class Deaf(CudaGraph):
        def replay(self, numbers):
            return super().replay(self._numbers)

    monkeypatch.setattr(replay, "recorder_on", lambda device: Deaf)
    of, image = objective(), random_image(24, 32)
    _, found = steps(of, image)
    (graph,) = cuda
    assert graph.operations is None
    assert graph.replayed == 2, "by the second image at once"
    as_without(of, image, found, monkeypatch)


def test_an_objective_that_waits_cannot_be_recorded(cuda, objective, random_image, monkeypatch):
    of, image = objective(Waiting()), random_image(24, 32)
    _, found = steps(of, image)
    assert len(cuda) == 1, "tried once"
    as_without(of, image, found, monkeypatch)


def test_without_memory_for_it_a_run_goes_on_as_it_was(objective, random_image, monkeypatch):
    imaginary_cuda.install(monkeypatch, free=0)
    monkeypatch.setattr(replay, "recorder_on", lambda device: CudaGraph)
    of, image = objective(), random_image(24, 32)
    stepper = LBFGS(RECIPE)
    stepper.lighten = unwanted
    stepper.begin(image, of)
    found = [stepper.step() for _ in range(10)]
    assert [graph.replayed for graph in imaginary_cuda.graphs] == [0]
    as_without(of, image, found, monkeypatch)


@pytest.mark.parametrize(
    "at", [EAGER + 1, EAGER + WARM_UPS + 1, EAGER + WARM_UPS + 2, EAGER + WARM_UPS + 4]
)
def test_memory_that_a_graph_takes_is_given_back_where_it_runs_out(
    cuda, objective, evaluations, random_image, monkeypatch, at
):
    """While it warms up, records, and is tried the first and the second time."""
    of, image = objective(), random_image(24, 32)
    evaluations.fail({at: torch.OutOfMemoryError("CUDA out of memory.")})
    stepper = LBFGS(RECIPE)
    stepper.lighten = unwanted
    stepper.begin(image, of)
    found = [stepper.step() for _ in range(10)]
    assert all(graph.replayed <= 2 for graph in cuda)
    assert stepper.replays._recording is None
    as_without(of, image, found, monkeypatch)


def test_memory_that_is_short_without_a_graph_leads_to_smaller_tiles(
    cuda, objective, evaluations, random_image
):
    of, image, taken = objective(), random_image(24, 32), []
    stepper = LBFGS(RECIPE)
    stepper.lighten = lambda error: taken.append(error) or TiledObjective(of, 16)
    stepper.begin(image, of)
    failure = torch.OutOfMemoryError("CUDA out of memory.")
    evaluations.fail(dict.fromkeys((EAGER + 1, EAGER + 2), failure))
    for _ in range(10):
        stepper.step()
    assert taken == [failure]
    assert isinstance(stepper.objective, TiledObjective)


def test_a_replay_that_fails_later_is_the_last(cuda, objective, random_image, monkeypatch):
    of, image = objective(), random_image(24, 32)
    stepper, found = steps(of, image, LAST_EAGER)

    def failing(numbers):
        raise RuntimeError("CUDA error: unspecified launch failure")

    monkeypatch.setattr(stepper.replays._recording, "replay", failing)
    found += [stepper.step() for _ in range(3)]
    assert cuda[-1].operations is None
    as_without(of, image, found, monkeypatch)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_where_cuda_refuses_a_run_goes_on(objective, random_image, monkeypatch):
    monkeypatch.setattr(replay, "recorder_on", lambda device: CudaGraph)
    of, image = objective(), random_image(24, 32)
    as_without(of, image, steps(of, image)[1], monkeypatch)


# ── runs ─────────────────────────────────────────────────────────────────────────────────────────


def twice(run, monkeypatch):
    """Return the iterations of a run with replays and of the same one without."""
    found = list(run())
    with monkeypatch.context() as without:
        without.setattr(replay, "recorder_on", lambda device: None)
        expected = list(run())
    return found, expected


def same(found, expected):
    assert [it.step for it in found] == [it.step for it in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.losses == other.losses
        np.testing.assert_array_equal(one.image, other.image)


@pytest.mark.network
def test_a_replayed_run_is_the_same_to_the_last_bit(real, cuda, monkeypatch):
    recipe = preset("default", size=48, min_size=32, steps=20, device="cpu", precision="float32")
    found, expected = twice(lambda: nst.stylize(CONTENT, STYLE, recipe), monkeypatch)
    same(found, expected)
    assert len({it.shape for it in found}) == len(cuda) == 2
    assert all(graph.replayed > 2 * TRIALS for graph in cuda)
    assert all(graph.operations is None for graph in cuda)


RUNS = {
    "line search": {"line_search": True},
    "float16": {"precision": "float16"},
    "average": {"optimizer": "adam", "ema": 0.9, "image_range": "tanh"},
    "content's colours": {"color": "luminance"},
}


@pytest.mark.parametrize("kind", RUNS)
def test_so_are_runs_of_other_kinds(quick, cuda, monkeypatch, kind):
    recipe = quick(size=48, min_size=32, steps=22, **RUNS[kind])
    same(*twice(lambda: nst.stylize(CONTENT, STYLE, recipe), monkeypatch))
    assert [graph.replayed > 2 * TRIALS for graph in cuda] == [True, True]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_so_are_runs_with_directions_that_are_drawn_anew(quick, cuda, monkeypatch, optimizer):
    monkeypatch.setattr(sliced_wasserstein, "_order", lambda rows: rows.argsort(dim=1))
    recipe = quick(style_loss="sliced_wasserstein", steps=24, optimizer=optimizer)
    same(*twice(lambda: nst.stylize(CONTENT, STYLE, recipe), monkeypatch))
    assert [graph.replayed > 20 for graph in cuda] == [True]


def test_what_numpy_does_is_not_recorded_which_is_found_out(quick, cuda, monkeypatch):
    recipe = quick(style_loss="sliced_wasserstein", steps=24)
    same(*twice(lambda: nst.stylize(CONTENT, STYLE, recipe), monkeypatch))
    assert [graph.replayed for graph in cuda] == [2]


def test_so_are_steered_runs(quick, cuda, monkeypatch):
    def run():
        steering = Steering()
        for it in nst.stylize(CONTENT, STYLE, quick(steps=24), steering=steering):
            yield it
            if it.step == 10:
                steering.change(style_weight=20)

    same(*twice(run, monkeypatch))
    assert [graph.replayed > 2 * TRIALS for graph in cuda] == [True, True]


def test_a_run_ended_before_its_time_gives_memory_back(quick, cuda):
    run = nst.stylize(CONTENT, STYLE, quick(steps=24))
    for _ in range(10):
        next(run)
    assert cuda[-1].operations is not None
    run.close()
    assert cuda[-1].operations is None


def test_stop_ends_a_run_that_is_replayed(quick, cuda, monkeypatch):
    steering = Steering()
    run = nst.stylize(CONTENT, STYLE, quick(steps=24, optimizer="adam"), steering=steering)
    found = [next(run) for _ in range(10)]
    steering.stop()
    assert list(run) == []
    assert found[-1].step == 10


def test_stop_ends_a_run_while_it_is_recorded(quick, cuda, monkeypatch):
    steering = Steering()

    def stopped_meanwhile(compute, numbers):
        steering.stop()
        return CudaGraph(compute, numbers)

    monkeypatch.setattr(replay, "recorder_on", lambda device: stopped_meanwhile)
    run = nst.stylize(CONTENT, STYLE, quick(steps=24, optimizer="adam"), steering=steering)
    assert [it.step for it in run] == list(range(1, EAGER))
