"""What the widget says about a run, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_nst.engine.optimize import Iteration
    from napari_nst.recipe import Recipe
    from napari_nst.viewer.stream import Run


def progress_text(run: Run, recipe: Recipe) -> str:
    """Say what a run is doing: step, rate, time left, size, device and losses."""
    newest = run.newest
    if newest is None:
        return _megabytes(run)
    # Torch is loaded by the time there is an iteration, so this import costs nothing.
    from napari_nst.engine.device import choose_precision, describe_device

    device = newest.pixels.device
    precision = str(choose_precision(recipe.precision, device)).removeprefix("torch.")
    height, width = newest.shape
    pace = "paused" if run.paused else f"{run.rate:.1f} it/s · {_clock(run.seconds_left)} left"
    return (
        f"{newest.step}/{newest.steps} · {pace}\n"
        f"{_which_panel(newest)}"
        f"{_losses(newest.losses)}\n"
        f"{width} × {height} px on {describe_device(device)}, {precision}"
    )


def finished_text(run: Run) -> str:
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


def busy_seconds(run: Run) -> float:
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


def _megabytes(run: Run) -> str:
    amount = f" {run.done / 1e6:.0f} of {run.total / 1e6:.0f} MB" if run.total else ""
    return f"{run.message[:1].upper()}{run.message[1:]}{amount} …"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    return f"{minutes}:{rest:02d}"
