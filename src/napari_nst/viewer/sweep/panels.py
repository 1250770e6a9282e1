"""Runs that make several images one after the other, such as comparisons of layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering
    from napari_nst.viewer.run.worker import Progress

Start = Callable[["Progress", "Steering", "Iteration | None"], "Iterator[Iteration]"]


def several_images(function: str, read: Callable[[], dict[str, Any]]) -> Start:
    """Return the `start` of a `RunRequest` that calls a public function such as `explore_layers`.

    `read` returns the function's arguments; it reads layers, and is called in the run's thread.
    """

    def start(progress: Progress, steering: Steering, _: Iteration | None) -> Iterator[Iteration]:
        import napari_nst

        progress("reading the layers", 0, 0)
        make: Callable[..., Iterator[Iteration]] = getattr(napari_nst, function)
        return make(**read(), progress=progress, steering=steering)

    return start
