"""What to say where a recipe was tuned for a network that is not on this machine."""

from __future__ import annotations

import os

from magicgui.widgets import CheckBox

from napari_nst.engine.vgg.weights.cache import cache_folder, cached_file
from napari_nst.engine.vgg.weights.download import SOURCES
from napari_nst.recipe import Recipe, on_flavour, published
from napari_nst.viewer.controls.form import note, say
from napari_nst.viewer.settings.preferences import apply_cache_folder

OURS = "gatys"
"""The flavour that is offered instead: the smallest to fetch, and the default recipe's."""


class FlavourNotice:
    """A sentence that is there when a run would have to fetch its network first, and a way out.

    Attributes
    ----------
    label : QLabel
        The sentence.
    convert : CheckBox
        Whether to run on `OURS` instead, each layer's weight converted.
    """

    def __init__(self) -> None:
        self.label = note()
        self.convert = CheckBox(
            name="convert",
            text=f"Run on {OURS} instead, weights converted",
            tooltip="Convert each layer's weight by a table of mean activations: an approximation "
            "of what the recipe does on its own network, without fetching it.",
        )
        self.convert.native.hide()

    def update(self, preset: str, weights: str) -> None:
        """Say what goes for a preset whose network field reads `weights`."""
        absent = weights in SOURCES and not is_here(weights)
        say(self.label, _sentence(preset, weights) if absent else "")
        self.convert.native.setVisible(absent and weights != OURS)

    def applied(self, recipe: Recipe) -> Recipe:
        """Return the recipe to run, converted if that was offered and taken."""
        taken = not self.convert.native.isHidden() and self.convert.value
        return on_flavour(recipe, OURS) if taken else recipe


def is_here(flavour: str) -> bool:
    """Return whether a flavour needs no download, as far as file names tell.

    Whether the file is whole is for the run to find out: it takes reading 80 MB.
    """
    apply_cache_folder()
    places = (cached_file(flavour), *SOURCES[flavour].places(cache_folder()))
    return any(map(os.path.isfile, places))


def _sentence(preset: str, weights: str) -> str:
    size = f"{SOURCES[weights].size / 1e6:.0f} MB"
    if weights != published(preset).flavour:
        return f"{weights} is not on this machine: Run fetches it ({size})."
    return (
        f"{preset} was tuned for {weights}, which is not on this machine: Run fetches it ({size})."
    )
