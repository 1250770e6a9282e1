"""One thing at a time, computed in a thread and shown in the window."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from napari.qt.threading import create_worker

from napari_nst.errors import NstError
from napari_nst.viewer.run.loading import load_torch
from napari_nst.viewer.run.triton_workaround import keep_triton_out
from napari_nst.viewer.settings.preferences import apply_cache_folder


class Background:
    """Computes what is asked for, one after the other, beside the window.

    Parameters
    ----------
    complain : callable
        Called with what went wrong.
    """

    def __init__(self, complain: Callable[[Exception], None]) -> None:
        self._complain = complain
        self.busy = False

    def start(self, compute: Callable[[], Any], show: Callable[[Any], None]) -> None:
        """Call `compute` in a thread, then `show` with what it returned in the main thread.

        Raises
        ------
        ValueError
            If something is being computed already.
        """
        if self.busy:
            raise ValueError("Something is being computed already; wait until it is shown.")
        apply_cache_folder()
        keep_triton_out()
        self.busy = True
        # The worker outlives the call in napari's books: it holds no more than a list that empties.
        worker: Any = create_worker(
            _computed,  # type: ignore[arg-type]
            [compute],
            _start_thread=False,
            _ignore_errors=True,
        )
        worker.returned.connect(partial(_shown, show))
        worker.errored.connect(self._complain)
        worker.finished.connect(self._on_finished)
        worker.start()

    def _on_finished(self) -> None:
        self.busy = False


def _computed(waiting: list[Callable[[], Any]]) -> Any:
    try:
        load_torch()
        return waiting.pop()()
    except RuntimeError as error:
        # napari takes some of these for its own, and says nothing.
        raise NstError(f"That could not be computed: {error}") from error


def _shown(show: Callable[[Any], None], result: Any) -> None:
    show(result)
