"""The moving average of a run's images."""

from __future__ import annotations

from torch import Tensor


class MovingAverage:
    """Exponential moving average, corrected for its start (as Adam's moments are).

    As in crowsonkb/style-transfer-pytorch, where it is what is shown and saved: it takes out the
    shaking that Adam's step length leaves.

    Parameters
    ----------
    decay : float
        Memory, from 0 (none) to nearly 1.
    first : Tensor
        The first value.
    """

    def __init__(self, decay: float, first: Tensor) -> None:
        self.decay = decay
        self._sum = first * (1 - decay)
        self._weight = 1 - decay

    def update(self, value: Tensor) -> None:
        """Take in another value."""
        self._sum = self._sum * self.decay + value * (1 - self.decay)
        self._weight = self._weight * self.decay + (1 - self.decay)

    @property
    def value(self) -> Tensor:
        """The average of all values so far."""
        return self._sum / self._weight
