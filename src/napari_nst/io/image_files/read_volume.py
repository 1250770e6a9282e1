"""Read a TIFF of several pages as one volume."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_nst.io.image_files.calibration import in_one_unit, steps_of_tiff
from napari_nst.io.image_files.decoded_image import Limits, Pixels, Unusable
from napari_nst.io.image_files.read_image import (
    SIGNATURES,
    check_memory,
    decode_file,
    display_range,
)


@dataclass(frozen=True, eq=False)
class DecodedVolume:
    """A volume of grey or of RGB."""

    pixels: Pixels  # (D, H, W) or (D, H, W, 3) of uint8, uint16 or float
    voxel: tuple[float, float, float] | None  # sides along the axes in `unit`, if all are known
    unit: str
    limits: Limits | None  # the display range in the file, for more than 8 bits


def decode_volume(path: str | os.PathLike[str]) -> DecodedVolume | None:
    """Return the pages of a TIFF as one volume; None for a file of another kind, or of one page.

    An OSError or a ValueError names the file.
    """
    decoders: dict[str, Callable[[bytes], DecodedVolume | None]]
    decoders = {**dict.fromkeys(SIGNATURES, _no_volume), "TIFF": _tiff_volume}
    return decode_file(path, decoders)


def _no_volume(_: bytes) -> DecodedVolume | None:
    return None


def _tiff_volume(data: bytes) -> DecodedVolume | None:
    import tifffile

    with tifffile.TiffFile(io.BytesIO(data)) as tiff:
        series: Any = tiff.series[0]
        page: Any = tiff.pages[0]
        axes, shape = series.get_axes(squeeze=True), series.get_shape(squeeze=True)
        count = series.size // page.size
        if count == 1:
            return None
        if axes.strip("S") not in ("ZYX", "QYX", "IYX") or axes.startswith("S"):
            listed = ", ".join(f"{one} {n}" for one, n in zip(axes, shape, strict=True))
            raise Unusable(
                f"has the axes {listed}, which are no volume. Choose one slice with `page`, and "
                "one channel with `channel`"
            )
        check_memory(series.size * (series.dtype.itemsize + 12), f", {count} pages")
        pixels = series.asarray().reshape(shape)
        if pixels.dtype == bool:
            pixels = pixels * np.uint8(255)
        steps, voxel, unit = steps_of_tiff(tiff), None, "pixel"
        if {"z", "y", "x"} <= steps.keys() and (
            found := in_one_unit([steps["z"], steps["y"], steps["x"]])
        ):
            (depth, height, width), unit = found
            voxel = depth, height, width
        limits = display_range(tiff, page) if pixels.dtype.itemsize > 1 else None
        return DecodedVolume(pixels, voxel, unit, limits)
