"""The result of a stack as OME-Zarr on a disk, written slice by slice.

The state of a slice is set after its pixels are written, each by replacing a file, so that a result
that a crash has interrupted holds no half-written slice that counts as finished. One run at a time
writes: the lock is one of the operating system, which ends with its process.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_nst.io.image_files.decoded_image import Limits, Pixels
from napari_nst.io.record import RECORD
from napari_nst.stacks.places import Place, Places
from napari_nst.stacks.source import Axis

MISSING, DONE, FAILED = 0, 1, 2
"""States of a slice."""

PIXELS, STATES, LOSSES = "0", "napari-nst/states", "napari-nst/losses"
"""The arrays of a store: the finest level, and the state and the last loss of each slice."""

SEED = "seed"
"""The axis of an ensemble."""

_LOCK = f"{STATES}/lock"  # in the folder of an array, whose contents zarr does not list
_SPACE, _TIME = ("z", "y", "x"), ("t",)
_CHANNELS = ("c", "channel", "samples")
_OF_MACHINE = ("device", "tile")
"""Fields of a recipe that change where and how a result is computed, but not the result."""


class ResultStore:
    """The zarr store of a result: slices are written and read upright, (H, W) or (H, W, C)."""

    def __init__(self, path: Path, places: Places) -> None:
        import zarr
        from filelock import FileLock

        self.path = path
        self._places = places
        group: Any = zarr.open_group(str(path), mode="r+")
        self.pixels: Any = group[PIXELS]
        self._states: Any = group[STATES]
        self._losses: Any = group[LOSSES]
        self.record: dict[str, Any] = dict(group.attrs[RECORD])
        # A run may be made in one thread and end in another.
        self._lock = FileLock(path / _LOCK, timeout=0, thread_local=False)

    def lock(self) -> None:
        """Keep other runs from writing, until `unlock`; raise `ValueError` if one writes."""
        from filelock import Timeout

        try:
            self._lock.acquire()
        except Timeout:
            raise ValueError(
                f"`out` is {self.path}, and another run writes there. Wait until it ends, or "
                "choose another `out`."
            ) from None

    def unlock(self) -> None:
        """Let other runs write."""
        self._lock.release()

    @property
    def samples_axis(self) -> int | None:
        """The axis of RGB(A) in the store, None for grey."""
        return _samples_axis(self._places.axes) if self.is_rgb else None

    @property
    def samples(self) -> int:
        """The number of samples of a pixel: 1, 3 or 4."""
        return 1 if self.samples_axis is None else int(self.pixels.shape[self.samples_axis])

    @property
    def is_rgb(self) -> bool:
        """Whether slices have three or four samples."""
        return int(self.pixels.ndim) > len(self._places.axes) + 2

    def write(self, place: Place, pixels: Pixels, loss: float) -> None:
        """Write a finished slice."""
        if self.is_rgb:
            pixels = np.moveaxis(pixels, -1, 0)
        self.pixels[self._index(place)] = pixels
        self._losses[place] = loss
        self._states[place] = DONE

    def fail(self, place: Place) -> None:
        """Note that a slice could not be computed."""
        self._states[place] = FAILED

    def read(self, place: Place) -> Pixels:
        """Return a slice; zeros if it is missing."""
        pixels: Pixels = np.asarray(self.pixels[self._index(place)])
        return np.moveaxis(pixels, 0, -1) if self.is_rgb else pixels

    def is_done(self, place: Place) -> bool:
        """Return whether a slice is finished."""
        return int(self._states[place]) == DONE

    def states(self) -> np.ndarray[Any, np.dtype[np.uint8]]:
        """Return the state of each slice."""
        found: np.ndarray[Any, np.dtype[np.uint8]] = np.asarray(self._states[...])
        return found

    def losses(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Return the total loss of each slice after its last step; NaN of those not finished."""
        found: np.ndarray[Any, np.dtype[np.float64]] = np.asarray(self._losses[...])
        return found

    def _index(self, place: Place) -> tuple[int | slice, ...]:
        index: list[int | slice] = list(place)
        if self.samples_axis is not None:
            index.insert(self.samples_axis, slice(None))
        return tuple(index)


def open_store(
    path: Path,
    places: Places,
    plane: tuple[Axis, Axis],
    samples: int,
    dtype: np.dtype[Any],
    limits: Limits,
    record: Mapping[str, Any],
) -> ResultStore:
    """Open the store of a result, or make it; raise `ValueError` for that of another result.

    `plane` are the vertical and the horizontal axis of the result.
    """
    if not path.exists():
        _make_store(path, places, plane, samples, dtype, limits, record)
    if not path.is_dir() or (found := record_of_store(path)) is None:
        raise ValueError(f"`out` is {path}, which is no stack of ours. Choose another `out`.")
    if differences := _differences(found, record):
        raise ValueError(
            f"`out` is {path}, which was made otherwise: {'; '.join(differences)}. Choose another "
            "`out`, or delete it."
        )
    return ResultStore(path, places)


def record_of_store(path: Path) -> dict[str, Any] | None:
    """Return the record of a result, None of another folder."""
    import zarr

    try:
        record = zarr.open_group(str(path), mode="r").attrs.get(RECORD)
    except Exception:  # noqa: BLE001 - zarr raises many kinds for a folder that is none of its own
        return None
    return dict(record) if isinstance(record, Mapping) else None


def _make_store(
    path: Path,
    places: Places,
    plane: tuple[Axis, Axis],
    samples: int,
    dtype: np.dtype[Any],
    limits: Limits,
    record: Mapping[str, Any],
) -> None:
    """Make an empty store, which appears at its path when it is complete."""
    import zarr

    axes, chunks = [*places.axes, *plane], [1] * len(places.axes) + [one.length for one in plane]
    if samples > 1:
        at = _samples_axis(places.axes)
        name = "c" if all(axis.name != "c" for axis in axes) else "samples"
        axes.insert(at, Axis(name, samples))
        chunks.insert(at, samples)
    shape = [axis.length for axis in axes]
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {path.parent}; make it first.")
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}.part")
    try:
        group: Any = zarr.open_group(
            str(temporary),
            mode="w",
            attributes={"ome": _ome(path.stem, axes, samples, limits), RECORD: dict(record)},
        )
        names = [axis.name for axis in axes]
        group.create_array(PIXELS, shape=shape, chunks=chunks, dtype=dtype, dimension_names=names)
        ones = (1,) * len(places.axes)
        group.create_group(RECORD)
        group.create_array(STATES, shape=places.shape, chunks=ones, dtype="uint8")
        nan = {"dtype": "float64", "fill_value": np.nan}
        group.create_array(LOSSES, shape=places.shape, chunks=ones, **nan)
        temporary.rename(path)
    except OSError as error:
        if path.exists():  # another process has just made it
            return
        raise type(error)(f"`out` {path} cannot be written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            shutil.rmtree(temporary, ignore_errors=True)


def _ome(name: str, axes: Sequence[Axis], samples: int, limits: Limits) -> dict[str, Any]:
    """Return the metadata of an OME-Zarr image, version 0.5."""
    described = []
    for axis in axes:
        one = {"name": axis.name}
        kind = "space" if axis.name in _SPACE else "time" if axis.name in _TIME else ""
        kind = kind or ("channel" if axis.name in _CHANNELS else "")
        described.append(
            one | ({"type": kind} if kind else {}) | ({"unit": axis.unit} if axis.unit else {})
        )
    transformations = [
        {"type": "scale", "scale": [axis.scale for axis in axes]},
        {"type": "translation", "translation": [axis.origin for axis in axes]},
    ]
    colours = ("FF0000", "00FF00", "0000FF", "FFFFFF") if samples > 1 else ("FFFFFF",)
    count = next((axis.length for axis in axes if axis.name == "c"), 1)
    low, high = limits
    window = {"start": low, "end": high, "min": low, "max": high}
    return {
        "version": "0.5",
        "multiscales": [
            {
                "name": name,
                "axes": described,
                "datasets": [{"path": PIXELS, "coordinateTransformations": transformations}],
            }
        ],
        "omero": {
            "channels": [
                {"color": colours[index % len(colours)], "window": window, "active": True}
                for index in range(count)
            ]
        },
    }


def _samples_axis(axes: Sequence[Axis]) -> int:
    # In OME-Zarr, channels are behind time and before space.
    return int(bool(axes) and axes[0].name in (*_TIME, SEED))


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return what differs between two records of results, in words."""
    parts = [
        f"`{name}` was {old!r}, now {new!r}"
        for kind in ("recipe", "arguments")
        for name in {**found.get(kind, {}), **wanted[kind]}
        if name not in _OF_MACHINE
        and (old := found.get(kind, {}).get(name)) != (new := wanted[kind].get(name))
    ]
    if found.get("job") != wanted["job"]:
        parts.insert(0, f"by {found.get('job')}")
    inputs = {**found.get("inputs", {}), **wanted["inputs"]}
    for role in inputs:
        old, new = (one.get("inputs", {}).get(role, {}) for one in (found, wanted))
        same = ("sha256", "shape", "dtype", "limits")
        if any(old.get(key) != new.get(key) for key in same):
            parts.append(f"{role} was another image")
    return parts


def resized_plane(plane: tuple[Axis, Axis], shape: tuple[int, int]) -> tuple[Axis, Axis]:
    """Return the axes of a slice of another height and width, which covers the same area."""
    vertical, horizontal = (
        replace(axis.resized(length), name=name)
        for axis, length, name in zip(plane, shape, "yx", strict=True)
    )
    return vertical, horizontal
