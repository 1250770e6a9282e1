"""The size of an image's pixels and its display range, in TIFF (OME, ImageJ) and PNG files."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

MICROMETRES = {"nm": 1e-3, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0}
_SPELLINGS = {"micron": "um", "microns": "um", "µm": "um", "\\u00b5m": "um"}  # ImageJ's
_TAG_UNITS = {2: "inch", 3: "cm"}  # of the tag ResolutionUnit
_PNG_UNIT = 1  # metre, in the chunk pHYs


@dataclass(frozen=True)
class Calibration:
    """What an image of some height and width says about its pixels."""

    shape: tuple[int, int]
    pixel: tuple[float, float] | None = None  # height and width of a pixel in `unit`
    unit: str = "pixel"  # a key of `MICROMETRES`, or another word
    origin: tuple[float, float] | None = None  # row and column of the point (0, 0) of the world
    limits: tuple[float, float] | None = None  # the values of grey that are black and white

    def at(self, shape: tuple[int, ...]) -> Calibration:
        """Return the calibration of the same area with pixels of another height and width."""
        ratio = np.divide(self.shape, shape[:2])
        pixel = None if self.pixel is None else np.multiply(self.pixel, ratio)
        # Integer coordinates are pixel centres.
        origin = None if self.origin is None else np.add(self.origin, 0.5) / ratio - 0.5
        return replace(self, shape=(shape[0], shape[1]), pixel=_two(pixel), origin=_two(origin))

    def transposed(self) -> Calibration:
        """Return the calibration of an image whose rows have become its columns."""
        height, width = self.shape
        pixel = None if self.pixel is None else (self.pixel[1], self.pixel[0])
        origin = None if self.origin is None else (self.origin[1], self.origin[0])
        return replace(self, shape=(width, height), pixel=pixel, origin=origin)

    @property
    def has_tag_unit(self) -> bool:
        """Whether TIFF's own tags can hold the unit."""
        return self.unit in _TAG_UNITS.values()

    def resolution(self, unit: str) -> tuple[float, float] | None:
        """Return pixels per unit, horizontally and vertically, as TIFF and PNG store them."""
        if self.pixel is None or min(self.pixel) <= 0:
            return None
        if unit == self.unit:
            factor = 1.0
        elif self.unit in MICROMETRES:
            factor = MICROMETRES[unit] / MICROMETRES[self.unit]
        else:
            return None
        height, width = self.pixel
        return factor / width, factor / height

    def _tag_resolution(self, unit: str) -> tuple[float, float] | None:
        """Return pixels per unit, or None if TIFF's fractions of 32 bits cannot hold them."""
        found = self.resolution(unit)
        can_hold = found is not None and all(1 / 2**32 < one < 2**32 for one in found)
        return found if can_hold else None

    def tags(self) -> dict[str, Any]:
        """Return tifffile's arguments for TIFF's own tags."""
        unit = self.unit if self.has_tag_unit else "cm"
        resolution = self._tag_resolution(unit)
        if resolution is None:
            return {}
        name = {"inch": "INCH", "cm": "CENTIMETER"}[unit]
        return {"resolution": resolution, "resolutionunit": name}

    def imagej(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return tifffile's arguments, and the metadata, of a TIFF as ImageJ writes it."""
        metadata: dict[str, Any] = {}
        resolution = self._tag_resolution(self.unit)
        if resolution is not None:
            metadata["unit"] = self.unit
            if self.origin is not None:
                metadata["yorigin"], metadata["xorigin"] = self.origin
        if self.limits is not None:
            metadata["min"], metadata["max"] = self.limits
        return {} if resolution is None else {"resolution": resolution}, metadata

    def png_chunk(self) -> bytes:
        """Return the body of a PNG's chunk pHYs; empty if it cannot hold the size of the pixels."""
        per_metre = self.resolution("m") or (0.0, 0.0)
        if not all(1 <= one < 2**31 for one in per_metre):
            return b""
        return struct.pack(">IIB", *map(round, per_metre), _PNG_UNIT)


Step = tuple[float, str]
"""The distance between two entries of an axis, and its unit as the file has it."""


def steps_of_tiff(tiff: Any) -> dict[str, Step]:
    """Return axis (x, y, z, t) → its step, of those that a TIFF of OME, ImageJ or others has."""
    if tiff.is_ome:
        return _ome_steps(tiff)
    page, imagej = tiff.pages[0], tiff.imagej_metadata or {}
    steps: dict[str, Step] = {}
    known = calibration_of_tiff(tiff, page, (page.imagelength, page.imagewidth))
    unit = "pixel" if known is None else known.unit
    if known is not None and known.pixel is not None:
        steps["y"], steps["x"] = ((side, unit) for side in known.pixel)
    if "spacing" in imagej:
        steps["z"] = float(imagej["spacing"]), unit
    if imagej.get("finterval"):
        steps["t"] = float(imagej["finterval"]), str(imagej.get("tunit", "s"))
    return steps


def in_one_unit(steps: Sequence[Step]) -> tuple[tuple[float, ...], str] | None:
    """Return lengths in their common unit, or in micrometres; None if these cannot be compared."""
    units = {unit for _, unit in steps}
    if len(units) == 1:
        return tuple(length for length, _ in steps), units.pop()
    if units <= MICROMETRES.keys():
        return tuple(length * MICROMETRES[unit] for length, unit in steps), "um"
    return None


def calibration_of_tiff(tiff: Any, page: Any, shape: tuple[int, int]) -> Calibration | None:
    """Return the calibration that a TIFF has for its page of a height and width."""
    if tiff.is_ome:
        steps = _ome_steps(tiff)
        found = in_one_unit([steps["y"], steps["x"]]) if {"y", "x"} <= steps.keys() else None
        if found is not None and found[1] in MICROMETRES:
            return Calibration(shape, _two(found[0]), found[1])
    tags = page.tags
    pairs = [tags[code].value if code in tags else (0, 1) for code in (283, 282)]
    try:
        per_unit = [float(over) / float(under) for over, under in pairs]
        unit = _TAG_UNITS.get(tags[296].value) if 296 in tags else "inch"
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        return None
    if unit is None and tiff.is_imagej:
        unit = str((tiff.imagej_metadata or {}).get("unit"))
        unit = _SPELLINGS.get(unit.lower(), unit)
    if unit not in (*MICROMETRES, "pixel") or not all(0 < one < math.inf for one in per_unit):
        return None
    return Calibration(shape, (1 / per_unit[0], 1 / per_unit[1]), unit)


def _ome_steps(tiff: Any) -> dict[str, Step]:
    """Return the steps in the XML of an OME-TIFF, of its first image."""
    import tifffile

    found: dict[str, Step] = {}
    try:
        image = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]
        pixels = (image[0] if isinstance(image, list) else image)["Pixels"]
        for axis, name, usual in (*((k, f"PhysicalSize{k.upper()}", "µm") for k in "zyx"),
                                  ("t", "TimeIncrement", "s")):  # fmt: skip
            if 0 < (size := float(pixels.get(name, 0))) < math.inf:
                unit = str(pixels.get(f"{name}Unit", usual))
                found[axis] = size, _SPELLINGS.get(unit, unit)
    except (TypeError, LookupError, ValueError, SyntaxError):  # the last of broken XML
        return {}
    return found


def _two(pair: Any) -> tuple[float, float] | None:
    return None if pair is None else (float(pair[0]), float(pair[1]))
