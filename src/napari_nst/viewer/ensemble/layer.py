"""The lazy layer of several seeds, which fills in as textures are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.components import ViewerModel

from napari_nst.io.record import RECORD
from napari_nst.viewer.layers.intensity import whole_range
from napari_nst.viewer.layers.own_axis import cover, on_own_axis
from napari_nst.viewer.layers.panels import PanelText
from napari_nst.viewer.layers.position import Position
from napari_nst.viewer.layers.read import LayerSlice, pixel_sides
from napari_nst.viewer.layers.save import LAYOUT
from napari_nst.viewer.run.request import Progress
from napari_nst.viewer.stack.layer import SlicesOfLayer, StackLayer, StoredSlices

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import Steering
    from napari_nst.ensembles.ensemble_run import EnsembleRun
    from napari_nst.ensembles.exemplar import Exemplar
    from napari_nst.recipe import Recipe
    from napari_nst.stacks.places import Place
    from napari_nst.stacks.stack_run import StackRun

AXIS = "seed"


@dataclass(frozen=True)
class ChosenSeeds:
    """How many seeds, whether to measure them, how many processes compute, and into what."""

    count: int
    measured: bool
    workers: int
    out: str | None


@dataclass(eq=False)
class LayerEnsemble(SlicesOfLayer):
    """A layer as the exemplar of several seeds."""

    exemplar: LayerSlice
    shape: tuple[int, int] | None  # of the textures
    keep_dtype: bool
    chosen: ChosenSeeds

    def begin(self, recipe: Recipe, progress: Progress, steering: Steering) -> Iterator[Iteration]:
        """Begin the run, in its thread, and yield its iterations."""
        from napari_nst.ensembles.api import synthesize_ensemble

        chosen = self.chosen
        progress("reading the layers", 0, 0)
        run = synthesize_ensemble(
            self._read(recipe), recipe, seeds=chosen.count, shape=self.shape, out=chosen.out,
            statistics=chosen.measured, workers=chosen.workers, progress=progress,
            steering=steering,
        )  # fmt: skip
        self.run = run
        if run.done == run.places.count and (run.table.seeds == run.seeds or not chosen.measured):
            raise ValueError(f"All seeds are in {run.path} already. Choose another `out`.")
        steering.tell(f"Textures are written to {run.path}.")
        return self.follow(run, progress)

    def _read(self, recipe: Recipe) -> Exemplar:
        """Read the layer."""
        from napari_nst.engine.job.input_image import read_styles
        from napari_nst.ensembles.exemplar import Exemplar

        pixels, of = self.exemplar.read(), self.exemplar.position
        image = read_styles(pixels, "exemplar", recipe)[0]
        probe = pixels[:1, :1] if pixels.ndim == 2 else pixels[:1, :1, :3]
        dtype = self.intensity.restore(probe, self.keep_dtype).dtype
        own = self.intensity.limits_in(dtype, probe.ndim)
        limits = None if own == whole_range(dtype) else own
        sides, unit = pixel_sides(of.transform, of.axes)
        if sides is None:
            return Exemplar(image, dtype, limits)
        # Pixels of a coarser level are larger.
        height, width = (
            float(side * whole / read)
            for side, whole, read in zip(sides, of.shape, pixels.shape, strict=False)
        )
        return Exemplar(
            image, dtype, limits, (height, width), "µm" if unit == "micrometer" else "pixel"
        )


class SeedLayer(StackLayer):
    """The layer of several seeds, along an axis of its own."""

    def __init__(
        self,
        viewer: ViewerModel,
        name: str,
        position: Position,
        made_of: LayerEnsemble,
        finished: Callable[[ViewerModel, SeedLayer], None],
    ) -> None:
        super().__init__(viewer, name, made_of, axis=0)
        self._position, self._finished = position, finished

    @property
    def run(self) -> EnsembleRun:
        """The run, after its first step."""
        run: Any = self._made_of.run
        return run  # type: ignore[no-any-return]

    def describe(self, record: Mapping[str, Any]) -> None:
        """Store the record, and tell that the run has ended."""
        super().describe(record)
        if self.layer is not None and not self.removed:
            self._finished(self._viewer, self)

    def add_images(self, mean: np.ndarray[Any, Any], deviation: np.ndarray[Any, Any]) -> None:
        """Add two layers, of the mean and the standard deviation, at the place of this one."""
        transform = self._position.transform_at((mean.shape[0], mean.shape[1]))
        low, high = self.run.job.result_limits
        layout = {LAYOUT: {"axes": list(self._position.pixel_axes()), "panels": []}}
        known = {"metadata": {RECORD: {**self.run.store.record, **layout}}, "multiscale": False}
        for title, pixels, limits in (
            ("mean", mean, (low, high)),
            ("deviation", deviation, (0.0, max(float(deviation.max()), 1e-6))),
        ):
            if pixels.ndim == 3:  # napari shows RGB of floats in [0, 1]
                pixels = (pixels - (low if title == "mean" else 0)) / (high - low)
            display: dict[str, Any] = {"contrast_limits": limits, "colormap": "gray"}
            display = display if pixels.ndim == 2 else {"rgb": True}
            self._viewer.add_image(
                self._position.data(pixels), name=f"{self.layer.name} · {title}",
                **display, **known, **transform,
            )  # fmt: skip

    def _stored_slices(self, run: StackRun) -> StoredSlices:
        count = run.places.count
        self._on_own = on_own_axis(self._viewer, self._position, AXIS)
        ndim = self._on_own.ndim + 1
        names = [""] * ndim
        for axis, name in zip(self._on_own.pixel_axes(count), (AXIS, "y", "x"), strict=True):
            names[axis] = name
        return StoredSlices(run, names)

    def _index(self, run: StackRun, place: Place) -> int:
        return place[0]

    def _add(self, run: StackRun, stored: StoredSlices) -> None:
        count, position = run.places.count, self._on_own
        shape = (int(run.store.pixels.shape[-2]), int(run.store.pixels.shape[-1]))
        transform = position.transform_at(shape, count)
        transform["axis_labels"] = (AXIS, *transform["axis_labels"][1:])
        transform["translate"][0] = self.run.seeds[0]  # the slider shows the seed
        labels = [f"seed {seed}" for seed in self.run.seeds]
        axes = position.pixel_axes(count)
        self._add_layer(run, stored, transform, {"axes": list(axes), "panels": labels})
        cover(self._viewer, self.layer, position, count)
        PanelText.of(self._viewer).follow(self.layer, axes[0], labels)
