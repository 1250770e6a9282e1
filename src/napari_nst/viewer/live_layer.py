"""The layer that a run draws into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.viewer.layers import Geometry

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_nst.engine.optimize import Iteration


class LiveLayer:
    """An image layer that shows iterations as they come, at the content's place in space.

    Call it from the main thread only.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Gets the layer with the first picture, so that a run that fails early leaves nothing.
    name : str
        Of the layer.
    geometry : Geometry
        Where the content lies.
    """

    def __init__(self, viewer: ViewerModel, name: str, geometry: Geometry) -> None:
        self._viewer = viewer
        self._name = name
        self._geometry = geometry
        self.layer: Any = None
        self.shown: Iteration | None = None

    @property
    def removed(self) -> bool:
        """Whether the user deleted the layer."""
        return self.layer is not None and self.layer not in self._viewer.layers

    def show(self, iteration: Iteration) -> None:
        """Draw an iteration, at whatever size it has; nothing if it is shown already."""
        if iteration is self.shown or self.removed:
            return
        self.shown = iteration
        picture = to_uint8(iteration.image)
        if self.layer is None:
            self.layer = self._viewer.add_image(
                picture,
                rgb=True,
                name=self._name,
                interpolation2d="linear",  # coarse scales are drawn as large as fine ones
                **self._geometry.resampled(iteration.shape),
            )
            return
        resized = self.layer.data.shape != picture.shape
        self.layer.data = picture
        if resized:
            transform = self._geometry.resampled(iteration.shape)
            self.layer.scale, self.layer.translate = transform["scale"], transform["translate"]

    def describe(self, facts: dict[str, Any]) -> None:
        """Keep what made the picture with it."""
        if self.layer is not None:
            self.layer.metadata["napari-nst"] = facts


def to_uint8(image: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return float pixels in [0, 1] as 8 bits: quick to draw, and any file format can hold them."""
    rounded: np.ndarray[Any, np.dtype[np.uint8]] = np.rint(image * 255).astype(np.uint8)
    return rounded
