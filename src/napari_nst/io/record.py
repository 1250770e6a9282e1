"""Recipes in JSON files, and records of how results were made in layers and image files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_nst.io.atomic_write import write_atomically
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.recipe import Recipe

RECORD = "napari-nst"
"""The key of the record in the metadata of a result layer."""

_LONGEST_RECIPE = 1_000_000  # characters; presets have 1,500
_LONGEST_SENTENCE = 1000  # characters; a file may name a field of a megabyte

PRESET_JOBS: Mapping[str, str] = MappingProxyType(
    {
        "stylize": "transfer",
        "synthesize": "texture",
        "reconstruct": "reconstruction",
        "synthesize_solid": "solid",
    }
)
"""The `job` of a record, which is the name of a function → the job of its presets."""


def record_in(text: str | None) -> dict[str, Any] | None:
    """Return the record in the text of an image file, or None if the text is no record."""
    try:
        record = json.loads(text or "")
    except (ValueError, RecursionError):  # thousands of nested brackets
        return None
    parts = ("recipe", "inputs", "arguments")
    is_record = isinstance(record, dict) and all(isinstance(record.get(p), dict) for p in parts)
    is_record = is_record and all(isinstance(one, dict) for one in record["inputs"].values())
    return record if is_record and isinstance(record.get("job"), str) else None


def has_record(path: Path) -> bool:
    """Return whether a file is the result of a run, of any recipe and inputs."""
    try:
        return record_in(read_text(path)) is not None
    except (OSError, ValueError):
        return False


def holds_result(
    path: Path,
    job: str,
    recipe: Recipe,
    inputs: Mapping[str, Sequence[str]],
    arguments: Mapping[str, Any] = MappingProxyType({}),
) -> bool:
    """Return whether an image file is the end of a run of a job, with a recipe and no others.

    `inputs` are the hashes of its images by role, `arguments` those of the job besides.
    """
    try:
        record = record_in(read_text(path))
        if record is None:
            return False
        found = {
            role: [
                one.get("sha256")
                for name, one in record["inputs"].items()
                if name.partition(" ")[0] == role
            ]
            for role in inputs
        }
        return (
            record["job"] == job
            and record["step"] == record["steps"]
            and found == {role: [*hashes] for role, hashes in inputs.items()}
            and record["arguments"] == dict(arguments)
            and Recipe.from_dict(record["recipe"]) == recipe
        )
    except (OSError, ValueError, TypeError, LookupError):
        return False  # it is missing, or of another program


def record_of(layer: Any) -> dict[str, Any] | None:
    """Return the record of a result layer, or None if there is none; its recipe is not checked."""
    record = layer.metadata.get(RECORD)
    if isinstance(record, Mapping) and isinstance(record.get("recipe"), Mapping):
        return dict(record)
    # napari does not save metadata, but this plugin writes the record into the files of results.
    path = getattr(getattr(layer, "source", None), "path", None)
    if not path:
        return None
    try:
        return record_in(read_text(path))
    except (OSError, ValueError):  # the file is gone, or it is no image
        return None


def save_recipe(recipe: Recipe, path: str | os.PathLike[str]) -> Path:
    """Write a recipe into a JSON file, whose name gets the ending .json, and return its path."""
    path = Path(path)
    if path.suffix.lower() != ".json":
        path = path.with_name(path.name + ".json")
    write_atomically(path, f"{recipe.to_json()}\n".encode())
    return path


def load_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe from a JSON file, or raise an OSError or a ValueError that names the file."""
    try:
        with Path(path).open(encoding="utf-8-sig") as file:  # editors write a byte order mark
            text = file.read(_LONGEST_RECIPE + 1)
        if len(text) > _LONGEST_RECIPE:
            raise ValueError("it is too long for a recipe. Choose the JSON file of a recipe.")
        return Recipe.from_json(text)
    except OSError as error:
        raise OSError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file. Choose the JSON file of a recipe.") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {str(error).replace('`', '')[:_LONGEST_SENTENCE]}") from None
