"""The exponential moving average of a run's images."""

from __future__ import annotations

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
