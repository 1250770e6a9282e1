"""The losses that a caller has written, as losses of an objective."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from napari_nst.engine.job.own_loss import OwnLoss
from napari_nst.engine.losses.base import ImageLoss
from napari_nst.engine.losses.moments import full_precision


class OwnComparison(ImageLoss):
    """An own loss of a layer's features, or of the image, at one scale of a run.

    `references` are what it takes its targets of, each with its share: the features (1, C, H', W')
    of the content or of each style at the same layer, or these images themselves.
    """

    def __init__(self, own: OwnLoss, references: Sequence[tuple[float, Tensor]]) -> None:
        super().__init__()
        self.own = own
        self.follows_content = own.target is not None and own.of == "content"
        self._targets = [(share, self._target(one)) for share, one in references]

    def forward(self, values: Tensor) -> Tensor:
        """Compare features (1, C, H', W'), or an image (1, 3, H, W)."""
        values = full_precision(values)
        if self.own.target is None:
            return self._compared(values)
        found = [share * self._compared(values, target) for share, target in self._targets]
        return torch.stack(found).sum()

    def aim(self, reference: Tensor) -> None:
        """Take the target of another reference, such as the content shifted by some pixels."""
        self._targets = [(1.0, self._target(reference))]

    @torch.no_grad()
    def _target(self, reference: Tensor) -> Any:
        assert self.own.target is not None
        with self._named():
            return self.own.target(full_precision(reference.detach()))

    def _compared(self, values: Tensor, *target: Any) -> Tensor:
        with self._named():
            value = self.own.compare(values, *target)
        return self._checked(value, values)

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Add the name of the loss to errors of its code."""
        try:
            yield
        except Exception as error:
            error.add_note(f"This is an error in your loss {self.own.name!r}.")
            raise

    def _checked(self, value: Any, values: Tensor) -> Tensor:
        """Return a value without dimensions, or raise TypeError if it is no loss."""
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(
                f"The loss {self.own.name!r} must return a tensor of one element; it is {shape}."
            )
        if values.requires_grad and not value.requires_grad:
            raise TypeError(
                f"The loss {self.own.name!r} has no gradient. Compute it by torch's functions, "
                "without detach, item or numpy."
            )
        return value.reshape(())

    def extra_repr(self) -> str:
        """Return its name."""
        return repr(self.own.name)
