"""The progress of a run in words and numbers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from napari_nst.viewer.words import heading_in_window

if TYPE_CHECKING:
    from napari_nst.viewer.run.worker import RunThread


def progress_text(run: RunThread) -> str:
    """Return step, tile, rate, time left, losses, size and device of a run that goes on."""
    # In this order: when a step ends, the run's thread forgets the tile before it sets `newest`.
    newest, tile = run.newest, run.tile
    if newest is None:
        return _text_before_first(run)
    if tile is None:
        where = f"{newest.step}/{newest.steps}"
    else:  # the tile's own step counts within its image, if a run makes several images
        where = f"step {newest.step + 1} of {newest.steps}, tile {tile.done} of {tile.total}"
    if run.holding or (run.paused and tile is None):
        speed = "paused"
    else:
        left = run.seconds_left if newest.step < newest.steps else 0.0
        speed = f"{_rate_text(run.rate)}{_clock(left)} left"
    lines = [f"{where} · {speed}"]
    if newest.panels:
        count = len(newest.panels)
        heading = heading_in_window(newest.panels[newest.panel])
        lines.append(f"{heading}, {newest.panel + 1} of {count} pictures")
    parts = _loss_texts(newest.losses)
    lines.append(f"loss {newest.losses['total']:.3g} ({', '.join(parts)})" if parts else "loss 0")
    height, width = tile.shape if tile else newest.shape
    device, precision = newest.facts["device"], newest.facts["precision"]
    return "\n".join([*lines, f"{width} × {height} px on {device}, {precision}"])


def how_far(run: RunThread) -> tuple[int, int]:
    """Return the maximum and the value of the progress bar: iterations, or their tiles."""
    newest, tile = run.newest, run.tile  # in this order, as in `progress_text`
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
    is_whole, pictures = newest.step == newest.steps, len(newest.panels)
    count = f"{newest.steps} iteration{'' if newest.steps == 1 else 's'}"
    took = duration(busy_seconds(run))
    # Each of several images has its own losses.
    losses = "" if pictures else f"; losses {', '.join(_loss_texts(newest.losses)) or 0}"
    if is_whole:
        return f"{f'{pictures} pictures, ' if pictures else ''}{count} in {took}{losses}."
    where = f" in picture {newest.panel + 1} of {pictures}" if pictures else ""
    return f"{newest.step} of {count} in {took}, stopped by you{where}{losses}."


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


def _text_before_first(run: RunThread) -> str:
    """Return what happens before the first iteration, below the estimate of the run."""
    doing = ""
    if run.tile is not None:
        doing = f"Step {run.tile.step}, tile {run.tile.done} of {run.tile.total} …"
    elif run.message != run.forecast:
        amount = f" {run.done / 1e6:.0f} of {run.total / 1e6:.0f} MB" if run.total else ""
        doing = f"{run.message[:1].upper()}{run.message[1:]}{amount} …"
    return "\n".join(filter(None, [run.forecast, doing]))


def _loss_texts(losses: dict[str, float]) -> list[str]:
    # A texture has no content loss and a reconstruction no style loss: 0 is left out.
    return [f"{name} {losses[name]:.3g}" for name in ("content", "style", "tv") if losses[name]]


def _rate_text(per_second: float) -> str:
    if not per_second:
        return ""
    return f"{per_second:.1f} it/s · " if per_second >= 1 else f"{per_second:.2g} it/s · "


def _clock(seconds: float) -> str:
    # Rounded up: 0:00 is only said at the end, when nothing is left.
    whole = max(1, math.ceil(seconds)) if seconds else 0
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
