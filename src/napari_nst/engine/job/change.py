"""What a caller asks of a run that is under way: other settings, styles, regions, strokes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.guides import Guides

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Strokes:
    """What somebody has painted over a picture.

    Attributes
    ----------
    picture : ndarray
        (H, W), (H, W, 3) or (H, W, 4), float in [0, 1].
    where : ndarray
        (H, W) bool: which of its pixels were painted.
    """

    picture: Array
    where: Array

    def __post_init__(self) -> None:
        if self.where.shape != self.picture.shape[:2]:
            raise ValueError(
                f"where must be of the picture's size {self.picture.shape[:2]}; "
                f"not {self.where.shape}."
            )


@dataclass(frozen=True, eq=False)
class Change:
    """What has been asked for since the run last looked.

    Attributes
    ----------
    fields : mapping
        Of the recipe.
    styles : callable or None
        Returns the styles to go on with; called in the run's thread, since reading may take long.
    pixel_sizes : sequence of float or None
        Of the content and of those styles, as for `stylize`.
    guides : callable or None
        Returns the guides to go on with, or None for none.
    region : callable or None
        Returns what to fill from now on, (H, W).
    exemplar_region : callable or None
        Returns which pixels of the exemplar to take from now on, or None for all; it counts where
        there is a `region`.
    strokes : tuple of Strokes
        In the order in which they were painted.
    """

    fields: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    styles: Callable[[], Sequence[ArrayLike]] | None = None
    pixel_sizes: Sequence[float] | None = None
    guides: Callable[[], Guides | None] | None = None
    region: Callable[[], ArrayLike] | None = None
    exemplar_region: Callable[[], ArrayLike | None] | None = None
    strokes: tuple[Strokes, ...] = ()
