"""Compare two curves of content against style, measured at several style weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]


def least_y(curve: Sequence[Point], limit: float) -> float | None:
    """Return the lowest y of a curve of straight lines between its points (x, y), where x ≤ limit.

    The points are in the order of their style weights. None if the whole curve is beyond the limit;
    it is not continued at its ends.
    """
    within = [y for x, y in curve if x <= limit]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if min(x0, x1) < limit < max(x0, x1):
            within.append(y0 + (y1 - y0) * (limit - x0) / (x1 - x0))
    return min(within, default=None)


def gains(curve: Sequence[Point], baseline: Point) -> tuple[float | None, float | None]:
    """Compare a curve of (content, style) distances with one picture of a baseline.

    Returns the least style distance without more content distance than the baseline has, and the
    least content distance without more style distance, both divided by the baseline's; below 1 is
    better. None where the curve has no such picture.
    """
    content, style = baseline
    style_there = least_y(curve, content)
    content_there = least_y([(y, x) for x, y in curve], style)
    return (
        None if style_there is None else style_there / style,
        None if content_there is None else content_there / content,
    )
