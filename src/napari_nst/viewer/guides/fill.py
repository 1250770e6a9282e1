"""Filling a region of an image: the controls that say where, and what they mark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from napari_nst.viewer.choosers import layer_box
from napari_nst.viewer.guides.layers import Guide, guide_box, guide_of
from napari_nst.viewer.guides.untouched import Untouched
from napari_nst.viewer.layers import Picture, picture_of

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Image


@dataclass(frozen=True)
class Fill:
    """What to fill, and with which part of the exemplar.

    Attributes
    ----------
    picture : Picture
        The image.
    region : Guide
        Its pixels to fill.
    exemplar : Picture or None
        What gives the texture; None for what is around the region.
    exemplar_region : Guide or None
        Which of its pixels; None for all.
    untouched : Untouched
        All of the image that is not filled.
    """

    picture: Picture
    region: Guide
    exemplar: Picture | None
    exemplar_region: Guide | None
    untouched: Untouched

    def arguments(self) -> dict[str, Any]:
        """Read the layers, as `synthesize` takes them; called in the worker thread.

        Raises
        ------
        ValueError
            If nothing is marked.
        """
        into = self.picture.read()
        region = self.region.read((into.shape[0], into.shape[1]))
        exemplar = self.exemplar.read() if self.exemplar else None
        of = into if exemplar is None else exemplar
        marked = self.exemplar_region
        self.untouched.read(self.picture, region > 0)
        return {
            "exemplar": exemplar,
            "into": into,
            "region": region,
            "exemplar_region": marked.read((of.shape[0], of.shape[1])) if marked else None,
        }

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

    def pick(self, exemplar: Image) -> Fill | None:
        """Pick what the chosen layers show and mark now; None where nothing is to be filled.

        Raises
        ------
        ValueError
            If there is no region, or no picture.
        """
        if self.into.value is None:
            return None
        if self.region.value is None:
            raise ValueError(
                "region needs a Labels or a Shapes layer that marks what to fill; add one first."
            )
        dims = self._viewer.dims
        picture, source = picture_of(self.into.value, dims), picture_of(exemplar, dims)
        marked = None
        if self.exemplar_region.value is not None:
            marked = guide_of(self.exemplar_region.value, source.place, dims)
        return Fill(
            picture=picture,
            region=guide_of(self.region.value, picture.place, dims),
            exemplar=None if exemplar is self.into.value and marked is None else source,
            exemplar_region=marked,
            untouched=Untouched(),
        )

    def _enable_what_matters(self) -> None:
        self.region.enabled = self.exemplar_region.enabled = self.into.value is not None
