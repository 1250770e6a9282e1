"""The history of one run, and the layers that show it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nst.io.history import DEFAULT_MEGABYTES, History, Spacing
from napari_nst.viewer.history.export import Exporter
from napari_nst.viewer.history.layers import HistoryLayer, IterationLayers
from napari_nst.viewer.layers import pyramid

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.iteration import Iteration
    from napari_nst.viewer.run.request import RunRequest
    from napari_nst.viewer.run.worker import RunThread


class RunHistory:
    """The kept images of a run, and their layers.

    The run's thread calls `step`; all else is for the main thread. `spacing`, `every` and
    `megabytes` are those of `History`. With `each_as_layer`, every iteration also gets a layer.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        request: RunRequest,
        spacing: Spacing = "log",
        every: int = 1,
        megabytes: float = DEFAULT_MEGABYTES,
        each_as_layer: bool = False,
    ) -> None:
        # Kept with the intensities of the result's layer, so that they are displayed as they are.
        convert = partial(request.intensity.restore, keep_dtype=request.keep_dtype)
        self.history = History(spacing, every=every, megabytes=megabytes, convert=convert)
        self.layer = HistoryLayer(viewer, request)
        self._iterations = IterationLayers(viewer, request) if each_as_layer else None
        self._request = request
        self._facts: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """Name of the run's result."""
        return self._request.name

    @property
    def kept(self) -> str:
        """How many images are kept, and how much memory they take."""
        count, megabytes = len(self.history.steps), self.history.megabytes
        amount = f"{megabytes:.1f}" if megabytes < 10 else f"{megabytes:.0f}"
        images = f"{count or 'No'} image{'' if count == 1 else 's'}"
        return f"{images}, {amount} of {self.history.max_megabytes:g} MB"

    def step(self, iteration: Iteration, *, is_last: bool = False) -> None:
        """Keep an iteration's image if its step is due; a large image is kept smaller."""
        wanted = is_last or self.history.wants(iteration.step, iteration.steps)
        if wanted and iteration.step not in self.history.steps:
            self.history.step(_reduced(iteration), is_last=is_last)

    def finish(self, run: RunThread) -> None:
        """Keep the last image of a finished run, and store the run's record in the layers."""
        if run.newest is None:
            return
        self.step(run.newest, is_last=True)
        self._facts = run.newest.record(self._request.names)
        if self.layer.exists:
            self.show()

    def show(self) -> None:
        """Show the kept images as a layer, or update it; raises `ValueError` if none is kept."""
        self.layer.show(self.history.stack(), self._facts)

    def show_step(self, step: int) -> int | None:
        """Show the image of the nearest step, in a layer that is made if needed; return the step.

        Raises `ValueError` if no image is kept.
        """
        if not self.layer.exists:
            self.show()
        return self.layer.show_step(step)

    def refresh(self) -> None:
        """Update the layer, if there is one and the history has other images."""
        if self.layer.exists and self.layer.steps != self.history.steps:
            self.show()

    def add_iteration(self) -> bool:
        """Add the next of the layers of single iterations; return False if there is none to add."""
        if self._iterations is None or not self.history.steps:
            return False
        added = self._iterations.add_next(self.history.stack())
        if not added and self._facts:
            self._iterations.describe(self._facts)
        return added

    def export(self, path: Path, exporter: Exporter) -> None:
        """Write the images that are kept now; raises `ValueError` if none is kept."""
        text = json.dumps(self._facts) if self._facts else ""
        exporter.start(path, self.history.stack(), self._request, text)


def _reduced(iteration: Iteration) -> Iteration:
    """Return the iteration with its image averaged down to at most `pyramid.LARGE` pixels a side.

    The history of a very large image would otherwise hold very few images.
    """
    ratio = -(-max(iteration.shape) // pyramid.LARGE)
    if ratio == 1:
        return iteration
    from torch.nn.functional import avg_pool2d

    def pool(image: Any) -> Any:
        return None if image is None else avg_pool2d(image.detach(), ratio, ceil_mode=True)

    return replace(iteration, pixels=pool(iteration.pixels), alpha=pool(iteration.alpha))
