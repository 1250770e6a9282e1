"""Notes among a widget's controls: the slice, the preset's source, a network to download."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox, ComboBox

from napari_nst.engine.vgg.weights.cache import cache_folder, cached_file
from napari_nst.engine.vgg.weights.download import SOURCES
from napari_nst.recipe import Recipe, on_flavour, published
from napari_nst.viewer.controls.form import note, say
from napari_nst.viewer.settings.preferences import apply_cache_folder

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.viewer.controls.recipe_form import RecipeControls

OURS = "gatys"
"""The network that is offered instead of a missing one: the smallest download."""


class Notes:
    """Labels among a widget's controls that follow the controls.

    `where_in` returns which slice of a chosen layer is read, or raises `ValueError`; `is_closed`
    returns whether Qt has deleted the widget.

    Attributes
    ----------
    source : QLabel
        The publication that the preset is from.
    where : QLabel
        The slices that a run would read, of layers that have several.
    flavour : FlavourNotice
        That the preset's network is not on this machine.
    """

    def __init__(
        self,
        viewer: ViewerModel,
        recipe_controls: RecipeControls,
        init_image: ComboBox,
        where_in: Callable[[ComboBox], str],
        is_closed: Callable[[], bool],
    ) -> None:
        self._viewer = viewer
        self._recipe_controls = recipe_controls
        self._init_image = init_image
        self._ask_where = where_in
        self._is_closed = is_closed
        self._choosers: Sequence[Any] = ()
        self.source, self.where = note(), note()
        self.flavour = FlavourNotice()

    def follow(self, choosers: Sequence[Any]) -> None:
        """Connect the notes to the controls, once all controls exist."""
        self._choosers = choosers
        fields, dims = self._recipe_controls.fields, self._viewer.dims.events
        for chooser in choosers:
            chooser.changed.connect(self.show_where)
        for moved in (dims.current_step, dims.order, dims.ndim):
            moved.connect(self.show_where)
        self._recipe_controls.preset.changed.connect(self.show_preset)
        fields["weights"].changed.connect(self.show_preset)
        fields["init"].changed.connect(self.enable_start_image)
        self.show_preset()
        self.enable_start_image()

    def show_where(self) -> None:
        """Show which slices a run would read."""
        if not self._is_closed():
            boxes = [box for box in self._choosers if isinstance(box, ComboBox)]
            places = [(box.label, self._where_in(box)) for box in boxes]
            say(self.where, "\n".join(f"{label}: {place}" for label, place in places if place))

    def show_preset(self) -> None:
        """Show the preset's source, and whether its network must be downloaded."""
        controls = self._recipe_controls
        say(self.source, f"From {controls.source}")
        self.flavour.update(controls.preset.value, controls.fields["weights"].value)

    def enable_start_image(self) -> None:
        """Enable the choice of a start image if the run starts from one."""
        fields = self._recipe_controls.fields
        self._init_image.enabled = fields["init"].value == "image"
        self.show_where()

    def _where_in(self, chooser: ComboBox) -> str:
        try:
            return self._ask_where(chooser)
        except ValueError as error:
            return str(error)


class FlavourNotice:
    """A note that a run would download its network first, and an offer to avoid that.

    Attributes
    ----------
    label : QLabel
        The note.
    convert : CheckBox
        Whether to run on the network `OURS` instead, with converted weights.
    """

    def __init__(self) -> None:
        self.label = note()
        self.convert = CheckBox(
            name="convert",
            text=f"Run on {OURS} instead, weights converted",
            tooltip="Convert each layer's weight by a table of mean activations: an approximation "
            "of the recipe on its own network, without a download.",
        )
        self.convert.native.hide()

    def update(self, preset: str, weights: str) -> None:
        """Show or hide the note for a preset, and for the value of its control Network."""
        is_missing = weights in SOURCES and not is_on_disk(weights)
        say(self.label, _missing_text(preset, weights) if is_missing else "")
        self.convert.native.setVisible(is_missing and weights != OURS)

    def applied(self, recipe: Recipe) -> Recipe:
        """Return the recipe to run: converted if that is offered and ticked."""
        is_taken = not self.convert.native.isHidden() and self.convert.value
        return on_flavour(recipe, OURS) if is_taken else recipe


def is_on_disk(flavour: str) -> bool:
    """Return whether a file of these weights exists; the run itself checks its 80 MB."""
    apply_cache_folder()
    paths = (cached_file(flavour), *SOURCES[flavour].local_paths(cache_folder()))
    return any(map(os.path.isfile, paths))


def _missing_text(preset: str, weights: str) -> str:
    size = f"{SOURCES[weights].size / 1e6:.0f} MB"
    if weights != published(preset).flavour:
        return f"{weights} is not on this machine: Run fetches it ({size})."
    return (
        f"{preset} was tuned for {weights}, which is not on this machine: Run fetches it ({size})."
    )
