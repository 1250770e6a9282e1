"""One run, from its first step to its last, with progress bar, log and output files."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from functools import cache, partial
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from napari_nst.cli.outputs import Outputs
from napari_nst.cli.request import Request
from napari_nst.cli.signals import EndingSignals, SignalReceived, ending_signals
from napari_nst.cli.tensorboard import EventWriter
from napari_nst.cli.terminal import (
    INTERRUPTED,
    WENT_WRONG,
    ProgressBar,
    input_errors,
    say,
    sentence,
)
from napari_nst.engine.checkpoint.saved_runs import release
from napari_nst.engine.distributed import joined
from napari_nst.engine.steering import Steering
from napari_nst.errors import NstError

if TYPE_CHECKING:
    from napari_nst.batch.run import FilesRun
    from napari_nst.engine.iteration import Iteration
    from napari_nst.stacks.stack_run import StackRun

Several = TypeVar("Several", bound="StackRun | FilesRun")
Watcher = Callable[["Iteration"], object]
_FAILURES = (NstError, OSError, MemoryError, ValueError)  # of files, not of this program


def run(request: Request, start: Callable[..., Iterator[Iteration]]) -> int:
    """Run a job and return the exit status; the first of several processes reports and writes."""
    with joined(request.recipe.device) as ours, ending_signals(ours.count) as signals:
        if ours.rank == 0:
            return _run_and_write(request, start, signals)
        with signals.raised(), input_errors():
            quiet = Steering(lambda _: None)
            iterations = start(progress=lambda *_: None, steering=quiet)
        finished, end = _follow(iterations, [], signals, lambda _: None)
        return _status(finished[-1], end)


def _run_and_write(
    request: Request, start: Callable[..., Iterator[Iteration]], signals: EndingSignals
) -> int:
    """Run a job in the first process, and write its images however the run ends."""
    outputs, problems = request.outputs, []
    with ProgressBar(show_estimate=not outputs.comparison) as bar:

        def complain(error: Exception) -> None:
            problems.append(error)
            bar.say(sentence(error))

        with signals.raised(), input_errors():
            every = 0.0 if outputs.comparison else request.save_every
            steering = _Steering(signals, cache(bar.say), bar.tile, every, request.about)
            iterations = start(progress=bar.before_run, steering=steering)
        for note in request.notes:
            say(note)
        files = ExitStack()
        files.callback(_close, iterations)
        try:
            watchers = [bar.step, *_watchers(outputs, files)]
            finished, end = _follow(iterations, watchers, signals, complain)
        finally:
            try:
                files.close()
            except _FAILURES as error:
                complain(error)
    last, written = finished[-1], []
    try:
        written.append(outputs.write(finished, request.paths))
        steering.discard_ended()
        with signals.raised():
            written.extend(outputs.write_more(last, request.paths))
    except _FAILURES as error:
        complain(error)
    except KeyboardInterrupt as signal:
        end = end or signal
    if written:
        stopped = f"stopped after step {last.step} of {last.steps}; "
        say(f"{'' if last.step == last.steps else stopped}wrote {' and '.join(written)}.")
    if steering.ended is not None:
        release(steering.ended)
        say("the saved state remains; 'napari-nst resume' goes on from there and writes again.")
    if end is not None and not isinstance(end, KeyboardInterrupt):
        raise end
    return WENT_WRONG if problems and end is None else _status(last, end)


def _watchers(outputs: Outputs, files: ExitStack) -> Iterator[Watcher]:
    """Yield what writes each step into log, TensorBoard and history; `files` closes them."""
    if outputs.log:
        log = files.enter_context(FileIO(outputs.log, "a+" if outputs.resumed_at else "w"))
        if outputs.resumed_at:
            _forget_from(log, outputs.resumed_at)
        yield partial(_log_step, log)
    if outputs.tensorboard:
        writer = EventWriter(outputs.tensorboard, outputs.resumed_at)
        yield files.enter_context(writer).step
    if outputs.history is not None:
        yield outputs.history.step


def _follow(
    iterations: Iterable[Iteration],
    watchers: Sequence[Watcher],
    signals: EndingSignals,
    complain: Callable[[Exception], object],
) -> tuple[list[Iteration], BaseException | None]:
    """Return the last iteration of each picture, and what ended the run before its last step."""
    last: dict[int, Iteration] = {}
    working = list(watchers)
    try:
        with signals.raised():
            for iteration in iterations:
                last[iteration.panel] = iteration
                for watch in watchers:
                    try:
                        if watch in working:
                            watch(iteration)
                    except _FAILURES as error:
                        working.remove(watch)  # its disk may be full
                        complain(error)
                signals.check()
    except BaseException as end:
        if not last:
            raise
        return list(last.values()), end
    return list(last.values()), None  # a recipe has at least one step


def _close(iterations: Iterator[Iteration]) -> None:
    """End a run that a signal has interrupted between two steps."""
    if isinstance(iterations, Generator):
        iterations.close()


class _Steering(Steering):
    """Keeps the saved state until the picture is written, and if the system ends the program."""

    def __init__(self, signals: EndingSignals, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._signals = signals
        self.ended: Path | None = None  # the state of a run whose picture is not written yet

    def run_ended(self, path: Path) -> None:
        """Keep the state until the picture is written."""
        self.ended = path

    def discard_ended(self) -> None:
        """Delete the state of a run whose picture is written."""
        if self.ended is not None:
            super().run_ended(self.ended)
            self.ended = None

    @property
    def keeps_state(self) -> bool:  # type: ignore[override]
        return self._signals.of_system


def _status(last: Iteration, end: BaseException | None) -> int:
    if isinstance(end, SignalReceived):
        return 128 + end.number
    return 0 if last.step == last.steps else INTERRUPTED


def _forget_from(log: FileIO, step: int) -> None:
    """Remove the lines of a step and later ones, which the interrupted process has written."""
    log.seek(0)
    start = 0
    for line in BytesIO(log.readall()):
        try:
            if json.loads(line)["step"] >= step:
                break
        except (ValueError, TypeError, LookupError):  # an incomplete line, or another program's
            break
        start += len(line)
    log.truncate(start)
    log.seek(start)


def _log_step(file: FileIO, iteration: Iteration) -> None:
    """Write a step as one JSON object on a line, completely or not at all."""
    sides = dict(zip(("width", "height", "depth"), iteration.shape[::-1], strict=False))
    line: dict[str, Any] = {
        "step": iteration.step, "steps": iteration.steps, "seconds": iteration.seconds,
        **dict(reversed(sides.items())),
        **{name: iteration.losses[name] for name in ("total", "content", "style", "tv")},
    }  # fmt: skip
    if iteration.panels:
        line["picture"] = iteration.panels[iteration.panel]
    data, start = f"{json.dumps(line)}\n".encode(), file.tell()
    try:
        while data:  # on a nearly full disk, a call writes only a part
            data = data[file.write(data) :]
    except OSError as error:
        with suppress(OSError):
            file.truncate(start)
        raise type(error)(error.errno, error.strerror, str(file.name)) from error


def run_several(
    request: Request,
    begin: Callable[..., Several],  # makes the run, with `steering` and `progress`
    show: Callable[[ProgressBar, Any], object],  # draws a step
    describe: Callable[[Several], str],  # what is finished, at the end
) -> tuple[Several, int]:
    """Run a job on several images; return the run and the exit status.

    A signal ends it with what is finished, from which the same command goes on.
    """
    with ending_signals() as signals, ProgressBar() as bar:
        with signals.raised(), input_errors():
            several = begin(steering=Steering(tell=cache(bar.say)), progress=bar.before_run)
        for note in request.notes:
            say(note)
        end: BaseException | None = None
        try:
            with signals.raised():
                for step in several:
                    show(bar, step)
                    signals.check()
        except KeyboardInterrupt as signal:
            end = signal
        finally:
            several.close()
    say(describe(several))
    if end is not None:
        say("the same command goes on from there.")
        return several, 128 + end.number if isinstance(end, SignalReceived) else INTERRUPTED
    return several, WENT_WRONG if several.failed else 0
