"""Layers as images, and images back as layers at the same place in space."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image
from napari.utils.transforms import CompositeAffine

from napari_nst.engine.pixels import RGB, as_rgb

if TYPE_CHECKING:
    from napari.components import Dims


@dataclass(frozen=True)
class Geometry:
    """Where a 2-D image lies in space.

    Attributes
    ----------
    shape : tuple of int
        Height and width of the image that the transform belongs to.
    transform : dict
        `scale`, `translate`, `rotate`, `shear`, `affine`, `units` and `axis_labels` of a layer of
        that shape.
    """

    shape: tuple[int, int]
    transform: dict[str, Any]

    def resampled(self, shape: tuple[int, int]) -> dict[str, Any]:
        """Return the transform of an image that covers the same place with other pixels.

        Outer edges coincide. Pixel centres, not corners, sit on whole coordinates, so a change of
        size moves the first one by half the difference of the pixel sizes.
        """
        own = self.transform
        ratio = np.divide(self.shape, shape)
        linear = CompositeAffine(
            scale=own["scale"], rotate=own["rotate"], shear=own["shear"]
        ).linear_matrix
        return own | {
            "scale": own["scale"] * ratio,
            "translate": own["translate"] + linear @ ((ratio - 1) / 2),
        }


@dataclass(frozen=True)
class Picture:
    """What an image layer shows now, picked in the main thread, to be read in another.

    Attributes
    ----------
    name : str
        Of the layer.
    geometry : Geometry
        Where the shown slice lies.
    read : callable
        Returns the pixels as float32 RGB (H, W, 3) in [0, 1]. Slow for lazy or large data. Raises
        `ValueError` where there is nothing to read.
    """

    name: str
    geometry: Geometry
    read: Callable[[], RGB]


def picture_of(layer: Image, dims: Dims, size: int = 0) -> Picture:
    """Pick the slice of a layer that the viewer shows.

    Parameters
    ----------
    layer : napari.layers.Image
        RGB(A) or grey, of any number of dimensions, multiscale or lazy too.
    dims : napari.components.Dims
        Of the viewer: which axes and which slice it shows.
    size : int
        Longest side wanted; of a multiscale layer the smallest level that has it is read. 0 reads
        the finest.

    Raises
    ------
    ValueError
        If the layer holds no picture: it has fewer than two dimensions, no pixels, or complex
        numbers.
    """
    if layer.ndim < 2 or 0 in layer.level_shapes[0]:
        raise ValueError(f"Layer {layer.name!r} is empty; choose one that shows an image.")
    if np.issubdtype(layer.dtype, np.complexfloating):
        raise ValueError(
            f"Layer {layer.name!r} holds complex numbers; make a layer of its magnitude or phase."
        )
    axes = _shown_axes(layer, dims)
    level = _level_for(layer, axes, size)
    data = layer.data[level] if layer.multiscale else layer.data
    shown = _slice(layer, data, dims, axes)
    finest = tuple(int(layer.level_shapes[0][axis]) for axis in axes)
    limits = None if layer.rgb else tuple(layer.contrast_limits)
    name = layer.name
    return Picture(name, _geometry(layer, axes, finest), lambda: _read(shown, limits, name))


def _shown_axes(layer: Image, dims: Dims) -> tuple[int, int]:
    """Return the layer's two axes that the viewer shows, the vertical one first."""
    # A layer of fewer dimensions than the viewer has the viewer's last ones.
    missing = dims.ndim - layer.ndim
    shown = [axis - missing for axis in dims.order if axis >= missing]
    return shown[-2], shown[-1]


def _level_for(layer: Image, axes: tuple[int, int], size: int) -> int:
    if not layer.multiscale or not size:
        return 0
    longest = [max(shape[axes[0]], shape[axes[1]]) for shape in layer.level_shapes]
    return max((i for i, pixels in enumerate(longest) if pixels >= size), default=0)


def _slice(layer: Image, data: Any, dims: Dims, axes: tuple[int, int]) -> Any:
    """Return the shown slice (H, W) or (H, W, C) of a layer's data, without reading it."""
    at = layer.world_to_data(dims.point[-layer.ndim :])
    # World to data speaks of the finest level.
    ratio = np.divide(data.shape[: layer.ndim], layer.level_shapes[0][: layer.ndim])
    index: list[Any] = []
    for axis, length in enumerate(data.shape[: layer.ndim]):
        nearest = int(np.clip(np.round(at[axis] * ratio[axis]), 0, length - 1))
        index.append(slice(None) if axis in axes else nearest)
    shown = data[tuple(index)]
    transposed = axes[0] > axes[1]
    return shown.swapaxes(0, 1) if transposed else shown


def _read(shown: Any, limits: tuple[float, float] | None, name: str) -> RGB:
    pixels = np.asarray(shown)
    if np.issubdtype(pixels.dtype, np.floating):
        if not np.isfinite(pixels).any():
            raise ValueError(f"Layer {name!r} is all NaN; choose one that shows an image.")
        # Single missing pixels are drawn at the lower end of the range, as napari shows them.
        pixels = np.nan_to_num(pixels, nan=limits[0] if limits else 0.0)
    if limits is not None:
        low, high = limits
        pixels = (pixels.astype(np.float32) - low) / max(high - low, 1e-12)
    if np.issubdtype(pixels.dtype, np.floating):
        pixels = np.clip(pixels, 0, 1)
    return as_rgb(pixels, f"Layer {name!r}")


def _geometry(layer: Image, axes: tuple[int, int], shape: tuple[int, ...]) -> Geometry:
    """Cut a layer's transform down to two of its axes."""
    pair = list(axes)
    return Geometry(
        (shape[0], shape[1]),
        {
            "scale": np.asarray(layer.scale)[pair],
            "translate": np.asarray(layer.translate)[pair],
            "rotate": np.asarray(layer.rotate)[np.ix_(pair, pair)],
            # Shear is stored as the entries above the diagonal; the last belongs to the last axes.
            "shear": np.asarray(layer.shear)[-1:]
            if pair == [layer.ndim - 2, layer.ndim - 1]
            else [0.0],
            "affine": layer.affine.set_slice(pair),
            "units": tuple(layer.units[axis] for axis in pair),
            "axis_labels": tuple(layer.axis_labels[axis] for axis in pair),
        },
    )
