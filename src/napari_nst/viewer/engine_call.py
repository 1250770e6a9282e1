"""A call of one of the engine's jobs, whose arguments are read when it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from napari_nst.recipe import Recipe
from napari_nst.viewer.stream import Progress

if TYPE_CHECKING:
    from napari_nst.engine.optimize import Iteration
    from napari_nst.engine.order import Order
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
        """Return the iterations."""
        from napari_nst.engine import jobs

        progress("reading the layers", 0, 0)
        job: Callable[..., Iterator[Iteration]] = getattr(jobs, self.function)
        return job(
            recipe=self.recipe, **self.read(), progress=progress, steering=steering, after=after
        )

    def order(self) -> Order:
        """Return the checked job itself, to look into what it computes."""
        from napari_nst.engine import orders

        check: Callable[..., Order] = getattr(orders, f"order_to_{self.function}")
        return check(recipe=self.recipe, **self.read())
