"""Notes among a widget's controls: the slice, the preset's source, a network to download."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, Select
from napari.components import ViewerModel
from napari.layers import Image, Layer

from napari_nst.engine.vgg.weights import cache_folder, cached_file
from napari_nst.engine.vgg.weights.download import SOURCES
from napari_nst.recipe import Recipe, on_flavour, published
from napari_nst.viewer.controls.form import note, say
from napari_nst.viewer.controls.recipe_form import RecipeControls
from napari_nst.viewer.settings.preferences import apply_cache_folder

OURS = "gatys"  # offered instead of a missing network: the smallest download


class Notes:
    """Labels among a widget's controls that follow the controls."""

    def __init__(
        self,
        viewer: ViewerModel,
        recipe_controls: RecipeControls,
        init_image: ComboBox,
        where_in: Callable[[Any], str],
        is_closed: Callable[[], bool],
    ) -> None:
        self._viewer = viewer
        self._recipe_controls = recipe_controls
        self._init_image = init_image
        self._where_in = where_in
        self._is_closed = is_closed
        self._choosers: Sequence[Any] = ()
        self._moved: Sequence[Any] = ()  # events of the viewer's sliders
        self._modes: Sequence[Any] = ()  # events of the chosen layers
        self.source = note()  # the publication that the preset is from
        self.where = note()  # the slices that a run would read, of layers that have several
        self.missing_network = note()
        self.convert = CheckBox(
            name="convert",
            text=f"Run on {OURS} instead, weights converted",
            tooltip="Convert each layer's weight by a table of mean activations: an approximation "
            "of the recipe on its own network, without a download.",
        )
        self.convert.native.hide()

    def follow(self, choosers: Sequence[Any]) -> None:
        """Connect the notes to the controls, once all controls exist."""
        self._choosers = choosers
        fields, dims = self._recipe_controls.fields, self._viewer.dims.events
        for chooser in choosers:
            chooser.changed.connect(self.show_where)
            chooser.changed.connect(lambda: self.follow_viewer(True))
        thickness = (dims.margin_left, dims.margin_right)
        self._moved = (dims.current_step, dims.order, dims.ndim, dims.ndisplay, *thickness)
        self.follow_viewer(True)
        self._recipe_controls.preset.changed.connect(self.show_preset)
        fields["weights"].changed.connect(self.show_preset)
        fields["init"].changed.connect(self.enable_start_image)
        self.show_preset()
        self.enable_start_image()

    def follow_viewer(self, follows: bool) -> None:
        """Show the slices that the viewer shows from now on, or no longer."""
        layers = [one.value for one in self._choosers if isinstance(one, ComboBox) and follows]
        modes = [one.events.projection_mode for one in layers if isinstance(one, Image)]
        for event in (*self._moved, *self._modes):
            event.disconnect(self.show_where)
        self._modes = modes
        for event in (*self._moved, *modes) if follows else ():
            event.connect(self.show_where)

    def show_where(self) -> None:
        """Show which slices a run would read."""
        if self._is_closed():
            return
        lines = []
        for chooser in self._choosers:
            if not isinstance(chooser, ComboBox | Select):
                continue
            # Before drop-downs hear that a layer is removed, the viewer drops its axes.
            is_gone = isinstance(chooser.value, Layer) and chooser.value not in self._viewer.layers
            if not is_gone:
                try:
                    place = self._where_in(chooser)
                except ValueError as error:
                    place = str(error)
                if place:
                    lines.append(f"{chooser.label}: {place}")
        say(self.where, "\n".join(lines))

    def show_preset(self) -> None:
        """Show the preset's source, and whether its network must be downloaded."""
        if self._is_closed():
            return
        preset = self._recipe_controls.preset.value
        weights = self._recipe_controls.fields["weights"].value
        say(self.source, f"From {published(preset).source}")
        is_missing = weights in SOURCES and not _is_on_disk(weights)
        text = ""
        if is_missing:
            is_its_own = weights == published(preset).flavour
            network = f"{preset} was tuned for {weights}, which" if is_its_own else weights
            size = f"{SOURCES[weights].size / 1e6:.0f} MB"
            text = f"{network} is not on this machine: Run fetches it ({size})."
        say(self.missing_network, text)
        self.convert.native.setVisible(is_missing and weights != OURS)

    def enable_start_image(self) -> None:
        """Enable the choice of a start image if the run starts from one."""
        self._init_image.enabled = self._recipe_controls.fields["init"].value == "image"
        self.show_where()

    def applied(self, recipe: Recipe) -> Recipe:
        """Return the recipe to run: converted to `OURS` if that is offered and ticked."""
        is_taken = not self.convert.native.isHidden() and self.convert.value
        return on_flavour(recipe, OURS) if is_taken else recipe


def _is_on_disk(flavour: str) -> bool:
    """Return whether a file of these weights exists; the run itself checks its contents."""
    apply_cache_folder()
    paths = (cached_file(flavour), *SOURCES[flavour].local_paths(cache_folder()))
    return any(path.is_file() for path in paths)
