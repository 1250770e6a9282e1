"""Exceptions that are not the caller's fault."""


class NstError(Exception):
    """Something went wrong while running: no network, no memory, a broken weights file.

    Arguments that cannot be used raise `ValueError` or `TypeError` instead. This is not a
    `RuntimeError`, because napari's generator worker ignores those silently.
    """


class Cancelled(NstError):
    """The user stopped a run or a download."""


class ProcessLost(NstError):
    """One of several processes that compute an image together has ended."""


FAILURES = (NstError, OSError, MemoryError, ValueError, TypeError, RuntimeError)
"""What ends one of several runs, but not the others."""
