"""A run from its first step to its last, and what watches it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from napari_nst import terminal
from napari_nst.commands.request import Request
from napari_nst.tensorboard import Board
from napari_nst.terminal import about_input, say

if TYPE_CHECKING:
    from napari_nst.engine.optimize import Iteration
    from napari_nst.engine.weights import Progress


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


def run(request: Request, begin: Callable[[Progress], Iterator[Iteration]]) -> int:
    """Do what was asked for, and return the exit status.

    Parameters
    ----------
    request : Request
        With its images read.
    begin : callable
        Calls the engine, with what shows how the network arrives, and returns the iterations.
    """
    from napari_nst.bars import Bars

    results = request.results
    with Bars() as bars, ExitStack() as open_files:
        with about_input(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            iterations = begin(bars.download)
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
    except KeyboardInterrupt:
        if not last:
            raise
    return list(last.values())  # a recipe has at least one step
