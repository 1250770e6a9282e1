"""How it is painted: strokes of a bristle brush, laid over each other and lit as thick paint.

Lengths are fractions of the picture's longest side; `scale` is that side in pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from skimage.filters import gaussian

from napari_nst.painting.scene import Floats, Indices, Random, Scene, colours, flow, places_of

_KNOTS = 17  # points on the centreline of a stroke
_TEXTURE = 512  # side of the periodic bristle texture, a power of two

blur: Callable[..., Floats] = gaussian  # which has no types


class Brush(NamedTuple):
    """One pass over the canvas."""

    radius: tuple[float, float]
    length: tuple[float, float]
    coverage: float
    jitter: float
    thickness: float


class Strokes(NamedTuple):
    """The strokes of one pass, in painter's order."""

    x: Floats  # (n, knots), the centrelines
    y: Floats
    radius: Floats
    length: Floats
    load: Floats  # thickness of the paint
    paints: Floats  # (2, n, 3), two colours that mix on the brush
    offset: Floats  # (2, n), where in the bristle texture


PASSES = (
    Brush((0.020, 0.027), (0.20, 0.32), 2.5, 0.10, 0.0014),
    Brush((0.0085, 0.0125), (0.12, 0.20), 2.2, 0.14, 0.0022),
    Brush((0.0048, 0.0080), (0.06, 0.13), 1.4, 0.18, 0.0026),
    Brush((0.0022, 0.0036), (0.04, 0.09), 0.45, 0.28, 0.0022),
)


def prepare(scene: Scene, brush: Brush, rng: Random) -> Strokes:
    """Choose the strokes of one pass."""
    cell = np.sqrt(1.6 * np.mean(brush.radius) * np.mean(brush.length) / brush.coverage)
    margin = brush.length[1] / 3  # strokes run over the edge of the canvas
    sides = [np.arange(-margin, side + margin, cell) for side in (scene.width, scene.height)]
    grid = np.stack(np.meshgrid(*sides)).reshape(2, -1)
    x, y = grid + rng.uniform(-0.6, 0.6, grid.shape) * cell
    n = len(x)
    # from back to front, and at random within each part of the scene
    order = np.argsort(places_of(scene, x, y) + rng.uniform(0, 1.1, n))
    x, y = x[order], y[order]
    # short strokes around the sun, where the flow turns tightly
    away = np.hypot(x - scene.eddies[0, 0], y - scene.eddies[0, 1]) / scene.size
    length = rng.uniform(*brush.length, n) * np.clip(0.35 + 3.9 * away, 0.35, 1)
    first, second = (colours(scene, x, y, brush.jitter, rng) for _ in range(2))
    paints = np.stack([first, 0.55 * first + 0.45 * second])
    load, offset = rng.uniform(0.7, 1.3, n) * brush.thickness, rng.uniform(0, _TEXTURE, (2, n))
    lines, radius = _trace(scene, x, y, length), rng.uniform(*brush.radius, n)
    # single precision halves the time of everything that follows
    parts = (*lines, radius, length, load, paints, offset)
    return Strokes(*(part.astype(np.float32) for part in parts))


def _trace(scene: Scene, x: Floats, y: Floats, length: Floats) -> tuple[Floats, Floats]:
    """Follow the flow both ways from the middles of the strokes."""
    (xs, ys), step = np.empty((2, len(x), _KNOTS)), length / (_KNOTS - 1)
    for sign in (-1, 1):
        px, py = x, y
        for k in range(_KNOTS // 2 + 1):
            at = _KNOTS // 2 + sign * k
            xs[:, at], ys[:, at] = px, py
            dx, dy = flow(scene, px, py)
            dx, dy = flow(scene, px + sign * step / 2 * dx, py + sign * step / 2 * dy)
            px, py = px + sign * step * dx, py + sign * step * dy
    return xs, ys


def bristles(rng: Random) -> Floats:
    """Periodic texture with unit variance: long along the first axis, fine along the second."""
    noise = rng.normal(size=(_TEXTURE, _TEXTURE))
    fine, broad = blur(noise, (14, 1.0), mode="wrap"), blur(noise, (24, 3.5), mode="wrap")
    mixed = fine / fine.std() + broad / broad.std()
    return np.asarray(mixed / mixed.std(), np.float32)


def lay(strokes: Strokes, hairs: Floats, canvas: Floats, relief: Floats, scale: float) -> None:
    """Lay strokes over the colours of the canvas and its relief, in place."""
    # so many samples per pixel leave no gaps where a stroke bends
    u = np.linspace(0, 1, int(1.5 * strokes.length.max() * scale) + 4, dtype=np.float32)
    v = np.linspace(-1, 1, int(3.0 * strokes.radius.max() * scale) + 4, dtype=np.float32)
    top = _cover(strokes, hairs, u, v, relief.shape, scale)
    hit = top >= 0
    s, i, j = np.unravel_index(top[hit], (len(strokes.radius), len(u), len(v)))
    along, across, streaks = u[i], np.abs(v[j]), _streaks(strokes, hairs, s, u[i], v[j])
    # two half-mixed paints on one brush
    blend = np.clip(0.5 + 0.5 * streaks, 0, 1)[:, None]
    colour = strokes.paints[0, s] * blend + strokes.paints[1, s] * (1 - blend)
    canvas[hit] = colour * (1 + 0.10 * streaks)[:, None]
    # the brush pushes paint to its sides and leaves most of it where it starts
    profile = 0.55 + 0.5 * across**3 * (1 - across**8) + 0.3 * streaks
    relief[hit] = 0.35 * relief[hit] + strokes.load[s] * profile * (1.1 - 0.6 * along)


def _cover(
    strokes: Strokes, hairs: Floats, u: Floats, v: Floats, shape: tuple[int, ...], scale: float
) -> Indices:
    """For each pixel the sample (stroke, u, v, counted through) that lies on top, or -1."""
    top = np.full(shape, -1, np.int64)
    knot = np.minimum((u * (_KNOTS - 1)).astype(int), _KNOTS - 2)
    part = u * (_KNOTS - 1) - knot.astype(np.float32)
    taper = np.clip(u / 0.04, 0.5, 1) * (1 - 0.8 * u**4)
    # bristles touch down one by one and run out of paint one by one, at the sides first
    wear = np.clip(np.maximum(5 * (u - 0.5), 12 * (0.08 - u)), 0, 6)[:, None]
    holes = -2.2 + wear + 1.2 * u[:, None] * v**2 + 0.5 * v**8
    chunk = max(1, 1_000_000 // holes.size)
    for start in range(0, len(strokes.radius), chunk):
        s = np.arange(start, min(start + chunk, len(strokes.radius)))[:, None]
        x, y = (a[s, knot] * (1 - part) + a[s, knot + 1] * part for a in (strokes.x, strokes.y))
        tx, ty = np.gradient(x, axis=1), np.gradient(y, axis=1)
        half = strokes.radius[s] * taper / (np.hypot(tx, ty) + 1e-9)
        px = np.floor((x[..., None] - (ty * half)[..., None] * v) * scale).astype(np.int32)
        py = np.floor((y[..., None] + (tx * half)[..., None] * v) * scale).astype(np.int32)
        keep = _streaks(strokes, hairs, s[..., None], u[:, None], v) > holes
        keep &= (px >= 0) & (px < shape[1]) & (py >= 0) & (py < shape[0])
        # where strokes overlap, the last one assigned stays
        top[py[keep], px[keep]] = np.flatnonzero(keep) + start * holes.size
    return top


def _streaks(strokes: Strokes, hairs: Floats, s: Indices, u: Floats, v: Floats) -> Floats:
    """Bristle texture of the strokes s at u along and v across them."""
    i = (strokes.offset[0, s] + u * strokes.length[s] * 900).astype(np.int32)
    j = (strokes.offset[1, s] + (v + 1) * strokes.radius[s] * 800).astype(np.int32)
    return np.asarray(hairs[i & (_TEXTURE - 1), j & (_TEXTURE - 1)])


def light(canvas: Floats, relief: Floats, scale: float) -> Floats:
    """Light the relief from the upper left, with a little shine of varnish."""
    slopes = np.gradient(blur(relief, max(0.0011 * scale, 0.6)) * scale)
    down, right = (np.tanh(1.7 * slope) for slope in slopes)
    facing = (0.64 * right + 0.79 * down + 1) / np.sqrt(right**2 + down**2 + 1)
    lit = canvas * (0.45 + 0.55 * np.clip(facing, 0.2, 2))[..., None]
    lit += 0.22 * np.clip(facing - 1.12, 0, 1)[..., None]
    return np.asarray(lit * [0.965, 0.955, 0.94] + [0.025, 0.023, 0.02], np.float32)
