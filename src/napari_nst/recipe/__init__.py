"""Recipes and presets as plain data. This package imports nothing else of napari_nst."""

from napari_nst.recipe.convert_weights import on_flavour
from napari_nst.recipe.presets import DEFAULT_PRESETS, preset, preset_names, published
from napari_nst.recipe.recipe import Recipe
from napari_nst.recipe.sections import CONTROLS, SECTIONS

__all__ = [
    "CONTROLS", "DEFAULT_PRESETS", "SECTIONS",
    "Recipe", "on_flavour", "preset", "preset_names", "published",
]  # fmt: skip
