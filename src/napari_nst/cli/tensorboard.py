"""What happens in a run, for TensorBoard, as event files that the real library writes."""

from __future__ import annotations

import importlib.util
import json
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Self

from napari_nst.errors import NstError
from napari_nst.io.atomic_write import check_writable

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

    from napari_nst.engine.iteration import Iteration

PREVIEWS = 20
"""How many pictures a run leaves: close together at first, when much changes."""


def check(folder: Path) -> None:
    """Find out before a long run whether it can be written down.

    Raises
    ------
    NstError
        If TensorBoard is not installed.
    OSError, ValueError
        If the folder is a file, or may not be written to.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise NstError(
            '--tensorboard needs a library more; install it: pip install "napari-nst[tensorboard]".'
        )
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        raise NotADirectoryError(f"{existing} is a file; give --tensorboard a folder.")
    check_writable([existing / "events.out.tfevents"])


def preview_steps(steps: int) -> frozenset[int]:
    """Return the steps of a run, from 1, that leave a picture: as even in their logarithm as goes.

    Parameters
    ----------
    steps : int
        How many the run has; the last is among them.
    """
    count, chosen = min(PREVIEWS, steps), [0]
    for index in range(count):
        even = round(steps ** (index / max(count - 1, 1)))
        chosen.append(max(chosen[-1] + 1, even))
    return frozenset(chosen[1:])


class Board:
    """Writes down every step of a run, for as long as a ``with`` statement lasts.

    Scalars are ``loss/total``, ``loss/content`` and so on, and ``progress/…``; images ``picture``;
    the recipe is a text. Of several pictures made in turn each is a run of its own in TensorBoard.

    Parameters
    ----------
    folder : Path
        Where to write; it is made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: SummaryWriter | None = None
        self._last: Iteration | None = None
        self._previews: frozenset[int] = frozenset()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close(whole=kind is None)

    def step(self, iteration: Iteration) -> None:
        """Write down a step."""
        if self._writer is None or (self._last and self._last.panel != iteration.panel):
            self._close()
            self._writer = self._opened(iteration)
        self._last, step = iteration, _own_step(iteration)
        scalars = {f"loss/{name}": loss for name, loss in iteration.losses.items()}
        scalars |= {
            "progress/longest side": max(iteration.shape), "progress/seconds": iteration.seconds,
        }  # fmt: skip
        for tag, value in scalars.items():
            self._writer.add_scalar(tag, value, step)
        if step in self._previews:
            self._add_picture(self._writer, iteration)

    def _opened(self, iteration: Iteration) -> SummaryWriter:
        """Begin with a picture's run."""
        from torch.utils.tensorboard import SummaryWriter

        panels = iteration.panels
        folder = (
            self._folder / panels[iteration.panel].replace(" ", "-") if panels else self._folder
        )
        self._previews = preview_steps(_own_steps(iteration))
        writer = SummaryWriter(str(folder), flush_secs=5)
        recipe = json.dumps(iteration.facts.get("recipe", {}), indent=2)
        writer.add_text("recipe", textwrap.indent(recipe, "    "))  # as Markdown has code
        return writer

    def _close(self, whole: bool = True) -> None:
        if self._writer is None:
            return
        if whole and self._last and _own_step(self._last) not in self._previews:
            self._add_picture(self._writer, self._last)
        self._writer.close()
        self._writer = self._last = None

    @staticmethod
    def _add_picture(writer: SummaryWriter, iteration: Iteration) -> None:
        picture = iteration.picture
        axes = "HW" if picture.ndim == 2 else "HWC"
        writer.add_image("picture", picture, _own_step(iteration), dataformats=axes)


def _own_steps(iteration: Iteration) -> int:
    """Return how many steps each of the pictures has."""
    return iteration.steps // max(len(iteration.panels), 1)


def _own_step(iteration: Iteration) -> int:
    """Return the step in its own picture, from 1."""
    return iteration.step - iteration.panel * _own_steps(iteration)
