"""What a caller changes while a run goes on: settings, styles, regions, strokes. Without torch."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.change import Change, Strokes
from napari_nst.errors import Cancelled
from napari_nst.recipe import CONTROLS, SECTIONS

if TYPE_CHECKING:
    from torch import Tensor

    from napari_nst.engine.job.guides import Guides

Array = np.ndarray[Any, Any]

LIVE_FIELDS = (*SECTIONS["Losses"], "learning_rate", "color")
"""Fields of a recipe that a run can change on its way. The others say how it began."""


@dataclass(frozen=True, eq=False)
class TileDone:
    """A part of a step of a run that computes tile by tile.

    Attributes
    ----------
    step : int
        The step under way, from 1.
    done, total : int
        Tiles of this step that are finished, of all; each counts once in either pass.
    window : tuple of slice or None
        Rows and columns of the picture whose new pixels are known now; None in the first pass.
    pixels : Tensor or None
        (1, 3, h, w) in [0, 1]: those, where the run computes; None where they cannot be shown
        alone.
    shape : tuple of int
        Height and width of the picture.
    """

    step: int
    done: int
    total: int
    window: tuple[slice, slice] | None
    pixels: Tensor | None
    shape: tuple[int, int]


class Steering:
    """Changes to a run that goes on; each takes effect at its next iteration.

    Hand one to `stylize`, `synthesize` or `reconstruct`, and call its methods from any thread. The
    optimiser forgets what it has learned of an objective that changes.

    Parameters
    ----------
    tell : callable, optional
        Called in the run's thread with a sentence, where a change turns out not to be possible, and
        the run goes on as it was, or not as a whole. It warns where left out.
    watch : callable, optional
        Called in the run's thread with a `TileDone` after each tile, where there are tiles.

    Examples
    --------
    >>> steering = Steering()
    >>> for it in stylize(content, style, steering=steering):  # doctest: +SKIP
    ...     if it.step == 50:
    ...         steering.change(style_weight=20)
    """

    def __init__(
        self,
        tell: Callable[[str], None] | None = None,
        watch: Callable[[TileDone], None] | None = None,
    ) -> None:
        self.tell = tell or _warn
        self.watch = watch
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._pending: Change | None = None

    def change(self, **fields: Any) -> None:
        """Set fields of the recipe.

        Raises
        ------
        TypeError, ValueError
            If a field is none of `LIVE_FIELDS`, or its value is not allowed.
        """
        for name in fields:
            if name not in LIVE_FIELDS:
                live = ", ".join(LIVE_FIELDS)
                raise ValueError(f"{name} cannot change while a run goes on; what can is {live}.")
        checked = {name: CONTROLS[name].checked(name, value) for name, value in fields.items()}
        with self._lock:
            asked = self._asked
            self._pending = replace(asked, fields={**asked.fields, **checked})

    def restyle(
        self,
        styles: Callable[[], Sequence[ArrayLike]] | Sequence[ArrayLike],
        pixel_sizes: Sequence[float] | None = None,
    ) -> None:
        """Take other styles, or the same with other pixels.

        Parameters
        ----------
        styles : sequence of array-like, or callable
            As `stylize` takes them; or what returns them, in the run's thread.
        pixel_sizes : sequence of float, optional
            As for `stylize`.
        """
        read = styles if callable(styles) else lambda: styles
        with self._lock:
            self._pending = replace(self._asked, styles=read, pixel_sizes=pixel_sizes)

    def guide(self, guides: Callable[[], Guides | None] | Guides | None) -> None:
        """Take other guides, or what returns them in the run's thread; None takes them away."""
        read = guides if callable(guides) else lambda: guides
        with self._lock:
            self._pending = replace(self._asked, guides=read)

    def fill(
        self,
        region: Callable[[], ArrayLike] | ArrayLike,
        exemplar_region: Callable[[], ArrayLike | None] | ArrayLike | None = None,
    ) -> None:
        """Fill another region, within the 64 pixels around the one that the run began with.

        What has come into being stays where both have it, what is in the other alone starts from
        the picture, and what it lacks is the picture's again, bit for bit.

        Parameters
        ----------
        region, exemplar_region : array-like, or callable
            As `synthesize` takes them; or what returns them, in the run's thread.
        """
        read = region if callable(region) else lambda: region
        marked = exemplar_region if callable(exemplar_region) else lambda: exemplar_region
        with self._lock:
            self._pending = replace(self._asked, region=read, exemplar_region=marked)

    def paint(self, picture: Array, where: Array) -> None:
        """Put what somebody has painted into the picture.

        Parameters
        ----------
        picture : ndarray
            (H, W) or (H, W, 3) in [0, 1]; of another size than the run's, it is resampled.
        where : ndarray
            (H, W) bool: which pixels to take.

        Raises
        ------
        ValueError
            If their sizes differ.
        """
        stroke = Strokes(np.array(picture), np.array(where, bool))  # copies: the caller paints on
        with self._lock:
            asked = self._asked
            self._pending = replace(asked, strokes=(*asked.strokes, stroke))

    def stop(self) -> None:
        """End the run within its iteration; the last one that it yielded is what remains."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether somebody has called `stop`."""
        return self._stopped.is_set()

    def check_cancelled(self) -> None:
        """Raise `Cancelled` if somebody has called `stop`; the run calls this often."""
        if self.stopped:
            raise Cancelled("Stopped by the user.")

    def take_changes(self) -> Change | None:
        """Return what was asked for since the last call, None where nothing was; the run calls."""
        with self._lock:
            pending, self._pending = self._pending, None
        return pending

    @property
    def _asked(self) -> Change:
        return self._pending or Change()


def _warn(sentence: str) -> None:
    warnings.warn(sentence, UserWarning, stacklevel=3)
