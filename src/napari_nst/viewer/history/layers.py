"""The history of one run, and the layers that show it: a stack, or one layer per iteration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from napari.components import ViewerModel

from napari_nst.io.history import DEFAULT_MEGABYTES, FrameStack, History, Spacing
from napari_nst.io.record import RECORD
from napari_nst.viewer.layers import live_pixels
from napari_nst.viewer.layers.own_axis import cover, on_own_axis
from napari_nst.viewer.layers.panels import PanelText
from napari_nst.viewer.layers.position import move_slider, shown_index
from napari_nst.viewer.layers.result_layer import Placement, add_below, set_alone
from napari_nst.viewer.layers.save import LAYOUT
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.run.worker import RunThread

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration

_ONLY_LAST = ("shape", "seconds", "losses")  # true of a run's last iteration only


class HistoryLayer:
    """An image layer with an extra axis for the iterations, which are resized when displayed."""

    def __init__(self, viewer: ViewerModel, request: RunRequest) -> None:
        self._viewer = viewer
        self._request = request
        self._position = request.position
        self._axis = 0  # of the iterations
        self._placement = Placement(self._position, panels=1)
        self._stack: FrameStack | None = None
        self.layer: Any = None

    @property
    def exists(self) -> bool:
        """Whether the viewer has the layer."""
        return self.layer is not None and self.layer in self._viewer.layers

    @property
    def steps(self) -> list[int]:
        """The steps whose images the layer shows."""
        return list(self._stack.steps) if self._stack is not None else []

    def show(self, stack: FrameStack, facts: Mapping[str, Any] | None = None) -> None:
        """Show these images; the slider stays at its iteration, or at the newest one."""
        if not self.exists:
            self._position = on_own_axis(self._viewer, self._request.position, "iteration")
            self._placement = Placement(self._position, panels=1)
        placed = stack.converted(self._position.data)
        step = stack.steps[-1]
        if self.exists and self._stack is not None:
            index = shown_index(self.layer, self._viewer.dims)[self._axis]
            if index < len(self._stack) - 1:
                step = self._stack.steps[index]
            self.layer.data = placed
            if self._stack.size != placed.size:
                self._placement.resize(self.layer, placed.size)
        else:
            request = self._request
            self.layer = add_below(
                self._viewer,
                request.guides,
                placed,
                name=f"{request.name} · history",
                multiscale=False,
                interpolation2d="linear",  # as the result's layer
                metadata={RECORD: {}},
                **request.intensity.display(placed.originals[0], request.keep_dtype),
                **self._transform(placed),
            )
            cover(self._viewer, self.layer, self._position, panels=1)
            self._placement.placed(self.layer, placed.size)
        self._stack = placed
        layout = {"axes": list(self._position.pixel_axes(1)), "panels": list(placed.labels)}
        self.layer.metadata[RECORD] = {**(facts or {}), LAYOUT: layout}
        self._move_slider(placed, step)

    def show_step(self, step: int) -> int | None:
        """Move the slider to the nearest step and return that step; None without a layer."""
        if not self.exists or self._stack is None:
            return None
        if not self.layer.visible:  # setting it again would redraw the layer
            set_alone(self.layer, visible=True)
        self._move_slider(self._stack, step)
        return self._stack.steps[self._stack.nearest(step)]

    def _move_slider(self, stack: FrameStack, step: int) -> None:
        PanelText.of(self._viewer).follow(self.layer, self._axis, stack.labels)
        move_slider(self.layer, self._viewer.dims, self._axis, stack.nearest(step))

    def _transform(self, stack: FrameStack) -> dict[str, Any]:
        transform = self._placement.transform_at(stack.size)
        return transform | {"axis_labels": ("iteration", *transform["axis_labels"][1:])}


class IterationLayers:
    """One layer per kept iteration, for short runs; only the newest layer is visible."""

    MOST = 100  # iterations: napari draws and lists every layer

    def __init__(self, viewer: ViewerModel, request: RunRequest) -> None:
        self._viewer = viewer
        self._request = request
        self._layers: dict[int, Any] = {}

    def add_next(self, stack: FrameStack) -> bool:
        """Add the layer of the first iteration that has none; return False if all have one."""
        step = next((step for step in stack.steps if step not in self._layers), None)
        if step is None:
            return False
        for layer in self._layers.values():
            set_alone(layer, visible=False)
        request, position = self._request, self._request.position
        pixels = stack.originals[stack.steps.index(step)]
        layout = {"axes": list(position.axes), "panels": []}
        self._layers[step] = add_below(
            self._viewer,
            request.guides,
            position.data(pixels),
            name=f"{request.name} {step:04d}",
            metadata={RECORD: {LAYOUT: layout}},
            interpolation2d="linear",  # as the result's layer
            **request.intensity.display(pixels, request.keep_dtype),
            **position.transform_at(pixels.shape[:2]),
        )
        return True

    def describe(self, facts: Mapping[str, Any]) -> None:
        """Store the run's record in every layer, each with its own step."""
        shared = {name: value for name, value in facts.items() if name not in _ONLY_LAST}
        for step, layer in self._layers.items():
            layout = layer.metadata[RECORD][LAYOUT]
            layer.metadata[RECORD] = {**shared, "step": step, LAYOUT: layout}


class RunHistory:
    """The kept images of a run, and their layers; the run's thread calls `step` only."""

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
        self.request = request
        self.facts: dict[str, Any] = {}  # the run's record, once it has finished

    @property
    def kept(self) -> str:
        """How many images are kept, and how much memory they take."""
        count, megabytes = len(self.history.steps), self.history.megabytes
        return f"Images: {count}, {megabytes:.1f} of {self.history.max_megabytes:g} MB"

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
        self.facts = run.newest.record()
        if self.layer.exists:
            self.show()

    def show(self) -> None:
        """Show the kept images as a layer, or update that layer."""
        self.layer.show(self.history.stack(), self.facts)

    def show_step(self, step: int) -> int | None:
        """Show the nearest step, in a layer that is made if needed; return that step."""
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
        if not added and self.facts:
            self._iterations.describe(self.facts)
        return added


def _reduced(iteration: Iteration) -> Iteration:
    """Return the iteration with its image averaged to at most `LARGE` pixels a side."""
    ratio = -(-max(iteration.shape) // live_pixels.LARGE)
    if ratio == 1:
        return iteration
    from torch.nn.functional import avg_pool2d

    def pool(image: Any) -> Any:
        return None if image is None else avg_pool2d(image.detach(), ratio, ceil_mode=True)

    return replace(iteration, pixels=pool(iteration.pixels), alpha=pool(iteration.alpha))
