"""How a launcher such as torchrun has numbered this process."""

from __future__ import annotations

import os


def rank() -> int:
    """Return this process's number among those that were started together; 0 where it is alone."""
    return int(os.environ.get("RANK", 0)) if count() > 1 else 0


def count() -> int:
    """Return how many processes were started together."""
    return int(os.environ.get("WORLD_SIZE", 1))


def local_rank() -> int:
    """Return its number among those on this machine."""
    return int(os.environ.get("LOCAL_RANK", 0)) if count() > 1 else 0


def local_count() -> int:
    """Return how many of them are on this machine, and share its memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if count() > 1 else 1
