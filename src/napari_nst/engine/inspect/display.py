"""Values of any range as pixels. NumPy alone, no torch."""

from __future__ import annotations

from typing import Any

import numpy as np


def displayable(values: np.ndarray[Any, Any]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Scale an array of any shape to pixels in [0, 1], float32.

    White is the 99.9th percentile of the magnitudes, so that a single large value does not make the
    others dark. 0 is black; in an array with negative values, 0 is mid-grey.
    """
    magnitudes = np.abs(values)
    white = float(np.percentile(magnitudes, 99.9)) or float(magnitudes.max()) or 1.0
    scaled = values / white
    if values.min() < 0:
        scaled = (scaled + 1) / 2
    pixels: np.ndarray[Any, np.dtype[np.float32]] = np.clip(scaled, 0, 1).astype(np.float32)
    return pixels
