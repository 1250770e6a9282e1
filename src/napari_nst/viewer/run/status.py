"""The progress of a run in words and numbers, and the label that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QSizePolicy

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import TileDone
    from napari_nst.viewer.run.worker import RunThread

_LINES = 3
"""Lines that the label is high at least, so that nothing moves when a run begins."""


def status_label(text: str, tooltip: str) -> QLabel:
    """Return a label that wraps where the dock ends."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)  # a path may look like markup
    label.setWordWrap(True)
    label.setAlignment(Qt.AlignmentFlag.AlignTop)
    label.setToolTip(tooltip)
    label.setMinimumHeight(_LINES * label.fontMetrics().lineSpacing() + 4)
    policy = QSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
    policy.setHeightForWidth(True)
    label.setSizePolicy(policy)
    return label


def progress_text(run: RunThread) -> str:
    """Return step, tile, rate, time left, losses, size and device of a run that goes on."""
    newest = run.newest
    if newest is None:
        return _before(run)
    height, width = run.tile.shape if run.tile else newest.shape
    holds = run.holding or (run.paused and run.tile is None)
    pace = "paused" if holds else f"{_rate(run.rate)}{_clock(run.seconds_left)} left"
    return (
        f"{_where(run, newest)} · {pace}\n"
        f"{_which_panel(newest)}"
        f"{_losses(newest.losses)}\n"
        f"{width} × {height} px on {newest.facts['device']}, {newest.facts['precision']}"
    )


def how_far(run: RunThread) -> tuple[int, int]:
    """Return the maximum and the value of the progress bar: iterations, or their tiles."""
    newest, tile = run.newest, run.tile
    if newest is None:
        if tile:
            return tile.total, tile.done
        # Without a total the bar stays empty. Qt's busy bar moves, and each move repaints the
        # window, which takes all of a CPU where OpenGL is software.
        return max(1, run.total // 1024), run.done // 1024
    parts = tile.total if tile else 1
    return newest.steps * parts, newest.step * parts + (tile.done if tile else 0)


def finished_text(run: RunThread) -> str:
    """Return one sentence with numbers about how a run ended."""
    newest = run.newest
    if newest is None:
        return "Stopped by you before the first iteration."
    whole = newest.step == newest.steps
    count = _counted(newest.steps, "iteration")
    done = count if whole else f"{newest.step} of {count}"
    pictures = len(newest.panels)
    if pictures and whole:
        done = f"{_counted(pictures, 'picture')}, {done}"
    parts = [f"{done} in {duration(busy_seconds(run))}"]
    if not whole:
        parts.append("stopped by you")
        if pictures:
            parts[-1] += f" in picture {newest.panel + 1} of {pictures}"
    # Each of several images has its own losses.
    losses = "" if pictures else f"; {_parts(newest.losses)}"
    return f"{', '.join(parts)}{losses}."


def busy_seconds(run: RunThread) -> float:
    """Return the seconds that a run has worked so far, without pauses."""
    return run.newest.seconds - run.paused_seconds if run.newest is not None else 0.0


def duration(seconds: float) -> str:
    """Write a time in words: ``4.2 s``, ``48 s``, ``1 min 31 s``, ``2 h 5 min``."""
    if seconds < 9.95:
        return f"{max(0.0, seconds):.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _which_panel(newest: Iteration) -> str:
    if not newest.panels:
        return ""
    return f"{newest.panels[newest.panel]}, {newest.panel + 1} of {len(newest.panels)} pictures\n"


def _losses(losses: dict[str, float]) -> str:
    parts = _named(losses)
    return f"loss {losses['total']:.3g} ({', '.join(parts)})" if parts else "loss 0"


def _parts(losses: dict[str, float]) -> str:
    parts = _named(losses)
    return f"{'losses' if len(parts) > 1 else 'loss'} {', '.join(parts) or 0}"


def _named(losses: dict[str, float]) -> list[str]:
    # A texture has no content loss and a reconstruction no style loss: 0 is left out.
    return [f"{name} {losses[name]:.3g}" for name in ("content", "style", "tv") if losses[name]]


def _before(run: RunThread) -> str:
    """Return what happens before the first iteration."""
    amount = f" {run.done / 1e6:.0f} of {run.total / 1e6:.0f} MB" if run.total else ""
    doing = "" if run.message == run.forecast else f"{run.message[:1].upper()}{run.message[1:]}"
    if run.tile is not None:
        doing, amount = f"Step {run.tile.step}, {_tile(run.tile)}", ""
    parts = (run.forecast, f"{doing}{amount} …" if doing else "")
    return "\n".join(part for part in parts if part)


def _where(run: RunThread, newest: Iteration) -> str:
    """Return the complete steps, or, if there are tiles, the current step and tile."""
    tile = run.tile
    if tile is None:
        return f"{newest.step}/{newest.steps}"
    # A tile's own step counts within its image, if a run makes several images.
    return f"step {newest.step + 1} of {newest.steps}, {_tile(tile)}"


def _tile(tile: TileDone) -> str:
    return f"tile {tile.done} of {tile.total}"


def _rate(per_second: float) -> str:
    if not per_second:
        return ""
    slow = per_second < 0.5
    return f"{1 / per_second:.0f} s/it · " if slow else f"{per_second:.1f} it/s · "


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
