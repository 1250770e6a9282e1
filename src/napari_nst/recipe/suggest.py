"""What messages say about names that do not exist, and about wrong values."""

from __future__ import annotations

import difflib
from collections.abc import Collection

_LONGEST = 200
"""Characters of a value in a message."""

_ELSEWHERE = {
    "alpha": "content_weight",
    "beta": "style_weight",
    "epochs": "steps",
    "flavour": "weights",
    "image_size": "size",
    "imsize": "size",
    "iterations": "steps",
    "lr": "learning_rate",
    "max_iter": "steps",
    "model": "weights",
    "n_iter": "steps",
    "network": "weights",
    "num_iterations": "steps",
    "num_steps": "steps",
    "preset": "recipe",
}
"""Names in other programs → ours."""


def shown(value: object) -> str:
    """Return a value as a message shows it: the shape of an array, and not all of a long text."""
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and shape:
        return f"{type(value).__name__} of shape {tuple(shape)}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def nearest(name: object, known: Collection[str]) -> str:
    """Return a question that suggests a known name that begins like this or is similar, or ""."""
    if (ours := _ELSEWHERE.get(str(name).lower())) in known:
        return f"Did you mean {ours!r}?"
    begun = [one for one in known if len(str(name)) > 2 and one.startswith(str(name))]
    near = begun or difflib.get_close_matches(str(name), known, n=1)
    return f"Did you mean {near[0]!r}?" if near else ""


def not_among(what: str, value: object, known: Collection[str]) -> str:
    """Return the message for a value that is not one of those known."""
    hint = nearest(value, known) if isinstance(value, str) else ""
    return (
        f"{what} must be one of {', '.join(known)}; not {shown(value)}.{' ' if hint else ''}{hint}"
    )
