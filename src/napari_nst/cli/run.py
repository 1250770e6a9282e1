"""One run, from its first step to its last, with progress bar, log and output files."""

from __future__ import annotations

import json
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from napari_nst.cli.request import Request
from napari_nst.cli.tensorboard import EventWriter
from napari_nst.cli.terminal import INTERRUPTED, ProgressBar, input_errors, say
from napari_nst.engine.distributed import joined
from napari_nst.engine.steering import Steering
from napari_nst.errors import ProcessLost

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

Watcher = Callable[["Iteration"], object]


def run(request: Request, start: Callable[..., Iterator[Iteration]]) -> int:
    """Run a job and return the exit status; the first of several processes reports and writes."""
    with joined(request.recipe.device) as ours:
        if ours.count > 1:
            # torchrun sends SIGTERM after another process is lost, and SIGKILL 30 s later.
            signal.signal(signal.SIGTERM, _raise_process_lost)
        return _run_along(start) if ours.rank else _run_and_write(request, start)


def _raise_process_lost(*_: object) -> None:
    raise ProcessLost("The launcher has ended this run; one of its processes was lost.")


def _run_along(start: Callable[..., Iterator[Iteration]]) -> int:
    """Compute for the first process, which reports and writes."""
    with input_errors(), warnings.catch_warnings(action="ignore", category=UserWarning):
        iterations = start(progress=lambda *_: None, steering=Steering(lambda _: None))
    last = _follow(iterations, [])[-1]
    return 0 if last.step == last.steps else INTERRUPTED


def _run_and_write(request: Request, start: Callable[..., Iterator[Iteration]]) -> int:
    outputs = request.outputs
    with ProgressBar(show_estimate=not outputs.comparison) as bar, ExitStack() as open_files:
        with input_errors(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            iterations = start(progress=bar.before_run, steering=Steering(bar.say, bar.tile))
        for note in [*request.notes, *(str(one.message) for one in warned)]:
            say(note)
        watchers: list[Watcher] = [bar.step]
        if outputs.log:
            log = open_files.enter_context(outputs.log.open("w", encoding="utf-8"))
            watchers.append(partial(_log_step, log))
        if outputs.tensorboard:
            watchers.append(open_files.enter_context(EventWriter(outputs.tensorboard)).step)
        if outputs.history is not None:
            watchers.append(outputs.history.step)
        finished = _follow(iterations, watchers)
    last = finished[-1]
    wrote = outputs.write(finished, request.paths)
    is_whole = last.step == last.steps
    say(f"{'' if is_whole else f'stopped after step {last.step} of {last.steps}; '}{wrote}.")
    return 0 if is_whole else INTERRUPTED


def _follow(iterations: Iterable[Iteration], watchers: Sequence[Watcher]) -> list[Iteration]:
    """Return the last iteration of each picture, at the end of the run or after Ctrl-C."""
    last: dict[int, Iteration] = {}
    try:
        for iteration in iterations:
            last[iteration.panel] = iteration
            for watch in watchers:
                watch(iteration)
    except (KeyboardInterrupt, ProcessLost) as end:
        if not last:
            raise
        if isinstance(end, ProcessLost):
            say(str(end))
    return list(last.values())  # a recipe has at least one step


def _log_step(file: TextIO, iteration: Iteration) -> None:
    """Write a step as one JSON object on a line."""
    height, width = iteration.shape
    line: dict[str, Any] = {
        "step": iteration.step, "steps": iteration.steps, "seconds": iteration.seconds,
        "height": height, "width": width,
        **{name: iteration.losses[name] for name in ("total", "content", "style", "tv")},
    }  # fmt: skip
    if iteration.panels:
        line["picture"] = iteration.panels[iteration.panel]
    print(json.dumps(line), file=file, flush=True)
