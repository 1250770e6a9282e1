"""What a job's controls last said, kept between napari sessions.

It lies in the plugin's preferences, where the user sees it and can empty it: one line of JSON per
job, the preset's name and whatever differs from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from napari.settings import get_plugin_settings


def remember(kind: str, values: Mapping[str, Any]) -> None:
    """Keep values for the next session, in place of those of before; none forget them.

    Parameters
    ----------
    kind : {"transfer", "texture", "reconstruction"}
        Whose controls they are.
    values : mapping
        Plain data, as JSON can hold it.
    """
    try:
        setattr(_page(), kind, json.dumps(values, ensure_ascii=False) if values else "")
    except (KeyError, AttributeError, OSError):
        # Without the plugin installed there is no page, and where the user's folder cannot be
        # written, a run is still worth more than its memory.
        return


def recalled(kind: str) -> dict[str, Any]:
    """Return the values that were kept last; empty where there are none, or no JSON object."""
    try:
        values = json.loads(getattr(_page(), kind))
    except (KeyError, AttributeError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}


def _page() -> Any:
    settings: Any = get_plugin_settings("napari-nst")
    return settings.last_used
