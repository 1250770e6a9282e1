"""The processes that compute one picture together, each some of its tiles.

What they exchange in an iteration are sums over features, 2.4 MB for the five usual style layers,
some numbers of the optimiser's, and the rows on both sides of where one's part ends and another's
begins. Everything else that is as large as the picture, each has of its own rows alone: see
`Bands`.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from napari_nst.engine import launch
from napari_nst.engine.run.errors import SharedOutOfMemory, is_out_of_memory
from napari_nst.errors import ProcessLost

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

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their sums over all processes, which have those of the same shapes.

        Raises
        ------
        ProcessLost
            If another process is there no more.
        """
        if self.count == 1:
            return
        with self._together():
            for tensor in tensors:
                dist.all_reduce(tensor)

    def total(self, value: float) -> float:
        """Return the sum of a number over all processes."""
        return value if self.count == 1 else float(self._reduced(float(value), dist.ReduceOp.SUM))

    def least(self, value: int) -> int:
        """Return the least that any process has of something, so that all decide alike."""
        return value if self.count == 1 else int(self._reduced(value, dist.ReduceOp.MIN))

    @contextmanager
    def all_or_none(self) -> Iterator[None]:
        """Have what is computed in a ``with``, between two exchanges, succeed in all or in none.

        Raises
        ------
        SharedOutOfMemory
            In every process, where memory has run out in one.
        """
        if self.count == 1:
            yield
            return
        said = ""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            # To tell the others takes some memory, too.
            traceback.clear_frames(error.__traceback__)
            said = f"Out of memory: {error}"
        if self.total(bool(said)):
            raise SharedOutOfMemory(said or "Another process is out of memory.")

    def exchange(self, given: Mapping[int, Tensor], taken: Mapping[int, Tensor]) -> None:
        """Send tensors to other processes, and fill others with what these send to this one.

        Parameters
        ----------
        given, taken : mapping of int to Tensor
            Rank → contiguous.

        Raises
        ------
        ProcessLost
            As for `add_up`.
        """
        with self._together():
            messages = [dist.P2POp(dist.isend, tensor, rank) for rank, tensor in given.items()]
            messages += [dist.P2POp(dist.irecv, tensor, rank) for rank, tensor in taken.items()]
            for message in dist.batch_isend_irecv(messages) if messages else ():
                message.wait()

    def _reduced(self, value: float, how: Any) -> Tensor:
        on = "cuda" if dist.get_backend() == "nccl" else "cpu"
        # Both are exact for what is counted: pixels, and bytes.
        number = torch.tensor(value, dtype=torch.float64, device=on)
        with self._together():
            dist.all_reduce(number, how)
        return number

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Raise `ProcessLost` where another process is there no more."""
        try:
            yield
        except RuntimeError as error:
            raise ProcessLost(
                f"Another of the {self.count} processes was lost, and with it its tiles: {error}"
            ) from error


ALONE = Processes()
"""A process that shares nothing with others."""


def present() -> Processes:
    """Return this process among those that compute together; alone where it has not joined any."""
    if dist.is_available() and dist.is_initialized():
        return Processes(dist.get_rank(), dist.get_world_size())
    return ALONE


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the other processes that a launcher has started, for as long as a ``with`` lasts.

    Parameters
    ----------
    device : str
        The recipe's. Of several GPUs each process takes the one of its number on its machine.
    """
    if launch.count() == 1:
        yield ALONE
        return
    on_gpus = device in ("auto", "cuda") and torch.cuda.is_available()
    if on_gpus:
        torch.cuda.set_device(launch.local_rank())
    dist.init_process_group("nccl" if on_gpus else "gloo", timeout=PATIENCE)
    try:
        yield present()
    finally:
        dist.destroy_process_group()
