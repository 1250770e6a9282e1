"""What a style transfer looks at: picked in the main thread, read in the run's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.engine.job.guides import Guides
from napari_nst.viewer.controls.content_choice import Content
from napari_nst.viewer.guides.choice import Guiding
from napari_nst.viewer.layers.keep_outside import OriginalPixels
from napari_nst.viewer.layers.read import LayerSlice

if TYPE_CHECKING:
    from napari.components import Dims

    from napari_nst.recipe import Recipe

Array = np.ndarray[Any, Any]


@dataclass
class TransferInputs:
    """Content, styles and guides of one run.

    Attributes
    ----------
    content : Content
        What is kept.
    styles : sequence of LayerSlice
        What is taken.
    begin : LayerSlice or None
        What the run starts from, if that is an image of its own.
    guiding : Guiding or None
        Where the styles go.
    pixel_sizes : list of float or None
        The content's, then each style's.
    dims : Dims
        Where the viewer's sliders stood: the slices that are looked at, wherever they go.
    original : OriginalPixels or None
        What of the content the result shows as it is.
    """

    content: Content
    styles: Sequence[LayerSlice]
    begin: LayerSlice | None
    guiding: Guiding | None
    pixel_sizes: list[float] | None
    dims: Dims
    original: OriginalPixels | None = None
    _content_shape: tuple[int, int] = field(default=(0, 0), init=False)

    @property
    def names(self) -> tuple[str, ...]:
        """What the images are called, in the order in which the engine gets them."""
        start = [self.begin.name] if self.begin else []
        return (self.content.name, *(style.name for style in self.styles), *start)

    def read(self) -> dict[str, Any]:
        """Read the layers, as `stylize` takes them; called in the worker thread."""
        content = self.content.pictures[0].read()
        styles = self.read_styles()
        self._content_shape = (content.shape[0], content.shape[1])
        guided: dict[str, Any] = {}
        if self.guiding is not None:
            guided = self.guiding.arguments(self._content_shape, _shapes(styles))
        if self.original is not None:
            self.original.read(self.content.pictures[0])
        return {
            "content": content,
            "style": styles,
            "init_image": self.begin.read() if self.begin else None,
            "pixel_sizes": self.pixel_sizes,
            **guided,
        }

    def read_channels(self, recipe: Recipe) -> dict[str, Any]:
        """Read the layers, as `stylize_channels` takes them; called in the run's thread."""
        return {
            "contents": [picture.read() for picture in self.content.pictures],
            "styles": self.read_styles(),
            "recipe": recipe,
            "labels": [picture.name for picture in self.content.pictures],
            "pixel_sizes": self.pixel_sizes,
        }

    def read_styles(self) -> list[Array]:
        """Read the styles; called in the worker thread."""
        return [style.read() for style in self.styles]

    def read_guides(self) -> Guides | None:
        """Read the guides anew, for a run that goes on; called in the worker thread."""
        if self.guiding is None:
            return None
        return self.guiding.guides(self._content_shape, _shapes(self.read_styles()))


def _shapes(images: Sequence[Array]) -> list[tuple[int, int]]:
    return [(image.shape[0], image.shape[1]) for image in images]
