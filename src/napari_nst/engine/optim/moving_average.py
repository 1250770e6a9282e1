"""The moving average of a run's images, which is shown instead of the last step."""

from __future__ import annotations

import torch
from torch import Tensor


class MovingAverage:
    """Exponential moving average, corrected for its start as Adam's moments are.

    crowsonkb/style-transfer-pytorch shows and saves such an average: it removes the jitter of
    Adam's steps. `decay` is the weight of the past, from 0 to nearly 1.
    """

    def __init__(self, decay: float, first: Tensor) -> None:
        self.decay = decay
        self._sum = first * (1 - decay)
        self._weight = 1 - decay

    def update(self, value: Tensor) -> None:
        """Take in another value."""
        self._sum = self._sum.mul_(self.decay).add_(value, alpha=1 - self.decay)
        self._weight = self._weight * self.decay + (1 - self.decay)

    @property
    def value(self) -> Tensor:
        """The average of all values so far."""
        return self._sum / self._weight

    def state(self) -> tuple[Tensor, float]:
        """Return all that the next averages depend on, besides the decay."""
        return self._sum, self._weight

    @classmethod
    def from_state(
        cls, decay: float, state: tuple[Tensor, float], device: torch.device
    ) -> MovingAverage:
        """Return an average that goes on from a state."""
        total, weight = state
        average = cls(decay, total.to(device))
        average._sum, average._weight = total.to(device), weight
        return average
