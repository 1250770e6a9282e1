"""Read what callers hand in: pixels with channels last, and the sides of a pixel."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from napari_nst.engine.job.given import Layer, opened, opened_labels
from napari_nst.engine.job.input_image import in_unit_range
from napari_nst.io.image_files.calibration import MICROMETRES
from napari_nst.io.image_files.decoded_image import DecodedImage, split_alpha
from napari_nst.io.image_files.read_volume import DecodedVolume, decode_volume

Pixels = np.ndarray[Any, Any]

MICROMETRE = "µm"


@dataclass(frozen=True, eq=False)
class Read:
    """The pixels of an image or a volume, and what is known of their size."""

    pixels: Pixels  # uint8, or float32 in [0, 1], with channels as the last axis
    mask: Pixels | None  # bool, where alpha is at least a half
    scale: tuple[float, ...] | None = None
    unit: str = "pixel"

    @property
    def shape(self) -> tuple[int, ...]:
        """The number of pixels along each axis."""
        return tuple(self.pixels.shape[:-1])


def read(image: Any, name: str) -> Read:
    """Read an array, a file, an image of Pillow or a layer; raise TypeError or ValueError."""
    if isinstance(image, Read):
        return image
    scale: tuple[float, ...] | None = None
    pixels: DecodedImage | Pixels
    unit, found = "pixel", image
    if isinstance(image, (str, os.PathLike)) and Path(image).is_file():
        volume = decode_volume(image)
        found = image if volume is None else volume
    if isinstance(found, DecodedVolume):
        scale, unit = found.voxel, found.unit
        pixels = found.pixels
        if found.limits is not None:
            pixels = DecodedImage(pixels).scaled(found.limits).pixels
    elif isinstance(found, Layer):
        pixels, scale, unit = _of_layer(found, name)
    else:
        pixels, _ = opened(found, name)
    if isinstance(pixels, DecodedImage):
        if (calibration := pixels.calibration) is not None:
            scale, unit = calibration.pixel, calibration.unit
        colours, alpha = split_alpha(pixels.pixels)
    else:
        colours, alpha = _channels(np.asarray(pixels), name)
    if colours.dtype == bool:
        colours = colours * np.uint8(255)
    is_colour = colours.ndim == 4 or (colours.ndim == 3 and colours.shape[-1] == 3)
    colours = colours if is_colour else colours[..., None]
    if colours.dtype != np.uint8:
        colours = in_unit_range(colours, name)
    mask = None if alpha is None else in_unit_range(alpha, name, "The alpha of ") >= 0.5
    return Read(colours, mask, *_in_micrometres(scale, unit))


def read_mask(mask: Any, name: str, image: str, shape: tuple[int, ...]) -> Pixels | None:
    """Return the pixels that labels or a mask select, checked against the image's shape."""
    if mask is None:
        return None
    if isinstance(mask, (str, os.PathLike)) and Path(mask).is_file() and len(shape) == 3:
        volume = decode_volume(mask)
        found = opened_labels(mask, name) if volume is None else volume.pixels
    else:
        found = opened_labels(mask, name)
    if found.shape != shape:
        raise ValueError(
            f"`{name}` is {_by(found.shape)} and `{image}` is {_by(shape)}; they must be equal."
        )
    if found.dtype.kind not in "bui":
        raise TypeError(f"`{name}` must be bool or labels, not {found.dtype}.")
    return found > 0


def checked_scale(scale: Any, ndim: int) -> tuple[float, ...]:
    """Return the side of a pixel along each axis; raise `ValueError` for other numbers."""
    try:
        sides = np.broadcast_to(np.asarray(scale, float), (ndim,))
    except (TypeError, ValueError):
        sides = np.zeros(ndim)
    if not (np.isfinite(sides) & (sides > 0)).all():
        raise ValueError(
            f"`scale` must be the side of a pixel, above 0, or one side for each of {ndim} axes; "
            f"not {scale!r}."
        )
    return tuple(float(side) for side in sides)


def _by(shape: tuple[int, ...]) -> str:
    return f"{' × '.join(map(str, shape))} pixels"


def _channels(pixels: Pixels, name: str) -> tuple[Pixels, Pixels | None]:
    """Return grey (H, W) or (D, H, W), or those with three channels; and alpha."""
    has_channels = pixels.ndim > 2 and pixels.shape[-1] in (3, 4)
    if 0 in pixels.shape or pixels.ndim - has_channels not in (2, 3):
        raise ValueError(
            f"`{name}` must be an image (H, W) or (H, W, 3), or a volume (D, H, W) or "
            f"(D, H, W, 3); its shape is {pixels.shape}."
        )
    if has_channels and pixels.shape[-1] == 4:
        return pixels[..., :3], pixels[..., 3]
    return pixels, None


def _of_layer(layer: Layer, name: str) -> tuple[Pixels, tuple[float, ...] | None, str]:
    """Return what an image layer of two or three dimensions shows, and the sides of its pixels."""
    data, state, kind = layer.as_layer_data_tuple()
    if kind != "image":
        raise TypeError(f"`{name}` is the layer {state['name']!r} of {kind}; give an image layer.")
    data = data[0] if state.get("multiscale") else data
    pixels: Pixels = np.asarray(data)
    axes = pixels.ndim - bool(state.get("rgb"))
    single = tuple(axis for axis in range(axes) if pixels.shape[axis] == 1)
    if axes - len(single) not in (2, 3):
        raise ValueError(
            f"`{name}` is the layer {state['name']!r} with the shape {pixels.shape}; give an "
            "image or a volume of it, such as layer.data[0]."
        )
    low, high = (float(limit) for limit in state["contrast_limits"])
    scaled = DecodedImage(pixels).scaled((low, high)).pixels
    kept = [axis for axis in range(axes) if axis not in single]
    sides = tuple(float(state["scale"][axis]) for axis in kept)
    units = [state["units"][axis] for axis in kept]
    pixels = scaled.squeeze(single)
    if all(unit.is_compatible_with("micrometer") for unit in units):
        factors = [(1 * unit).m_as("micrometer") for unit in units]
        return pixels, tuple(np.multiply(sides, factors)), MICROMETRE
    return pixels, None if np.allclose(sides, 1) else sides, "pixel"


def _in_micrometres(
    scale: tuple[float, ...] | None, unit: str
) -> tuple[tuple[float, ...] | None, str]:
    """Return known lengths in micrometres; the inches of a photograph are for printing."""
    if scale is None or unit == "inch":
        return None, "pixel"
    if unit in MICROMETRES:
        return tuple(side * MICROMETRES[unit] for side in scale), MICROMETRE
    if np.allclose(scale, 1):
        return None, "pixel"
    return scale, unit
