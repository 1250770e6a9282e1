"""torch's errors: out of memory or not, a second attempt with less, and sentences for users."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, TypeVar

import torch

from napari_nst.errors import Cancelled, NstError, ProcessLost
from napari_nst.recipe import Recipe

T = TypeVar("T")


class Sized(Protocol):
    """What is needed of a scale."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The sides of its image or volume."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # The CPU's allocator and some versions for Apple's GPUs raise a plain RuntimeError.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        said in text for said in ("out of memory", "can't allocate memory", "not enough memory")
    )


def with_less_memory(compute: Callable[[], T], take_less: Callable[[BaseException], None]) -> T:
    """Compute; after each attempt that is out of memory, let `take_less` act or raise the error."""
    while True:
        try:
            return compute()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            failure = error
        # The traceback's frames keep the attempt's tensors alive.
        traceback.clear_frames(failure.__traceback__)
        take_less(failure)


def release(device: torch.device) -> None:
    """Give unused memory back to the device."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()


def why_refused(error: Exception, device: torch.device, processes: int) -> str:
    """Return why a run cannot be changed; raise an error that must end the run."""
    if isinstance(error, (Cancelled, ProcessLost)):
        raise error
    if isinstance(error, (ValueError, TypeError, OSError, NstError)):
        return str(error)
    # Other processes would wait for one that is out of memory alone.
    if not is_out_of_memory(error) or processes > 1:
        raise error
    traceback.clear_frames(error.__traceback__)
    release(device)
    return "There is not enough memory for it at this size."


@contextmanager
def explained_errors(
    recipe: Recipe, scales: Sequence[Sized], cure: str | None = None
) -> Iterator[None]:
    """Turn torch's errors, which napari's worker ignores, into an `NstError` with the cure."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise NstError(f"The computation failed: {error}") from error
        size = max(scales[-1].shape)
        smaller = max(64, size * 3 // 4 // 64 * 64)
        if cure is None:
            cure = f"Choose a `size` of {smaller}" if smaller < size else "Close other programs"
        raise NstError(
            f"Out of memory at {size} pixels on device {recipe.device!r}. {cure}."
        ) from error
