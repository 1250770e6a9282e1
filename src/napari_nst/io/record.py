"""The record of how a picture was made, where it is found: in a layer, or in the layer's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from napari_nst.io.embedded_text import read_text

RECORD = "napari-nst"
"""Key of a result layer's metadata, under which the record is."""

KINDS: Mapping[str, str] = MappingProxyType(
    {"stylize": "transfer", "synthesize": "texture", "reconstruct": "reconstruction"}
)
"""A record's job, which is the function that ran it → what its recipes are for."""


def record_in(text: str | None) -> dict[str, Any] | None:
    """Return the record that a file's text holds, or None if it is another text."""
    try:
        record = json.loads(text or "")
    except ValueError:
        return None
    parts = ("recipe", "inputs", "arguments")
    is_record = isinstance(record, dict) and all(isinstance(record.get(p), dict) for p in parts)
    is_record = is_record and all(isinstance(one, dict) for one in record["inputs"].values())
    return record if is_record and isinstance(record.get("job"), str) else None


def record_of(layer: Any) -> dict[str, Any] | None:
    """Return how a layer's picture was made, or None if it does not say.

    Parameters
    ----------
    layer : napari.layers.Layer
        A result of this plugin, or one that was saved and opened again: napari keeps no metadata
        in a file, but this plugin writes the record into it, and napari remembers which file.

    Returns
    -------
    dict or None
        With a `recipe` that nobody has checked. Reads the layer's whole file where the metadata
        have no record.
    """
    record = layer.metadata.get(RECORD)
    if isinstance(record, Mapping) and isinstance(record.get("recipe"), Mapping):
        return dict(record)
    path = getattr(getattr(layer, "source", None), "path", None)
    if not path:
        return None
    try:
        return record_in(read_text(path))
    except (OSError, ValueError):  # it is gone, or no image that could hold a record
        return None
