"""Work in a thread that ends when the window closes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from napari.qt.threading import create_worker


class Work(Protocol):
    """What takes long, a step at a time."""

    quit_requested: Callable[[], bool]
    """Whether the window wants it to end."""

    def work(self) -> Iterator[None]:
        """Do it; yields so that the window can quit."""


def start_work(
    work: Work, failed: Callable[[Exception], None], finished: Callable[[], None]
) -> None:
    """Begin in a thread; what it failed with, and that it is over, is told in the main thread."""
    # napari keeps the function for the life of the window: a bound one would keep the work.
    worker: Any = create_worker(
        type(work).work,  # type: ignore[arg-type]
        work,
        _start_thread=False,
        _ignore_errors=True,
    )
    work.quit_requested = lambda: bool(worker.abort_requested)
    worker.errored.connect(failed)
    worker.finished.connect(finished)
    worker.start()
