"""The cache folder: one safetensors file per flavour, written completely or not at all."""

import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from napari_nst.engine.vgg.weights import formats
from napari_nst.engine.vgg.weights.download import SOURCES, Progress, Source
from napari_nst.errors import NstError

CONTENT_SHA256 = {"gatys": "ae90e03877ee0f735a0e55f0ec2bd334333884e8646202b33f3bb1bf6c1ab516"}
"""Known content hashes; the other flavours are checked against the hash in their own file."""

SECONDS_PER_DAY = 24 * 60 * 60


def cache_folder() -> Path:
    """Return ``NAPARI_NST_HOME``, read at each call, or else the user's cache folder."""
    if home := os.environ.get("NAPARI_NST_HOME"):
        return Path(home).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("napari-nst", appauthor=False)


def cached_file(flavour: str) -> Path:
    """Return the path at which a flavour is cached, whether the file exists or not."""
    return cache_folder() / f"{flavour}.safetensors"


def read_cached(flavour: str) -> tuple[formats.Parameters, str] | None:
    """Return the cached parameters and their hash, or None if they are absent or damaged."""
    if not cached_file(flavour).is_file():
        return None
    try:
        found, parameters = formats.read(cached_file(flavour))
    except NstError:
        return None
    sha256 = formats.content_sha256(parameters)
    if found != flavour or sha256 != CONTENT_SHA256.get(flavour, sha256):
        return None
    return parameters, sha256


def published_copy(source: Source) -> tuple[Path | None, bool]:
    """Return a local copy of the published file, if there is one, and whether its hash is right."""
    path = None
    for path in filter(os.path.isfile, source.local_paths(cache_folder())):
        with suppress(NstError, OSError):
            source.check(path)
            return path, True
    return path, False


def fill(flavour: str, report: Progress) -> None:
    """Put a flavour into the cache folder: find or download the published file and convert it.

    Two processes may do so at once: each replaces the cached file in one move.
    """
    source, target = SOURCES[flavour], cached_file(flavour)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target.parent)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as folder:
        path, is_intact = published_copy(source)
        if path is None or not is_intact:
            path = source.download(Path(folder), report)
            source.check(path)
        _, parameters = formats.read(path)
        converted = Path(folder, target.name)
        with converted.open("wb") as file:
            file.write(formats.to_safetensors(flavour, parameters, source.origin))
            file.flush()
            os.fsync(file.fileno())
        converted.replace(target)


def _remove_abandoned(folder: Path) -> None:
    """Remove the temporary folders of processes that were killed, which may hold 575 MB each."""
    for abandoned in folder.glob(".fetch-*"):
        with suppress(OSError):
            if time.time() - abandoned.stat().st_mtime > SECONDS_PER_DAY:
                shutil.rmtree(abandoned, ignore_errors=True)
