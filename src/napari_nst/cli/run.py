"""A run from its first step to its last, and what watches it."""

from __future__ import annotations

import json
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from napari_nst.cli import terminal
from napari_nst.cli.request import Request
from napari_nst.cli.tensorboard import Board
from napari_nst.cli.terminal import about_input, say
from napari_nst.errors import ProcessLost

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering
    from napari_nst.engine.vgg.weights import Progress


Begin = Callable[["Progress", "Steering"], Iterator["Iteration"]]
"""Calls the engine; returns the iterations."""


class Log:
    """Writes a JSON object per step, for as long as a ``with`` statement lasts.

    Parameters
    ----------
    path : Path
        The file, a line for each.
    """

    def __init__(self, path: Path) -> None:
        self._lines = path.open("w", encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()

    def step(self, iteration: Iteration) -> None:
        """Write down a step."""
        height, width = iteration.shape
        losses = {name: iteration.losses[name] for name in ("total", "content", "style", "tv")}
        line: dict[str, Any] = {
            "step": iteration.step, "steps": iteration.steps, "seconds": iteration.seconds,
            "height": height, "width": width, **losses,
        }  # fmt: skip
        if iteration.panels:
            line["picture"] = iteration.panels[iteration.panel]
        print(json.dumps(line), file=self._lines, flush=True)


class Watcher(Protocol):
    """Something that wants to see every step."""

    def step(self, iteration: Iteration) -> None:
        """See a step."""


def run(request: Request, begin: Begin) -> int:
    """Do what was asked for, and return the exit status.

    Where a launcher has started several processes, they compute one picture, and the first of them
    speaks and writes.

    Parameters
    ----------
    request : Request
        With its images read.
    begin : callable
        Calls the engine, with what shows how the network arrives and what the run will take, and
        with what shows how it goes; returns the iterations.
    """
    from napari_nst.engine.distributed import joined

    with joined(request.recipe.device) as ours, told_of_the_end(ours.count):
        return _work_along(begin) if ours.rank else _show_and_write(request, begin)


def _work_along(begin: Begin) -> int:
    """Compute for another process, which shows and writes what comes of it."""
    from napari_nst.engine.steering import Steering

    with about_input(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        iterations = begin(lambda *_: None, Steering(lambda _: None))
    last = follow(iterations, [])[-1]
    return 0 if last.step == last.steps else terminal.INTERRUPTED


def _show_and_write(request: Request, begin: Begin) -> int:
    from napari_nst.cli.progress import Bars
    from napari_nst.engine.steering import Steering

    results = request.results
    with Bars(foretell=not results.comparison) as bars, ExitStack() as open_files:
        with about_input(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            iterations = begin(bars.before, Steering(bars.say, bars.tile))
        for note in [*request.notes, *(str(one.message) for one in warned)]:
            say(note)
        watchers: list[Watcher] = [bars]
        if results.log:
            watchers.append(open_files.enter_context(Log(results.log)))
        if results.tensorboard:
            watchers.append(open_files.enter_context(Board(results.tensorboard)))
        if results.kept is not None:
            watchers.append(results.kept)
        finished = follow(iterations, watchers)
    last = finished[-1]
    wrote = results.write(finished, request.paths)
    is_whole = last.step == last.steps
    say(f"{'' if is_whole else f'stopped after step {last.step} of {last.steps}; '}{wrote}.")
    return 0 if is_whole else terminal.INTERRUPTED


@contextmanager
def told_of_the_end(count: int) -> Iterator[None]:
    """Raise `ProcessLost` where a launcher ends one of several processes, which is its SIGTERM.

    So torchrun does, half a minute before it kills, when another one is gone.
    """
    if count == 1:
        yield
        return

    def end(*_: object) -> None:
        raise ProcessLost(f"The launcher has ended this run of {count} processes; one was lost.")

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def follow(iterations: Iterable[Iteration], watchers: Sequence[Watcher]) -> list[Iteration]:
    """Show every step until the last, or until Ctrl-C after one.

    Returns
    -------
    list of Iteration
        The last; where several pictures were made in turn, the last of each.
    """
    last: dict[int, Iteration] = {}
    try:
        for iteration in iterations:
            last[iteration.panel] = iteration
            for watcher in watchers:
                watcher.step(iteration)
    except (KeyboardInterrupt, ProcessLost) as end:
        if not last:
            raise
        if isinstance(end, ProcessLost):
            say(str(end))
    return list(last.values())  # a recipe has at least one step
