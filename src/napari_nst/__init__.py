"""Neural style transfer, texture synthesis and content reconstruction, in napari and without it.

>>> import napari_nst as nst
>>> for it in nst.stylize(content, style, nst.preset("default", size=256)):  # doctest: +SKIP
...     print(it.step, it.losses["total"], it.image.shape)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_nst.augmentation.api import augment
    from napari_nst.batch.api import stylize_files
    from napari_nst.batch.run import FilesRun, FileStep
    from napari_nst.engine import losses
    from napari_nst.engine.api import reconstruct, resume, stylize, synthesize
    from napari_nst.engine.compare import (
        compare_reconstructions,
        compare_textures,
        stylize_channels,
    )
    from napari_nst.engine.inspect import feature_maps, gram_view, loss_maps
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.job.build import (
        order_to_reconstruct,
        order_to_stylize,
        order_to_synthesize,
    )
    from napari_nst.engine.job.given import ImageFile
    from napari_nst.engine.job.own_loss import OwnLoss
    from napari_nst.engine.job.style_target import StyleTarget
    from napari_nst.engine.run_handle import RunHandle
    from napari_nst.engine.solid.run import synthesize_solid
    from napari_nst.engine.steering import Steering
    from napari_nst.engine.sweep import explore_layers, sweep
    from napari_nst.engine.vgg.network import VGG19
    from napari_nst.ensembles.api import synthesize_ensemble
    from napari_nst.ensembles.ensemble_run import EnsembleRun
    from napari_nst.ensembles.table import EnsembleTable
    from napari_nst.errors import NstError
    from napari_nst.io.save_result import save
    from napari_nst.recipe import Recipe, on_flavour, preset, preset_names
    from napari_nst.stacks.api import reconstruct_stack, stylize_stack
    from napari_nst.stacks.motion import flicker
    from napari_nst.stacks.stack_run import SliceStep, StackRun
    from napari_nst.texture_statistics.compare import copy_score, statistics
    from napari_nst.texture_statistics.result import TextureStatistics

    __version__: str

_HOMES = {
    "EnsembleRun": "napari_nst.ensembles.ensemble_run",
    "EnsembleTable": "napari_nst.ensembles.table",
    "FileStep": "napari_nst.batch.run",
    "FilesRun": "napari_nst.batch.run",
    "ImageFile": "napari_nst.engine.job.given",
    "Iteration": "napari_nst.engine.iteration",
    "NstError": "napari_nst.errors",
    "OwnLoss": "napari_nst.engine.job.own_loss",
    "Recipe": "napari_nst.recipe",
    "RunHandle": "napari_nst.engine.run_handle",
    "SliceStep": "napari_nst.stacks.stack_run",
    "StackRun": "napari_nst.stacks.stack_run",
    "Steering": "napari_nst.engine.steering",
    "StyleTarget": "napari_nst.engine.job.style_target",
    "TextureStatistics": "napari_nst.texture_statistics.result",
    "VGG19": "napari_nst.engine.vgg.network",
    "augment": "napari_nst.augmentation.api",
    "compare_reconstructions": "napari_nst.engine.compare",
    "compare_textures": "napari_nst.engine.compare",
    "copy_score": "napari_nst.texture_statistics.compare",
    "explore_layers": "napari_nst.engine.sweep",
    "feature_maps": "napari_nst.engine.inspect",
    "flicker": "napari_nst.stacks.motion",
    "gram_view": "napari_nst.engine.inspect",
    "loss_maps": "napari_nst.engine.inspect",
    "on_flavour": "napari_nst.recipe",
    "order_to_reconstruct": "napari_nst.engine.job.build",
    "order_to_stylize": "napari_nst.engine.job.build",
    "order_to_synthesize": "napari_nst.engine.job.build",
    "preset": "napari_nst.recipe",
    "preset_names": "napari_nst.recipe",
    "reconstruct": "napari_nst.engine.api",
    "reconstruct_stack": "napari_nst.stacks.api",
    "resume": "napari_nst.engine.api",
    "save": "napari_nst.io.save_result",
    "statistics": "napari_nst.texture_statistics.compare",
    "stylize": "napari_nst.engine.api",
    "stylize_channels": "napari_nst.engine.compare",
    "stylize_files": "napari_nst.batch.api",
    "stylize_stack": "napari_nst.stacks.api",
    "sweep": "napari_nst.engine.sweep",
    "synthesize": "napari_nst.engine.api",
    "synthesize_ensemble": "napari_nst.ensembles.api",
    "synthesize_solid": "napari_nst.engine.solid.run",
}
"""Public name → the module it lives in. Imported when first used: torch takes seconds."""

__all__ = [
    "VGG19", "EnsembleRun", "EnsembleTable", "FileStep", "FilesRun", "ImageFile",
    "Iteration", "NstError", "OwnLoss", "Recipe", "RunHandle", "SliceStep", "StackRun", "Steering",
    "StyleTarget", "TextureStatistics", "augment", "compare_reconstructions",
    "compare_textures", "copy_score", "explore_layers", "feature_maps", "flicker", "gram_view",
    "loss_maps", "losses", "on_flavour", "order_to_reconstruct", "order_to_stylize",
    "order_to_synthesize", "preset", "preset_names", "reconstruct", "reconstruct_stack", "resume",
    "save", "statistics", "stylize", "stylize_channels", "stylize_files", "stylize_stack", "sweep",
    "synthesize", "synthesize_ensemble", "synthesize_solid",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "losses":
        return importlib.import_module("napari_nst.engine.losses")
    if name == "__version__":
        return importlib.import_module("importlib.metadata").version("napari-nst")
    if name not in _HOMES:
        # With both, Python adds the nearest name to the message that it prints.
        module = importlib.import_module(__name__)
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}", name=name, obj=module
        )
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
