"""The plugin's page in napari's preferences: the user's choices, and the controls' last values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from napari.settings import get_plugin_settings

from napari_nst.engine.vgg.weights import prefer_folder

_NO_PAGE = (KeyError, AttributeError)  # raised where the plugin is not installed


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
        text = json.dumps(values, ensure_ascii=False) if values else ""
        setattr(_page().last_used, kind, text)
    except (*_NO_PAGE, OSError):  # the user's folder cannot be written; a run is worth more
        return


def recalled(kind: str) -> dict[str, Any]:
    """Return the values that were remembered last; empty if there are none that can be read."""
    try:
        values = json.loads(getattr(_page().last_used, kind))
    except (*_NO_PAGE, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _page() -> Any:
    return get_plugin_settings("napari-nst")
