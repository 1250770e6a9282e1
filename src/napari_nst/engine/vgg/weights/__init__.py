"""The pretrained network: where its weights are, whether they are whole, and how to get them.

Three flavours of VGG-19 are known by name, and any file may be named instead. Whatever a flavour
was published as, it is kept in one form, ``FLAVOUR.safetensors`` in `cache_folder`: the sixteen
convolutions, 80 MB, in a format that holds nothing but numbers, with the hash of those numbers.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from napari_nst.engine.vgg.weights import cache as weight_cache
from napari_nst.engine.vgg.weights import formats as weight_files
from napari_nst.engine.vgg.weights.cache import cache_folder
from napari_nst.engine.vgg.weights.download import SOURCES, Progress, Source, at_most_ten_a_second
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
    """What is known of one flavour on this machine.

    Attributes
    ----------
    flavour : str
        Its name.
    path : Path or None
        Our cached file; or the published file, where it is there already and only needs converting;
        or None.
    size : int
        Of that file, in bytes.
    state : {"ok", "bad", "absent"}
        Whether the file's hash holds, recomputed from its bytes.
    origin : str
        Where `fetch` would get it.
    download_size : int
        How many bytes that would be.
    """

    flavour: str
    path: Path | None
    size: int
    state: Literal["ok", "bad", "absent"]
    origin: str
    download_size: int


def load(weights: str | Path = "gatys", progress: Progress | None = None) -> PretrainedVGG:
    """Load pretrained weights, fetching them first where they are not on this machine.

    Parameters
    ----------
    weights : str or Path
        "gatys", the normalised VGG-19 of Gatys et al. 2016, whose layers have a mean activation of
        about 1; "torchvision", ``VGG19_Weights.IMAGENET1K_V1``; "caffe", the original of Simonyan &
        Zisserman 2014; or a file. A file with torchvision's names (``features.0.weight``) is taken
        to expect torchvision's input, RGB less ImageNet's mean over its deviation; one with
        ``conv1_1.weight``, and Keras's, 0–255 BGR less the mean. Nothing in a file is executed.
    progress : callable, optional
        Called as ``progress(message, done, total)`` in bytes, at most ten times a second, from this
        thread; `total` is 0 where it is unknown. If it raises `Cancelled`, nothing is left behind.

    Raises
    ------
    ValueError
        If `weights` is neither a flavour nor a file.
    NstError
        If the weights cannot be had: the message says what to do by hand, and in which folder.
    """
    if weights in FLAVOURS:
        flavour = str(weights)
        cached = weight_cache.read_cached(flavour)
        if cached is None:
            path = fetch(flavour, progress)
            cached = weight_cache.read_cached(flavour)
            if cached is None:
                raise NstError(
                    f"{path} was removed or damaged just after it was fetched; try again."
                )
        return pretrained(flavour, *cached)
    path = Path(weights).expanduser()
    if not os.path.isfile(path):
        raise ValueError(
            f"weights is {str(weights)!r}, but must be {_either()} or an existing file."
        )
    flavour, parameters = weight_files.read(path)
    return pretrained(flavour, parameters, weight_files.content_sha256(parameters))


def status() -> list[WeightsStatus]:
    """Return what is known of each flavour, from the network nothing."""
    return [verify(flavour) for flavour in FLAVOURS]


def verify(flavour: str) -> WeightsStatus:
    """Recompute the hash of a flavour's file and return what is known of it.

    Raises
    ------
    ValueError
        If there is no such flavour.
    """
    source = _source(flavour)
    cached = weight_cache.cached_file(flavour)
    path: Path | None = cached
    if os.path.isfile(cached):
        whole = weight_cache.read_cached(flavour) is not None
    else:
        path, whole = weight_cache.published_copy(source)
    return WeightsStatus(
        flavour=flavour,
        path=path,
        size=path.stat().st_size if path else 0,
        state="absent" if path is None else "ok" if whole else "bad",
        origin=source.origin,
        download_size=source.size,
    )


def fetch(flavour: str, progress: Progress | None = None, force: bool = False) -> Path:
    """Make sure that a flavour is in the cache folder, whole, and return its file.

    A good file that is there already stays until its successor is complete. Any number of processes
    may fetch at once: one does the work, the others wait for it.

    Parameters
    ----------
    flavour : {"gatys", "torchvision", "caffe"}
        What to fetch.
    progress : callable, optional
        As for `load`.
    force : bool
        Whether to make the file anew though it is good.

    Raises
    ------
    ValueError
        If there is no such flavour.
    NstError
        If it cannot be had: the message says what to do by hand, and in which folder.
    """
    source = _source(flavour)
    if force or not weight_cache.read_cached(flavour):
        with _one_sentence(flavour, source):
            weight_files.require_reader(Path(source.filename))
            weight_cache.fill(flavour, at_most_ten_a_second(progress), force)
    return weight_cache.cached_file(flavour)


def _source(flavour: str) -> Source:
    if flavour not in SOURCES:
        raise ValueError(f"flavour is {flavour!r}, but must be {_either()}.")
    return SOURCES[flavour]


def _either() -> str:
    return ", ".join(map(repr, FLAVOURS[:-1])) + f" or {FLAVOURS[-1]!r}"


@contextmanager
def _one_sentence(flavour: str, source: Source) -> Iterator[None]:
    """Turn whatever goes wrong into what was wanted, from where, why not, and what to do."""
    try:
        yield
    except Cancelled:
        raise
    except NstError as error:
        copy, whole = weight_cache.published_copy(source)
        spoilt = f", and {copy} is not the file that was published" if copy and not whole else ""
        raise NstError(
            f"The {flavour!r} weights could not be fetched from {source.origin}: {error}{spoilt}; "
            f"to do it by hand, {source.by_hand}, put {source.filename} into {cache_folder()} and "
            "try again."
        ) from error
    except OSError as error:
        why = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        room = (source.size + weight_files.CONTENT_SIZE) // 10**6
        raise NstError(
            f"The {flavour!r} weights from {source.origin} could not be written into "
            f"{cache_folder()}: {why}; make that a folder which you may write to, with {room} MB "
            "free, or set NAPARI_NST_HOME to another, and try again."
        ) from error
