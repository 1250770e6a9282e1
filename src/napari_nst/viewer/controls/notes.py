"""What a widget says beside its controls: the slice, the preset's source, a missing network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox

from napari_nst.viewer.controls.flavour_notice import FlavourNotice
from napari_nst.viewer.controls.form import note, say

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.viewer.controls.recipe_form import RecipeControls


class Notes:
    """Labels among a widget's controls, and what makes them say something else.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Whose sliders choose the slices.
    recipe_controls : RecipeControls
        Of the widget.
    init_image : ComboBox
        The start image's layer.
    where_in : callable
        Returns which slice of a chosen layer is read; may raise `ValueError`.
    is_closed : callable
        Returns whether Qt has deleted the widget.

    Attributes
    ----------
    source : QLabel
        Where the preset's numbers come from.
    where : QLabel
        Which slices a run would look at, where a layer has several.
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
        """Connect all that changes what is said, of a widget that is put together."""
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
        """Say which slices the run would look at, where a layer has several."""
        if not self._is_closed():
            boxes = [box for box in self._choosers if isinstance(box, ComboBox)]
            said = [(box.label, self._where_in(box)) for box in boxes]
            say(self.where, "\n".join(f"{label}: {words}" for label, words in said if words))

    def show_preset(self) -> None:
        """Say where the preset comes from, and what network it wants."""
        controls = self._recipe_controls
        say(self.source, f"From {controls.source}")
        self.flavour.update(controls.preset.value, controls.fields["weights"].value)

    def enable_start_image(self) -> None:
        """Let a start image be chosen where the run starts from one."""
        fields = self._recipe_controls.fields
        self._init_image.enabled = fields["init"].value == "image"
        self.show_where()

    def _where_in(self, chooser: ComboBox) -> str:
        try:
            return self._ask_where(chooser)
        except ValueError as error:
            return str(error)
