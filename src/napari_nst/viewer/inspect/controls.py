"""Looking into a result: what the network sees in it, and where its losses come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import ComboBox, PushButton

from napari_nst.engine.inspect.display import displayable
from napari_nst.io.contact_sheet import DARK, Sheet
from napari_nst.recipe import Recipe
from napari_nst.recipe.grid import Cell, Grid
from napari_nst.recipe.layer_names import LAYER_NAMES
from napari_nst.viewer.inspect.background import Background
from napari_nst.viewer.layers.intensity import to_uint8
from napari_nst.viewer.layers.stack_layer import add_stack
from napari_nst.viewer.sweep.sheet_layer import add_sheet

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.inspect.gram import GramView
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.job.job import Job
    from napari_nst.viewer.run.request import RunRequest
    from napari_nst.viewer.run.runner import Runner

Array = np.ndarray[Any, Any]

EVERY = "every layer with a loss"
"""What the drop-down says for the loss maps of all of them."""


class Inspection:
    """The controls that look into a widget's newest result, and what they show.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layers.
    runner : Runner
        Whose result it is, finished or not.
    say, complain : callable
        Called with what is being computed, and with what went wrong.

    Attributes
    ----------
    layer : ComboBox
        Where in the network to look.
    losses, gram, features : PushButton
        What to show.
    controls : list of Widget
        All of them, for a form.
    """

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
        self._background = Background(complain)
        self.layer = ComboBox(
            name="inspected_layer",
            label="VGG layer",
            choices=(EVERY, *LAYER_NAMES),
            value="relu4_2",
            tooltip="Where in the network to look at the newest result.",
        )
        self.losses = PushButton(
            name="show_losses",
            text="Where the loss comes from",
            tooltip="A heat map for each loss at this layer: how much each pixel of the result has "
            "of it.",
        )
        self.gram = PushButton(
            name="show_gram",
            text="Gram matrices",
            tooltip="The Gram matrices of content, style and result at this layer, side by side, "
            "and how far apart they are.",
        )
        self.features = PushButton(
            name="show_features",
            text="Feature maps",
            tooltip="The result as this layer sees it: a stack with a picture for each channel.",
        )
        self.controls = [self.layer, self.losses, self.gram, self.features]
        self.layer.changed.connect(self._enable_what_matters)
        self.losses.clicked.connect(self.show_losses)
        self.gram.clicked.connect(self.show_gram)
        self.features.clicked.connect(self.show_features)

    def show_losses(self) -> None:
        """Add the heat maps of the losses."""
        layer = None if self.layer.value == EVERY else self.layer.value

        def compute(order: Job, newest: Iteration) -> dict[str, Array]:
            from napari_nst.engine.inspect.loss_maps import loss_maps

            return loss_maps(order, newest.picture, layer=layer)

        self._look("Where the loss comes from", compute, self._add_maps)

    def show_gram(self) -> None:
        """Add the Gram matrices."""
        layer = self.layer.value

        def compute(order: Job, newest: Iteration) -> GramView:
            from napari_nst.engine.inspect.gram import gram_view

            return gram_view(order, newest.picture, layer)

        self._look(f"Gram matrices of {layer}", compute, self._add_gram)

    def show_features(self) -> None:
        """Add the feature maps."""
        layer = self.layer.value

        def compute(order: Job, newest: Iteration) -> Array:
            from napari_nst.engine.inspect.feature_maps import feature_maps

            return feature_maps(newest.picture, layer, order.recipe.replace(size=0))

        def show(request: RunRequest, maps: Array) -> None:
            labels = [f"{layer} channel {index}" for index in range(len(maps))]
            self._add_stack(
                request, f"features {layer}", maps, labels, "channel", colormap="viridis"
            )

        self._look(f"Feature maps of {layer}", compute, show)

    def _look(
        self,
        what: str,
        compute: Callable[[Job, Iteration], Any],
        show: Callable[[RunRequest, Any], None],
    ) -> None:
        """Compute something of the newest picture in a thread, then show it."""
        runner, request = self._runner, self._runner.request
        newest = runner.active.newest if runner.active else runner.last
        if request is None or not request.is_single or newest is None:
            self._complain(ValueError("There is no result to look into; press Run first."))
            return
        recipe = Recipe.from_dict(newest.facts["recipe"])

        def computed() -> Any:
            return compute(replace(request.build_job(), recipe=recipe), newest)

        def shown(result: Any) -> None:
            if not runner.closed:
                show(request, result)
                self._say(f"{what}: shown, at iteration {newest.step}.")

        try:
            self._background.start(computed, shown)
        except ValueError as error:
            self._complain(error)
        else:
            self._say(f"{what}: being computed …")

    def _add_maps(self, request: RunRequest, maps: dict[str, Array]) -> None:
        # In multiples of the average: layers' losses differ by orders of magnitude.
        stack = np.stack([one / max(float(one.mean()), 1e-30) for one in maps.values()])
        labels = [f"{part}, loss {one.sum():.3g}" for part, one in maps.items()]
        self._add_stack(
            request, "losses", stack, labels, "loss", colormap="inferno", opacity=0.8, gamma=0.7
        )

    def _add_stack(
        self,
        request: RunRequest,
        what: str,
        stack: Array,
        labels: list[str],
        axis_label: str,
        **display: Any,
    ) -> None:
        highest = max(float(np.percentile(stack, 99.5)), 1e-12)
        add_stack(
            self._viewer,
            request.position,
            stack,
            labels,
            axis_label=axis_label,
            name=f"{request.name} · {what}",
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
        for index, matrix in enumerate(displayable(view.shown)):
            sheet.put(index, _in_colour(matrix))
        add_sheet(self._viewer, request.position, sheet, name=f"{request.name} · Gram {view.layer}")

    def _enable_what_matters(self) -> None:
        self.gram.enabled = self.features.enabled = self.layer.value != EVERY


def _in_colour(matrix: Array) -> Array:
    from napari.utils.colormaps import ensure_colormap

    inferno: Any = ensure_colormap("inferno")
    return to_uint8(inferno.map(matrix.ravel())[:, :3].reshape(*matrix.shape, 3))
