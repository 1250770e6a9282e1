"""CUDA's graphs on the processor: operations recorded where they are carried out, in their memory.

It stands for `torch.cuda`, below gradients. A graph is the operations that torch comes to, with the
very tensors that they read and write. Replaying it carries these out again and calls no function:
what Python knew stays as it was, what has moved elsewhere is not seen, and what is read before the
first replay is no number.
"""

from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

WAITS = {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}
"""What torch calls operations that have to know numbers, or how many there are."""


def tensors(values):
    return [one for one in tree_leaves(values) if isinstance(one, Tensor)]


class NoWaiting(TorchDispatchMode):
    """Refuses what makes the processor wait for its device, as CUDA does while it records."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        copies = len({one.device for one in tensors((args, kwargs, found))}) > 1
        if copies or (WAITS.intersection(func.tags) and not _of_positions(func, args)):
            raise RuntimeError(f"{func}: operation not permitted when stream is capturing")
        return found


def _of_positions(func, args):
    """Whether an index is of numbered positions, which are as many as there are numbers."""
    return func is torch.ops.aten.index.Tensor and not any(
        one.dtype == torch.bool for one in tensors(args[1])
    )


class Recorded(NoWaiting):
    """Writes down what it sees."""

    def __init__(self, operations):
        super().__init__()
        self.operations = operations

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = super().__torch_dispatch__(func, types, args, kwargs)
        self.operations.append((func, args, kwargs or {}, found))
        return found


class CUDAGraph:
    """`torch.cuda.CUDAGraph`."""

    def __init__(self):
        self.operations = []
        self.replayed = 0
        graphs.append(self)

    @torch.no_grad()
    def replay(self):
        self.replayed += 1
        for func, args, kwargs, found in self.operations:
            again = func(*args, **kwargs)
            for place, value in zip(tensors(found), tensors(again), strict=True):
                if place.data_ptr() != value.data_ptr():
                    place.copy_(value)

    def reset(self):
        self.operations = None


graphs = []
"""All that were made, in their order."""


@contextmanager
def graph(cuda_graph, *, stream, capture_error_mode):
    with Recorded(cuda_graph.operations):
        yield
    # Nothing has been computed yet.
    with torch.no_grad():
        for _, args, kwargs, found in cuda_graph.operations:
            given = {one.untyped_storage().data_ptr() for one in tensors((args, kwargs))}
            for one in tensors(found):
                if one.untyped_storage().data_ptr() not in given and one.is_floating_point():
                    one.fill_(torch.nan)


class Stream:
    """`torch.cuda.Stream`."""

    def __init__(self, device=None):
        pass

    def wait_stream(self, stream):
        pass


def install(monkeypatch, free=1 << 40):
    """Put it in the place of `torch.cuda`, with so many bytes free."""
    graphs.clear()
    found = {
        "CUDAGraph": CUDAGraph,
        "graph": graph,
        "Stream": Stream,
        "current_stream": Stream,
        "stream": nullcontext,
        "device": nullcontext,
        "memory_reserved": lambda device: sum(len(one.operations or ()) for one in graphs),
        "mem_get_info": lambda device: (free, free),
        "empty_cache": lambda: None,
    }
    for name, one in found.items():
        monkeypatch.setattr(torch.cuda, name, one)
