"""Recipes in files of their own: JSON that a person can read, and the terminal's `--preset` too."""

from __future__ import annotations

import os
from pathlib import Path

from napari_nst.io.atomic_write import write_whole
from napari_nst.recipe import Recipe

ENDING = ".json"


def save_recipe(recipe: Recipe, path: str | os.PathLike[str]) -> Path:
    """Write a recipe into a JSON file, as a whole or not at all.

    Parameters
    ----------
    recipe : Recipe
        What to write: all of its fields.
    path : path-like
        Gets the ending .json where it has another. A file that is there is replaced.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OSError
        If it cannot be written; the message names it.
    """
    path = Path(path)
    if path.suffix.lower() != ENDING:
        path = path.with_name(path.name + ENDING)
    try:
        write_whole(path, f"{recipe.to_json()}\n".encode())
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror}.") from error
    return path


def load_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe from a JSON file; fields that are left out have their defaults.

    Raises
    ------
    OSError
        If the file cannot be read; the message names it, as do those of the others.
    TypeError, ValueError
        If it is not JSON, no recipe, or one with a field that does not exist or is not allowed.
    """
    try:
        # Windows' editors put a mark before the text.
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not text; choose a recipe's JSON file.") from None
    try:
        return Recipe.from_json(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
