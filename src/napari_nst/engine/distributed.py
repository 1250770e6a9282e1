"""Several processes that compute one image together, each some of its tiles.

Every process has the image and the optimizer. What they exchange at a step is the sums of the
style losses (2.4 MB for the five usual layers) and the gradient by the image. A launcher such as
torchrun starts them and numbers them in the environment.

torch is imported when it is first needed: the terminal asks for the rank before that.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from napari_nst.errors import ProcessLost

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")

TIMEOUT = timedelta(minutes=30)
"""How long a process waits for another: on one CPU core, large tiles take minutes."""


class SharedOutOfMemory(MemoryError):
    """Raised in every process when one is out of memory: all can go on in smaller tiles."""


def process_count() -> int:
    """Return how many processes the launcher started."""
    return int(os.environ.get("WORLD_SIZE", 1))


def process_rank() -> int:
    """Return the number of this process, from 0; the first one speaks and writes."""
    return int(os.environ.get("RANK", 0)) if process_count() > 1 else 0


def processes_on_this_machine() -> int:
    """Return how many of the processes share this machine's memory."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", 1)) if process_count() > 1 else 1


@dataclass(frozen=True)
class Processes:
    """The number of this process, and how many there are."""

    rank: int = 0
    count: int = 1

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """Return the items that this process computes."""
        return items[self.rank :: self.count]

    def all_reduce(self, tensors: Sequence[Tensor]) -> None:
        """Replace contiguous tensors by their sums over processes; `ProcessLost` if one ended."""
        if self.count == 1:
            return
        import torch.distributed as dist

        try:
            for tensor in tensors:
                dist.all_reduce(tensor)
        except RuntimeError as error:
            raise ProcessLost(
                f"One of the {self.count} processes was lost, and its tiles with it: {error}"
            ) from error

    def total(self, value: float) -> float:
        """Return the sum of a number over all processes."""
        return sum(self._gathered(value))

    def least(self, value: int) -> int:
        """Return the least value of all processes, so that all decide alike."""
        return int(min(self._gathered(value)))

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Raise `SharedOutOfMemory` in every process if one runs out of memory in the block."""
        if self.count == 1:
            yield
            return
        from napari_nst.engine.torch_errors import is_out_of_memory

        said = ""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            # Telling the others takes some memory, too.
            traceback.clear_frames(error.__traceback__)
            said = f"Out of memory: {error}"
        if self.total(bool(said)):
            raise SharedOutOfMemory(said or "Another process is out of memory.")

    def _gathered(self, value: float) -> list[float]:
        if self.count == 1:
            return [value]
        import torch
        import torch.distributed as dist

        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        values = torch.zeros(self.count, dtype=torch.float64, device=device)
        values[self.rank] = value
        self.all_reduce([values])
        return [float(one) for one in values.tolist()]


ALONE = Processes()
"""A process without others."""


def present() -> Processes:
    """Return this process among those that compute together."""
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        return Processes(dist.get_rank(), dist.get_world_size())
    return ALONE


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the launcher's other processes in a ``with`` block; each takes the GPU of its rank."""
    if process_count() == 1:
        yield ALONE
        return
    import torch
    import torch.distributed as dist

    on_gpus = device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpus:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    dist.init_process_group("nccl" if on_gpus else "gloo", timeout=TIMEOUT)
    try:
        yield present()
    finally:
        dist.destroy_process_group()
