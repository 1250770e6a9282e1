"""Shifts of the image by some pixels, which take turns, against the pattern of the pooling grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Shift = tuple[int, int]
"""Pixels down and to the right."""


class Jitter:
    """Shows an objective the image at another shift after each `advance`.

    Pooling divides the image into windows of 2 to 16 pixels, and an optimizer draws their grid into
    it, because features hardly see it. If the windows lie elsewhere at each step, no grid is better
    than another (Mordvintsev et al. 2015, "Inceptionism", shift at random).

    `number` shifts are within ± `number` / 2 pixels. In each direction, those of consecutive steps
    differ, and together they have all remainders by 2, 4, … equally often if `number` is a power
    of 2. `features_at` returns the content's features at a shift, which are kept.
    """

    def __init__(
        self,
        number: int,
        features_at: Callable[[Shift], Mapping[str, Tensor]] | None = None,
        *,
        periodic: bool = False,
    ) -> None:
        self.number = number
        self.features_at = features_at
        self.periodic = periodic
        self.turn = 0
        self._features: dict[Shift, Mapping[str, Tensor]] = {}

    @property
    def shift(self) -> Shift:
        """The current shift."""
        if self.number < 2:
            return 0, 0
        turn, middle = self.turn % self.number, self.number // 2
        # The second number is the Gray code of the first: parities come in all four pairs.
        return turn - middle, (turn ^ turn >> 1) % self.number - middle

    def advance(self) -> bool:
        """Take the next shift; return whether there is another one."""
        self.turn += 1
        return self.number > 1

    def moved(self, image: Tensor) -> Tensor:
        """Return an image (1, C, H, W) at the current shift."""
        return moved(image, self.shift, periodic=self.periodic)

    def moved_back(self, gradient: Tensor) -> Tensor:
        """Return the gradient by an image, given that by the image at the current shift."""
        if self.shift == (0, 0):
            return gradient
        if self.periodic:
            return gradient.roll([-one for one in self.shift], (2, 3))
        for dim, by in zip((2, 3), self.shift, strict=True):
            sources = _sources(gradient.shape[dim], by).to(gradient.device)
            gradient = torch.zeros_like(gradient).index_add_(dim, sources, gradient)
        return gradient

    @torch.no_grad()
    def content(self) -> Mapping[str, Tensor]:
        """Return the content's features at the current shift, by layer."""
        if self.shift not in self._features:
            self._features[self.shift] = self.features_at(self.shift) if self.features_at else {}
        return self._features[self.shift]


def moved(image: Tensor, shift: Shift, *, periodic: bool = False) -> Tensor:
    """Return an image (1, C, H, W) shifted, its first or last pixels repeated or periodic."""
    if shift == (0, 0):
        return image
    if periodic:
        return image.roll(shift, (2, 3))
    for dim, by in zip((2, 3), shift, strict=True):
        image = image.index_select(dim, _sources(image.shape[dim], by).to(image.device))
    return image


def _sources(length: int, by: int) -> Tensor:
    """Return, for each position of a shifted row, the position that it is a copy of."""
    return (torch.arange(length) - by).clamp(0, length - 1)
