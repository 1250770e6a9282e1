"""Pretrained VGG-19 weights: find, fetch, verify and load them.

Three flavours of VGG-19 have a name; any other file can be given by its path. Each flavour is
cached as ``FLAVOUR.safetensors`` in `cache_folder`: the sixteen convolutions, 80 MB, in a format
that holds arrays only, with a hash of their content.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

import numpy as np

from napari_nst.engine.vgg.weights import formats
from napari_nst.engine.vgg.weights.download import SOURCES, Progress, Source
from napari_nst.errors import Cancelled, NstError
from napari_nst.recipe.convert_weights import FLAVOURS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "PretrainedVGG",
    "Progress",
    "WeightsStatus",
    "cache_folder",
    "cached_file",
    "fetch",
    "load",
    "prefer_folder",
    "status",
    "verify",
]

CONTENT_SHA256 = {"gatys": "ae90e03877ee0f735a0e55f0ec2bd334333884e8646202b33f3bb1bf6c1ab516"}
"""Known content hashes; the other flavours are checked against the hash in their own file."""

SECONDS_PER_DAY = 24 * 60 * 60

_CONVERTED_SIZE = 81 * 10**6  # bytes
_preferred_folder = ""


@dataclass(frozen=True, eq=False)
class PretrainedVGG:
    """The convolutions of a VGG-19 and the input that they were trained on.

    The network's input is an image in [0, 1] with its channels in `channel_order`, then
    ``(image * input_scale - mean) / std``.
    """

    flavour: str  # "gatys", "torchvision" or "caffe"; for a file, the flavour with the same input
    parameters: dict[str, Tensor] = field(repr=False)  # as `formats.SHAPES`; float32, on the CPU
    sha256: str  # of the parameters' content, the same for every file format
    channel_order: Literal["RGB", "BGR"]  # also the order of `mean` and `std`
    input_scale: float  # 1 or 255
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class WeightsStatus:
    """Whether one flavour is on this machine, and where `fetch` would download it."""

    flavour: str
    path: Path | None  # the cached file, else a copy of the published file, else None
    size: int  # of the file at `path`, in bytes
    state: Literal["ok", "bad", "absent"]  # "ok": the hash of the file is right
    origin: str
    download_size: int  # in bytes


_held: WeakValueDictionary[tuple[object, ...], PretrainedVGG] = WeakValueDictionary()
"""The weights that somebody holds, by their file as it was read: they are not read again."""


def load(weights: str | Path = "gatys", progress: Progress | None = None) -> PretrainedVGG:
    """Load a flavour, fetching it first if it is not on this machine, or a file of weights.

    Weights that are still held, such as those of a stack's last slice, are returned again.
    """
    key = _identity(weights)
    if (held := _held.get(key)) is not None:
        return held
    loaded = _load(weights, progress)
    _held[_identity(weights)] = loaded
    return loaded


def _identity(weights: str | Path) -> tuple[object, ...]:
    """Return what changes when the file of weights does."""
    path = cached_file(str(weights)) if weights in FLAVOURS else Path(os.path.expanduser(weights))
    try:
        found = path.stat()
    except OSError:
        return (str(path),)
    return str(path), found.st_mtime_ns, found.st_size


def _load(weights: str | Path, progress: Progress | None) -> PretrainedVGG:
    if weights in FLAVOURS:
        flavour = str(weights)
        parameters, sha256 = _read_cached(flavour) or _fill(flavour, progress)
    else:
        path = Path(os.path.expanduser(weights))
        if not os.path.isfile(path):
            raise ValueError(
                f"weights is {str(weights)!r}, but must be one of {', '.join(FLAVOURS)}, or an "
                "existing file."
            )
        flavour, parameters = formats.read(path)
        sha256 = formats.content_sha256(parameters)
    import torch

    tensors = {
        name: torch.from_numpy(np.require(array, requirements="W"))
        for name, array in parameters.items()
    }
    if flavour == "torchvision":
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        return PretrainedVGG(flavour, tensors, sha256, "RGB", 1.0, mean, std)
    mean, std = (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)
    return PretrainedVGG(flavour, tensors, sha256, "BGR", 255.0, mean, std)


def status() -> list[WeightsStatus]:
    """Return the status of every flavour, without using the network."""
    return [verify(flavour) for flavour in FLAVOURS]


def verify(flavour: str) -> WeightsStatus:
    """Hash the file of a flavour again and return its status."""
    source = _source(flavour)
    path: Path | None = cached_file(flavour)
    if path is not None and path.is_file():
        is_intact = _read_cached(flavour) is not None
    else:
        path, is_intact = _published_copy(source)
    return WeightsStatus(
        flavour=flavour,
        path=path,
        size=path.stat().st_size if path else 0,
        state="absent" if path is None else "ok" if is_intact else "bad",
        origin=source.origin,
        download_size=source.size,
    )


def fetch(flavour: str, progress: Progress | None = None, force: bool = False) -> Path:
    """Return the cached file of a flavour, fetching it if absent, damaged, or by `force`."""
    if force or _read_cached(flavour) is None:
        _fill(flavour, progress)
    return cached_file(flavour)


def cache_folder() -> Path:
    """Return ``NAPARI_NST_HOME``, read at each call, or the preferred or usual cache folder."""
    if home := os.environ.get("NAPARI_NST_HOME") or _preferred_folder:
        return Path(os.path.expanduser(home)).absolute()
    import platformdirs

    # In a container, a user may have no home: platformdirs raises, or returns a relative path.
    with suppress(RuntimeError):
        folder = platformdirs.user_cache_path("napari-nst", appauthor=False)
        if folder.is_absolute():
            return folder
    return Path(tempfile.gettempdir(), "napari-nst")


def prefer_folder(folder: str) -> None:
    """Use a cache folder where the environment names none; the usual one if empty."""
    global _preferred_folder
    _preferred_folder = folder


def cached_file(flavour: str) -> Path:
    """Return the path at which a flavour is cached, whether the file exists or not."""
    return cache_folder() / f"{flavour}.safetensors"


def _source(flavour: str) -> Source:
    if flavour not in SOURCES:
        raise ValueError(f"flavour is {flavour!r}, but must be one of {', '.join(FLAVOURS)}.")
    return SOURCES[flavour]


def _read_cached(flavour: str) -> tuple[formats.Parameters, str] | None:
    """Return the cached parameters and their hash, or None if they are absent or damaged."""
    try:
        found, parameters = formats.read(cached_file(flavour))
    except NstError:
        return None
    sha256 = formats.content_sha256(parameters)
    if found != flavour or sha256 != CONTENT_SHA256.get(flavour, sha256):
        return None
    return parameters, sha256


def _published_copy(source: Source) -> tuple[Path | None, bool]:
    """Return a local copy of the published file, if there is one, and whether its hash is right."""
    path = None
    for path in filter(os.path.isfile, source.local_paths(cache_folder())):
        with suppress(NstError, OSError):
            source.check(path)
            return path, True
    return path, False


def _fill(flavour: str, progress: Progress | None) -> tuple[formats.Parameters, str]:
    """Put a flavour into the cache folder and return its parameters and their hash."""
    source, folder = _source(flavour), cache_folder()
    try:
        formats.require_reader(Path(source.filename))
        parameters = _converted(flavour, source, progress or (lambda message, done, total: None))
    except Cancelled:
        raise
    except NstError as error:
        copy, is_intact = _published_copy(source)
        damaged = f", and {copy} is not the published file" if copy and not is_intact else ""
        raise NstError(
            f"The {flavour!r} weights could not be fetched from {source.origin}: {error}{damaged}; "
            f"to fetch them by hand, {source.by_hand}, put {source.filename} into {folder} and "
            "try again."
        ) from error
    except OSError as error:
        raise NstError(
            f"The {flavour!r} weights from {source.origin} could not be written into {folder}: "
            f"{error.strerror or error}; make sure that this folder is writable and has "
            f"{(source.size + _CONVERTED_SIZE) // 10**6} MB free, or set NAPARI_NST_HOME to "
            "another folder, and try again."
        ) from error
    return parameters, formats.content_sha256(parameters)


def _converted(flavour: str, source: Source, progress: Progress) -> formats.Parameters:
    """Find or download the published file, convert it into the cache folder, and return it."""
    target = cached_file(flavour)
    target.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in target.parent.glob(".fetch-*"):  # by a process that was killed: up to 575 MB
        with suppress(OSError):
            if time.time() - abandoned.stat().st_mtime > SECONDS_PER_DAY:
                shutil.rmtree(abandoned, ignore_errors=True)
    if shutil.disk_usage(target.parent).free < source.size + _CONVERTED_SIZE:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as folder:
        path, is_intact = _published_copy(source)
        if path is None or not is_intact:
            path = source.download(Path(folder), progress)
        _, parameters = formats.read(path)
        converted = Path(folder, target.name)
        converted.write_bytes(formats.to_safetensors(flavour, parameters, source.origin))
        converted.replace(target)  # in one move: two processes may do so at once
    return parameters
