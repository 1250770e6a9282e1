"""A run under way, as callers get it: its iterations, its result, and its picture in a notebook."""

from __future__ import annotations

import base64
import sys
import time
import warnings
from collections.abc import Callable, Generator
from contextlib import nullcontext
from importlib import import_module, util
from types import TracebackType
from typing import Any, Self

import numpy as np

from napari_nst.engine.iteration import Iteration
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.weights import Progress
from napari_nst.errors import NstError

IDLE = 20.0
"""A notebook's picture waits so many times as long as it took to draw, before it is drawn again."""


class RunHandle(Generator[Iteration, None, None]):
    """A run under way, as `stylize`, `synthesize`, `reconstruct` and `resume` return it.

    It is an iterator of `Iteration`, one for each step, and computes a step at each `next`. Its
    `repr` has the step and the losses. In a notebook, the last expression of a cell shows the
    picture, which changes while the run goes on.

    Attributes
    ----------
    last : Iteration or None
        The newest iteration; None before the first step.

    Examples
    --------
    >>> picture = nst.stylize(content, style, size=256).result()  # doctest: +SKIP
    """

    last: Iteration | None = None

    def __init__(
        self,
        name: str,
        begin: Callable[[Progress], Generator[Iteration, None, None]],
        steering: Steering,
        progress: Progress | None = None,
    ) -> None:
        self._name = name
        self._steering = steering
        # The run refers to the bar, not to this object: a run that nobody keeps ends at once.
        self._bar = _Bar(progress)
        self._iterations = begin(self._bar.before_run)
        self._shown: Any = None  # IPython's handle of the picture in a notebook
        self._next_drawing = 0.0

    def send(self, value: None) -> Iteration:
        """Compute the next step, as `next` does."""
        self.last = self._iterations.send(value)
        self._draw(self.last)
        return self.last

    def throw(
        self,
        typ: type[BaseException] | BaseException,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
    ) -> Iteration:
        """Raise an exception inside the run, as for any generator."""
        error = typ if isinstance(typ, BaseException) else val
        return self._iterations.throw(error if isinstance(error, BaseException) else typ())  # type: ignore[operator]

    def close(self) -> None:
        """End the run and free its memory; `last` remains."""
        self._iterations.close()

    def stop(self) -> None:
        """End the run during its next step, from any thread; `last` is then its result."""
        self._steering.stop()

    def result(self, progress: bool = True) -> np.ndarray[Any, np.dtype[Any]]:
        """Run to the end, and return the last picture in the form of the content.

        Parameters
        ----------
        progress : bool
            Show a progress bar, and in a notebook the picture too.

        Returns
        -------
        ndarray
            (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA, as `Iteration.picture`, in the dtype of
            the content, or of the first exemplar: uint8 and uint16 use their whole range, floats
            are in [0, 1]. Of a run that was stopped, interrupted or has ended, it is the last
            picture there is.

        Raises
        ------
        NstError
            If the run ends before its first step, or as for `stylize`.
        """
        if progress and self._shown is None and _kernel_shows_pictures():
            self._ipython_display_()
        with self._bar if progress else nullcontext():
            for iteration in self:
                self._bar.step(iteration)
        if self.last is None:
            raise NstError("The run ended before its first step, so it has no picture.")
        return _in_form_of_input(self.last)

    def __repr__(self) -> str:
        if self.last is None:
            return f"<{self._name}: no step yet>"
        return f"<{self._name}: {self.last.summary}>"

    def _repr_png_(self) -> bytes | None:
        return self.last._repr_png_() if self.last is not None else None

    def _ipython_display_(self) -> None:
        """Show the picture in a notebook, and keep IPython's handle; elsewhere print the repr."""
        if not _kernel_shows_pictures():
            print(repr(self))
            return
        display = import_module("IPython.display").display
        self._shown = display(self._mime_bundle(), raw=True, display_id=True)

    def _draw(self, iteration: Iteration) -> None:
        """Update the picture in a notebook, unless drawing would take much of the time."""
        began = time.perf_counter()
        if self._shown is None or (began < self._next_drawing and iteration.step < iteration.steps):
            return
        self._shown.update(self._mime_bundle(), raw=True)
        ended = time.perf_counter()
        self._next_drawing = ended + IDLE * (ended - began)

    def _mime_bundle(self) -> dict[str, str]:
        png = self._repr_png_()
        picture = {} if png is None else {"image/png": base64.b64encode(png).decode()}
        return {"text/plain": repr(self), **picture}


class _Bar:
    """The progress bar of a run, for as long as a ``with`` statement lasts, and its downloads'."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._bar: Any = None

    def __enter__(self) -> Self:
        self._bar = _tqdm()(desc="run", unit=" step")
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._bar = None

    def before_run(self, message: str, done: int, total: int) -> None:
        """Show a download, or a sentence with the estimated time and memory of the run."""
        if self._progress is not None:
            self._progress(message, done, total)
        if self._bar is None:
            return
        share = f" ({done / total:.0%})" if total else ""
        self._bar.set_postfix_str(f"{message}{share}")

    def step(self, iteration: Iteration) -> None:
        """Show a step and its loss."""
        if self._bar is None:
            return
        self._bar.total = iteration.steps
        self._bar.set_postfix_str(f"loss {iteration.losses['total']:.4g}", refresh=False)
        self._bar.update(iteration.step - self._bar.n)


def _tqdm() -> Any:
    """Return tqdm's bar for a notebook with ipywidgets, or else for a terminal."""
    if util.find_spec("ipywidgets") is None:  # tqdm.auto would warn of it in a notebook
        return import_module("tqdm").tqdm
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is experimental
        return import_module("tqdm.auto").tqdm


def _kernel_shows_pictures() -> bool:
    """Whether the code runs in a notebook, or another program with a kernel of IPython."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _in_form_of_input(iteration: Iteration) -> np.ndarray[Any, np.dtype[Any]]:
    """Return the picture in the dtype of the content or of the first exemplar."""
    dtype = iteration.input_dtype
    if dtype.kind == "f":
        return iteration.picture.astype(dtype)
    white = np.float32(np.iinfo(dtype).max)
    whole: np.ndarray[Any, np.dtype[Any]] = np.rint(iteration.picture * white).astype(dtype)
    return whole
