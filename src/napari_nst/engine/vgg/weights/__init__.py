"""Pretrained VGG-19 weights: find, fetch, verify and load them.

Three flavours of VGG-19 have a name; any other file can be given by its path. Each flavour is
cached as ``FLAVOUR.safetensors`` in `cache_folder`: the sixteen convolutions, 80 MB, in a format
that holds arrays only, with a hash of their content.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_nst.engine.vgg.weights import cache, formats
from napari_nst.engine.vgg.weights.cache import cache_folder
from napari_nst.engine.vgg.weights.download import SOURCES, Progress, Source, ignore_progress
from napari_nst.engine.vgg.weights.pretrained import PretrainedVGG, pretrained
from napari_nst.errors import Cancelled, NstError
from napari_nst.recipe.convert_weights import FLAVOURS

__all__ = [
    "FLAVOURS",
    "PretrainedVGG",
    "Progress",
    "WeightsStatus",
    "cache_folder",
    "fetch",
    "load",
    "status",
    "verify",
]


@dataclass(frozen=True)
class WeightsStatus:
    """Whether one flavour is on this machine, and where `fetch` would download it."""

    flavour: str
    path: Path | None  # the cached file, else a copy of the published file, else None
    size: int  # of the file at `path`, in bytes
    state: Literal["ok", "bad", "absent"]  # "ok": the hash of the file is right
    origin: str
    download_size: int  # in bytes


def load(weights: str | Path = "gatys", progress: Progress | None = None) -> PretrainedVGG:
    """Load a flavour, fetching it first if it is not on this machine, or a file of weights."""
    if weights in FLAVOURS:
        flavour = str(weights)
        cached = cache.read_cached(flavour)
        if cached is None:
            path = fetch(flavour, progress)
            cached = cache.read_cached(flavour)
            if cached is None:
                raise NstError(
                    f"{path} was removed or damaged just after it was fetched; try again."
                )
        return pretrained(flavour, *cached)
    path = Path(weights).expanduser()
    if not os.path.isfile(path):
        raise ValueError(
            f"weights is {str(weights)!r}, but must be {_all_flavours()} or an existing file."
        )
    flavour, parameters = formats.read(path)
    return pretrained(flavour, parameters, formats.content_sha256(parameters))


def status() -> list[WeightsStatus]:
    """Return the status of every flavour, without using the network."""
    return [verify(flavour) for flavour in FLAVOURS]


def verify(flavour: str) -> WeightsStatus:
    """Hash the file of a flavour again and return its status."""
    source = _source(flavour)
    path: Path | None = cache.cached_file(flavour)
    if path is not None and path.is_file():
        is_intact = cache.read_cached(flavour) is not None
    else:
        path, is_intact = cache.published_copy(source)
    return WeightsStatus(
        flavour=flavour,
        path=path,
        size=path.stat().st_size if path else 0,
        state="absent" if path is None else "ok" if is_intact else "bad",
        origin=source.origin,
        download_size=source.size,
    )


def fetch(flavour: str, progress: Progress | None = None, force: bool = False) -> Path:
    """Return the cached file of a flavour, fetching it if it is absent or damaged, or by `force`.

    An intact cached file is replaced only when the new file is complete.
    """
    source = _source(flavour)
    if force or cache.read_cached(flavour) is None:
        with _explained_errors(flavour, source):
            formats.require_reader(Path(source.filename))
            cache.fill(flavour, progress or ignore_progress)
    return cache.cached_file(flavour)


def _source(flavour: str) -> Source:
    if flavour not in SOURCES:
        raise ValueError(f"flavour is {flavour!r}, but must be {_all_flavours()}.")
    return SOURCES[flavour]


def _all_flavours() -> str:
    return ", ".join(map(repr, FLAVOURS[:-1])) + f" or {FLAVOURS[-1]!r}"


@contextmanager
def _explained_errors(flavour: str, source: Source) -> Iterator[None]:
    """Turn an error into an NstError that names the flavour, its source and the cure."""
    try:
        yield
    except Cancelled:
        raise
    except NstError as error:
        copy, is_intact = cache.published_copy(source)
        damaged = f", and {copy} is not the published file" if copy and not is_intact else ""
        raise NstError(
            f"The {flavour!r} weights could not be fetched from {source.origin}: {error}{damaged}; "
            f"to fetch them by hand, {source.by_hand}, put {source.filename} into "
            f"{cache_folder()} and try again."
        ) from error
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        needed = (source.size + formats.CONTENT_SIZE) // 10**6
        raise NstError(
            f"The {flavour!r} weights from {source.origin} could not be written into "
            f"{cache_folder()}: {reason}; make sure that this folder is writable and has {needed} "
            "MB free, or set NAPARI_NST_HOME to another folder, and try again."
        ) from error
