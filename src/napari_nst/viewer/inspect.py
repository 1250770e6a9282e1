"""The controls that show loss maps, Gram matrices and feature maps of the newest result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, PushButton
from napari.components import ViewerModel

from napari_nst.io.contact_sheet import DARK, Sheet
from napari_nst.recipe import Recipe
from napari_nst.recipe.grid import Cell, Grid
from napari_nst.recipe.layer_names import LAYER_NAMES
from napari_nst.viewer.layers.intensity import to_uint8
from napari_nst.viewer.layers.panels import add_stack
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.run.runner import Runner
from napari_nst.viewer.run.worker import IsClosing, run_in_background
from napari_nst.viewer.sweep.sheet_layer import add_sheet

if TYPE_CHECKING:
    from napari_nst.engine.inspect import GramView
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.job.job import Job

Array = np.ndarray[Any, Any]

EVERY = "every layer with a loss"

ReadJob = Callable[[], "Job"]
"""Reads the layers as the run has read them, or raises `ValueError`."""


class InspectControls:
    """A drop-down for a layer of the network, and a button for each map of the newest result."""

    def __init__(
        self,
        viewer: ViewerModel,
        runner: Runner,
        say: Callable[[str], None],
        complain: Callable[[Exception], None],
    ) -> None:
        self._viewer = viewer
        self._runner = runner
        self._say = say
        self._complain = complain
        self.busy = False
        self.layer = ComboBox(
            name="inspected_layer",
            label="VGG layer",
            choices=(EVERY, *LAYER_NAMES),
            value="relu4_2",
            tooltip="The layer of the network at which to inspect the newest result.",
        )
        self.losses = PushButton(
            name="show_losses",
            text="Where the loss comes from",
            tooltip="A heat map of each loss at this layer: the share of each pixel of the result.",
        )
        self.gram = PushButton(
            name="show_gram",
            text="Gram matrices",
            tooltip="The Gram matrices of content, style and result at this layer, side by side, "
            "and their distances.",
        )
        self.features = PushButton(
            name="show_features",
            text="Feature maps",
            tooltip="The features of the result at this layer: a stack with one image per channel.",
        )
        self.controls = [self.layer, self.losses, self.gram, self.features]
        self.layer.changed.connect(self._enable)
        self.losses.clicked.connect(self.show_losses)
        self.gram.clicked.connect(self.show_gram)
        self.features.clicked.connect(self.show_features)

    def show_losses(self) -> None:
        """Add a stack of heat maps, one for each loss."""
        layer = None if self.layer.value == EVERY else self.layer.value

        def compute(recipe: Recipe, newest: Iteration, read_job: ReadJob) -> dict[str, Array]:
            from napari_nst import loss_maps

            return loss_maps(read_job(), newest.picture, layer=layer)

        self._start("loss maps", compute, self._add_loss_maps)

    def show_gram(self) -> None:
        """Add a contact sheet of Gram matrices."""
        layer = self.layer.value

        def compute(recipe: Recipe, newest: Iteration, read_job: ReadJob) -> GramView:
            from napari_nst import gram_view

            return gram_view(read_job(), newest.picture, layer)

        self._start(f"Gram matrices at {layer}", compute, self._add_gram)

    def show_features(self) -> None:
        """Add a stack of feature maps."""
        layer = self.layer.value

        def compute(recipe: Recipe, newest: Iteration, read_job: ReadJob) -> Array:
            from napari_nst import feature_maps

            return feature_maps(newest.picture, layer, recipe.replace(size=0))

        def add(request: RunRequest, maps: Array) -> None:
            labels = [f"{layer} channel {index}" for index in range(len(maps))]
            self._add_stack(
                request, f"features {layer}", maps, labels, axis_label="channel", colormap="viridis"
            )

        self._start(f"feature maps at {layer}", compute, add)

    def _start(
        self,
        added: str,
        compute: Callable[[Recipe, Iteration, ReadJob], Any],
        add: Callable[[RunRequest, Any], None],
    ) -> None:
        """Compute something from the newest result in a thread, then add its layer."""
        runner, request = self._runner, self._runner.request
        newest = runner.active.newest if runner.active else runner.last
        has_result = runner.active is not None or runner.has_result
        if request is None or not request.is_single or newest is None or not has_result:
            self._complain(ValueError("There is no result of a single image. Press Run first."))
            return
        if self.busy:
            self._complain(ValueError("Other maps are being computed. Wait until they are added."))
            return
        recipe = Recipe.from_dict(newest.facts["recipe"])  # the controls may have changed it

        def read_job() -> Job:
            job = request.build_job()
            _check_unchanged(job, newest)
            return replace(job, recipe=recipe)

        def compute_in_thread(_: IsClosing) -> Any:
            return compute(recipe, newest, read_job)

        def show(result: Any) -> None:
            if not runner.closed:
                add(request, result)
                self._say(f"Added {added} of iteration {newest.step}.")

        self.busy = True
        run_in_background(
            compute_in_thread,
            viewer=self._viewer,
            returned=show,
            failed=self._complain,
            finished=lambda: setattr(self, "busy", False),
        )
        self._say(f"Computing {added} of iteration {newest.step} …")

    def _add_loss_maps(self, request: RunRequest, maps: dict[str, Array]) -> None:
        # Multiples of the mean: losses of different layers differ by orders of magnitude.
        stack = np.stack([one / max(float(one.mean()), 1e-30) for one in maps.values()])
        labels = [f"{part}, loss {one.sum():.3g}" for part, one in maps.items()]
        display = {"colormap": "inferno", "opacity": 0.8, "gamma": 0.7}
        self._add_stack(request, "losses", stack, labels, axis_label="loss", **display)

    def _add_stack(
        self, request: RunRequest, title: str, stack: Array, labels: list[str], **display: Any
    ) -> None:
        highest = max(float(np.percentile(stack, 99.5)), 1e-12)
        add_stack(
            self._viewer,
            request.position,
            stack,
            labels,
            name=f"{request.name} · {title}",
            contrast_limits=(min(0.0, float(stack.min())), highest),
            **display,
        )

    def _add_gram(self, request: RunRequest, view: GramView) -> None:
        captions = [
            f"{name}, distance {view.distances[name]:.2f}" if name in view.distances else "result"
            for name in view.names
        ]
        cells = [Cell(caption, caption=caption) for caption in captions]
        side = max(view.matrices.shape[-1], 256)
        sheet = Sheet(Grid.wrapped(cells, len(cells)), (side, side), DARK)
        for index, matrix in enumerate(view.shown):
            sheet.put(index, _colored(matrix))
        name = f"{request.name} · Gram {view.layer}"
        add_sheet(self._viewer, request.position, sheet, name=name)

    def _enable(self) -> None:
        self.gram.enabled = self.features.enabled = self.layer.value != EVERY


def _check_unchanged(job: Job, newest: Iteration) -> None:
    """Raise `ValueError` if the layers hold other images now than the run has read."""
    read = newest.facts["inputs"]
    for role, image in job.images.items():
        if read.get(role, {}).get("sha256") != image.metadata["sha256"]:
            name = image.metadata.get("name", role)
            raise ValueError(
                f"Layer {name!r} has changed since the run read it, so the maps would not belong "
                "to the result; undo the change, or press Run again."
            )


def _colored(matrix: Array) -> Array:
    from napari.utils.colormaps import ensure_colormap

    inferno: Any = ensure_colormap("inferno")
    return to_uint8(inferno.map(matrix.ravel())[:, :3].reshape(*matrix.shape, 3))
