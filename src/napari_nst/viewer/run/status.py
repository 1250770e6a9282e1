"""What the widget says about a run, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.steering import TileDone
    from napari_nst.viewer.run.worker import RunThread


def progress_text(run: RunThread) -> str:
    """Say what a run is doing: step, tile, rate, time left, losses, size and device."""
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
    """Return the length of a progress bar and where it is: iterations, or their tiles."""
    newest, tile = run.newest, run.tile
    if newest is None:
        if tile:
            return tile.total, tile.done
        # Without an end the bar stays empty. Qt's "busy" moves, and each of its moves has a window
        # with a canvas composed anew: where OpenGL is software that leaves a run no processor.
        return max(1, run.total // 1024), run.done // 1024
    parts = tile.total if tile else 1
    return newest.steps * parts, newest.step * parts + (tile.done if tile else 0)


def finished_text(run: RunThread) -> str:
    """Say how a run ended, in one sentence with numbers."""
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
    # Several pictures have losses of their own.
    losses = "" if pictures else f"; {_parts(newest.losses)}"
    return f"{', '.join(parts)}{losses}."


def busy_seconds(run: RunThread) -> float:
    """Return how long a run has worked so far, pauses left out."""
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
    # A texture has no content and a reconstruction no style: what is 0 says nothing.
    return [f"{name} {losses[name]:.3g}" for name in ("content", "style", "tv") if losses[name]]


def _before(run: RunThread) -> str:
    """Say what happens before the first iteration."""
    amount = f" {run.done / 1e6:.0f} of {run.total / 1e6:.0f} MB" if run.total else ""
    doing = "" if run.message == run.forecast else f"{run.message[:1].upper()}{run.message[1:]}"
    if run.tile is not None:
        doing, amount = f"Step {run.tile.step}, {_tile(run.tile)}", ""
    parts = (run.forecast, f"{doing}{amount} …" if doing else "")
    return "\n".join(part for part in parts if part)


def _where(run: RunThread, newest: Iteration) -> str:
    """Say how far the run is: what is complete, or, of a step in tiles, which is under way."""
    tile = run.tile
    if tile is None:
        return f"{newest.step}/{newest.steps}"
    # Of several pictures made in turn, a tile knows its own one's steps alone.
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
