"""What to do, as data. Imports nothing heavy."""

from napari_nst.recipe.presets import preset, preset_names, preset_summary
from napari_nst.recipe.recipe import CONTROLS, Recipe

__all__ = ["CONTROLS", "Recipe", "preset", "preset_names", "preset_summary"]
