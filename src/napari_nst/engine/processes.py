"""The processes that compute one picture together, each some of its tiles.

What they exchange in an iteration are sums: over features, 2.4 MB for the five usual style layers,
and the gradient, 12 bytes a pixel, by which each of them takes the same step. So every process has
the picture and its optimiser's state; activations, some fifty times the gradient, and a
content's features are those of its own tiles alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from napari_nst import launch
from napari_nst.errors import ProcessLost

T = TypeVar("T")

PATIENCE = timedelta(minutes=30)
"""How long a process waits for another: tiles of a large picture may take minutes on one."""


@dataclass(frozen=True)
class Processes:
    """What this process is among several.

    Attributes
    ----------
    rank, count : int
        Which it is, from 0, of how many.
    """

    rank: int = 0
    count: int = 1

    def own(self, items: Sequence[T]) -> Sequence[T]:
        """Return this process's part of what all of them divide: neighbours, of about one number.

        Raises
        ------
        ValueError
            If some process would have none.
        """
        if len(items) < self.count:
            raise ValueError(
                f"{self.count} processes cannot divide {len(items)} tiles; take a smaller tile, or "
                "fewer processes."
            )
        start, stop = (len(items) * rank // self.count for rank in (self.rank, self.rank + 1))
        return items[start:stop]

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all processes, which have those of the same shapes.

        Raises
        ------
        ProcessLost
            If another process is there no more.
        """
        if self.count == 1:
            return
        try:
            for tensor in tensors:
                dist.all_reduce(tensor)
        except RuntimeError as error:
            raise ProcessLost(
                f"Another of the {self.count} processes was lost, and with it its tiles: {error}"
            ) from error

    def least(self, value: int) -> int:
        """Return the least that any process has of something, so that all decide alike."""
        if self.count == 1:
            return value
        on = "cuda" if dist.get_backend() == "nccl" else "cpu"
        least = torch.tensor(value, device=on)
        dist.all_reduce(least, dist.ReduceOp.MIN)
        return int(least)


def present() -> Processes:
    """Return this process among those that compute together; alone where it has not joined any."""
    if dist.is_available() and dist.is_initialized():
        return Processes(dist.get_rank(), dist.get_world_size())
    return Processes()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the other processes that a launcher has started, for as long as a ``with`` lasts.

    Parameters
    ----------
    device : str
        The recipe's. Of several GPUs each process takes the one of its number on its machine.
    """
    if launch.count() == 1:
        yield Processes()
        return
    on_gpus = device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpus:
        torch.cuda.set_device(launch.local_rank())
    dist.init_process_group("nccl" if on_gpus else "gloo", timeout=PATIENCE)
    try:
        yield present()
    finally:
        dist.destroy_process_group()
