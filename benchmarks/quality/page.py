"""The page docs/quality.md, filled from results."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, median
from string import Template

from tabulate import tabulate

from benchmarks.quality.curves import Point, gains
from benchmarks.quality.grid_figures import PERIODS
from benchmarks.quality.inputs import Pair
from benchmarks.quality.results import Results, Texture, Transfer

TEMPLATE = Path(__file__).with_name("template.md")

_SIZES = """\
In the tables, distances are means over pairs, and other figures are medians; methods that take many
minutes for a picture may have been measured on fewer pairs. In the plots, each point is the mean
over the pairs that every method was measured on at this size, which may be one. A line joins the
points of one recipe at several style weights; the lower left corner is the best.
"""

_BASELINE = """\
`{curve}` at several style weights, compared with its pictures of {date} at its own style weight.
"Sliced at equal content" is the least style distance that is reached without more content distance
than in the earlier picture, divided by the earlier one; "content at equal sliced" is the other way
round. Below 1 is better. – means that no style weight leads there.
"""

_METHODS = """\
`{curve}` at several style weights, compared with each other method: the least style distance
that is reached without more content distance than in the other picture, divided by the other one,
and the other way round. Below 1 is better. – means that no style weight leads there.
"""

NONE = "–"

Drawn = dict[str, dict[int, str]]
"""Names of the pictures: ``sheet``, ``plot`` and ``textures``, each by size."""


def curves_of(transfers: Iterable[Transfer]) -> dict[str, list[Transfer]]:
    """Return transfers by curve, each in the order of its style weights."""
    found: dict[str, list[Transfer]] = {}
    for one in transfers:
        found.setdefault(one.curve, []).append(one)
    return {name: sorted(rows, key=lambda row: row.factor) for name, rows in found.items()}


def common_pairs(transfers: Iterable[Transfer]) -> set[Pair]:
    """Return the pairs that every method was measured on; all pairs if there is none."""
    by_method: dict[str, set[Pair]] = {}
    for one in transfers:
        by_method.setdefault(one.method, set()).add(one.pair)
    return set.intersection(*by_method.values()) or set.union(*by_method.values())


def mean_points(transfers: Iterable[Transfer], pairs: set[Pair]) -> dict[str, list[Point]]:
    """Return the points (content, sliced Wasserstein) of each curve, means over some pairs.

    What was not measured on all of these pairs is left out.
    """
    rows = [row for row in transfers if row.pair in pairs]
    found: dict[str, list[Point]] = {}
    for name, curve in curves_of(rows).items():
        for method in dict.fromkeys(row.method for row in curve):
            each = [row for row in curve if row.method == method]
            if {row.pair for row in each} == pairs:
                point = (
                    fmean(r.content_distance for r in each),
                    fmean(r.style_sliced for r in each),
                )
                found.setdefault(name, []).append(point)
    return found


def summary_table(transfers: Sequence[Transfer]) -> str:
    """Return a row for each method: means over pairs, and medians of the grid figures."""
    rows = []
    for name in dict.fromkeys(one.method for one in transfers):
        of = [one for one in transfers if one.method == name]
        rows.append(
            [
                name,
                len(of),
                *_distances(of),
                *(f"{median(one.grid[str(period)] for one in of):.1f}" for period in PERIODS),
                f"{median(one.seconds for one in of):.0f}",
                f"{median(one.cpu_seconds for one in of):.0f}",
            ]
        )
    return _table(rows, ["method", "pairs", *_HEADS, "s", "CPU s"])


def pair_table(transfers: Sequence[Transfer]) -> str:
    """Return a row for each picture."""
    rows = [
        [
            str(one.pair),
            one.method,
            *_distances([one]),
            *(f"{one.grid[str(period)]:.1f}" for period in PERIODS),
            f"{one.seconds:.0f}",
        ]
        for one in transfers
    ]
    return _table(rows, ["content × style", "method", *_HEADS, "s"])


_HEADS = (
    "content", "style Gram", "style sliced", *(f"grid {period}" for period in PERIODS)
)  # fmt: skip


def gains_table(transfers: Iterable[Transfer], others: Iterable[Transfer], curve: str) -> str:
    """Compare a curve with other pictures of the same pairs and sizes, method by method.

    Columns: sliced Wasserstein at the other's content distance, content distance at its sliced
    Wasserstein, the same for Gram, and the other's worst grid figure and ours. A picture is left
    out if the curve has none of its pair at its size.
    """
    ours: dict[tuple[Pair, int], list[Transfer]] = {}
    for one in curves_of(transfers).get(curve, []):
        ours.setdefault((one.pair, one.size), []).append(one)
    rows: list[list[object]] = []
    columns: dict[str, list[tuple[float | None, ...]]] = {}
    known = [one for one in others if (one.pair, one.size) in ours]
    for method in dict.fromkeys(one.method for one in known):
        for other in [one for one in known if one.method == method]:
            of = ours[other.pair, other.size]
            ratios = (
                *gains([(row.content_distance, row.style_sliced) for row in of],
                       (other.content_distance, other.style_sliced)),
                *gains([(row.content_distance, row.style_gram) for row in of],
                       (other.content_distance, other.style_gram)),
            )  # fmt: skip
            columns.setdefault(method, []).append(ratios)
            own = next((f"{max(one.grid.values()):.1f}" for one in of if one.factor == 1), NONE)
            worst = f"{max(other.grid.values()):.1f}"
            rows.append([method, str(other.pair), other.size, *map(_ratio, ratios), worst, own])
        rows.append([method, "mean", "", *map(_mean, zip(*columns[method], strict=True)), "", ""])
    if not rows:
        return "None of its pairs was measured at the same size."
    heads = (
        "sliced at equal content", "content at equal sliced", "Gram at equal content",
        "content at equal Gram", "its worst grid", "ours",
    )  # fmt: skip
    return _table(rows, ["compared with", "content × style", "px", *heads])


def _mean(column: Sequence[float | None]) -> str:
    """Return the mean of the ratios that are known, and of how many pairs unless of all."""
    known = [value for value in column if value is not None]
    if not known:
        return NONE
    return _ratio(fmean(known)) + ("" if len(known) == len(column) else f" (of {len(known)})")


def texture_table(textures: Sequence[Texture]) -> str:
    """Return a row for each texture."""
    rows = [
        [
            one.exemplar,
            one.method,
            one.size,
            *map(_ratio, (one.s2, one.spectrum, one.gram)),
            f"{one.copy} ({one.copy_of_crops})",
            f"{max(one.grid.values()):.1f} ({max(one.grid_of_exemplar.values()):.1f})",
            f"{one.seconds:.0f}",
        ]
        for one in textures
    ]
    heads = ("S2", "spectrum", "Gram", "copy (crops)", "worst grid (exemplar)", "s")
    return _table(rows, ["exemplar", "method", "px", *heads])


def page(
    results: Results, baseline: Results | None, curve: str, drawn: Drawn, folder: str = ""
) -> str:
    """Return docs/quality.md with the pictures that were drawn, which are in `folder`.

    `curve` is the method that is compared with the baseline.
    """
    by_size = {
        size: [one for one in results.transfers if one.size == size]
        for size in sorted({one.size for one in results.transfers})
    }
    transfers, pictures = [], []
    if by_size:
        transfers.append(f"## Style transfer\n\n{_SIZES}")
        for size, of in by_size.items():
            transfers.append(f"### {size} pixels\n\n{summary_table(of)}\n")
            plot = f"Style distance against content distance at {size} pixels"
            transfers.append(f"![{plot}]({folder}{drawn['plot'][size]})\n")
            if size in drawn["sheet"]:
                sheet = f"Pictures of every method at {size} pixels"
                transfers.append(f"![{sheet}]({folder}{drawn['sheet'][size]})\n")
        others = [one for one in results.transfers if one.curve != curve]
        if others and len(others) < len(results.transfers):
            transfers.append("### Compared with other methods\n")
            transfers.append(_METHODS.format(curve=curve))
            transfers.append(gains_table(results.transfers, others, curve) + "\n")
        if baseline is not None:
            earlier = [one for one in baseline.transfers if one.curve == curve and one.factor == 1]
            transfers.append("### Compared with an earlier measurement\n")
            transfers.append(_BASELINE.format(date=baseline.date[:10], curve=curve))
            transfers.append(gains_table(results.transfers, earlier, curve) + "\n")
        pictures.append("## Every picture\n")
        for size, of in by_size.items():
            pictures.append(f"{size} px:\n\n{pair_table(of)}\n")
    textures = []
    if results.textures:
        textures += ["## Textures\n", texture_table(results.textures) + "\n"]
        textures += [
            f"![Textures of every method]({folder}{name})\n" for name in drawn["textures"].values()
        ]
    machine = "; ".join(f"{name} {fact}" for name, fact in results.machine.items())
    versions = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    text = Template(TEMPLATE.read_text("utf-8")).substitute(
        transfers="\n".join(transfers),
        textures="\n".join(textures),
        pictures="\n".join(pictures),
        where=f"`{results.command}`, {results.date}.\n{machine}.\n{versions}.",
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _distances(rows: Sequence[Transfer]) -> list[str]:
    names = ("content_distance", "style_gram", "style_sliced")
    return [f"{fmean(getattr(row, name) for row in rows):.3f}" for name in names]


def _ratio(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"


def _table(rows: Sequence[Sequence[object]], heads: Sequence[str]) -> str:
    return tabulate(rows, heads, "github", disable_numparse=True)
