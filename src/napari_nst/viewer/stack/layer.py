"""The lazy layer of a stack's results, which fills in as slices are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import Dims, ViewerModel
from napari.layers import Image

from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.intensity import Intensity, intensity_of
from napari_nst.viewer.layers.position import (
    Position,
    layer_transform,
    move_slider,
    position_of,
    shown_axes,
    shown_index,
)
from napari_nst.viewer.layers.read import check_is_image
from napari_nst.viewer.layers.save import LAYOUT
from napari_nst.viewer.run.request import Progress, RunRequest
from napari_nst.viewer.stack.choice import SliceAxes

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering
    from napari_nst.recipe import Recipe
    from napari_nst.stacks.places import Place
    from napari_nst.stacks.source import Stack
    from napari_nst.stacks.stack_run import StackRun

Array = np.ndarray[Any, Any]


@dataclass(eq=False)
class SlicesOfLayer:
    """What a layer that fills in is made of, and the run when it has begun."""

    position: Position  # of the shown slice
    intensity: Intensity  # of the layer
    # Set by the run's thread before it yields.
    run: StackRun | None = field(default=None, init=False)

    def follow(self, run: StackRun, progress: Progress) -> Iterator[Iteration]:
        """Yield the iterations of a run."""
        last: Iteration | None = None
        try:
            for step in run:
                if step.iteration is None:  # of a worker
                    progress(f"{step.label}, step {step.step} of {step.steps}", 0, 0)
                elif step.step > 0 and step.iteration.step != (last.step if last else 0):
                    last = step.iteration
                    yield last
        finally:
            run.close()


@dataclass(eq=False)
class LayerStack(SlicesOfLayer):
    """A layer as a stack, and the slices to go through."""

    chosen: SliceAxes
    channel_axis: int | None  # of the layer
    channel: int | Sequence[int] | None  # one, three as RGB, or None for each in turn
    stack: Stack

    def begin(
        self,
        function: Callable[..., StackRun],
        images: Sequence[Any],
        recipe: Recipe,
        progress: Progress,
        steering: Steering,
        **options: Any,
    ) -> Iterator[Iteration]:
        """Begin the run, in its thread, and yield its iterations."""
        run = function(
            self.stack,
            *images,
            recipe,
            axes=[self.chosen.axis],
            slices=dict(self.chosen.slices),
            channel_axis=self.channel_axis,
            channel=self.channel,
            workers=self.chosen.workers,
            out=self.chosen.out,
            progress=progress,
            steering=steering,
            **options,
        )
        self.run = run
        steering.tell(f"Slices are written to {run.path}.")
        if run.done == run.places.count:
            raise ValueError(f"All slices are in {run.path} already. Choose another folder.")
        return self.follow(run, progress)

    def request(
        self,
        name: str,
        function: str,  # of `napari_nst`
        read_images: Callable[[], Sequence[Any]],  # before the recipe; called in the run's thread
        recipe: Recipe,
        **options: Any,
    ) -> RunRequest:
        """Return the request of a run on all slices."""

        def begin(progress: Progress, steering: Steering) -> Iterator[Iteration]:
            import napari_nst

            progress("reading the layers", 0, 0)
            begun = getattr(napari_nst, function)
            return self.begin(begun, read_images(), recipe, progress, steering, **options)

        return RunRequest(
            name=name,
            position=self.position,
            intensity=self.intensity,
            recipe=recipe,
            function=function,
            read=dict,
            begin=begin,
            make_layer=lambda viewer, request: StackLayer(
                viewer, request.name, self, self.chosen.axis
            ),
        )


def layer_stack(
    layer: Image,
    dims: Dims,
    chosen: SliceAxes,
    channel_axis: int | None = None,
    channel: int | Sequence[int] | None = None,
) -> LayerStack:
    """Return a layer as a stack of the slices that the viewer shows, in full resolution."""
    from napari_nst.stacks.source import Stack, array_axes, known_unit

    check_is_image(layer)
    data = layer.data[0] if layer.multiscale else layer.data
    shown, count = shown_axes(layer, dims), layer.ndim
    # The widget says which axis has channels; a stack would take that named c.
    other = {"y": "", "x": "", "c": "channel"}
    names = [other.get(str(one), str(one)) for one in layer.axis_labels]
    names = ["" if one == str(k - count) else one for k, one in enumerate(names)]
    names[shown[0]], names[shown[1]] = "y", "x"
    own = layer_transform(layer)
    axes = tuple(
        replace(axis, scale=float(scale), origin=float(origin), unit=known_unit(unit))
        for axis, scale, origin, unit in zip(
            array_axes(names, data.shape[:count]),
            own["scale"],
            own["translate"],
            own["units"],
            strict=True,
        )
    )
    intensity = intensity_of(layer)
    stack = Stack(layer.name, data, axes, bool(layer.rgb), intensity.limits)
    position = position_of(layer, dims)
    return LayerStack(position, intensity, chosen, channel_axis, channel, stack)


class StoredSlices:
    """The results in a store as a layer's data, and the slice that is computed over them."""

    def __init__(self, run: StackRun, axes: Sequence[str] | None = None) -> None:
        # `axes` are the names of the layer's axes in the store, by default those of the content.
        self._pixels = run.store.pixels
        axes = [axis.name for axis in run.stack.axes] if axes is None else axes
        names = [axis.name for axis in run.places.axes]
        at = {name: number for number, name in enumerate(names)}
        if run.store.samples_axis is not None:
            at = {n: k + (k >= run.store.samples_axis) for n, k in at.items()}
        last = self._pixels.ndim
        plane = [axis.name for axis in run.stack.plane_axes]
        at |= {plane[0]: last - 2, plane[1]: last - 1}
        # The axis of the store for each of the layer; None: one that the result has not.
        self.order = [at.get(name) for name in axes]
        self._places = [at[name] for name in names]
        if run.store.samples_axis is not None:
            self.order.append(run.store.samples_axis)
        self.current: tuple[Place, Array] | None = None  # of the slice that is computed, as stored

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the layer's data."""
        return tuple(1 if k is None else int(self._pixels.shape[k]) for k in self.order)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.order)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the pixels."""
        found: np.dtype[Any] = self._pixels.dtype
        return found

    def __getitem__(self, index: Any) -> Array:
        """Read a part of the store, by numbers and slices."""
        given = list(index) if isinstance(index, tuple) else [index]
        given = [int(one) if isinstance(one, np.integer) else one for one in given]
        given += [slice(None)] * (self.ndim - len(given))
        wanted: list[int | slice] = [slice(None)] * self._pixels.ndim
        for axis, one in zip(self.order, given, strict=True):
            if axis is not None:
                wanted[axis] = one
        found = np.asarray(self._pixels[tuple(wanted)])
        self._add_current(found, wanted)
        left = [axis for axis, one in enumerate(wanted) if isinstance(one, slice)]
        pairs = [
            (k, one) for k, one in zip(self.order, given, strict=True) if isinstance(one, slice)
        ]
        found = found.transpose([left.index(axis) for axis, _ in pairs if axis is not None])
        new = tuple(n for n, (axis, _) in enumerate(pairs) if axis is None)
        return np.expand_dims(found, new)

    def _add_current(self, found: Array, wanted: Sequence[int | slice]) -> None:
        """Put the slice that is computed into a part of the store, if it is in that part.

        napari asks for a single slice by a number, or, if it projects several, by a range of one.
        """
        if self.current is None:
            return
        place, picture = self.current
        at: list[int | slice] = []  # in the part
        kept = []  # of the picture
        for axis, one in enumerate(wanted):
            if axis not in self._places:
                kept.append(one)
                if isinstance(one, slice):
                    at.append(slice(None))
                continue
            number = place[self._places.index(axis)]
            if isinstance(one, slice):
                numbers = range(*one.indices(self._pixels.shape[axis]))
                if number not in numbers:
                    return
                at.append(numbers.index(number))
            elif one != number:
                return
        found[tuple(at)] = picture[tuple(kept)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        """Read all."""
        return np.asarray(self[()], dtype)

    def as_dask(self) -> Any:
        """Return the results as an array of dask, of the slices as they are now."""
        import dask.array as da

        found = da.from_array(self._pixels, chunks=self._pixels.chunks, name=False)
        found = found.transpose([axis for axis in self.order if axis is not None])
        for number, axis in enumerate(self.order):
            if axis is None:
                found = da.expand_dims(found, number)
        return found


class StackLayer:
    """The layer that a stack fills; it has the methods of `LiveLayer` that a runner calls."""

    def __init__(self, viewer: ViewerModel, name: str, made_of: SlicesOfLayer, axis: int) -> None:
        self._viewer = viewer
        self._name = name
        self._made_of = made_of
        self._axis = axis  # of the layer, that is gone through
        self._stored: StoredSlices | None = None
        self._panel = -1  # of the slice that is computed
        self._at = 0  # its index along the axis that is gone through
        self._layout: dict[str, Any] = {}
        self.drawn = None  # pictures are small, and converted here
        self.layer: Any = None  # made by the first step: a run that fails early leaves none
        self.shown: Iteration | None = None

    @property
    def removed(self) -> bool:
        """Whether the user deleted the layer."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, iteration: Iteration) -> None:
        """Show a step of the slice that is computed, and the slices finished since."""
        run = self._made_of.run
        if iteration is self.shown or self.removed or run is None:
            return
        self.shown = iteration
        if self._stored is None:
            self._stored = self._stored_slices(run)
        place = run.place_of(iteration.panel)
        self._stored.current = place, self._as_stored(run, iteration)
        if self.layer is None:
            self._add(run, self._stored)
        self._follow(run, place, iteration.panel)
        self.layer.refresh(extent=False, highlight=False)

    def remember(self) -> None:
        """Do nothing: nobody paints on a stack."""

    def describe(self, record: Mapping[str, Any]) -> None:
        """Store the record, and replace the data by an array of dask, which every program knows."""
        run = self._made_of.run
        if self.layer is None or run is None or self._stored is None or self.removed:
            return
        self._stored.current = None
        self.layer.data = self._stored.as_dask()
        self.layer.metadata[RECORD] = {**record, **run.store.record, LAYOUT: self._layout}

    def _as_stored(self, run: StackRun, iteration: Iteration) -> Array:
        """Return the picture of a step as the store has it, in its size, by the nearest pixels."""
        axis = run.store.samples_axis
        pixels = run.job.stored(iteration, run.store.samples)
        rows, columns = (
            np.arange(new) * old // new
            for new, old in zip(run.store.pixels.shape[-2:], pixels.shape[:2], strict=True)
        )
        pixels = pixels[rows[:, None], columns]
        return pixels if axis is None else np.moveaxis(pixels, -1, 0)

    def _stored_slices(self, run: StackRun) -> StoredSlices:
        """Return the data of the layer."""
        return StoredSlices(run)

    def _index(self, run: StackRun, place: Place) -> int:
        """Return the index of a slice along the axis that is gone through."""
        names = [one.name for one in run.places.axes]
        return place[names.index(run.stack.axes[self._axis].name)]

    def _follow(self, run: StackRun, place: Place, panel: int) -> None:
        """Move the slider to a slice that begins, if it shows the one before."""
        if panel == self._panel or self._stored is None:
            return
        at = self._index(run, place)
        now = shown_index(self.layer, self._viewer.dims)[self._axis]
        if self._panel < 0 or now == self._at:
            move_slider(self.layer, self._viewer.dims, self._axis, at)
        self._panel, self._at = panel, at

    def _add(self, run: StackRun, stored: StoredSlices) -> None:
        made_of = self._made_of
        ranges = run.places.ranges
        names = [axis.name for axis in run.stack.axes]
        first = [ranges[name].start if name in ranges else 0 for name in names]
        steps = np.array([ranges[name].step if name in ranges else 1 for name in names])
        position = replace(made_of.position, index=tuple(first))
        shape = (int(run.store.pixels.shape[-2]), int(run.store.pixels.shape[-1]))
        transform = position.transform_at(shape)
        transform["scale"] = transform["scale"] * steps
        layout = {"axes": list(position.axes), "panels": []}
        self._add_layer(run, stored, transform, layout)

    def _add_layer(
        self,
        run: StackRun,
        stored: StoredSlices,
        transform: Mapping[str, Any],
        layout: Mapping[str, Any],
    ) -> None:
        self._layout = {**layout, "stack": str(run.path)}
        display: dict[str, Any] = {"rgb": run.store.is_rgb}
        if not run.store.is_rgb:
            display["colormap"] = self._made_of.intensity.colormap
        self.layer = self._viewer.add_image(
            stored,
            name=self._name,
            interpolation2d="linear",
            metadata={RECORD: {LAYOUT: self._layout}},
            multiscale=False,
            contrast_limits=run.job.result_limits,
            **display,
            **transform,
        )
