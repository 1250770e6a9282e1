"""What a widget says beside its controls: the slice, the preset's source, a missing network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox

from napari_nst.viewer.controls.flavour_notice import FlavourNotice
from napari_nst.viewer.controls.form import note, say

if TYPE_CHECKING:
    from napari_nst.viewer.job_widget import JobWidget


class Notes:
    """Labels among a widget's controls, and what makes them say something else.

    Parameters
    ----------
    widget : JobWidget
        Whose controls they are.

    Attributes
    ----------
    source : QLabel
        Where the preset's numbers come from.
    where : QLabel
        Which slices a run would look at, where a layer has several.
    flavour : FlavourNotice
        That the preset's network is not on this machine.
    """

    def __init__(self, widget: JobWidget) -> None:
        self._widget = widget
        self._choosers: Sequence[Any] = ()
        self.source, self.where = note(), note()
        self.flavour = FlavourNotice()

    def follow(self, choosers: Sequence[Any]) -> None:
        """Connect all that changes what is said, of a widget that is put together."""
        widget, self._choosers = self._widget, choosers
        fields, dims = widget.recipe_controls.fields, widget.viewer.dims.events
        for chooser in choosers:
            chooser.changed.connect(self.show_where)
        for moved in (dims.current_step, dims.order, dims.ndim):
            moved.connect(self.show_where)
        widget.recipe_controls.preset.changed.connect(self.show_preset)
        fields["weights"].changed.connect(self.show_preset)
        widget.panel.ended.connect(self.show_preset)
        fields["init"].changed.connect(self.enable_start_image)
        widget.native_parent_changed.connect(self._on_parent_changed)
        self.show_preset()
        self.enable_start_image()

    def show_where(self) -> None:
        """Say which slices the run would look at, where a layer has several."""
        if not self._widget.panel.closed:
            boxes = [box for box in self._choosers if isinstance(box, ComboBox)]
            said = [(box.label, self._where_in(box)) for box in boxes]
            say(self.where, "\n".join(f"{label}: {words}" for label, words in said if words))

    def show_preset(self) -> None:
        """Say where the preset comes from, and what network it wants."""
        controls = self._widget.recipe_controls
        say(self.source, f"From {controls.source}")
        self.flavour.update(controls.preset.value, controls.fields["weights"].value)

    def enable_start_image(self) -> None:
        """Let a start image be chosen where the run starts from one."""
        fields = self._widget.recipe_controls.fields
        self._widget.init_image.enabled = fields["init"].value == "image"
        self.show_where()

    def _where_in(self, chooser: ComboBox) -> str:
        try:
            return self._widget.where_in(chooser)
        except ValueError as error:
            return str(error)

    def _on_parent_changed(self, parent: Any) -> None:
        # The dock's ✕ takes the widget out of the window; hiding, floating or tabbing do not.
        if parent is None:
            self._widget.panel.give_up()
