"""The controls of the sections Guides and Fill, and the regions that they choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox, ComboBox
from napari.components import Dims, ViewerModel
from napari.layers import Image, Labels, Layer, Shapes

from napari_nst.engine.job.guides import Guides, read_guides
from napari_nst.viewer.controls.layer_choice import layer_box
from napari_nst.viewer.guides.rasterize import Guide, guide_of
from napari_nst.viewer.layers.read import LayerSlice, OriginalPixels, shown_slice

Array = np.ndarray[Any, Any]
Shape = tuple[int, int]


def guide_box(viewer: ViewerModel, name: str, tooltip: str) -> ComboBox:
    """Return a drop-down of the Labels and Shapes layers, with an empty entry."""
    return layer_box(viewer, name, tooltip, optional=True, kinds=(Labels, Shapes))


def guides_above(
    viewer: ViewerModel, image: Layer | None, guides: Sequence[Layer]
) -> tuple[Layer, ...]:
    """Return those guides that are above an image in the layer list: the user sees them on it."""
    layers = viewer.layers
    if image not in layers:
        return ()
    return tuple(guide for guide in guides if layers.index(guide) > layers.index(image))


@dataclass(frozen=True)
class TransferGuides:
    """Which region of the content takes which region of the first style."""

    content: Guide
    style: Guide | None  # None: every region takes the whole style
    keep_unlabelled: bool  # whether pixels of the content without a label stay as they are

    def read(self, content: Shape, styles: Sequence[Shape]) -> dict[str, Any]:
        """Return the guides of images of these heights and widths, as arguments of `stylize`."""
        first = self.style(styles[0]) if self.style else None
        return {
            "guide": self.content(content),
            "style_guides": [first, *[None] * (len(styles) - 1)],
            "keep_unlabelled": self.keep_unlabelled,
        }

    def read_for_steering(self, content: Shape, styles: Sequence[Shape]) -> Guides:
        """Return the same guides, checked, for a run that is going on."""
        read = self.read(content, styles)
        return read_guides(
            read["guide"], read["style_guides"], content, styles, self.keep_unlabelled
        )


class GuideChoice:
    """Drop-downs for the guide layers, and whether unlabelled pixels stay as they are."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.content = guide_box(
            viewer,
            "content_guide",
            "Labels or shapes on the content: each region takes the style's region of its label.",
        )
        self.style = guide_box(
            viewer,
            "style_guide",
            "Labels or shapes on the style. Without them, every region takes the whole style; if "
            "there are several styles, label 1 takes the first style, label 2 the second.",
        )
        self.keep_unlabelled = CheckBox(
            name="keep_unlabelled",
            text="Keep the rest as it is",
            tooltip="Leave unlabelled pixels of the content exactly as they are. The run then "
            "works at the content's own size.",
        )
        self.controls: list[Any] = [self.content, self.style, self.keep_unlabelled]
        self.content.changed.connect(self._enable)
        self._enable()

    @property
    def layers(self) -> list[Layer]:
        """The chosen layers."""
        chosen = [self.content.value, self.style.value] if self.content.value else []
        return [layer for layer in chosen if layer is not None]

    def read(self, content: LayerSlice, style: LayerSlice, dims: Dims) -> TransferGuides | None:
        """Return the guides over a content and a style, or None if no layer is chosen."""
        if self.content.value is None:
            return None
        of_style = None
        if self.style.value is not None:
            of_style = guide_of(self.style.value, style.position, dims)
        of_content = guide_of(self.content.value, content.position, dims)
        return TransferGuides(of_content, of_style, self.keep_unlabelled.value)

    def _enable(self) -> None:
        self.style.enabled = self.keep_unlabelled.enabled = self.content.value is not None


@dataclass
class InpaintingInputs:
    """The image to fill, its region, and the exemplar; the layers are read in the run's thread."""

    layer: Image
    image: LayerSlice  # the shown slice of `layer`
    region: Guide  # pixels of the image to fill
    exemplar: LayerSlice | None  # None: the pixels around the region
    exemplar_region: Guide | None  # pixels of the exemplar to take the texture from; None: all
    dims: Dims  # positions of the viewer's sliders when the run started
    original: OriginalPixels = field(default_factory=OriginalPixels)  # kept outside the region
    _shape: tuple[int, int] = field(default=(0, 0), init=False)

    def read(self) -> dict[str, Any]:
        """Return the arguments of `synthesize`."""
        into = self.image.read()
        self._shape = (into.shape[0], into.shape[1])
        self.original.read(self.image)
        return {
            "exemplar": self.exemplar.read() if self.exemplar else None,
            "into": into,
            "region": self.read_region(),
            "exemplar_region": self.read_exemplar_region(),
        }

    def read_region(self) -> Array:
        """Return the label map of the region, as large as the image."""
        return self.region(self._shape)

    def read_exemplar_region(self) -> Array | None:
        """Return the label map of the exemplar's region, as large as the exemplar."""
        if self.exemplar is None or self.exemplar_region is None:
            return None
        exemplar = self.exemplar.read()
        return self.exemplar_region((exemplar.shape[0], exemplar.shape[1]))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the images, in the order of the engine's arguments."""
        return (self.image.name, *([self.exemplar.name] if self.exemplar else []))


class InpaintingChoice:
    """Drop-downs for the image to fill, its region, and the exemplar's region."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.into = layer_box(
            viewer,
            "into",
            "The image to fill a region of; pixels outside the region stay as they are. Without "
            "an image, the texture becomes a new image.",
            optional=True,
        )
        self.into.label = "Fill in"
        self.region = guide_box(
            viewer, "region", "Labels or shapes on that image: the pixels to fill."
        )
        self.exemplar_region = guide_box(
            viewer,
            "exemplar_region",
            "Labels or shapes on the exemplar: the pixels whose texture to take. If exemplar and "
            "image are the same layer, and nothing is chosen here, the texture is taken from "
            "around the region.",
        )
        self.controls: list[Any] = [self.into, self.region, self.exemplar_region]
        self.into.changed.connect(self._enable)
        self._enable()

    @property
    def layers(self) -> list[Layer]:
        """The chosen layers that mark regions."""
        chosen = [self.region.value, self.exemplar_region.value]
        return [layer for layer in chosen if layer is not None]

    def read(self, exemplar: Image) -> InpaintingInputs | None:
        """Return the inputs that the chosen layers show now, or None without an image to fill."""
        layer = self.into.value
        if layer is None:
            return None
        region, dims = self._region_layer(), self._viewer.dims.model_copy(deep=True)
        image = shown_slice(layer, dims)
        source, marked = self._texture(exemplar, layer, dims)
        return InpaintingInputs(
            layer, image, guide_of(region, image.position, dims), source, marked, dims
        )

    def update(self, inputs: InpaintingInputs, exemplar: Image) -> None:
        """Replace the regions and the exemplar of a run that is going on by those of now."""
        region = guide_of(self._region_layer(), inputs.image.position, inputs.dims)
        source, marked = self._texture(exemplar, inputs.layer, inputs.dims)
        if inputs.exemplar is not None and source is None:
            raise ValueError(
                "A run that is going on cannot change to the texture around the region; choose an "
                "Exemplar region, or start another run."
            )
        inputs.region, inputs.exemplar, inputs.exemplar_region = region, source, marked

    def _region_layer(self) -> Labels | Shapes:
        layer: Labels | Shapes | None = self.region.value
        if layer is None:
            raise ValueError(
                "Region needs a Labels or a Shapes layer that marks the pixels to fill; add one "
                "first."
            )
        return layer

    def _texture(
        self, exemplar: Image, layer: Image, dims: Dims
    ) -> tuple[LayerSlice | None, Guide | None]:
        """Return the exemplar, or None for the pixels around the region, and its region."""
        source, marked = shown_slice(exemplar, dims), self.exemplar_region.value
        if marked is not None:
            return source, guide_of(marked, source.position, dims)
        return (None if exemplar is layer else source), None

    def _enable(self) -> None:
        self.region.enabled = self.exemplar_region.enabled = self.into.value is not None
