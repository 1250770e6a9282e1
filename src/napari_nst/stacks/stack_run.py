"""A stack under way, as callers get it: its steps, its finished slices, and what failed."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from napari_nst.engine.iteration import Iteration
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg import weights
from napari_nst.errors import FAILURES, Cancelled, NstError
from napari_nst.stacks.places import Place, Places
from napari_nst.stacks.slice_job import SliceInputs, SliceJob
from napari_nst.stacks.source import Stack
from napari_nst.stacks.store import ResultStore

if TYPE_CHECKING:
    from napari_nst.engine.vgg.weights import Progress


@dataclass(frozen=True, eq=False)
class SliceStep:
    """One step of one slice of a stack, or its end.

    Attributes
    ----------
    place : tuple of int
        Index of the slice in the result, for each axis but those of pixels.
    label : str
        Index of the slice in the content, such as ``z=12``.
    step, steps : int
        Number of this step, and of all steps of the slice.
    losses : dict of str to float
        As in `Iteration.losses`.
    finished : bool
        Whether the slice has been written.
    done, slices : int
        Number of finished slices, and of all.
    iteration : Iteration or None
        The step with its image; its step, time and panel are those of the whole stack. Of a slice
        that another process computes, there is the last alone, when it is finished.
    """

    place: Place
    label: str
    step: int
    steps: int
    losses: dict[str, float]
    finished: bool
    done: int
    slices: int
    iteration: Iteration | None = None


class StackRun(Generator[SliceStep, None, None]):
    """A stack under way, as `stylize_stack` and `reconstruct_stack` return it.

    It is an iterator of `SliceStep`, and computes a step at each `next`; several processes also
    compute in between. While nobody takes steps, it pauses.

    Attributes
    ----------
    path : Path
        The zarr folder of the result.
    failed : dict of str to str
        Label → error of the slices that have failed twice, or once so far.
    """

    def __init__(
        self,
        job: SliceJob,
        stack: Stack,
        places: Places,
        store: ResultStore,
        steering: Steering | None,
        progress: Progress | None,
        compute: Callable[[StackRun], Iterator[SliceStep]],
    ) -> None:
        self.job, self.stack, self.places, self.store = job, stack, places, store
        self.steering, self.progress = steering or Steering(), progress
        self.path: Path = store.path
        self.failed: dict[str, str] = {}
        self._first = {tuple(place) for place in store.record["starts"]}
        store.lock()
        self._states = store.states()
        self._order = tuple(places)
        self._errors: dict[Place, Exception] = {}
        self._steps = self._iterate(compute)
        if self.done == places.count:
            store.unlock()

    def place_of(self, panel: int) -> Place:
        """Return the slice of a panel, of the iterations of this process."""
        return self._order[panel]

    def __repr__(self) -> str:
        return f"<{self.job.name}: {self.done} of {len(self._order)} slices, {self.path}>"

    # ── what callers use ─────────────────────────────────────────────────────────────────────

    @property
    def array(self) -> Any:
        """The result, a zarr array: slices, then RGB(A) if there is, then pixels."""
        return self.store.pixels

    @property
    def done(self) -> int:
        """The number of finished slices."""
        return int((self._states == 1).sum())

    def stop(self) -> None:
        """End during the next step, from any thread; finished slices remain."""
        self.steering.stop()

    def result(self, progress: bool = True) -> Any:
        """Compute all slices that are missing, and return `array`.

        Parameters
        ----------
        progress : bool
            Show a progress bar.

        Raises
        ------
        NstError
            If slices have failed twice; the message names them. All others are written.
        """
        from tqdm import tqdm

        total = self.places.count
        with tqdm(total=total, initial=self.done, unit=" slice", disable=not progress) as bar:
            for step in self:
                bar.set_postfix_str(f"{step.label}, step {step.step} of {step.steps}", False)
                bar.update(step.done - bar.n)
        if self.failed:
            raise NstError(self.failures())
        return self.array

    def failures(self) -> str:
        """Return a sentence that names the slices that have failed; empty if there are none."""
        if not self.failed:
            return ""
        listed = "; ".join(f"{label}: {error}" for label, error in self.failed.items())
        noun = "slice has" if len(self.failed) == 1 else "slices have"
        return f"{len(self.failed)} {noun} failed twice. {listed}"

    def send(self, value: None) -> SliceStep:
        """Compute the next step, as `next` does."""
        return self._steps.send(value)

    def throw(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> SliceStep:
        """Raise an exception inside the run, as for any generator."""
        error = typ if isinstance(typ, BaseException) else val
        return self._steps.throw(error if isinstance(error, BaseException) else typ())  # type: ignore[operator]

    def close(self) -> None:
        """End the run; finished slices remain."""
        self._steps.close()
        self.store.unlock()  # a run that has not begun does not end either

    # ── what computes ────────────────────────────────────────────────────────────────────────

    def _iterate(
        self, compute: Callable[[StackRun], Iterator[SliceStep]]
    ) -> Generator[SliceStep, None, None]:
        try:
            self.steering.check_usable()
            yield from compute(self)
        finally:
            self.store.unlock()
        if self.failed and not self.steering.stopped:
            self.steering.tell(self.failures())

    def missing_runs(self) -> list[list[Place]]:
        """Return the runs of neighbours, without the slices that are finished."""
        runs: list[list[Place]] = []
        for place in self.places:
            if not self.job.warm_steps or place in self._first or not runs:
                runs.append([])
            runs[-1].append(place)
        missing = [[place for place in run if not self.is_done(place)] for run in runs]
        return [run for run in missing if run]

    def is_done(self, place: Place) -> bool:
        """Return whether a slice is finished."""
        return int(self._states[place]) == 1

    def is_stopped(self) -> bool:
        """Return whether the user has stopped the stack."""
        return self.steering.stopped

    def inputs(self, place: Place) -> SliceInputs:
        """Read the pixels of a slice, and of the slice before if it starts from that."""
        content, before = self.places.read(self.stack, place), self._before(place)
        if before is None:
            return SliceInputs(content)
        former = self.places.read(self.stack, before)
        return SliceInputs(content, (former, self.store.read(before)))

    def is_warm(self, place: Place) -> bool:
        """Return whether a slice starts from the one before."""
        return self._before(place) is not None

    def finish(self, place: Place, last: Iteration) -> None:
        """Write a finished slice."""
        self.store.write(place, self.job.stored(last, self.store.samples), last.losses["total"])
        self._states[place] = 1
        self._errors.pop(place, None)
        self.failed.pop(self.places.label(place), None)

    def fail(self, place: Place, error: Exception) -> bool:
        """Note that a slice has failed; return whether to try it again.

        Raises the error if no slice has been finished and two have failed: the others would, too.
        """
        label, is_second = self.places.label(place), place in self._errors
        self._errors[place] = error
        self.store.fail(place)
        self.failed[label] = str(error) or type(error).__name__
        count = len(self._errors) + is_second
        if not self.done and count > min(1, self.places.count - 1):
            raise NstError(f"Slice {label} failed: {error}") from error
        if not is_second:
            self.steering.tell(f"Slice {label} failed and is tried again at the end: {error}")
        return not is_second

    def _before(self, place: Place) -> Place | None:
        """Return the slice that another one starts from: the last finished one of its run."""
        if not self.job.warm_steps:
            return None
        found: Place | None = place
        while found is not None and found not in self._first:
            found = self.places.before(found)
            if found is not None and self.is_done(found):
                return found
        return None


def compute_here(run: StackRun) -> Iterator[SliceStep]:
    """Compute one slice after another in this process."""
    held = weights.load(run.job.recipe.weights, run.progress)  # each slice's run finds them loaded
    todo = [place for places in run.missing_runs() for place in places]
    clock = Clock(run)
    again: list[Place] = []
    for place in _and_then(todo, again):
        if run.is_stopped():
            return
        last: SliceStep | None = None
        clock.begins(place)
        try:
            for step in _steps_of(run, place, clock):
                last = step
                yield step
            if last is None or last.iteration is None or last.step < last.steps:
                return  # stopped
            run.finish(place, last.iteration)
        except Cancelled:
            return
        except FAILURES as error:
            if run.is_stopped():
                return
            if run.fail(place, error):
                again.append(place)
                clock.fails(place)
            continue
        yield replace(last, finished=True, done=run.done)
        clock.ends(last.steps)
        del last
    del held


def _steps_of(run: StackRun, place: Place, clock: Clock) -> Iterator[SliceStep]:
    """Yield the steps of a slice."""
    label = run.places.label(place)
    iterations = run.job.start(run.inputs(place), clock.progress, run.steering)
    try:
        for one in iterations:
            yield SliceStep(
                place, label, one.step, one.steps, one.losses,
                finished=False, done=run.done, slices=run.places.count,
                iteration=clock.of_stack(place, one),
            )  # fmt: skip
    finally:
        iterations.close()


def _and_then(first: Sequence[Place], later: list[Place]) -> Iterator[Place]:
    """Yield places, then those that were added to a list meanwhile."""
    yield from first
    while later:
        yield later.pop(0)


class Clock:
    """The steps and the time of all slices together."""

    def __init__(self, run: StackRun) -> None:
        self._labels = tuple(run.places.label(place) for place in run.places)
        self._numbers = {place: number for number, place in enumerate(run.places)}
        # Which slices are warm is certain only when they begin: those before may fail.
        is_warm = bool(run.job.warm_steps)
        self._expected = {
            place: run.job.steps(is_warm=is_warm if number else run.is_warm(place))
            for places in run.missing_runs()
            for number, place in enumerate(places)
        }
        self._later = sum(self._expected.values())  # steps of slices that have not begun
        self._done = 0  # steps of finished slices
        self._began = self._ended = time.perf_counter()
        self._of_step = 0.0  # seconds, of the last finished slice
        self.progress = run.progress  # the estimate of the first slice is shown alone

    def begins(self, place: Place) -> None:
        """Note that a slice begins."""
        self._later -= self._expected[place]

    def of_stack(self, place: Place, one: Iteration) -> Iteration:
        """Return an iteration with the step, the time and the panel of the whole stack."""
        self.progress = None
        # Steps of the first slice are shorter: most of them are at smaller sizes.
        of_step = self._of_step or (one.seconds + one.seconds_left) / one.steps
        return replace(
            one,
            step=self._done + one.step,
            steps=self._done + one.steps + self._later,
            seconds=time.perf_counter() - self._began,
            seconds_left=one.seconds_left + self._later * of_step,
            panel=self._numbers[place],
            panels=self._labels,
        )

    def ends(self, steps: int) -> None:
        """Note that a slice is finished."""
        now = time.perf_counter()
        self._done += steps
        self._of_step = (now - self._ended) / steps
        self._ended = now

    def fails(self, place: Place) -> None:
        """Note that a slice is tried again later."""
        self._later += self._expected[place]
