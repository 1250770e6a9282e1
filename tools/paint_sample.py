"""Paint the sample painting: `.venv/bin/python tools/paint_sample.py`.

It is a style image that is free of any rights: brush strokes along a flow field, lit as thick
paint. Lengths are fractions of the longest side, so that the painting looks the same at every size;
`scale` is that side in pixels. The painting is committed: run this only to change it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.filters import gaussian

OUTPUT = Path(__file__).parents[1] / "src" / "napari_nst" / "data" / "painting.jpg"

Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.integer[Any]]
Random = np.random.Generator

_SKY, _HEADLAND, _SEA, _SHORE = range(4)
_HORIZON = 0.63  # as a fraction of the height

# Each row runs from the darkest to the lightest mixture of one part of the palette.
_COOL = ("0b1236", "13226b", "1c3f9e", "2f6cc0", "4f9fc4", "9cc9c4", "efe8c6")
_WARM = ("8f2416", "cf4420", "e2762a", "e9a52f", "f2cf62", "fbedb5")
_WATER = ("081530", "0d2c5a", "15538a", "1d8092", "54b0a6", "b4d8c0", "f1ecd0")
_HILLS = ("120f2c", "221f57", "373a86", "3f5c9c", "5f8aa8")
_EARTH = ("0c0f1f", "14263a", "1d4a4c", "4a6b3c", "a08a35", "d9ab45")

# x, y, radius, spin, inward pull, flatness, arms; the first one is the sun.
_EDDIES = (
    (0.235, 0.430, 0.150, -1.0, 0.08, 1.00, 0),
    (0.610, 0.245, 0.215, 1.2, 0.22, 1.25, 1),
    (0.915, 0.340, 0.120, -1.0, 0.30, 1.10, 2),
    (0.070, 0.105, 0.125, 1.0, 0.25, 1.30, 1),
    (0.570, 0.815, 0.150, 0.9, 0.28, 1.70, 2),
)


class Scene(NamedTuple):
    """The composition: a setting sun over the sea, under a swirling sky."""

    width: float
    height: float
    size: float
    eddies: Floats
    phases: Floats


def compose(rng: Random, width: float, height: float) -> Scene:
    """Place the sun and the eddies on a canvas, each with a small random offset."""
    size, eddies = float(np.sqrt(width * height)), np.array(_EDDIES)
    eddies[:, :2] += rng.uniform(-0.025, 0.025, (len(eddies), 2))
    eddies[:, :3] *= [width, height, size]
    eddies[:, 2] *= rng.uniform(0.9, 1.1, len(eddies))
    return Scene(width, height, size, eddies, rng.uniform(0, 2 * np.pi, 8))


def _outline(scene: Scene, x: Floats, shore: Any) -> Floats:
    """Height of the shore's outline (else of the headland's) at x, as a fraction of the canvas."""
    p, a = x / scene.width, scene.phases
    far = _HORIZON + 0.02 - 0.19 * np.clip((p - 0.36) / 0.64, 0, 1) ** 1.2
    near = 1.10 - 0.30 * np.clip((p - 0.34) / 0.66, 0, 1) ** 0.9
    wobble = 0.012 * np.sin(17 * p + a[0]) + 0.008 * np.sin(31 * p + a[1])
    return np.asarray(np.where(shore, near, far) + wobble)


def places_of(scene: Scene, x: Floats, y: Floats) -> Indices:
    """Which part of the scene each point belongs to; parts in front have higher numbers."""
    q, far, near = y / scene.height, _outline(scene, x, False), _outline(scene, x, True)
    return np.select([q > near, q > _HORIZON, q > far], [_SHORE, _SEA, _HEADLAND], _SKY)


def flow(scene: Scene, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the unit vectors that the brush follows."""
    p, q, a = x / scene.size, y / scene.size, scene.phases
    place, level = places_of(scene, x, y), y / scene.height - _HORIZON
    # the horizon is calm: eddies neither reach it nor turn anything beyond it
    calm = np.tanh((level / 0.07) ** 2)
    swell = 0.45 * np.sin(6.5 * p + 5 * q + a[2]) + 0.25 * np.sin(11 * p - 8 * q + a[3])
    dx, dy = np.ones_like(x), swell * (0.25 + 0.75 * calm) * np.where(level > 0, 0.55, 1)
    for ex, ey, radius, spin, pull, flat, _ in scene.eddies:
        rx, ry = (x - ex) / radius, (y - ey) / radius * flat
        square = rx**2 + ry**2 + 1e-6
        same_side = (level < 0) == (ey / scene.height < _HORIZON)
        strength = calm * same_side * 4 * spin * np.exp(-square / 2) / np.sqrt(square)
        dx += strength * (-ry - np.sign(spin) * pull * rx)
        dy += strength * (rx - np.sign(spin) * pull * ry) / flat
    # land is modelled along its outline, a little steeper than that
    land, shore = (place == _HEADLAND) | (place == _SHORE), place == _SHORE
    slope = (_outline(scene, x + 0.01, shore) - _outline(scene, x, shore)) / 0.01 * scene.height
    dx = np.where(land, 1, dx)
    dy = np.where(land, 1.6 * slope + 0.3 * np.sin(9 * p + 14 * q), dy)
    norm = np.hypot(dx, dy) + 1e-6
    return dx / norm, dy / norm


def _mix(ramp: tuple[str, ...], tone: Floats) -> Floats:
    """Colours of a ramp at tones from 0 (darkest) to 1."""
    stops = np.array([list(bytes.fromhex(colour)) for colour in ramp]) / 255
    at = np.linspace(0, 1, len(ramp))
    return np.stack([np.interp(tone, at, channel) for channel in stops.T], -1)


def _tones(scene: Scene, x: Floats, y: Floats) -> Floats:
    """Return the lightness of the cool paint at each point, about 0 to 1."""
    p, q, a, place = x / scene.width, y / scene.height, scene.phases, places_of(scene, x, y)
    tone = 0.42 + 0.27 * np.sin(13 * q + 3.5 * np.sin(5 * p + a[4]) + a[5])
    for ex, ey, radius, spin, pull, flat, arms in scene.eddies[1:]:
        rx, ry = (x - ex) / radius, (y - ey) / radius * flat
        r = np.hypot(rx, ry) + 0.05
        near = np.exp(-(r**4) / 6)
        # constant along the lines of flow, so that strokes join into arms
        turn = np.sign(spin) * np.arctan2(ry, rx) + np.log(r) / pull
        tone = tone * (1 - near) + near * (0.50 + 0.36 * np.sin(arms * turn + a[6]))
    depth = np.abs(q - _outline(scene, x, place == _SHORE))
    furrows = 0.40 + 0.28 * np.cos(75 * depth + 3 * np.sin(9 * p)) * np.exp(-3 * depth)
    tone = np.where((place == _HEADLAND) | (place == _SHORE), furrows, tone)
    # darker corners hold the eye inside
    return np.asarray(tone - 0.22 * (2 * p - 1) ** 2 * (2 * q - 1) ** 2)


def _fire(scene: Scene, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Share of warm strokes at each point, and how light they are."""
    p, q, place = x / scene.width, y / scene.height, places_of(scene, x, y)
    (sx, sy), disc = scene.eddies[0, :2], 0.064 * scene.size
    away = np.hypot(x - sx, y - sy) / disc
    glow, drift = np.exp(-((away / 2.6) ** 2)), 0.03 * np.sin(7 * p + scene.phases[7])
    clouds = (0.8 - 0.28 * p) * np.exp(-(((q - 0.55 - drift) / 0.05) ** 2))
    wisps = 0.36 * np.exp(-(((q - 0.08 - 0.3 * p**2 + drift) / 0.03) ** 2))
    # the sun's reflection widens towards the onlooker
    wide = scene.size * (0.055 + 0.10 * np.maximum(q - _HORIZON, 0))
    column = np.exp(-(((x - sx) / wide) ** 2))
    rings = 0.95 - 0.1 * away - (0.07 * (away - 1) + 0.17 - 0.1 * np.sin(5 * away)) * (away > 1)
    sky = np.maximum(glow, np.maximum(clouds, wisps))
    heat = np.select([place == _SKY, place == _SEA], [sky, 0.75 * column], 0.0)
    light = np.where(place == _SEA, 0.45 + 0.5 * column, np.where(glow > 0.1, rings, 0.35))
    return heat, light


def colours(scene: Scene, x: Floats, y: Floats, jitter: float, rng: Random) -> Floats:
    """Return one colour per stroke: the colour of the scene there with random variation."""
    n, tone, (heat, light) = len(x), _tones(scene, x, y), _fire(scene, x, y)
    tone, light = tone + rng.normal(0, jitter, n), light + rng.normal(0, 0.8 * jitter, n)
    ramps = [_mix(_COOL, tone), _mix(_HILLS, tone), _mix(_WATER, tone - 0.05), _mix(_EARTH, tone)]
    colour = np.choose(places_of(scene, x, y)[:, None], ramps)
    # a stroke is warm or cool, never the grey between: the eye does the mixing
    colour = np.where(rng.uniform(0.15, 0.85, (n, 1)) < heat[:, None], _mix(_WARM, light), colour)
    accent = 0.8 * _mix(_WARM, rng.uniform(0, 0.9, n)) + 0.2 * colour
    colour = np.where(rng.uniform(size=(n, 1)) < 0.025, accent, colour)
    return np.asarray(colour * rng.normal(1, 0.03, (n, 3)))


_KNOTS = 17  # points on the centreline of a stroke
_TEXTURE = 512  # side of the periodic bristle texture, a power of two


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
    fine, broad = gaussian(noise, (14, 1.0), mode="wrap"), gaussian(noise, (24, 3.5), mode="wrap")
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
    """Return for each pixel the index of the topmost sample (stroke, u, v), or -1."""
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
    slopes = np.gradient(gaussian(relief, max(0.0011 * scale, 0.6)) * scale)
    down, right = (np.tanh(1.7 * slope) for slope in slopes)
    facing = (0.64 * right + 0.79 * down + 1) / np.sqrt(right**2 + down**2 + 1)
    lit = canvas * (0.45 + 0.55 * np.clip(facing, 0.2, 2))[..., None]
    lit += 0.22 * np.clip(facing - 1.12, 0, 1)[..., None]
    return np.asarray(lit * [0.965, 0.955, 0.94] + [0.025, 0.023, 0.02], np.float32)


_GROUND = (0.86, 0.68, 0.36)  # the primed canvas


def paint(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Paint a sunset over the sea under a swirling sky, uint8 (height, width, 3).

    Strokes follow a flow field, in four passes from a broad brush to a fine one, and the paint is
    lit as a relief. The seed chooses the positions of the sun and the eddies, and every stroke.
    """
    longest, rng = max(height, width), np.random.default_rng(seed)
    # painted larger than asked for and averaged down, which smooths the edges of the strokes
    finer = 2 if longest >= 400 else 3
    scale = float(longest * finer)
    scene, hairs = compose(rng, width / longest, height / longest), bristles(rng)
    canvas = np.full((height * finer, width * finer, 3), _GROUND, np.float32)
    relief = np.zeros(canvas.shape[:2], np.float32)
    for brush in PASSES:
        lay(prepare(scene, brush, rng), hairs, canvas, relief, scale)
    lit = gaussian(light(canvas, relief, scale), 0.25 * finer, channel_axis=-1)
    small = lit.reshape(height, finer, width, finer, 3).mean((1, 3))
    return np.asarray(np.clip(small, 0, 1) * 255 + 0.5, np.uint8)


def main() -> None:
    """Write the painting as a JPEG of about 150 kB."""
    OUTPUT.parent.mkdir(exist_ok=True)
    Image.fromarray(paint(512, 512)).save(OUTPUT, quality=85, subsampling=0, optimize=True)


if __name__ == "__main__":
    main()
