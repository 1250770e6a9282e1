"""The Style Transfer widget: paint one image layer in the style of another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from magicgui.widgets import ComboBox

from napari_nst.viewer.controls.content_choice import Content, ContentChoice
from napari_nst.viewer.controls.layer_choice import (
    chosen_layer,
    image_layers,
    layer_box,
    layer_list,
)
from napari_nst.viewer.guides.choice import GuideChoice, Guiding
from napari_nst.viewer.job_widget import JobWidget
from napari_nst.viewer.layers.keep_outside import OriginalPixels
from napari_nst.viewer.layers.pixel_size import comparable_sizes
from napari_nst.viewer.layers.read import LayerSlice
from napari_nst.viewer.run.request import RunRequest
from napari_nst.viewer.transfer_inputs import TransferInputs

if TYPE_CHECKING:
    import napari.viewer
    from napari.components import Dims
    from napari.layers import Image, Layer

    from napari_nst.engine.steering import Steering
    from napari_nst.recipe import Recipe


class StyleTransfer(JobWidget):
    """Choose a content and a style layer, press Run, and watch the one become the other.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        napari hands it in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.choice, self.guides = ContentChoice(napari_viewer), GuideChoice(napari_viewer)
        self._inputs: TransferInputs | None = None
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
                "Guides": self.guides.controls,
                "Styles and channels": [
                    more_styles,
                    self.choice.content_as,
                    self.choice.channel_axis,
                    self.choice.rgb_channels,
                ],
            },
        )
        self._tell_apart()

    def build_request(self, recipe: Recipe) -> RunRequest:
        """Return the job of the chosen layers and a recipe."""
        content = self.choice.read(recipe.size)
        chosen_layer(self.style, "style")
        begin = self.start_slice(recipe)
        if content.in_turn and begin is not None:
            raise ValueError(
                "init is 'image', which channels in turn cannot start from; take noise."
            )
        dims = self._viewer.dims.model_copy(deep=True)
        styles = self._styles(recipe.size, dims)
        guiding = self._guiding(content, styles, dims)
        sizes = _pixel_sizes(recipe, content, styles)
        keeps = guiding is not None and guiding.keep_unlabelled and self.choice.takes_slice
        inputs = TransferInputs(
            content, styles, begin, guiding, sizes, dims, OriginalPixels() if keeps else None
        )
        self._inputs = None if content.in_turn else inputs

        return RunRequest(
            name=f"{content.name} × {' + '.join(style.name for style in styles)}",
            position=content.pictures[0].position,
            intensity=content.intensity,
            recipe=recipe,
            names=inputs.names,
            function="stylize_channels" if content.in_turn else "stylize",
            read=partial(inputs.read_channels, recipe) if content.in_turn else inputs.read,
            keep_dtype=self.keep_dtype.value,
            original=inputs.original,
        )

    # ── while a run goes on ──────────────────────────────────────────────────────────────────

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers whose edits a run follows: its styles and guides."""
        return [*self._style_layers, *self.guides.layers]

    @property
    def followed_controls(self) -> list[Any]:
        """The controls, besides the recipe's, that a run follows."""
        return [self.style, self.more_styles, *self.guides.controls]

    def steer_images(self, recipe: Recipe, steering: Steering) -> tuple[str, ...]:
        """Hand the styles and guides over as they are now, and return what the images are called.

        Raises
        ------
        ValueError
            If they make no transfer.
        """
        inputs = self._inputs
        if inputs is None or not self._style_layers:
            return ()
        styles = self._styles(recipe.size, inputs.dims)
        inputs.guiding = self._guiding(inputs.content, styles, inputs.dims)
        inputs.pixel_sizes = _pixel_sizes(recipe, inputs.content, styles)
        inputs.styles = styles
        steering.restyle(inputs.read_styles, inputs.pixel_sizes)
        steering.guide(inputs.read_guides)
        return inputs.names

    @property
    def _style_layers(self) -> list[Image]:
        return [layer for layer in (self.style.value, *self.more_styles.value) if layer is not None]

    def _styles(self, size: int, dims: Dims) -> list[LayerSlice]:
        return [self.slice_of(layer, size, dims) for layer in self._style_layers]

    def _guiding(
        self, content: Content, styles: Sequence[LayerSlice], dims: Dims
    ) -> Guiding | None:
        guiding = self.guides.pick(content.pictures[0], styles[0], dims)
        if guiding is not None and content.in_turn:
            raise ValueError(
                "content_guide does not go with channels in turn; choose no guide, or one slice."
            )
        return guiding

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


def _pixel_sizes(
    recipe: Recipe, content: Content, styles: Sequence[LayerSlice]
) -> list[float] | None:
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
