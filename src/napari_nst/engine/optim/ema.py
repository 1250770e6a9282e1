"""The moving average of a run's images."""

from __future__ import annotations

from torch import Tensor

from napari_nst.engine.run.shelf import MEMORY, Shelf


class MovingAverage:
    """Exponential moving average, corrected for its start (as Adam's moments are).

    As in crowsonkb/style-transfer-pytorch, where it is what is shown and saved: it takes out the
    shaking that Adam's step length leaves.

    Parameters
    ----------
    decay : float
        Memory, from 0 (none) to nearly 1.
    first : Tensor
        The first value, (N, C, H, W).
    shelf : Shelf, optional
        Where the average lies.
    """

    def __init__(self, decay: float, first: Tensor, shelf: Shelf = MEMORY) -> None:
        self.decay = decay
        self._shelf = shelf
        self._sum = shelf.filled(first.shape, lambda rows: first[:, :, rows] * (1 - decay))
        self._weight = 1 - decay

    def update(self, value: Tensor) -> None:
        """Take in another value."""
        before, decay = self._sum, self.decay
        self._sum = self._shelf.filled(
            before.shape,
            lambda rows: before[:, :, rows] * decay + value[:, :, rows] * (1 - decay),
        )
        self._weight = self._weight * self.decay + (1 - self.decay)

    @property
    def value(self) -> Tensor:
        """The average of all values so far."""
        return self._shelf.filled(
            self._sum.shape, lambda rows: self._sum[:, :, rows] / self._weight
        )
