"""Changes that a caller makes to a run that goes on, and what the run tells the caller."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.guides import Guides
from napari_nst.engine.job.input_image import StyleLike, as_rgb
from napari_nst.engine.job.job import Change, Strokes
from napari_nst.errors import Cancelled
from napari_nst.recipe import CONTROLS, SECTIONS
from napari_nst.recipe.suggest import nearest

if TYPE_CHECKING:
    from torch import Tensor

LIVE_FIELDS = (*SECTIONS["Losses"], "refine_strength", "phases", "learning_rate", "color")
"""Fields of a recipe that can change while a run goes on; of phases all but steps and sizes."""


@dataclass(frozen=True, eq=False)
class TileDone:
    """A tile of a step has been computed, forward or backward."""

    step: int  # the step under way, from 1
    done: int  # tiles finished in this step; each counts once forward and once backward
    total: int
    window: tuple[slice, slice] | None  # rows and columns of new pixels; None in the forward pass
    pixels: Tensor | None  # (1, 3, h, w) in [0, 1]; None if they cannot be shown alone
    shape: tuple[int, int]  # height and width of the whole image


class StoppedEarlier(ValueError):
    """A run was given a `Steering` that has stopped an earlier run."""


class Steering:
    """Changes to a run that goes on; each takes effect at its next iteration.

    Pass one to `stylize`, `synthesize` or `reconstruct`, and call its methods from any thread. When
    the objective changes, L-BFGS forgets its history. After `stop`, make another for the next run.

    Parameters
    ----------
    tell : callable, optional
        Called in the run's thread with a sentence if a change is not possible, or if the run has to
        continue in another way, and in the caller's thread if input is doubtful, such as a small
        region. By default, the sentence is a warning.
    watch : callable, optional
        Called in the run's thread with a `TileDone` after each tile, if the run uses tiles.
    save_every : float
        Seconds between two times at which the run saves its state into the cache folder, so that
        `resume` can continue it if its process is killed; 0 saves nothing. Saving takes at most a
        twentieth of the run's time. The state is deleted at the end of the run.
    about : mapping, or callable that returns one, optional
        What the caller needs to know of a run when it is resumed, as numbers, strings, lists, dicts
        and arrays. A callable is called for each state. ``title`` and ``program`` are shown in the
        list of interrupted runs.

    Raises
    ------
    ValueError
        If `save_every` is not a number of seconds, 0 or more.

    Examples
    --------
    >>> steering = Steering()
    >>> for it in stylize(content, style, steering=steering):  # doctest: +SKIP
    ...     if it.step == 50:
    ...         steering.change(style_weight=20)
    """

    keeps_state: bool = False
    """Whether the saved state remains after the run, because the system ends the program."""

    def __init__(
        self,
        tell: Callable[[str], None] | None = None,
        watch: Callable[[TileDone], None] | None = None,
        save_every: float = 0.0,
        about: Mapping[str, Any] | Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        seconds: Any = save_every
        if not isinstance(seconds, Real) or not 0 <= float(seconds) < math.inf:
            raise ValueError(
                f"`save_every` must be a number of seconds, 0 or more; not {save_every!r}."
            )
        self.tell = tell or _warn
        self.watch = watch
        self.save_every = float(save_every)
        self.about = about or {}
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._pending: Change | None = None
        self._has_served = False  # whether a run has used it

    def change(self, **fields: Any) -> None:
        """Set fields of the recipe; TypeError or ValueError if one cannot change, or not so."""
        for name in fields:
            if name not in LIVE_FIELDS:
                hint = nearest(name, LIVE_FIELDS) if name not in CONTROLS else ""
                hint = hint or f"These can: {', '.join(LIVE_FIELDS)}."
                raise ValueError(f"`{name}` cannot change during a run. {hint}")
        checked = {name: CONTROLS[name].checked(name, value) for name, value in fields.items()}
        with self._lock:
            pending = self._pending or Change()
            self._pending = replace(pending, fields={**pending.fields, **checked})

    def restyle(
        self,
        styles: Callable[[], Sequence[StyleLike]] | Sequence[StyleLike],
        pixel_sizes: Sequence[float] | None = None,
    ) -> None:
        """Use other styles, as for `stylize`; a callable returns them in the run's thread."""
        self._ask(styles=_callable(styles), pixel_sizes=pixel_sizes)

    def guide(self, guides: Callable[[], Guides | None] | Guides | None) -> None:
        """Use other guides, or a callable that returns them in the run's thread; None removes them.

        `napari_nst.engine.job.guides.read_guides` makes them.
        """
        self._ask(guides=_callable(guides))

    def fill(
        self,
        region: Callable[[], ArrayLike] | ArrayLike,
        exemplar_region: Callable[[], ArrayLike | None] | ArrayLike | None = None,
    ) -> None:
        """Fill another region, within 64 pixels around the region that the run began with.

        Both are as for `synthesize`; a callable returns them in the run's thread. Pixels inside
        both regions keep their synthesized values. Newly added pixels start from the original
        image; removed pixels are restored to it exactly.
        """
        self._ask(region=_callable(region), exemplar_region=_callable(exemplar_region))

    def paint(self, picture: np.ndarray[Any, Any], where: np.ndarray[Any, Any]) -> None:
        """Copy the pixels of a picture (H, W) or (H, W, 3) in [0, 1], where a mask is true.

        The mask (H, W) is bool. Both are resampled if they have another size than the image.
        """
        # Copies: the caller paints on.
        stroke = Strokes(as_rgb(picture, "picture"), np.array(where, bool))
        with self._lock:
            pending = self._pending or Change()
            self._pending = replace(pending, strokes=(*pending.strokes, stroke))

    def stop(self) -> None:
        """End the run during its next iteration; its last yielded iteration is the result."""
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        """Whether `stop` has been called."""
        return self._stopped.is_set()

    def check_usable(self) -> None:
        """Raise `ValueError` if an earlier run was stopped. A run calls this before it begins."""
        if self._has_served and self.stopped:
            raise StoppedEarlier(
                "`steering` has stopped an earlier run, and would stop this one before its first "
                "step. Make a new Steering for each run."
            )

    def check_cancelled(self) -> None:
        """Raise `Cancelled` if `stop` has been called. The run calls this often."""
        self._has_served = True
        if self.stopped:
            raise Cancelled("Stopped by the user.")

    def run_ended(self, path: Path) -> None:
        """Delete the saved state of a run. The run calls this when it has ended."""
        with suppress(OSError):
            path.unlink()

    def take_changes(self) -> Change | None:
        """Return all changes since the last call, or None. The run calls this at each iteration."""
        self._has_served = True
        with self._lock:
            pending, self._pending = self._pending, None
        return pending

    def _ask(self, **changes: Any) -> None:
        with self._lock:
            self._pending = replace(self._pending or Change(), **changes)


def _callable(value: Any) -> Callable[[], Any]:
    return value if callable(value) else lambda: value


def _warn(sentence: str) -> None:
    # For doubtful input, the warning names the line that calls `stylize`.
    warnings.warn(sentence, UserWarning, stacklevel=4)
