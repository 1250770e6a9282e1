"""The Style Transfer widget: paint one image layer in the style of another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox

from napari_nst.viewer.calibration import comparable_sizes
from napari_nst.viewer.choosers import chosen_layer, image_layers, layer_box, layer_list
from napari_nst.viewer.content_choice import Content, ContentChoice
from napari_nst.viewer.job import Job
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.layers import Picture
from napari_nst.viewer.stream import Progress

if TYPE_CHECKING:
    import napari.viewer

    from napari_nst.engine.optimize import Iteration
    from napari_nst.recipe import Recipe


class StyleTransfer(JobWidget):
    """Choose a content and a style layer, press Run, and watch the one become the other.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        napari hands it in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.choice = ContentChoice(napari_viewer)
        style = layer_box(
            napari_viewer, "style", "The layer whose colours, strokes and texture are taken."
        )
        more_styles = layer_list(
            napari_viewer,
            "more_styles",
            "Layers whose styles are blended with the first, as the style blend says; or, where "
            "each channel is treated in turn, those of the second channel and on.",
        )
        super().__init__(
            napari_viewer,
            "transfer",
            choosers=[self.choice.layer, style],
            up_front=("size", "steps", "style_weight", "seed", "device"),
            extras={
                "Styles and channels": [
                    more_styles,
                    self.choice.content_as,
                    self.choice.channel_axis,
                    self.choice.rgb_channels,
                ]
            },
        )
        self._tell_apart()

    def job(self) -> Job:
        """Read the controls."""
        recipe = self.recipe
        content = self.choice.read(recipe.size)
        layers = [chosen_layer(self.style, "style"), *self.more_styles.value]
        styles = [self.picture(layer) for layer in layers]
        sizes = _pixel_sizes(recipe, content, styles)
        begin = self.start_picture(recipe)
        if content.in_turn and begin is not None:
            raise ValueError(
                "init is 'image', which channels in turn cannot start from; take noise."
            )

        def start(progress: Progress) -> Iterator[Iteration]:
            return _start(content, styles, begin, recipe, sizes, progress)

        inputs = (content.name, *(style.name for style in styles))
        return Job(
            name=f"{content.name} × {' + '.join(inputs[1:])}",
            place=content.pictures[0].place,
            values=content.values,
            recipe=recipe,
            names=(*inputs, *([begin.name] if begin else [])),
            start=start,
            keep_dtype=self.keep_dtype.value,
        )

    def where_in(self, chooser: ComboBox) -> str:
        """Return which slice of a layer is looked at; of the content, or where its channels are."""
        channels = chooser is self.content and self.choice.where_channels_are()
        return channels or super().where_in(chooser)

    def reset_choices(self, *args: Any) -> None:
        """Follow the layer list; a style that nobody chose is never the content itself."""
        could_choose = len(self.style.choices) > 1
        chosen_alike = could_choose and self.content.value is self.style.value
        super().reset_choices(*args)
        if not chosen_alike:
            self._tell_apart()

    def _tell_apart(self) -> None:
        if self.style.value is self.content.value:
            layers = image_layers(self._viewer)
            others = [layer for layer in layers if layer is not self.content.value]
            if others:
                self.style.value = others[0]


def _start(
    content: Content,
    styles: Sequence[Picture],
    begin: Picture | None,
    recipe: Recipe,
    sizes: list[float] | None,
    progress: Progress,
) -> Iterator[Iteration]:
    """Read the layers and begin; called in the worker thread."""
    from napari_nst.engine.jobs import stylize
    from napari_nst.engine.series import stylize_channels

    progress("reading the layers", 0, 0)
    contents = [picture.read() for picture in content.pictures]
    of_styles = [style.read() for style in styles]
    if content.in_turn:
        labels = [picture.name for picture in content.pictures]
        return stylize_channels(
            contents, of_styles, recipe, labels=labels, pixel_sizes=sizes, progress=progress
        )
    init_image = begin.read() if begin else None
    return stylize(
        contents[0],
        of_styles,
        recipe,
        init_image=init_image,
        pixel_sizes=sizes,
        progress=progress,
    )


def _pixel_sizes(recipe: Recipe, content: Content, styles: Sequence[Picture]) -> list[float] | None:
    """Return pixel sizes in one unit, the content's first, if the recipe needs them."""
    if recipe.style_sizing != "physical":
        return None
    pictures = [content.pictures[0], *styles]
    sizes = comparable_sizes(pictures)
    if sizes is None:
        names = ", ".join(repr(picture.name) for picture in pictures)
        raise ValueError(
            f"style_sizing 'physical' needs pixel sizes in one unit in layers {names}; set their "
            "scale and units, or take 'fit'."
        )
    if not content.in_turn:
        return sizes
    if len(set(sizes[1:])) > 1:
        raise ValueError(
            "style_sizing 'physical' needs styles of one pixel size where channels are treated in "
            "turn; take 'fit'."
        )
    return sizes[:2]
