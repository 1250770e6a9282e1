"""What to do, as data. Imports nothing heavy."""

from napari_nst.recipe.convert_weights import on_flavour
from napari_nst.recipe.presets import (
    DEFAULT_PRESETS,
    preset,
    preset_names,
    preset_summary,
    published,
)
from napari_nst.recipe.recipe import CONTROLS, SECTIONS, Recipe

__all__ = [
    "CONTROLS",
    "DEFAULT_PRESETS",
    "SECTIONS",
    "Recipe",
    "on_flavour",
    "preset",
    "preset_names",
    "preset_summary",
    "published",
]
