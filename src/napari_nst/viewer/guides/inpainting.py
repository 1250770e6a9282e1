"""Filling a region of an image: the controls that say where, and what they mark."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.viewer.controls.layer_choice import layer_box
from napari_nst.viewer.guides.rasterize import Guide, guide_box, guide_of
from napari_nst.viewer.layers.keep_outside import OriginalPixels
from napari_nst.viewer.layers.read import LayerSlice, shown_slice

if TYPE_CHECKING:
    from napari.components import Dims, ViewerModel
    from napari.layers import Image, Labels, Layer, Shapes

Array = np.ndarray[Any, Any]


@dataclass
class Fill:
    """What to fill, and with which part of the exemplar.

    Attributes
    ----------
    into : napari.layers.Image
        The layer to fill a region of.
    picture : LayerSlice
        What it shows.
    region : Guide
        Its pixels to fill.
    exemplar : LayerSlice or None
        What gives the texture; None for what is around the region.
    exemplar_region : Guide or None
        Which of its pixels; None for all.
    dims : Dims
        Where the viewer's sliders stood: the slices that are looked at, wherever they go.
    original : OriginalPixels
        The image's numbers, which the result has wherever it is not filled.
    """

    into: Image
    picture: LayerSlice
    region: Guide
    exemplar: LayerSlice | None
    exemplar_region: Guide | None
    dims: Dims
    original: OriginalPixels = field(default_factory=OriginalPixels)
    _shape: tuple[int, int] = field(default=(0, 0), init=False)

    def arguments(self) -> dict[str, Any]:
        """Read the layers, as `synthesize` takes them; called in the worker thread.

        Raises
        ------
        ValueError
            If nothing is marked.
        """
        into = self.picture.read()
        self._shape = (into.shape[0], into.shape[1])
        self.original.read(self.picture)
        return {
            "exemplar": self.exemplar.read() if self.exemplar else None,
            "into": into,
            "region": self.read_region(),
            "exemplar_region": self.read_exemplar_region(),
        }

    def read_region(self) -> Array:
        """Read the region anew, for a run that goes on; called in the worker thread."""
        return self.region.read(self._shape)

    def read_exemplar_region(self) -> Array | None:
        """Read that of the exemplar; called in the worker thread."""
        if self.exemplar is None or self.exemplar_region is None:
            return None
        exemplar = self.exemplar.read()
        return self.exemplar_region.read((exemplar.shape[0], exemplar.shape[1]))

    @property
    def names(self) -> tuple[str, ...]:
        """What the images are called, in the order in which the engine gets them."""
        return (self.picture.name, *([self.exemplar.name] if self.exemplar else []))


class FillChoice:
    """The controls that say what is filled.

    Attributes
    ----------
    into : ComboBox
        The image; none for a texture of its own.
    region, exemplar_region : ComboBox
        Labels or shapes on it, and on the exemplar.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self._viewer = viewer
        self.into = layer_box(
            viewer,
            "into",
            "The image to fill a region of; everything outside the region stays as it is. Without "
            "one, the texture becomes an image of its own.",
            optional=True,
        )
        self.into.label = "Fill in"
        self.region = guide_box(
            viewer, "region", "Labels or shapes on that image: the pixels to fill."
        )
        self.exemplar_region = guide_box(
            viewer,
            "exemplar_region",
            "Labels or shapes on the exemplar: the pixels whose texture to take. Where exemplar "
            "and image are one layer, and nothing is marked, it is what lies around the region.",
        )
        self.into.changed.connect(self._enable_what_matters)
        self._enable_what_matters()

    @property
    def controls(self) -> list[Any]:
        """What goes into a form."""
        return [self.into, self.region, self.exemplar_region]

    @property
    def layers(self) -> list[Layer]:
        """The chosen layers that mark something."""
        chosen = [self.region.value, self.exemplar_region.value]
        return [layer for layer in chosen if layer is not None]

    def pick(self, exemplar: Image) -> Fill | None:
        """Pick what the chosen layers show and mark now; None where nothing is to be filled.

        Raises
        ------
        ValueError
            If there is no region, or no picture.
        """
        into = self.into.value
        if into is None:
            return None
        region, dims = self._region(), self._viewer.dims.model_copy(deep=True)
        picture = shown_slice(into, dims)
        source, marked = self._texture(exemplar, into, dims)
        return Fill(into, picture, guide_of(region, picture.position, dims), source, marked, dims)

    def follow(self, fill: Fill, exemplar: Image) -> None:
        """Let a fill look at what the layers show and mark now.

        Raises
        ------
        ValueError
            If there is no region, or the exemplar would have to become what is around it.
        """
        region = guide_of(self._region(), fill.picture.position, fill.dims)
        source, marked = self._texture(exemplar, fill.into, fill.dims)
        if fill.exemplar is not None and source is None:
            raise ValueError(
                "exemplar cannot become what is around the region while a run goes on; mark an "
                "exemplar region, or start another run."
            )
        fill.region, fill.exemplar, fill.exemplar_region = region, source, marked

    def _region(self) -> Labels | Shapes:
        if self.region.value is None:
            raise ValueError(
                "region needs a Labels or a Shapes layer that marks what to fill; add one first."
            )
        region: Labels | Shapes = self.region.value
        return region

    def _texture(
        self, exemplar: Image, into: Image, dims: Dims
    ) -> tuple[LayerSlice | None, Guide | None]:
        """Return the exemplar, None for what is around the region, and what is marked on it."""
        source, marked = shown_slice(exemplar, dims), self.exemplar_region.value
        if marked is not None:
            return source, guide_of(marked, source.position, dims)
        return (None if exemplar is into else source), None

    def _enable_what_matters(self) -> None:
        self.region.enabled = self.exemplar_region.enabled = self.into.value is not None
