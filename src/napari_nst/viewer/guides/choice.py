"""The controls of the Guides section, and the guides that they choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from magicgui.widgets import CheckBox

from napari_nst.engine.job.guides import Guides, read_guides
from napari_nst.viewer.guides.rasterize import Guide, guide_box, guide_of
from napari_nst.viewer.layers.read import LayerSlice

if TYPE_CHECKING:
    from napari.components import Dims, ViewerModel
    from napari.layers import Layer

Shape = tuple[int, int]


@dataclass(frozen=True)
class TransferGuides:
    """Which region of the content takes which region of the first style."""

    content: Guide
    style: Guide | None  # None: every region takes the whole style
    keep_unlabelled: bool  # whether pixels of the content without a label stay as they are

    def read(self, content: Shape, styles: Sequence[Shape]) -> dict[str, Any]:
        """Return the guides of images of these heights and widths, as arguments of `stylize`.

        Raises `ValueError` if a layer marks nothing.
        """
        first = self.style.read(styles[0]) if self.style else None
        return {
            "guide": self.content.read(content),
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
        """Return the guides over a content and a style, or None if no layer is chosen.

        Raises `ValueError` if the label of a shape is not an integer.
        """
        if self.content.value is None:
            return None
        of_style = None
        if self.style.value is not None:
            of_style = guide_of(self.style.value, style.position, dims)
        of_content = guide_of(self.content.value, content.position, dims)
        return TransferGuides(of_content, of_style, self.keep_unlabelled.value)

    def _enable(self) -> None:
        self.style.enabled = self.keep_unlabelled.enabled = self.content.value is not None
