"""Check before a long run that files can be written, and write them atomically after it."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path


def check_writable(paths: Sequence[Path], inputs: Sequence[Path] = ()) -> None:
    """Raise an OSError for a file that cannot be written, a ValueError for a duplicate or input."""
    for index, path in enumerate(paths):
        if any(_is_same(path, other) for other in (*inputs, *paths[:index])):
            raise ValueError(f"{path} would be overwritten; give the output another name.")
        if path.is_dir():
            raise IsADirectoryError(f"{path} is a folder; give the name of a file.")
        if not path.parent.is_dir():
            raise FileNotFoundError(f"There is no folder {path.parent}; make it first.")
        if path.exists() and not os.access(path, os.W_OK):
            raise PermissionError(f"{path} may not be overwritten; give the output another name.")
        try:
            # Permissions are not sufficient: the disk may be read-only.
            tempfile.TemporaryFile(dir=path.parent).close()
        except OSError as error:
            raise OSError(f"{path.parent} cannot be written to: {error.strerror}.") from error


def _is_same(one: Path, other: Path) -> bool:
    if one.exists() and other.exists():
        return one.samefile(other)
    return one.resolve() == other.resolve()


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file completely or not at all, through a temporary file in the same folder."""
    path = Path(os.path.realpath(path))  # a symbolic link remains a link
    # The name is unique because several threads or processes may write the same file. tempfile is
    # not used because it permits only the owner to read its files.
    temporary = path.with_name(f".napari-nst-{uuid.uuid4().hex}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
