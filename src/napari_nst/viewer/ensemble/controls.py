"""The controls of several seeds, and the request that they make of a single one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, LineEdit
from magicgui.widgets.bases import ValueWidget
from napari.components import ViewerModel

from napari_nst.viewer.controls.form import CountBox
from napari_nst.viewer.ensemble.layer import ChosenSeeds, LayerEnsemble, SeedLayer
from napari_nst.viewer.layers.read import LayerSlice
from napari_nst.viewer.run.request import RunRequest

SEEDS = "Several seeds"
"""The title of the section."""

MOST = 999


class SeedChoice:
    """Says how many seeds a run is for."""

    def __init__(self) -> None:
        self.seeds = CountBox(
            zero="one",
            name="seeds",
            label="Seeds",
            value=1,
            min=1,
            max=MOST,
            tooltip="How many textures to make of the exemplar: with the seed in Start, and with "
            "those that follow it.",
        )
        self.measured = CheckBox(
            name="measured",
            text="Measure each",
            value=True,
            tooltip="Compare each texture with the exemplar, and find what it has copied, in a "
            "table.",
        )
        self.workers = CountBox(
            name="workers",
            label="Workers",
            value=1,
            min=1,
            max=256,
            tooltip="Processes that compute at the same time, a seed each. With several, textures "
            "appear when they are finished. For several GPUs, or many CPU cores.",
        )
        self.out = LineEdit(
            name="out",
            label="Result folder",
            tooltip="A folder whose name ends in .zarr, into which finished textures are written; "
            "with the same settings, a run goes on with the missing ones. Empty: a folder for "
            "temporary files.",
        )
        self.controls: list[ValueWidget[Any]] = [
            self.seeds, self.measured, self.workers, self.out,
        ]  # fmt: skip
        self.seeds.changed.connect(self._enable)
        self._enable()

    @property
    def is_several(self) -> bool:
        """Whether a run makes several textures."""
        return int(self.seeds.value) > 1

    def chosen(self) -> ChosenSeeds:
        """Return what the controls say."""
        out = str(self.out.value).strip() or None
        return ChosenSeeds(
            int(self.seeds.value), bool(self.measured.value), int(self.workers.value), out
        )

    def _enable(self, *_: Any) -> None:
        for control in (self.measured, self.workers, self.out):
            control.enabled = self.is_several


def request_of_seeds(
    single: RunRequest,
    exemplar: LayerSlice,
    shape: tuple[int, int] | None,
    chosen: ChosenSeeds,
    finished: Callable[[ViewerModel, SeedLayer], None],  # with the layer of an ended run
) -> RunRequest:
    """Return the request of several seeds, instead of that of a single one."""
    keep_dtype = single.keep_dtype or exemplar.intensity.dtype == np.uint8
    made_of = LayerEnsemble(single.position, single.intensity, exemplar, shape, keep_dtype, chosen)

    def make_layer(viewer: ViewerModel, request: RunRequest) -> SeedLayer:
        return SeedLayer(viewer, request.name, request.position, made_of, finished)

    return replace(
        single,
        name=f"{exemplar.name} · {chosen.count} seeds",
        function="synthesize_ensemble",
        read=dict,
        begin=lambda progress, steering: made_of.begin(single.recipe, progress, steering),
        make_layer=make_layer,
        after_run=None,
    )
