"""Running out of memory: telling it from other errors, and trying again with less."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")


class SharedOutOfMemory(MemoryError):
    """Raised in all of several processes where one has run out: they can go on with less."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # Neither the processor's allocator nor some versions' for Apple's GPUs raise their own.
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(
        said in text for said in ("out of memory", "can't allocate memory", "not enough memory")
    )


def with_less_memory(compute: Callable[[], T], take_less: Callable[[BaseException], None]) -> T:
    """Return what a function does, after as many attempts as it takes.

    Parameters
    ----------
    compute : callable
        Tried again after it has run out of memory.
    take_less : callable
        Called with the error before each new attempt; sees to it that the next one takes less, or
        raises the error where nothing can be done.
    """
    while True:
        try:
            return compute()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            failure = error
        # The attempt's tensors live as long as the frames that the error remembers.
        traceback.clear_frames(failure.__traceback__)
        take_less(failure)


def release(device: torch.device) -> None:
    """Give back what nobody uses any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
