"""What the user set for the plugin in napari's preferences."""

from __future__ import annotations

import os
from typing import Any

from napari.settings import get_plugin_settings


def preferred(name: str, default: Any) -> Any:
    """Return a value of the plugin's settings page; `default` where the page does not exist."""
    try:
        page: Any = get_plugin_settings("napari-nst")
        return getattr(page.compute, name)
    except (KeyError, AttributeError):
        # A widget made by hand, without the plugin installed, has no page.
        return default


_applied: list[str] = []
"""The folder that this module put into the environment, if it did."""


def apply_cache_folder() -> None:
    """Tell the engine where the user wants the pretrained network, unless the environment does."""
    if os.environ.get("NAPARI_NST_HOME") not in (None, "", *_applied):
        return
    _applied[:] = [preferred("cache_folder", "")]
    os.environ["NAPARI_NST_HOME"] = _applied[0]
