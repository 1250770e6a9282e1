"""A procedural painting: brush strokes laid along a flow field, lit as thick paint.

It is a style image that needs no download and is free of any rights. All lengths are fractions of
the picture's longest side, so that a painting looks the same at every size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_nst.painting.scene import compose
from napari_nst.painting.strokes import PASSES, blur, bristles, lay, light, prepare

__all__ = ["paint"]

_SMALLEST = 32  # pixels
_GROUND = (0.86, 0.68, 0.36)  # the primed canvas


def paint(height: int = 512, width: int = 640, seed: int = 0) -> NDArray[np.uint8]:
    """Paint a picture: a sun setting over the sea, under a swirling sky.

    Strokes follow a flow field, in four passes from a broad brush to a fine one, and the paint is
    lit as a relief. The picture is free of any rights. It looks the same at every size of one
    shape.

    Parameters
    ----------
    height, width : int
        Size of the picture in pixels, at least 32 each.
    seed : int
        Chooses the painting: where the sun and the eddies stand, and every stroke.

    Returns
    -------
    np.ndarray
        The picture, ``(height, width, 3)`` in RGB, of type ``uint8``.
    """
    for name, value in (("height", height), ("width", width)):
        if value < _SMALLEST:
            raise ValueError(f"{name} must be at least {_SMALLEST} pixels, not {value}.")
    longest, rng = max(height, width), np.random.default_rng(seed)
    # painted larger than asked for and averaged down, which smooths the edges of the strokes
    finer = 2 if longest >= 400 else 3
    scale = float(longest * finer)
    scene, hairs = compose(rng, width / longest, height / longest), bristles(rng)
    canvas = np.full((height * finer, width * finer, 3), _GROUND, np.float32)
    relief = np.zeros(canvas.shape[:2], np.float32)
    for brush in PASSES:
        lay(prepare(scene, brush, rng), hairs, canvas, relief, scale)
    lit = blur(light(canvas, relief, scale), 0.25 * finer, channel_axis=-1)
    small = lit.reshape(height, finer, width, finer, 3).mean((1, 3))
    return np.asarray(np.clip(small, 0, 1) * 255 + 0.5, np.uint8)
