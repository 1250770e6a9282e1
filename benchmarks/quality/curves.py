"""Compare two curves of content against style, measured at several style weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]


def value_at(curve: Sequence[Point], x: float) -> float | None:
    """Return the lowest y at which a curve of straight lines between its points (x, y) reaches x.

    The points are in the order of their style weights. None if the curve does not reach x: it is
    not continued beyond its ends.
    """
    reached = [y for at, y in curve if at == x]
    for (x0, y0), (x1, y1) in pairwise(curve):
        if min(x0, x1) < x < max(x0, x1):
            reached.append(y0 + (y1 - y0) * (x - x0) / (x1 - x0))
    return min(reached, default=None)


def gains(curve: Sequence[Point], baseline: Point) -> tuple[float | None, float | None]:
    """Compare a curve of (content, style) distances with one picture of a baseline.

    Returns the style distance at the baseline's content distance, and the content distance at its
    style distance, both divided by the baseline's; below 1 is better. None where the curve has no
    such picture.
    """
    content, style = baseline
    style_there = value_at(curve, content)
    content_there = value_at([(y, x) for x, y in curve], style)
    return (
        None if style_there is None else style_there / style,
        None if content_there is None else content_there / content,
    )
