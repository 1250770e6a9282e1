"""What messages say about names that do not exist."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def nearest(name: object, known: Collection[str]) -> str:
    """Return a question that suggests a known name that begins like this or is similar, or ""."""
    begun = [one for one in known if len(str(name)) > 2 and one.startswith(str(name))]
    near = begun or difflib.get_close_matches(str(name), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def not_among(what: str, value: object, known: Collection[str]) -> str:
    """Return the message for a value that is not one of those known."""
    hint = nearest(value, known) if isinstance(value, str) else ""
    return f"{what} must be one of {', '.join(known)}; not {value!r}.{' ' if hint else ''}{hint}"
