"""A change that a caller asks of a run under way: other settings, styles, regions, strokes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.guides import Guides, Mask


@dataclass(frozen=True, eq=False)
class Strokes:
    """Pixels that a user has painted over a picture."""

    picture: np.ndarray[Any, Any]  # (H, W), (H, W, 3) or (H, W, 4), float in [0, 1]
    where: Mask  # the painted pixels

    def __post_init__(self) -> None:
        if self.where.shape != self.picture.shape[:2]:
            raise ValueError(
                f"where must be of the picture's size {self.picture.shape[:2]}; "
                f"not {self.where.shape}."
            )


@dataclass(frozen=True, eq=False)
class Change:
    """All changes since the run last asked; None is no change.

    Callables are called in the run's thread, because reading images may take long.
    """

    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))  # of the recipe
    styles: Callable[[], Sequence[ArrayLike]] | None = None
    pixel_sizes: Sequence[float] | None = None  # of the content and of these styles
    guides: Callable[[], Guides | None] | None = None  # returns None to remove the guides
    region: Callable[[], ArrayLike] | None = None  # the pixels to fill
    exemplar_region: Callable[[], ArrayLike | None] | None = None  # used with `region` only
    strokes: tuple[Strokes, ...] = ()  # in the order in which they were painted
