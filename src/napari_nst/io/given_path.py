"""Paths as callers hand them in."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def as_path(given: Any, name: str) -> Path:
    """Return a path, with the home folder for ``~``; TypeError or ValueError names the argument."""
    if not isinstance(given, (str, os.PathLike)):
        raise TypeError(f"`{name}` must be a path; it is {type(given).__name__}.")
    if not str(given):
        raise ValueError(f"`{name}` is empty. Give a path.")
    return Path(given).expanduser()
