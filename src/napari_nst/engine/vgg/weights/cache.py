"""The cache folder: each flavour's weights in one safe file, written whole or not at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from napari_nst.engine.vgg.weights import formats as weight_files
from napari_nst.engine.vgg.weights.download import SOURCES, Progress, Source
from napari_nst.engine.vgg.weights.formats import Parameters
from napari_nst.errors import NstError

CONTENT_SHA256 = {"gatys": "ae90e03877ee0f735a0e55f0ec2bd334333884e8646202b33f3bb1bf6c1ab516"}
"""The hash that a flavour's numbers are known to have, beyond what its cached file says itself."""


def cache_folder() -> Path:
    """Return the folder that weights are kept in: ``NAPARI_NST_HOME``, or the user's cache folder.

    The environment is read at each call, so that it may change while the program runs.
    """
    if home := os.environ.get("NAPARI_NST_HOME"):
        return Path(home).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("napari-nst", appauthor=False)


def cached_file(flavour: str) -> Path:
    """Return where a flavour is kept, whether it is there or not."""
    return cache_folder() / f"{flavour}.safetensors"


def read_cached(flavour: str) -> tuple[Parameters, str] | None:
    """Return the cached parameters and their hash, or None unless they are there and it holds."""
    if not os.path.isfile(cached_file(flavour)):
        return None
    try:
        found, parameters = weight_files.read(cached_file(flavour))
    except NstError:
        return None
    sha256 = weight_files.content_sha256(parameters)
    if found != flavour or sha256 != CONTENT_SHA256.get(flavour, sha256):
        return None
    return parameters, sha256


def published_copy(source: Source) -> tuple[Path | None, bool]:
    """Return a copy of the published file on this machine, and whether its hash holds."""
    path = None
    for path in filter(os.path.isfile, source.places(cache_folder())):
        with suppress(NstError, OSError):
            source.check(path)
            return path, True
    return path, False


def fill(flavour: str, report: Progress, force: bool) -> None:
    """Put a flavour into the cache folder, unless somebody else does so while we wait for it."""
    target = cached_file(flavour)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _alone(target, report):
        if not force and read_cached(flavour):
            return
        prefix = f".{flavour}-"
        for stale in target.parent.glob(f"{prefix}*"):  # left by a process that was killed
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=prefix, dir=target.parent) as scratch:
            _make(flavour, Path(scratch), report).replace(target)


def _make(flavour: str, scratch: Path, report: Progress) -> Path:
    """Get the published file and convert it, all within `scratch`."""
    source = SOURCES[flavour]
    path, whole = published_copy(source)
    if path is None or not whole:
        path = source.download(scratch, report)
        source.check(path)
    _, parameters = weight_files.read(path)
    made = scratch / cached_file(flavour).name
    with made.open("wb") as file:
        file.write(weight_files.to_safetensors(flavour, parameters, source.origin))
        file.flush()
        os.fsync(file.fileno())
    return made


@contextmanager
def _alone(target: Path, report: Progress) -> Iterator[None]:
    """Wait until no other process or thread makes this file, and keep them waiting."""
    import filelock

    lock = filelock.FileLock(target.with_suffix(".lock"))
    while True:
        try:
            lock.acquire(timeout=0.2)
            break
        except filelock.Timeout:
            report(f"waiting for another program to fetch {target.stem}", 0, 0)
    try:
        yield
    finally:
        lock.release()
