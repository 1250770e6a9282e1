"""The steering of a run that a window shows."""

from __future__ import annotations

from collections.abc import Callable

from napari_nst.engine.steering import Steering, TileDone


class RunSteering(Steering):
    """A steering that ends a run at once, also where the window closes and nobody tells the run.

    Parameters
    ----------
    tell, watch
        As for `Steering`.
    is_closing : callable
        Returns whether the window is; called in the run's thread.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        watch: Callable[[TileDone], None],
        is_closing: Callable[[], bool],
    ) -> None:
        super().__init__(tell, watch)
        self._is_closing = is_closing

    @property
    def stopped(self) -> bool:
        """Whether somebody has called `stop`, or the window is closing."""
        return super().stopped or self._is_closing()
