"""The controls of the sections Guides and Fill, and the regions that they choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from magicgui.widgets import CheckBox
from napari.components import Dims, ViewerModel
from napari.layers import Image, Labels, Layer, Shapes

from napari_nst.engine.job.guides import Guides, read_guides
from napari_nst.viewer.controls.layer_box import LayerBox, chosen_layer
from napari_nst.viewer.guides.rasterize import Guide, guide_of
from napari_nst.viewer.layers.read import LayerSlice, OriginalPixels, shown_slice

Array = np.ndarray[Any, Any]
Shape = tuple[int, int]


def guide_box(viewer: ViewerModel, name: str, tooltip: str) -> LayerBox:
    """Return a drop-down of the Labels and Shapes layers, with an empty entry."""
    return LayerBox(viewer, name, tooltip, optional=True, kinds=(Labels, Shapes))


def guides_above(
    viewer: ViewerModel, image: Layer | None, guides: Sequence[Layer]
) -> tuple[Layer, ...]:
    """Return those guides that are above an image in the layer list: the user sees them on it."""
    layers = viewer.layers
    if image not in layers:
        return ()
    at = layers.index(image)
    return tuple(one for one in guides if one in layers and layers.index(one) > at)


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


@dataclass(frozen=True)
class GuideLayers:
    """The guide layers of a run, and whether unlabelled pixels stay as they are."""

    content: Labels | Shapes | None
    style: Labels | Shapes | None
    keep_unlabelled: bool

    @property
    def all(self) -> list[Layer]:
        """The layers that the run reads."""
        chosen = [self.content, self.style] if self.content is not None else []
        return [layer for layer in chosen if layer is not None]

    def over(self, content: LayerSlice, style: LayerSlice, dims: Dims) -> TransferGuides | None:
        """Return the guides over a content and a style, or None without a layer."""
        if self.content is None:
            return None
        of_style = None
        if self.style is not None:
            of_style = guide_of(self.style, style.position, dims)
        of_content = guide_of(self.content, content.position, dims)
        return TransferGuides(of_content, of_style, self.keep_unlabelled)


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

    def chosen(self) -> GuideLayers:
        """Return the chosen layers; raise `ValueError` if one was removed."""
        content = chosen_layer(self.content)
        style = chosen_layer(self.style) if content is not None else None
        return GuideLayers(content, style, self.keep_unlabelled.value)

    def _enable(self) -> None:
        self.style.enabled = self.keep_unlabelled.enabled = self.content.value is not None


@dataclass(frozen=True)
class InpaintingLayers:
    """The layers of a run that fills a region."""

    into: Image
    region: Labels | Shapes
    exemplar: Image
    exemplar_region: Labels | Shapes | None

    @property
    def marked(self) -> list[Layer]:
        """The layers that mark regions."""
        return [one for one in (self.region, self.exemplar_region) if one is not None]

    @property
    def changeable(self) -> list[Layer]:
        """The layers that may be others, or have other pixels, while the run goes on."""
        uses_exemplar = self.exemplar_region is not None or self.exemplar != self.into
        return [*self.marked, *([self.exemplar] if uses_exemplar else [])]

    def read_texture(self, dims: Dims) -> tuple[LayerSlice | None, Guide | None]:
        """Return the exemplar, or None for the pixels around the region, and its region."""
        source = shown_slice(self.exemplar, dims)
        if self.exemplar_region is not None:
            return source, guide_of(self.exemplar_region, source.position, dims)
        return (None if self.exemplar == self.into else source), None


@dataclass(frozen=True)
class InpaintingInputs:
    """The image to fill, its region, and the exemplar; the layers are read in the run's thread."""

    layers: InpaintingLayers
    image: LayerSlice  # the shown slice of `layers.into`
    region: Guide  # pixels of the image to fill
    exemplar: LayerSlice | None  # None: the pixels around the region
    exemplar_region: Guide | None  # pixels of the exemplar to take the texture from; None: all
    dims: Dims  # positions of the viewer's sliders when the run started
    start: LayerSlice | None = None  # the image that the run starts from, if it starts from one
    original: OriginalPixels = field(default_factory=OriginalPixels)  # kept outside the region
    _shape: list[int] = field(default_factory=list)  # of the image, as `read` has read it

    @property
    def followed_layers(self) -> list[Layer]:
        """The layers that may change during the run."""
        return self.layers.changeable

    def changed(self, layers: InpaintingLayers, dims: Dims) -> InpaintingInputs:
        """Return the same image with the regions and the exemplar of these layers."""
        region = guide_of(layers.region, self.image.position, dims)
        exemplar, marked = layers.read_texture(dims)
        if self.exemplar is not None and exemplar is None:
            raise ValueError(
                "A run that is going on cannot change to the texture around the region; choose an "
                "Exemplar region, or start another run."
            )
        return replace(
            self, layers=layers, region=region, exemplar=exemplar, exemplar_region=marked, dims=dims
        )

    def read(self) -> dict[str, Any]:
        """Return the arguments of `synthesize`."""
        into = self.image.read()
        self._shape[:] = into.shape[:2]
        self.original.read(self.image)
        return {
            "exemplar": self.exemplar.read() if self.exemplar else None,
            "into": into,
            "region": self.read_region(),
            "exemplar_region": self.read_exemplar_region(),
            "init_image": self.start.read() if self.start else None,
        }

    def read_region(self) -> Array:
        """Return the label map of the region, as large as the image."""
        height, width = self._shape
        return self.region((height, width))

    def read_exemplar_region(self) -> Array | None:
        """Return the label map of the exemplar's region, as large as the exemplar."""
        if self.exemplar is None or self.exemplar_region is None:
            return None
        exemplar = self.exemplar.read()
        return self.exemplar_region((exemplar.shape[0], exemplar.shape[1]))


class InpaintingChoice:
    """Drop-downs for the image to fill, its region, and the exemplar's region."""

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.into = LayerBox(
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

    def chosen(self, into: Image, exemplar: Image) -> InpaintingLayers:
        """Return these layers with the chosen regions; raise `ValueError` without a region."""
        region = chosen_layer(self.region)
        if region is None:
            raise ValueError(
                "Region needs a Labels or a Shapes layer that marks the pixels to fill; add one "
                "first."
            )
        return InpaintingLayers(into, region, exemplar, chosen_layer(self.exemplar_region))

    def read(self, exemplar: Image) -> InpaintingInputs | None:
        """Return the inputs that the chosen layers show now, or None without an image to fill."""
        into = chosen_layer(self.into)
        if into is None:
            return None
        layers, dims = self.chosen(into, exemplar), self._viewer.dims.model_copy(deep=True)
        image = shown_slice(into, dims)
        region = guide_of(layers.region, image.position, dims)
        return InpaintingInputs(layers, image, region, *layers.read_texture(dims), dims)

    def _enable(self) -> None:
        self.region.enabled = self.exemplar_region.enabled = self.into.value is not None
