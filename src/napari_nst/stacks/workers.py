"""Slices computed by several processes, on this machine or on others, with dask.distributed.

This process reads the slices, sends them, and writes the results: workers need no access to the
files. A worker computes one slice at a time. The scheduler gives the slice of a lost worker to
another one.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import dask
from distributed import Client, Future, LocalCluster, WorkerPlugin, get_worker

from napari_nst.errors import FAILURES, NstError
from napari_nst.stacks.places import Place
from napari_nst.stacks.slice_job import SliceInputs, SliceJob
from napari_nst.stacks.stack_run import Clock, SliceStep, StackRun

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering

_LOOK = 0.2  # seconds between two looks whether the user has stopped the run
_PATIENCE = 60.0  # seconds for the workers to stop, or for a scheduler to answer


class Painter(WorkerPlugin):
    """What each worker has of a stack: the job, the weights, and whether to stop."""

    def __init__(self, name: str, job: SliceJob, local_workers: int) -> None:
        self.name = name
        self._job = job
        self._local_workers = local_workers  # that share this machine; 0: unknown
        self._steering: Steering | None = None
        self._weights: Any = None

    def stop(self) -> None:
        """End the slice that is computed."""
        if self._steering is not None:
            self._steering.stop()

    def paint(self, label: str, inputs: SliceInputs) -> Iteration | None:
        """Compute a slice, and tell of each step; return the last, or None if it was stopped."""
        import torch

        from napari_nst.engine.steering import Steering
        from napari_nst.engine.vgg import weights

        worker = get_worker()
        if self._steering is None:
            self._steering = Steering(tell=lambda text: self._tell(text=text))
            if self._local_workers:
                torch.set_num_threads(max(1, (os.cpu_count() or 1) // self._local_workers))
        if self._weights is None:
            self._weights = weights.load(self._job.recipe.weights)
        last = None
        for last in self._on_own_gpu(worker).start(inputs, None, self._steering):
            self._tell(label=label, step=last.step, steps=last.steps, losses=last.losses)
        if last is None or last.step < last.steps:
            return None
        alpha = None if last.alpha is None else last.alpha.cpu()
        return replace(last, pixels=last.pixels.cpu(), alpha=alpha)

    def _tell(self, **message: Any) -> None:
        get_worker().log_event(self.name, message)

    def _on_own_gpu(self, worker: Any) -> SliceJob:
        """Return the job on a GPU of this worker's, if several workers share several."""
        import torch

        number = str(worker.name)
        count = torch.cuda.device_count()
        if not self._local_workers or count < 2 or not number.isdigit():
            return self._job
        if self._job.recipe.device not in ("auto", "cuda"):
            return self._job
        recipe = self._job.recipe.replace(device=f"cuda:{int(number) % count}")
        return replace(self._job, recipe=recipe)


def paint(name: str, label: str, inputs: SliceInputs) -> Iteration | None:
    """Compute a slice on a worker."""
    painter: Any = get_worker().plugins[name]
    found: Iteration | None = painter.paint(label, inputs)
    return found


def stop(name: str, dask_worker: Any) -> None:
    """End the slice that a worker computes."""
    painter: Any = dask_worker.plugins.get(name)
    if painter is not None:
        painter.stop()


def count_workers(scheduler: str) -> int:
    """Return how many slices the workers of a scheduler compute at the same time, at least 1."""
    with ExitStack() as opened:
        return sum(_client(opened, 0, scheduler).nthreads().values()) or 1


def compute_on(workers: int, scheduler: str | None) -> Callable[[StackRun], Iterator[SliceStep]]:
    """Return a function that computes the slices of a stack by several workers."""

    def compute(run: StackRun) -> Iterator[SliceStep]:
        with ExitStack() as opened:
            client = _client(opened, workers, scheduler)
            yield from _Followed(run, client, 0 if scheduler else workers).steps()

    return compute


def _client(opened: ExitStack, workers: int, scheduler: str | None) -> Any:
    """Return a client of a scheduler, or of worker processes that end with this stack."""
    # A worker that is lost is none of the user's faults: its slice is computed again, many times.
    settings = {
        "distributed.scheduler.allowed-failures": 10,
        "distributed.admin.large-graph-warning-threshold": "1 GB",  # the pixels of a slice
    }
    opened.enter_context(dask.config.set(settings))
    if scheduler is None:
        cluster = LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            dashboard_address=None,
            silence_logs=50,  # above errors: it would print the traceback of each lost connection
            memory_limit=0,  # runs check the free memory themselves, and dask would kill a worker
        )
        opened.enter_context(cluster)
        return opened.enter_context(Client(cluster))
    try:
        return opened.enter_context(Client(scheduler, timeout=f"{_PATIENCE:g}s"))
    except (OSError, TimeoutError, ValueError) as error:
        raise NstError(f"The scheduler {scheduler} does not answer: {error}") from error


class _Followed:
    """The slices that workers compute, and what they tell of them."""

    def __init__(self, run: StackRun, client: Any, local_workers: int) -> None:
        self._run, self._client = run, client
        self._name = f"napari-nst-{uuid4().hex}"
        self._painter = Painter(self._name, run.job, local_workers)
        self._clock = Clock(run)
        self._places = {run.places.label(place): place for place in run.places}
        self._told: SimpleQueue[Any] = SimpleQueue()  # of steps, and of ended slices
        self._waiting = deque(deque(places) for places in run.missing_runs())
        self._again: deque[Place] = deque()
        self._computed: dict[Any, tuple[Place, deque[Place]]] = {}  # by the key of its future
        self._futures: dict[Any, Future[Any]] = {}

    def steps(self) -> Iterator[SliceStep]:
        """Yield the steps of all slices, in the order in which workers tell of them."""
        self._client.register_plugin(self._painter)
        self._client.subscribe_topic(self._name, lambda event: self._told.put(event[1]))
        try:
            self._submit()
            while self._futures:
                try:
                    told = self._told.get(timeout=_LOOK)
                except Empty:
                    told = None
                if self._run.steering.stopped:
                    return
                if isinstance(told, Future):
                    yield from self._ended(told)
                    self._submit()
                elif told is not None:
                    yield from self._step(told)
        finally:
            self._stop()

    def _submit(self) -> None:
        """Give each free worker a slice: at most one of each run, which must follow each other."""
        threads = sum(self._client.nthreads().values()) or 1
        while len(self._futures) < threads:
            if self._waiting:
                places = self._waiting.popleft()
            elif self._again and not self._futures:  # those before them may have failed, too
                places = deque([self._again.popleft()])
            else:
                return
            place = places.popleft()
            try:
                inputs = self._run.inputs(place)
            except FAILURES as error:
                self._failed(place, places, error)
                continue
            label = self._run.places.label(place)
            future = self._client.submit(paint, self._name, label, inputs, pure=False)
            self._futures[future.key] = future
            self._computed[future.key] = place, places
            future.add_done_callback(self._told.put)

    def _ended(self, future: Future[Any]) -> Iterator[SliceStep]:
        """Write a slice, and yield its end."""
        self._futures.pop(future.key)
        place, places = self._computed.pop(future.key)
        try:
            found: Iteration | None = future.result()
            if found is None:
                raise NstError("its worker was stopped.")
            self._run.finish(place, found)
        except Exception as error:  # noqa: BLE001 - a worker sends errors of any kind
            self._failed(place, places, error)
            return
        if places:
            self._waiting.appendleft(places)
        # As if the slices were computed one after another, in the order in which they end.
        self._clock.begins(place)
        of_stack = self._clock.of_stack(place, found)
        self._clock.ends(found.steps)
        yield self._slice_step(place, found.step, found.step, found.losses, of_stack)

    def _failed(self, place: Place, places: deque[Place], error: Exception) -> None:
        if places:
            self._waiting.append(places)
        if self._run.fail(place, error):
            self._again.append(place)

    def _step(self, told: dict[str, Any]) -> Iterator[SliceStep]:
        if "text" in told:
            self._run.steering.tell(told["text"])
            return
        place = self._places[told["label"]]
        if not self._run.is_done(place):
            yield self._slice_step(place, told["step"], told["steps"], told["losses"])

    def _slice_step(
        self, place: Place, step: int, steps: int, losses: dict[str, float],
        last: Iteration | None = None,  # of a finished slice
    ) -> SliceStep:  # fmt: skip
        return SliceStep(
            place, self._run.places.label(place), step, steps, losses, finished=last is not None,
            done=self._run.done, slices=self._run.places.count, iteration=last,
        )  # fmt: skip

    def _stop(self) -> None:
        """End what workers compute, and take the job from them."""
        with suppress(Exception):  # the scheduler may be gone
            if self._futures:
                self._client.run(stop, self._name, on_error="ignore")
                self._client.cancel(list(self._futures.values()), force=True)
            self._client.unsubscribe_topic(self._name)
            self._client.unregister_worker_plugin(self._name)
