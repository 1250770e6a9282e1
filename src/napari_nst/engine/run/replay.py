"""CUDA graphs: the evaluation of an objective, recorded once and launched as one from then on.

Of a small picture a GPU has done an operation before Python has told it the next. What is recorded
reads the same memory again, and Python's numbers as they were. So it is compared with evaluations
as ever before it is trusted; and whatever goes wrong, the run goes on without.
"""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from functools import cache
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from napari_nst.engine.distributed import present
from napari_nst.engine.objective.objective import Objective
from napari_nst.engine.run.errors import release
from napari_nst.engine.tiling.objective import TiledObjective

MOST_PIXELS = 2**20
"""Of a picture that is recorded. Of so many, the default recipe's 1,100 operations are 1.6 TFLOP: a
GPU of 300 TFLOP/s needs 5 µs for each, about as long as Python for launching it. And a recording
holds the memory of a whole pass."""

EAGER = 3
"""Evaluations of an objective before it is recorded: by then it lasts, and kernels are loaded."""

TRIALS = 2
"""Evaluations that are computed both ways."""

WORTH = 0.95
"""Share of the usual time that a replay may take: it costs memory."""

OF_LOSSES, OF_GRADIENT = 1e-3, 1e-2
"""How far a replay may be off, of the losses' sum and of the gradient's length. It does the same
operations, but some add up in any order; with something of another image it is off by far more."""

WARM_UPS = 3
"""Evaluations on the stream that records: torch's own number."""

FAILURES = (RuntimeError, MemoryError, AssertionError)
"""What torch raises where it cannot record. Stop is none of these."""


class Evaluated(NamedTuple):
    """What an objective says of an image.

    Attributes
    ----------
    names : tuple of str
        Of the parts.
    losses : Tensor
        (parts,), in that order.
    gradient : Tensor
        Of their sum, (1, C, H, W); whoever gets it owns it.
    """

    names: tuple[str, ...]
    losses: Tensor
    gradient: Tensor


Compute = Callable[[Tensor], Evaluated]
"""An optimiser's numbers (1, C, H, W) → what the objective says of the image."""


class Recording(Protocol):
    """The operations of an evaluation, as a device keeps them."""

    def replay(self, numbers: Tensor) -> Evaluated:
        """Carry them out on other numbers of the same shape."""

    def release(self) -> None:
        """Give back what they hold; there is no replay afterwards."""


Recorder = Callable[[Compute, Tensor], Recording]
"""Records what a function does with numbers like these."""


class Replays:
    """Evaluates an objective, and replays that where it is right and takes less time."""

    def __init__(self) -> None:
        self._recorder: Recorder | None = None
        self._recording: Recording | None = None
        self.forget()

    def forget(self) -> None:
        """Let go of the objective, and of what was recorded of it."""
        self._give_up()
        self._objective: object = None
        self._held: tuple[float, torch.Size] | None = None
        self._evaluations = 0
        self._seconds: tuple[list[float], list[float]] = ([], [])

    def evaluate(self, compute: Compute, numbers: Tensor, objective: object) -> Evaluated:
        """Return what an objective says of numbers.

        Parameters
        ----------
        compute : callable
            Evaluates it; what else it depends on stays as it is until `forget`.
        numbers : Tensor
            (1, C, H, W).
        objective : object
            Recorded anew where it is another one, or has another loss scale.
        """
        factor = objective.network.loss_scale.factor if isinstance(objective, Objective) else 1.0
        held = factor, numbers.shape
        if self._objective is not objective or self._held != held:
            self.forget()
            self._objective, self._held = objective, held
            self._recorder = recorder_for(objective, numbers)
        self._evaluations += 1
        if self._recorder is None or self._evaluations <= EAGER:
            return compute(numbers)
        try:
            if self._recording is None:
                self._recording = self._recorder(compute, numbers)
            if self._evaluations > EAGER + TRIALS:
                return self._recording.replay(numbers)
            return self._tried(compute, numbers, self._recording)
        except FAILURES as error:
            # What the attempt has computed lives as long as the frames that the error remembers.
            traceback.clear_frames(error.__traceback__)
        self._give_up()
        release(numbers.device)
        return compute(numbers)

    def _tried(self, compute: Compute, numbers: Tensor, recording: Recording) -> Evaluated:
        """Evaluate as ever, and replay besides, for the last time where that is no better."""
        as_ever, replayed = self._seconds
        # Steps are short; what a replay has of another image shows in one that is clearly another.
        images = numbers, numbers.lerp(numbers.flip(-1), 0.25)
        pairs = [
            (_timed(compute, image, as_ever), _timed(recording.replay, image, replayed))
            for image in images
        ]
        is_slow = self._evaluations == EAGER + TRIALS and min(replayed) > WORTH * min(as_ever)
        if is_slow or not all(_agree(*pair) for pair in pairs):
            self._give_up()
        return pairs[0][0]

    def _give_up(self) -> None:
        recording, self._recording, self._recorder = self._recording, None, None
        if recording is not None:
            recording.release()


def recorder_for(objective: object, numbers: Tensor) -> Recorder | None:
    """Return what may record evaluations of an objective by numbers (1, C, H, W), if anything.

    Tiles are large, and several processes that do not all replay would come to differ.
    """
    if not isinstance(objective, Objective) or isinstance(objective, TiledObjective):
        return None
    is_small = numbers.shape[2] * numbers.shape[3] <= MOST_PIXELS
    if not is_small or objective.network.device != numbers.device or present().count > 1:
        return None
    return recorder_on(numbers.device)


def recorder_on(device: torch.device) -> Recorder | None:
    """Return what records on a device; None where nothing does."""
    return CudaGraph if device.type == "cuda" else None


class CudaGraph:
    """A `Recording` as CUDA makes it, in memory of its own.

    Parameters
    ----------
    compute : callable
        Evaluates an objective. What it reads has to stay where it is until `release`.
    numbers : Tensor
        (1, C, H, W), on a CUDA device.

    Raises
    ------
    RuntimeError
        If the evaluation waits for the device, or there is too little memory.
    """

    def __init__(self, compute: Compute, numbers: Tensor) -> None:
        device = numbers.device
        self._numbers = numbers.clone()
        self._graph = torch.cuda.CUDAGraph()
        side, usual = _side_stream(device), torch.cuda.current_stream(device)
        # Where recording fails, torch would leave the stream set.
        with _ONE_AT_A_TIME, torch.cuda.device(device), torch.cuda.stream(side):
            side.wait_stream(usual)
            # What libraries keep for a stream they take now, and not from the graph's memory.
            for _ in range(WARM_UPS):
                compute(self._numbers)
            # Another thread may fetch a picture meanwhile.
            with torch.cuda.graph(self._graph, stream=side, capture_error_mode="thread_local"):
                before = torch.cuda.memory_reserved(device)
                self._found = compute(self._numbers)
            usual.wait_stream(side)
        taken = torch.cuda.memory_reserved(device) - before
        if torch.cuda.mem_get_info(device)[0] < taken:
            raise torch.OutOfMemoryError("The graph leaves too little for the rest of a step.")

    def replay(self, numbers: Tensor) -> Evaluated:
        """Carry out what was recorded on other numbers (1, C, H, W)."""
        names, losses, gradient = self._found
        with _ONE_AT_A_TIME:
            self._numbers.copy_(numbers)
            self._graph.replay()
            return Evaluated(names, losses.clone(), gradient.clone())  # the next goes there, too

    def release(self) -> None:
        """Give the graph's memory back."""
        del self._found
        with _ONE_AT_A_TIME:
            self._graph.reset()
            torch.cuda.empty_cache()


_ONE_AT_A_TIME = threading.Lock()
"""Of several runs in threads, whose graphs have memory of libraries in common."""


@cache
def _side_stream(device: torch.device) -> torch.cuda.Stream:
    """Return the stream that a device records on, one for good: libraries keep memory for each."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _timed(evaluate: Compute, image: Tensor, seconds: list[float]) -> Evaluated:
    """Return what is found with its losses fetched, and note how long that took."""
    began = time.perf_counter()
    found = evaluate(image)
    found = found._replace(losses=found.losses.cpu())
    seconds.append(time.perf_counter() - began)
    return found


def _agree(one: Evaluated, other: Evaluated) -> bool:
    """Whether evaluations of an image are finite and differ by rounding alone."""
    losses, gradient = one.losses.double(), one.gradient.double()
    of_losses = (other.losses - losses).abs().max() / losses.abs().sum()
    of_gradient = (other.gradient - gradient).norm() / gradient.norm()
    return bool(of_losses <= OF_LOSSES) and bool(of_gradient <= OF_GRADIENT)
