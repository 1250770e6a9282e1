"""The one exception of this package that is not the caller's fault."""


class NstError(Exception):
    """Something went wrong while running: no network, no memory, a broken weights file.

    What the caller got wrong is a `ValueError` or `TypeError` instead. This is deliberately not a
    `RuntimeError`: napari's generator worker swallows those without telling anybody.
    """


class Cancelled(NstError):
    """The user asked to stop while something slow (a download, say) was under way."""


class ProcessLost(NstError):
    """One of several processes that compute a picture together is there no more."""
