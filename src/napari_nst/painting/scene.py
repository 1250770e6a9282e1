"""What is painted: the composition, the flow that strokes follow, and their colours.

Lengths are fractions of the picture's longest side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    """What the painter has in mind: a setting sun over the sea, under a turning sky."""

    width: float
    height: float
    size: float
    eddies: Floats
    phases: Floats


def compose(rng: Random, width: float, height: float) -> Scene:
    """Place the sun and the eddies on a canvas, each a little where chance wants it."""
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
    """How light the cool paint is at each point, about 0 to 1."""
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
    """One colour per stroke: what the scene asks for, broken by the painter's hand."""
    n, tone, (heat, light) = len(x), _tones(scene, x, y), _fire(scene, x, y)
    tone, light = tone + rng.normal(0, jitter, n), light + rng.normal(0, 0.8 * jitter, n)
    ramps = [_mix(_COOL, tone), _mix(_HILLS, tone), _mix(_WATER, tone - 0.05), _mix(_EARTH, tone)]
    colour = np.choose(places_of(scene, x, y)[:, None], ramps)
    # a stroke is warm or cool, never the grey between: the eye does the mixing
    colour = np.where(rng.uniform(0.15, 0.85, (n, 1)) < heat[:, None], _mix(_WARM, light), colour)
    accent = 0.8 * _mix(_WARM, rng.uniform(0, 0.9, n)) + 0.2 * colour
    colour = np.where(rng.uniform(size=(n, 1)) < 0.025, accent, colour)
    return np.asarray(colour * rng.normal(1, 0.03, (n, 3)))
