"""Recipes in JSON files, which the terminal's `--preset` reads too."""

from __future__ import annotations

import os
from pathlib import Path

from napari_nst.io.atomic_write import write_atomically
from napari_nst.recipe import Recipe

ENDING = ".json"


def save_recipe(recipe: Recipe, path: str | os.PathLike[str]) -> Path:
    """Write a recipe into a JSON file, completely or not at all, and return the path.

    The ending .json is appended if the path has another one. Raises an OSError that names the file
    if it cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ENDING:
        path = path.with_name(path.name + ENDING)
    try:
        write_atomically(path, f"{recipe.to_json()}\n".encode())
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def load_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe from a JSON file; missing fields get their defaults.

    Raises an OSError if the file cannot be read, and a ValueError if it has no valid recipe. The
    messages name the file.
    """
    try:
        # Editors on Windows write a byte order mark.
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text; choose the JSON file of a recipe.") from None
    try:
        return Recipe.from_json(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
