"""What the user reads on stderr: messages, and progress bars of downloads and runs."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import click
from tqdm import tqdm

from napari_nst.engine.distributed import process_rank
from napari_nst.messages import in_words
from napari_nst.recipe import CONTROLS
from napari_nst.recipe.grid import heading_in_words

if TYPE_CHECKING:
    from napari_nst.batch.run import FileStep
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import TileDone
    from napari_nst.stacks.stack_run import SliceStep

PROGRAM = "napari-nst"
WRONG_INPUT, WENT_WRONG, INTERRUPTED = 2, 1, 130  # exit statuses


def say(message: str) -> None:
    """Print a line on stderr, from the first of several processes alone."""
    if process_rank() == 0:
        print(f"{PROGRAM}: {in_options(message)}", file=_STDERR)


@contextmanager
def input_errors() -> Iterator[None]:
    """Report errors in one sentence, with exit status 2; only for code that reads user input."""
    try:
        yield
    except (OSError, TypeError, ValueError) as error:
        raise click.ClickException(sentence(error)) from error


def sentence(error: Exception) -> str:
    """Return the message of an error, with the file of an OSError."""
    if isinstance(error, IsADirectoryError) and error.filename:
        return f"{error.filename} is a folder. Give files, such as {error.filename}/*.png."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return in_options(str(error)) or f"{type(error).__name__}."


def in_options(message: str) -> str:
    """Return a message with the options that set its fields and arguments."""
    return in_words(message, option, _is_set, _cure)


def option(name: str) -> str:
    """Return the option or the argument of this command that sets a field or an argument."""
    context = click.get_current_context(silent=True)
    if context is None:  # the command has ended
        return f"--{name.replace('_', '-')}" if name in CONTROLS else name
    name = {"recipe": "preset_or_file", "out": "output"}.get(name, name)
    for parameter in context.command.params:
        if parameter.name == name:
            if isinstance(parameter, click.Option):
                return max(parameter.opts, key=len)
            return parameter.make_metavar(context).strip("[].")
    return name


IMPLIED = "napari_nst.implied"
"""Key of a context's `meta`: the fields that an option implies → that option."""


def _is_set(name: str, value: str) -> str:
    return f"{_implying(name) or _setting(name, value)} is set"


def _cure(name: str, value: str) -> str:
    given = _implying(name)
    return f"Leave out {given}" if given else f"Set {_setting(name, value)}"


def _implying(name: str) -> str | None:
    context = click.get_current_context(silent=True)
    found: str | None = context.meta.get(IMPLIED, {}).get(name) if context else None
    return found


def _setting(name: str, value: str) -> str:
    flag = option(name)
    if value in ("True", "False"):
        return flag if value == "True" else flag.replace("--", "--no-", 1)
    return f"{flag} {value}"


class _Stderr:
    """The current stderr; if it is closed, nothing is printed, and the run goes on."""

    encoding = property(lambda _: getattr(sys.stderr, "encoding", "ascii"))

    def isatty(self) -> bool:
        """Return whether it is a terminal."""
        return sys.stderr is not None and sys.stderr.isatty()

    def write(self, text: str) -> None:
        """Write a text."""
        self._try("write", text)

    def flush(self) -> None:
        """Flush the stream."""
        self._try("flush")

    def _try(self, method: str, *arguments: str) -> None:
        # ValueError: stderr was closed; AttributeError: the program was started without one.
        with suppress(OSError, ValueError, AttributeError):
            getattr(sys.stderr, method)(*arguments)


_STDERR = _Stderr()


class ProgressBar:
    """One bar at a time, for as long as a ``with`` statement lasts."""

    def __init__(self, show_estimate: bool = True) -> None:
        self._show_estimate = show_estimate
        self._bar: tqdm[Any] | None = None
        self._title = ""
        self._postfix: dict[str, str] = {}
        self._drawn = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def before_run(self, message: str, done: int, total: int) -> None:
        """Show a download, or a sentence with the estimated time and memory of the run."""
        if not message.endswith("."):
            self.download(message, done, total)
        elif self._show_estimate:
            self.say(message)

    def say(self, message: str) -> None:
        """Print a line above the bar."""
        with tqdm.external_write_mode(file=_STDERR):
            say(message)

    def download(self, message: str, done: int, total: int) -> None:
        """Show how many bytes have arrived; a `total` of 0 is unknown."""
        bar = self._open(message, total, unit="B", unit_scale=True, unit_divisor=1000)
        bar.total = total or None
        bar.update(done - bar.n)
        if 0 < total == done:
            bar.refresh()

    def image(self, message: str, done: int, total: int) -> None:
        """Show a download, or how many images are measured."""
        if not message.startswith("measuring"):
            self.download(message, done, total)
            return
        bar = self._open("measured", total, unit=" image")
        bar.update(done - bar.n)

    def step(self, iteration: Iteration) -> None:
        """Show a step of a run, its rate, loss and working size."""
        is_first = self._title != "step"
        bar = self._open("step", iteration.steps, unit=" step")
        if is_first:  # the bar opens after the first step, but the rate counts from the run's start
            bar.start_t -= iteration.seconds
        # tqdm's own estimate takes all steps as equally long, but steps of finer scales are longer.
        left = tqdm.format_interval(iteration.seconds_left)
        counts = "{n_fmt}/{total_fmt} [{elapsed}<" + left + ", {rate_fmt}{postfix}]"
        bar.bar_format = "{l_bar}{bar}| " + counts
        if iteration.panels:
            heading = heading_in_words(iteration.panels[iteration.panel], option)
            bar.set_description(heading, refresh=False)
        size = "x".join(map(str, iteration.shape[::-1]))
        self._postfix = {"loss": f"{iteration.losses['total']:.4g}", "size": size}
        bar.set_postfix(self._postfix, refresh=False)
        bar.update(iteration.step - bar.n)

    def slice_step(self, step: SliceStep) -> None:
        """Show a step of a slice of a stack, and how many slices are finished."""
        self._part_step("slice", step, step, step.slices)

    def file_step(self, step: FileStep) -> None:
        """Show a step of a picture, and how many pictures are finished."""
        self._part_step("picture", step, step.iteration, step.files)

    def _part_step(
        self, title: str, part: SliceStep | FileStep, step: SliceStep | Iteration, total: int
    ) -> None:
        is_first = self._title != title
        bar = self._open(title, total, unit=f" {title}")
        if is_first:
            bar.initial = bar.n = part.done
        looks = {"at": part.label, "step": f"{step.step}/{step.steps}"}
        bar.set_postfix(looks | {"loss": f"{step.losses['total']:.4g}"}, refresh=False)
        bar.update(part.done - bar.n)
        now = time.monotonic()
        if part.finished or now - self._drawn >= bar.mininterval:
            self._drawn = now
            bar.refresh()

    def tile(self, tile: TileDone) -> None:
        """Show how many tiles of the current step are computed."""
        if self._bar is None or self._title != "step":  # the number of steps is not known yet
            bar = self._open(f"step {tile.step}", tile.total, unit=" tile", leave=False)
            bar.update(tile.done - bar.n)
            return
        self._bar.set_postfix(self._postfix | {"tile": f"{tile.done}/{tile.total}"}, refresh=False)
        now = time.monotonic()
        if now - self._drawn >= self._bar.mininterval:
            self._drawn = now
            self._bar.refresh()

    def _open(self, title: str, total: int, **looks: Any) -> tqdm[Any]:
        """Return the bar of this title, after closing any other."""
        if self._bar is None or self._title != title:
            if self._bar is not None:
                self._bar.close()
            # In a file that collects stderr, each state of the bar is a line.
            pause = 0.1 if _STDERR.isatty() else 10.0
            self._title = title
            self._bar = tqdm(
                total=total or None, desc=title, file=_STDERR,
                mininterval=pause, maxinterval=pause,
                # tqdm by itself shows nothing on a terminal whose size is unknown.
                ncols=shutil.get_terminal_size((80, 24)).columns, nrows=24, **looks,
            )  # fmt: skip
        return self._bar
