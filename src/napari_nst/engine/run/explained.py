"""Torch's errors, turned into sentences that say what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.run.errors import is_out_of_memory
from napari_nst.errors import NstError
from napari_nst.recipe import Recipe


@contextmanager
def explained_errors(recipe: Recipe, scales: Sequence[Scale]) -> Iterator[None]:
    """Turn torch's errors into an `NstError` that says what to do.

    They are `RuntimeError`s, which napari's worker would swallow without a word.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise NstError(f"The computation failed: {error}") from error
        size = max(scales[-1].shape)
        smaller = max(64, size * 3 // 4 // 64 * 64)
        cure = f"try size {smaller}" if smaller < size else "close other programs"
        raise NstError(
            f"Out of memory at {size} pixels on device {recipe.device!r}; {cure}."
        ) from error
