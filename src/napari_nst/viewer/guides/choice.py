"""Where a style goes: the controls for guides, and what they mark, ready for the run's thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from magicgui.widgets import CheckBox

from napari_nst.engine.job.guides import Guides, read_guides
from napari_nst.viewer.guides.rasterize import Guide, guide_box, guide_of
from napari_nst.viewer.layers.read import LayerSlice

if TYPE_CHECKING:
    from napari.components import Dims, ViewerModel
    from napari.layers import Layer

Array = np.ndarray[Any, Any]
Shape = tuple[int, int]


@dataclass(frozen=True)
class Guiding:
    """Which region of the content takes which region of the first style.

    Attributes
    ----------
    content : Guide
        On the content.
    style : Guide or None
        On the first style; None where it gives all of itself.
    keep_unlabelled : bool
        Whether the rest of the content stays as it is.
    """

    content: Guide
    style: Guide | None
    keep_unlabelled: bool

    def arguments(self, content: Shape, styles: Sequence[Shape]) -> dict[str, Any]:
        """Return the guides of images of these heights and widths, as `stylize` takes them.

        Raises
        ------
        ValueError
            If nothing is marked.
        """
        first = self.style.read(styles[0]) if self.style else None
        return {
            "guide": self.content.read(content),
            "style_guides": [first, *[None] * (len(styles) - 1)],
            "keep_unlabelled": self.keep_unlabelled,
        }

    def guides(self, content: Shape, styles: Sequence[Shape]) -> Guides:
        """Return the same for a run that goes on."""
        read = self.arguments(content, styles)
        return read_guides(
            read["guide"], read["style_guides"], content, styles, self.keep_unlabelled
        )


class GuideChoice:
    """The controls that say which layers guide a transfer.

    Attributes
    ----------
    content : ComboBox
        Regions of the content.
    style : ComboBox
        Regions of the first style.
    keep_unlabelled : CheckBox
        Whether the rest stays as it is.
    """

    def __init__(self, viewer: ViewerModel) -> None:
        self.content = guide_box(
            viewer,
            "content_guide",
            "Labels or shapes on the content: each region takes the style's region of its label.",
        )
        self.style = guide_box(
            viewer,
            "style_guide",
            "Labels or shapes on the style. Without them the style as a whole goes to every "
            "region; of several styles, the first goes to label 1, the second to label 2.",
        )
        self.keep_unlabelled = CheckBox(
            name="keep_unlabelled",
            text="Keep the rest as it is",
            tooltip="Leave unlabelled pixels of the content exactly as they are. The run then "
            "works at the content's own size.",
        )
        self.content.changed.connect(self._enable_what_matters)
        self._enable_what_matters()

    @property
    def controls(self) -> list[Any]:
        """What goes into a form."""
        return [self.content, self.style, self.keep_unlabelled]

    @property
    def layers(self) -> list[Layer]:
        """The chosen layers."""
        chosen = [self.content.value, self.style.value] if self.content.value else []
        return [layer for layer in chosen if layer is not None]

    def pick(self, content: LayerSlice, style: LayerSlice, dims: Dims) -> Guiding | None:
        """Pick what the chosen layers mark on a content and a style; None without guides.

        Parameters
        ----------
        content, style : Picture
            What the layers lie on.
        dims : napari.components.Dims
            Which slice of the layers is meant.

        Raises
        ------
        ValueError
            If a shape's label is no whole number.
        """
        if self.content.value is None:
            return None
        of_style = None
        if self.style.value is not None:
            of_style = guide_of(self.style.value, style.position, dims)
        on_content = guide_of(self.content.value, content.position, dims)
        return Guiding(on_content, of_style, self.keep_unlabelled.value)

    def _enable_what_matters(self) -> None:
        guided = self.content.value is not None
        self.style.enabled = self.keep_unlabelled.enabled = guided
