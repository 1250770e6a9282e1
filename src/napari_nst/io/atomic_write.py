"""Files that are written: found possible before a long run, and whole or not at all after it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path


def check_writable(paths: Sequence[Path], inputs: Sequence[Path] = ()) -> None:
    """Find out before a long run whether files can be written after it.

    Raises
    ------
    OSError
        If a folder does not exist, or something may not be written.
    ValueError
        If one of the files is another one, or one of `inputs`.
    """
    for index, path in enumerate(paths):
        if any(_are_same(path, other) for other in (*inputs, *paths[:index])):
            raise ValueError(f"{path} would be overwritten; give the output another name.")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; give the name of a file.")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"There is no folder {path.parent}; make it first.")
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(f"{path} may not be overwritten.")
        try:
            # Permissions alone do not tell: a read-only disk, a share, an administrator.
            tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            why = error.strerror
            raise OSError(f"{path.parent} cannot be written to: {why}.") from error


def _are_same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there as a whole or not at all, whatever happens meanwhile.

    It is written beside `path`, then put in its place in one move.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    # Not from tempfile, whose files nobody but their owner may read.
    part = path.with_name(f".napari-nst-{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
