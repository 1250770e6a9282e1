"""Make tests/data/porespy.json with porespy 3.2, which the tests themselves do not need.

In an environment with porespy: `python tools/porespy-figures.py`. porespy brings VTK and numba, and
takes longer to import than all tests of texture statistics.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import porespy

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.helpers.two_phases import discs  # noqa: E402

IMAGES = {"discs": ((96, 120), 40, 7), "balls": ((40, 44, 48), 30, 7)}
REACH = 10


def main() -> None:
    """Write the figures of each image."""
    found = {name: figures(*arguments) for name, arguments in IMAGES.items()}
    path = ROOT / "tests" / "data" / "porespy.json"
    path.write_text(json.dumps({"porespy": porespy.__version__, **found}, indent=1) + "\n")


def figures(shape: tuple[int, ...], count: int, radius: int) -> dict[str, Any]:
    """Return what porespy measures of the phase outside of discs or balls."""
    phase = discs(shape, count, radius)
    rings = np.arange(REACH + 2) - 0.5  # around whole lengths
    axes = range(phase.ndim)
    return {
        "shape": shape,
        "count": count,
        "radius": radius,
        "porosity": float(porespy.metrics.porosity(phase)),
        "s2": porespy.metrics.two_point_correlation(phase, bins=rings).probability_scaled.tolist(),
        "lineal_path": [lineal_path(phase, axis) for axis in axes],
        "chords": [chords(phase, axis) for axis in axes],
    }


def lineal_path(phase: Any, axis: int) -> list[float]:
    """Return the share of positions at which a segment of 1, 2, 3 … pixels begins."""
    ahead = porespy.filters.distance_transform_lin(phase, axis=axis, mode="forward")
    positions = [phase.size // phase.shape[axis] * (phase.shape[axis] - d) for d in range(REACH)]
    starts = [int((ahead > d).sum()) for d in range(REACH)]
    return [found / possible for found, possible in zip(starts, positions, strict=True)]


def chords(phase: Any, axis: int) -> list[int]:
    """Return how many chords have 0, 1, 2 … pixels."""
    drawn = porespy.filters.apply_chords(phase, spacing=0, axis=axis, trim_edges=True, label=True)
    return np.bincount(np.bincount(drawn[drawn > 0].ravel())[1:]).tolist()


if __name__ == "__main__":
    main()
