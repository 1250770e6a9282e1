"""How a long computation asks whether the user has cancelled it."""

from __future__ import annotations

from collections.abc import Callable

CheckCancelled = Callable[[], None]
"""Called between the parts of a computation; raises `Cancelled` to end the computation there."""


def never_cancelled() -> None:
    """Let a computation run to its end."""
