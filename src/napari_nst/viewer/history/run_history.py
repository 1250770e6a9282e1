"""The history of one run in the viewer: what is kept of it, and the layers that show it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nst.io.history import DEFAULT_MEGABYTES, History, Spacing
from napari_nst.viewer.history.export import Export
from napari_nst.viewer.history.layers import HistoryLayer, IterationLayers
from napari_nst.viewer.layers import pyramid

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.iteration import Iteration
    from napari_nst.viewer.run.request import RunRequest
    from napari_nst.viewer.run.worker import RunThread


class RunHistory:
    """A history and its layers. Call it from the main thread; `step` watches the run in its own.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layers.
    request : RunRequest
        What the run does.
    spacing, every, megabytes
        As for `History`.
    each_as_layer : bool
        Whether every iteration gets a layer of its own too.

    Attributes
    ----------
    history : History
        The pictures.
    layer : HistoryLayer
        There once it is shown.
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
        # In the layer's own numbers, so that they can be shown as they are.
        convert = partial(request.intensity.restore, keep_dtype=request.keep_dtype)
        self.history = History(spacing, every=every, megabytes=megabytes, convert=convert)
        self.layer = HistoryLayer(viewer, request)
        self._iterations = IterationLayers(viewer, request) if each_as_layer else None
        self._request = request
        self._facts: dict[str, Any] = {}

    @property
    def name(self) -> str:
        """What the run's result is called."""
        return self._request.name

    @property
    def kept(self) -> str:
        """How much is kept, in words."""
        count, megabytes = len(self.history.steps), self.history.megabytes
        amount = f"{megabytes:.1f}" if megabytes < 10 else f"{megabytes:.0f}"
        pictures = f"{count or 'No'} picture{'' if count == 1 else 's'}"
        return f"{pictures}, {amount} of {self.history.max_megabytes:g} MB"

    def step(self, iteration: Iteration, *, is_last: bool = False) -> None:
        """Keep an iteration's picture if it is wanted; a large one at a fraction of its size."""
        wanted = is_last or self.history.wants(iteration.step, iteration.steps)
        if wanted and iteration.step not in self.history.steps:
            self.history.step(_within_reason(iteration), is_last=is_last)

    def finish(self, run: RunThread) -> None:
        """Keep the last picture of the run, which is over, and describe the layers."""
        if run.newest is None:
            return
        self.step(run.newest, is_last=True)
        self._facts = run.newest.record(self._request.names)
        if self.layer.is_there:
            self.show()

    def show(self) -> None:
        """Show the pictures that are kept as one layer, or bring that layer up to date.

        Raises
        ------
        ValueError
            If there are none.
        """
        self.layer.show(self.history.stack(), self._facts)

    def nearest(self, step: int) -> int:
        """Return the step of the picture that is nearest.

        Raises
        ------
        ValueError
            If there is no picture.
        """
        stack = self.history.stack()
        return stack.steps[stack.nearest(step)]

    def appear(self) -> None:
        """Make the layer if it is not there; its slider stands anywhere."""
        if not self.layer.is_there:
            self.layer.lay(self.history.stack(), self._facts)

    def refresh(self) -> None:
        """Bring the layer up to date, if it is shown and there are other pictures than it has."""
        if self.layer.is_there and self.layer.steps != self.history.steps:
            self.show()

    def add_iteration(self) -> bool:
        """Add the next of the layers of single iterations, and return whether there was one."""
        if self._iterations is None or not self.history.steps:
            return False
        added = self._iterations.add_next(self.history.stack())
        if not added and self._facts:
            self._iterations.describe(self._facts)
        return added

    def export(self, path: Path) -> Export:
        """Return what writes the pictures that are kept now.

        Raises
        ------
        ValueError
            If there are none.
        """
        text = json.dumps(self._facts) if self._facts else ""
        return Export(path, self.history.stack(), self._request, text)


def _within_reason(iteration: Iteration) -> Iteration:
    """Return an iteration with as many pixels as a history is looked at with."""
    ratio = -(-max(iteration.shape) // pyramid.LARGE)
    if ratio == 1:
        return iteration
    from torch.nn.functional import avg_pool2d

    pixels, alpha = (
        None if one is None else avg_pool2d(one.detach(), ratio, ceil_mode=True)
        for one in (iteration.pixels, iteration.alpha)
    )
    assert pixels is not None
    return replace(iteration, pixels=pixels, alpha=alpha)
