"""The Style Transfer widget: paint one image layer in the style of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox
from napari.layers import Image

from napari_nst.viewer.job_widget import Job, JobWidget
from napari_nst.viewer.layers import picture_of
from napari_nst.viewer.stream import Progress

if TYPE_CHECKING:
    import napari.viewer

    from napari_nst.engine.optimize import Iteration


class StyleTransfer(JobWidget):
    """Choose a content and a style layer, press Run, and watch the one become the other.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        napari hands it in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self._layers = napari_viewer.layers
        self.content = ComboBox(
            name="content",
            label="Content",
            choices=self._image_layers,
            tooltip="The layer whose shapes are kept.",
        )
        self.style = ComboBox(
            name="style",
            label="Style",
            choices=self._image_layers,
            tooltip="The layer whose colours, strokes and texture are taken.",
        )
        super().__init__(
            napari_viewer,
            choosers=[self.content, self.style],
            up_front=("size", "steps", "style_weight", "seed", "device"),
        )
        self._tell_apart()

    def job(self) -> Job:
        """Read the controls."""
        if self.content.value is None or self.style.value is None:
            raise ValueError("content and style need an image layer each; open or add some first.")
        recipe = self.recipe_controls.recipe
        dims = self._viewer.dims
        content = picture_of(self.content.value, dims, recipe.size)
        style = picture_of(self.style.value, dims, recipe.size)

        def start(progress: Progress) -> Iterator[Iteration]:
            from napari_nst.engine.jobs import stylize

            progress("reading the layers", 0, 0)
            return stylize(content.read(), style.read(), recipe, progress=progress)

        return Job(f"{content.name} × {style.name}", content.geometry, recipe, start)

    def reset_choices(self, *args: Any) -> None:
        """Follow the layer list; a style that nobody chose is never the content itself."""
        could_choose = len(self.style.choices) > 1
        chosen_alike = could_choose and self.content.value is self.style.value
        super().reset_choices(*args)
        if not chosen_alike:
            self._tell_apart()

    def _tell_apart(self) -> None:
        if self.style.value is self.content.value:
            others = [layer for layer in self._image_layers() if layer is not self.content.value]
            if others:
                self.style.value = others[0]

    def _image_layers(self, *_: Any) -> list[Image]:
        return [layer for layer in self._layers if isinstance(layer, Image)]
