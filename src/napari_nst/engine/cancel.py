"""Asking whether to go on, again and again within what takes long."""

from __future__ import annotations

from collections.abc import Callable

Pulse = Callable[[], None]
"""Called between parts of a computation; what it raises ends that where it is."""


def go_on() -> None:
    """Let a computation go on that nobody wants to end."""
