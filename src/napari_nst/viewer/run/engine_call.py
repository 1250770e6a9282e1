"""A call of one of the engine's jobs, whose arguments are read when it is made."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari.utils.notifications import show_warning

from napari_nst.recipe import Recipe
from napari_nst.viewer.run.worker import Progress

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.job.job import Job
    from napari_nst.engine.steering import Steering


@dataclass(frozen=True)
class EngineCall:
    """What to call, and how to read what it is called with; in the worker thread.

    Attributes
    ----------
    function : {"stylize", "synthesize", "reconstruct"}
        Which job.
    recipe : Recipe
        What to do.
    read : callable
        Reads layers, which may take long, and returns the other arguments.
    """

    function: Literal["stylize", "synthesize", "reconstruct"]
    recipe: Recipe
    read: Callable[[], dict[str, Any]]

    def start(
        self, progress: Progress, steering: Steering, after: Iteration | None
    ) -> Iterator[Iteration]:
        """Return the iterations, and show what the engine warns of."""
        from napari_nst.engine import api as jobs

        progress("reading the layers", 0, 0)
        job: Callable[..., Iterator[Iteration]] = getattr(jobs, self.function)
        arguments = self.read()
        # napari's worker catches what is warned of in its thread, and shows none of it.
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            iterations = job(
                recipe=self.recipe, **arguments, progress=progress, steering=steering, after=after
            )
        for one in warned:
            show_warning(str(one.message))
        return iterations

    def order(self) -> Job:
        """Return the checked job itself, to look into what it computes."""
        from napari_nst.engine.job import build as orders

        check: Callable[..., Job] = getattr(orders, f"order_to_{self.function}")
        return check(recipe=self.recipe, **self.read())
