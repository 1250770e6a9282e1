"""Check before a long run that files can be written, and write them atomically after it."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Side in pixels above which the libraries that write a format refuse or write an empty file.
_LARGEST_SIDE = {
    ".png": 1_000_000,  # libpng
    **dict.fromkeys((".jpg", ".jpeg"), 65_500),  # libjpeg; the format itself holds 35 more
    ".gif": 65_535,
    ".mp4": 16_384,  # x264
}
_LARGEST_MP4 = 2**27  # pixels; ffmpeg refuses frames of about twice as many


def check_writable(paths: Sequence[Path], inputs: Sequence[Path] = ()) -> None:
    """Raise an OSError for a file that cannot be written, a ValueError for a duplicate or input."""
    for index, path in enumerate(paths):
        if any(_is_same(path, other) for other in (*inputs, *paths[:index])):
            raise ValueError(f"{path} would be overwritten; give the output another name.")
        try:
            _check_target(Path(os.path.realpath(path)), path)
        except OSError as error:
            raise _explained(error, path) from error


def check_size(path: Path, shape: tuple[int, int]) -> None:
    """Raise a ValueError if the format of a file cannot hold a picture of a height and width."""
    ending, (height, width) = path.suffix.lower(), shape
    largest = _LARGEST_SIDE.get(ending, max(shape))
    if max(shape) > largest:
        held = f"at most {largest:,} on a side"
    elif ending == ".mp4" and height * width > _LARGEST_MP4:
        held = f"at most {_LARGEST_MP4:,} in all"
    else:
        return
    raise ValueError(
        f"{path} would have {width} × {height} pixels, and {ending[1:].upper()} files hold {held}; "
        "take a TIFF, or a smaller size."
    )


def write_atomically(path: Path, data: bytes | Iterable[ReadableBuffer]) -> None:
    """Write a file completely or not at all; an OSError names the file, or its folder, and why.

    Data in several parts are written one after another, so that memory need not hold all.
    """
    target = Path(os.path.realpath(path))  # a symbolic link remains a link
    # The name is unique because several threads or processes may write the same file. tempfile is
    # not used because it permits only the owner to read its files.
    temporary = target.with_name(f".napari-nst-{uuid.uuid4().hex}.part")
    try:
        _check_target(target, path)
        try:
            with temporary.open("xb") as file:
                for part in [data] if isinstance(data, bytes) else data:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            with suppress(OSError):  # the file to replace may not exist
                shutil.copymode(target, temporary)
            temporary.replace(target)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
    except OSError as error:
        raise _explained(error, path) from error


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:  # one of them does not exist
        return os.path.realpath(one) == os.path.realpath(other)


def _check_target(target: Path, path: Path) -> None:
    """Raise an OSError if a file, whose links are resolved, cannot be written at its place."""
    with suppress(FileNotFoundError):
        os.lstat(target)  # raises if this system does not allow the name
    if target.is_dir():
        raise IsADirectoryError(f"{path} is a folder; give the name of a file.")
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    if target.exists():
        # To replace a device such as /dev/null would break it for everyone.
        if not target.is_file():
            raise PermissionError(f"{path} is a device and no file; give the output another name.")
        if not os.access(target, os.W_OK):
            raise PermissionError(f"{path} may not be overwritten; give the output another name.")
    try:
        # Permissions are not sufficient: the disk may be read-only.
        tempfile.TemporaryFile(dir=target.parent).close()
    except OSError as error:
        raise type(error)(error.errno, error.strerror) from error


def _explained(error: OSError, path: Path) -> OSError:
    """Return an error with a sentence for the user instead of a number and a temporary name."""
    if error.strerror is None:  # the error has a sentence already
        return error
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        missing = folder if path.parent.is_dir() else path.parent  # the folder of a link's target
        said = f"There is no folder {missing}; make it first."
    elif error.errno in (errno.ENOSPC, errno.EDQUOT):
        said = f"The disk of the folder {folder} is full; free some space, or take another folder."
    elif error.errno == errno.ENAMETOOLONG:
        said = f"The name {path.name} is too long; give a shorter one."
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        said = f"The folder {folder} cannot be written to: {error.strerror}; take another folder."
    else:
        said = f"{path} cannot be written: {error.strerror}."
    return type(error)(said)
