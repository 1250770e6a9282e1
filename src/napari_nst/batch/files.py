"""The files of a batch: which ones are read, what results are called, and the table of all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from napari_nst.io.atomic_write import check_writable
from napari_nst.io.given_path import as_path
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.record import has_record, record_in
from napari_nst.io.table import read_table

SUMMARY = "summary.csv"
"""The table in the folder of the results."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".gif", ".bmp", ".avif")
"""Endings of the files in a folder that are read."""

_WRITABLE = (".png", ".jpg", ".jpeg", ".tif", ".tiff")

FilePath = str | os.PathLike[str]


def listed_files(given: FilePath | Sequence[FilePath], role: str) -> list[Path]:
    """Return the image files of a folder, sorted, or those of a list; ValueError without any."""
    # What is no list is one entry, which is refused below if it is no path.
    is_one = isinstance(given, (str, os.PathLike)) or not isinstance(given, Iterable)
    entries: Any = given
    names = [entries] if is_one else [*entries]
    found: list[Path] = []
    for name in names:
        if not isinstance(name, (str, os.PathLike)):
            raise TypeError(
                f"`{role}` must be a folder, a file, or a list of files; "
                f"{type(name).__name__} is none."
            )
        path = as_path(name, role)
        if path.is_dir():
            found += files_in(path, role)
        elif path.is_file():
            found.append(path)
        else:
            raise ValueError(f"`{role}` names {path}, which does not exist.")
    if not found:
        raise ValueError(f"`{role}` is an empty list. Give a folder or files.")
    return found


def files_in(folder: Path, role: str) -> list[Path]:
    """Return the image files of a folder, sorted; ValueError without any."""
    found = [
        one
        for one in sorted(folder.iterdir())
        if one.suffix.lower() in SUFFIXES and not one.name.startswith(".")
    ]
    if not found:
        raise ValueError(f"`{role}` is the folder {folder}, which has no images.")
    return found


def checked_folder(out: Any) -> Path:
    """Return the folder of the results; TypeError or ValueError for what is none."""
    path = as_path(out, "out")
    if path.exists() and not path.is_dir():
        raise ValueError(f"`out` must be a folder; {path} is a file.")
    return path


def make_folder(path: Path, *within: str) -> None:
    """Make the folder of the results, and those in it; an OSError says why that fails."""
    try:
        for name in ("", *within):
            (path / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise type(error)(f"`out`: the folder {path} cannot be made: {error.strerror}.") from error
    check_writable([path / name / SUMMARY for name in ("", *within)])


def result_name(content: Path, style: Path | None = None) -> str:
    """Return the name of a content's picture, with that of its style if there are several."""
    suffix = content.suffix if content.suffix.lower() in _WRITABLE else ".png"
    return content.stem + (f"_{style.stem}" if style else "") + suffix


def check_names(paths: Sequence[Path], inputs: Iterable[Path]) -> None:
    """Raise ValueError if results would replace each other, an input, or files made elsewhere."""
    read = {path.resolve() for path in inputs}
    for path, count in Counter(paths).items():
        if count > 1:
            raise ValueError(f"{count} pictures would be {path}. Rename contents or styles.")
        if path.resolve() in read:
            raise ValueError(f"{path} would be replaced by its result. Choose another folder.")
    table = paths[0].with_name(SUMMARY)
    for path, is_own in [(table, _is_summary), *((path, has_record) for path in paths)]:
        if path.exists() and not is_own(path):
            raise ValueError(
                f"{path} would be replaced, but napari-nst has not made it. Move it, or choose "
                "another folder."
            )


def _is_summary(path: Path) -> bool:
    """Whether a file is a table of results."""
    try:
        return all({"content", "status"} <= row.keys() for row in read_table(path))
    except (OSError, ValueError):
        return False


def summary_row(
    content: Path, styles: Sequence[Path], output: Path, status: str, error: str = ""
) -> dict[str, Any]:
    """Return the row of a picture: what became of it, and the numbers of its record."""
    record: dict[str, Any] = {}
    if not error:
        with suppress(OSError, ValueError):
            record = record_in(read_text(output)) or {}
    losses = record.get("losses", {})
    return {
        "content": str(content),
        "style": "; ".join(map(str, styles)),
        "output": str(output) if record else "",
        "status": status,
        "step": record.get("step", ""),
        "steps": record.get("steps", ""),
        "seconds": record.get("seconds", ""),
        **{f"{name}_loss": losses.get(name, "") for name in ("total", "content", "style", "tv")},
        "error": error,
    }
