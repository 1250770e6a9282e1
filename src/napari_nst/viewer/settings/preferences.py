"""The plugin's page in napari's preferences, and the controls' last values in a file beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari.settings import get_plugin_settings

from napari_nst.engine.vgg.weights import prefer_folder
from napari_nst.io.atomic_write import write_atomically

_NO_PAGE = (KeyError, AttributeError, TypeError)  # raised where the plugin is not installed


def preferred(name: str, default: Any) -> Any:
    """Return the user's choice on the page, `default` where the page does not exist."""
    try:
        return getattr(_page().compute, name)
    except _NO_PAGE:
        return default


def apply_cache_folder() -> None:
    """Let the engine use the folder that the user has chosen for the pretrained network."""
    prefer_folder(preferred("cache_folder", ""))


def remember(kind: str, values: Mapping[str, Any]) -> None:
    """Keep the values of a job's controls for the next session, or forget the last if empty."""
    try:
        kept = {**_all_recalled(), kind: values}
        text = json.dumps({name: one for name, one in kept.items() if one}, ensure_ascii=False)
        write_atomically(last_used_file(), text.encode())
    except (*_NO_PAGE, OSError):  # the user's folder cannot be written; a run is worth more
        return


def recalled(kind: str) -> dict[str, Any]:
    """Return the values that were remembered last; empty if there are none that can be read."""
    values = _all_recalled().get(kind)
    return values if isinstance(values, dict) else {}


def last_used_file() -> Path:
    """Return the file of the controls' last values, beside the plugin's preferences."""
    return Path(_page().config_path).with_name("napari-nst-last-used.json")


def _all_recalled() -> dict[str, Any]:
    try:
        values = json.loads(last_used_file().read_text("utf-8"))
    except (*_NO_PAGE, OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _page() -> Any:
    return get_plugin_settings("napari-nst")
