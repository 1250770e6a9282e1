"""A stack as callers hand it in: an array, a file, or a layer of napari, read slice by slice."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np

from napari_nst.engine.job.given import Layer
from napari_nst.io.image_files.calibration import steps_of_tiff
from napari_nst.io.image_files.decoded_image import Limits, Pixels

StackLike = Any
"""An array of NumPy, dask, zarr or xarray, a file, an image layer of napari, or a `Stack`."""

_TIFF = (".tif", ".tiff")
_SAMPLES = (3, 4)  # RGB and RGBA
_UNIT = {"um": "micrometer", "µm": "micrometer", "\\u00b5m": "micrometer", "micron": "micrometer",
         "microns": "micrometer", "nm": "nanometer", "mm": "millimeter", "cm": "centimeter",
         "m": "meter", "s": "second", "sec": "second", "ms": "millisecond", "min": "minute",
         "h": "hour"}  # fmt: skip
_NO_UNITS = ("", "pixel", "None", "dimensionless")


@dataclass(frozen=True)
class Axis:
    """An axis of a stack."""

    name: str
    length: int
    scale: float = 1.0  # length of a step, in `unit`
    origin: float = 0.0  # position of the first entry
    unit: str | None = None  # such as ``micrometer``; None: entries are counted

    def part(self, indices: range) -> Axis:
        """Return the axis of some entries, which follow each other at equal distances."""
        return replace(
            self,
            length=len(indices),
            scale=self.scale * indices.step,
            origin=self.origin + self.scale * indices.start,
        )

    def resized(self, length: int) -> Axis:
        """Return the axis of as long an image with another number of pixels."""
        ratio = self.length / length
        # Integer coordinates are pixel centres.
        origin = self.origin + self.scale * (ratio - 1) / 2
        return replace(self, length=length, scale=self.scale * ratio, origin=origin)


@dataclass(frozen=True, eq=False)
class Stack:
    """An image of more than two dimensions, of which one slice is read at a time."""

    name: str
    data: Any  # indexed by numbers and whole slices, one for each axis, and for RGB(A) samples
    axes: tuple[Axis, ...]
    is_rgb: bool  # whether the last axis of `data`, which `axes` leaves out, is RGB or RGBA
    limits: Limits | None = None  # the values that are black and white; None: those of the type
    path: Path | None = None

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the data."""
        found: np.dtype[Any] = np.dtype(self.data.dtype)
        return found

    @property
    def samples(self) -> int:
        """The number of samples of a pixel: 1, 3 or 4."""
        return int(self.data.shape[-1]) if self.is_rgb else 1

    @property
    def plane_axes(self) -> tuple[Axis, Axis]:
        """The vertical and the horizontal axis of a slice."""
        names = [axis.name for axis in self.axes]
        if {"y", "x"} <= set(names):
            return self.axes[names.index("y")], self.axes[names.index("x")]
        return self.axes[-2], self.axes[-1]

    @property
    def slice_axes(self) -> tuple[Axis, ...]:
        """The other axes."""
        return tuple(axis for axis in self.axes if axis not in self.plane_axes)

    @property
    def metadata(self) -> dict[str, Any]:
        """What a record holds of the stack."""
        found: dict[str, Any] = {
            "name": self.name,
            "shape": [int(side) for side in self.data.shape],
            "dtype": str(self.dtype),
            "axes": [axis.name for axis in self.axes],
        }
        if self.path is not None:
            found["path"] = str(self.path.absolute())
        if self.limits is not None:
            found["limits"] = list(self.limits)
        return found

    def read(self, at: Mapping[str, int]) -> Pixels:
        """Return a slice, (H, W) or (H, W, C), for an index on each of the other axes."""
        index = tuple(at.get(axis.name, slice(None)) for axis in self.axes)
        pixels: Pixels = np.asarray(self.data[index])
        vertical, horizontal = (self.axes.index(axis) for axis in self.plane_axes)
        return pixels.swapaxes(0, 1) if vertical > horizontal else pixels


def open_stack(content: StackLike, limits: Limits | None = None) -> Stack:
    """Return a stack, whose pixels are not read yet; errors name the argument `content`."""
    if isinstance(content, Stack):
        stack = content
    elif isinstance(content, (str, os.PathLike)):
        stack = _from_path(Path(content))
    elif isinstance(content, Layer):
        stack = _from_layer(content)
    elif hasattr(content, "shape") and hasattr(content, "dtype"):
        stack = _from_array(content)
    else:
        raise TypeError(
            "`content` must be an array, a file or an image layer; "
            f"{type(content).__name__} is none."
        )
    if stack.dtype.kind not in "buif":
        raise TypeError(f"`content` has values of {stack.dtype}. Convert it to float first.")
    if len(stack.axes) < 2 or 0 in stack.data.shape:
        raise ValueError(f"`content` is no stack of images; its shape is {stack.data.shape}.")
    return stack if limits is None else replace(stack, limits=limits)


def array_axes(names: Sequence[str], shape: Sequence[int]) -> tuple[Axis, ...]:
    """Return axes without scale; those without a name get their number, as in napari."""
    used: list[str] = []
    for index, name in enumerate(names):
        used.append(name if name and name not in used else f"axis {index}")
    return tuple(Axis(n, int(length)) for n, length in zip(used, shape, strict=True))


def _from_array(array: Any, name: str = "") -> Stack:
    """Return the stack of an array; its last axis of 3 or 4, after three others, is RGB(A)."""
    shape = tuple(int(side) for side in array.shape)
    given = getattr(array, "dims", None)  # xarray's names
    given = given or getattr(getattr(array, "metadata", None), "dimension_names", None)  # zarr's
    is_rgb = len(shape) > 3 and shape[-1] in _SAMPLES and (not given or given[-1] not in ("x", "y"))
    count = len(shape) - is_rgb
    names = [str(one or "").lower() for one in (given or ())[:count]]
    if not names:
        names = ["z", "y", "x"] if count == 3 else [*[""] * (count - 2), *"yx"[-count:]]
    data = getattr(array, "data", array) if given and hasattr(array, "coords") else array
    return Stack(name, data, array_axes(names, shape[:count]), is_rgb)


def _from_layer(layer: Layer) -> Stack:
    """Return the stack of an image layer of napari, in full resolution."""
    data, state, kind = layer.as_layer_data_tuple()
    if kind != "image":
        raise TypeError(
            f"`content` is the layer {state['name']!r} of {kind}; give a layer of type image."
        )
    data = data[0] if state.get("multiscale") else data
    is_rgb = bool(state.get("rgb"))
    count = data.ndim - is_rgb
    unnamed = {str(index - count) for index in range(count)}  # how napari numbers them
    labels = ["" if one in unnamed else one for one in map(str, state["axis_labels"])]
    if not any(labels):
        labels[-2:] = ["y", "x"]
    axes = [
        replace(axis, scale=float(scale), origin=float(origin), unit=known_unit(unit))
        for axis, scale, origin, unit in zip(
            array_axes(labels, data.shape[:count]),
            state["scale"],
            state["translate"],
            state.get("units") or [None] * count,
            strict=True,
        )
    ]
    low, high = (float(limit) for limit in state["contrast_limits"])
    return Stack(str(state["name"]), data, tuple(axes), is_rgb, (low, high))


def _from_path(path: Path) -> Stack:
    if not path.exists():
        raise FileNotFoundError(f"`content` is the file {path}, which does not exist.")
    if path.is_dir():
        return _from_zarr(path)
    if path.suffix.lower() in _TIFF:
        return _from_tiff(path)
    raise ValueError(f"`content` is {path}, which is no stack. Give a TIFF or a zarr folder.")


def _from_zarr(path: Path) -> Stack:
    """Open an array, or the finest level of an OME-Zarr image, version 0.4 or 0.5."""
    import zarr

    try:
        node: Any = zarr.open(str(path), mode="r")
    except Exception as error:  # zarr raises many kinds for a folder that is none of its own
        raise ValueError(f"`content` is {path}, which is no zarr folder.") from error
    if isinstance(node, zarr.Array):
        return replace(_from_array(node, path.stem), path=path)
    attributes = dict(node.attrs)
    multiscales = attributes.get("ome", attributes).get("multiscales")
    try:
        image = multiscales[0]
        dataset = image["datasets"][0]
        array: Any = node[dataset["path"]]
        described = [one if isinstance(one, dict) else {"name": one} for one in image["axes"]]
        scales, origins = _placed(image, dataset, array.ndim)
    except (TypeError, LookupError, AttributeError):
        raise ValueError(
            f"`content` is {path}, a group without an image. Give one of its arrays or images, "
            f"such as {path / '0'}."
        ) from None
    axes = [
        replace(axis, scale=scale, origin=origin, unit=known_unit(one.get("unit")))
        for axis, one, scale, origin in zip(
            array_axes([str(one.get("name", "")) for one in described], array.shape),
            described,
            scales,
            origins,
            strict=True,
        )
    ]
    return Stack(path.name.removesuffix(".zarr").removesuffix(".ome"), array, tuple(axes), False,
                 _window_of(attributes), path)  # fmt: skip


def _placed(
    image: Mapping[str, Any], dataset: Mapping[str, Any], ndim: int
) -> tuple[list[float], list[float]]:
    """Return scale and origin of each axis after the transformations of a dataset and an image."""
    scales, origins = np.ones(ndim), np.zeros(ndim)
    for one in (
        *dataset.get("coordinateTransformations", ()),
        *image.get("coordinateTransformations", ()),
    ):
        if "scale" in one:
            scales, origins = scales * one["scale"], origins * one["scale"]
        elif "translation" in one:
            origins = origins + one["translation"]
    return [float(one) for one in scales], [float(one) for one in origins]


def _window_of(attributes: Mapping[str, Any]) -> Limits | None:
    """Return the display range of the first channel, if an OME-Zarr image has one."""
    omero = attributes.get("ome", attributes).get("omero") or attributes.get("omero") or {}
    try:
        window = omero["channels"][0]["window"]
        return float(window["start"]), float(window["end"])
    except (TypeError, LookupError):
        return None


def _from_tiff(path: Path) -> Stack:
    """Open the first image of a TIFF: of OME, of ImageJ, or of several pages."""
    import tifffile
    import zarr

    try:
        tiff = tifffile.TiffFile(path)
        series = tiff.series[0]
        data: Any = zarr.open(series.aszarr(level=0), mode="r")
        finalize(data, tiff.close)  # the pixels are read later
    except Exception as error:  # tifffile raises many kinds for a broken file
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"`content` is {path}, which cannot be read ({reason}).") from error
    letters = series.axes.lower()
    is_rgb = letters.endswith("s") and data.shape[-1] in _SAMPLES
    count = data.ndim - is_rgb
    # Pages without a meaning: Q and I are tifffile's letters for them.
    names = ["z" if one in "qi" and "z" not in letters else one for one in letters[:count]]
    known = steps_of_tiff(tiff)
    axes = []
    for axis in array_axes(names, data.shape[:count]):
        scale, unit = known.get(axis.name, (1.0, None))
        axes.append(replace(axis, scale=scale, unit=known_unit(unit)))
    name = re.sub(r"(\.ome)?\.tiff?$", "", path.name, flags=re.IGNORECASE)
    return Stack(name, data, tuple(axes), is_rgb, _display_range(tiff, data.dtype), path)


def _display_range(tiff: Any, dtype: Any) -> Limits | None:
    """Return the display range that ImageJ stored, of more than 8 bits."""
    metadata = tiff.imagej_metadata or {}
    if np.dtype(dtype).itemsize == 1 or not {"min", "max"} <= metadata.keys():
        return None
    low, high = float(metadata["min"]), float(metadata["max"])
    return (low, high) if low < high else None


def known_unit(unit: Any) -> str | None:
    """Return a unit by its name in OME-Zarr, such as ``micrometer``; None without one."""
    text = "" if unit is None else str(unit)
    return None if text in _NO_UNITS else _UNIT.get(text, text)
