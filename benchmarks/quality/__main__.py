"""Measure the quality of pictures and textures, and write tables, a sheet and a plot.

make quality                                  # the pairs that the project owns
make quality ARGS="--size 128 --steps 20"     # a short trial
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import astuple
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.machine import machine, versions
from benchmarks.quality import page
from benchmarks.quality.inputs import EXEMPLARS, PAIRS, Images, Pair
from benchmarks.quality.judge import Judge
from benchmarks.quality.measure import exemplar_crop, textures, transfers
from benchmarks.quality.methods import CURVES, FACTORS, SINGLE, Method, known, methods
from benchmarks.quality.pictures import contact_sheet, save_jpeg, save_plot
from benchmarks.quality.results import Cache, Results
from napari_nst.errors import NstError
from napari_nst.io.image_files.read_image import read_image

DOCS = Path(__file__).parents[2] / "docs"
SHEET_WIDTH, SHEET_BYTES = 1600, 700_000  # of a sheet in the docs; others show pictures whole
RESULTS = "results.json"

Sheets = dict[str, dict[str, np.ndarray[Any, Any]]]
"""The pictures of a sheet, by row and column."""


def _pairs(context: click.Context, option: click.Parameter, text: str) -> tuple[Pair, ...]:
    try:
        return tuple(map(Pair.parse, text.split(","))) if text else PAIRS
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def _numbers(context: click.Context, option: click.Parameter, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"must be numbers such as 0.5,1,2; not {text!r}.") from None


# fmt: off
@click.command(help=__doc__.splitlines()[0])
@click.option("--images", type=click.Path(exists=True, file_okay=False, path_type=Path),
              help="A folder of images; their names are those of the files, without suffix.")
@click.option("--pairs", default="", callback=_pairs,
              help="Pairs content:style, with commas between them; by default four of our own.")
@click.option("--size", "sizes", multiple=True, type=click.IntRange(128), default=(256,),
              show_default=True, help="Longest side in pixels; may be given several times.")
@click.option("--curve", "curves", multiple=True, default=CURVES, show_default=True,
              help="A preset to run at several style weights, or preset,field=value.")
@click.option("--method", "single", multiple=True, default=SINGLE, show_default=True,
              help="A preset to run once, or preset,field=value; may be given several times.")
@click.option("--factors", default=",".join(f"{one:g}" for one in FACTORS), callback=_numbers,
              show_default=True, help="Factors of the style weight for --curve.")
@click.option("--steps", type=click.IntRange(1),
              help="Steps of every run, for a trial; by default each preset's own.")
@click.option("--transfers/--no-transfers", "with_transfers", default=True,
              help="Measure pictures.")
@click.option("--textures/--no-textures", "with_textures", default=True, help="Measure textures.")
@click.option("--exemplar", "exemplars", multiple=True, type=click.Choice(list(EXEMPLARS)),
              default=tuple(EXEMPLARS), show_default=True, help="Textures to measure.")
@click.option("--texture-method", "texture_methods", multiple=True, default=("texture",),
              show_default=True, help="A texture preset, or preset,field=value.")
@click.option("--texture-size", type=click.IntRange(128, 256), default=256, show_default=True,
              help="Side of textures in pixels.")
@click.option("--baseline", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help=f"The {RESULTS} of an earlier measurement to compare with.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), default="quality",
              show_default=True, help="Folder for pictures and results.")
@click.option("--show", is_flag=True, help="Measure nothing; show what the folder has already.")
@click.option("--docs", "for_docs", is_flag=True,
              help="Write docs/quality.md, with a sheet of our own pairs only.")
def main(
    images: Path | None, pairs: tuple[Pair, ...], sizes: tuple[int, ...], curves: tuple[str, ...],
    single: tuple[str, ...], factors: tuple[float, ...], steps: int | None, with_transfers: bool,
    with_textures: bool, exemplars: tuple[str, ...], texture_methods: tuple[str, ...],
    texture_size: int, baseline: Path | None, output: Path, show: bool, for_docs: bool,
) -> None:  # fmt: skip
    """Measure, write and print."""
    source = Images(images)
    try:
        earlier = None if baseline is None else Results.read(baseline)
        if show:
            results = Results.read(output / RESULTS)
        else:
            for name in dict.fromkeys(name for pair in pairs for name in astuple(pair)):
                source[name]  # an unknown name is an error before anything is measured
            changes = {} if steps is None else {"steps": steps}
            several, once = (
                _present(texts if with_transfers else (), "transfer") for texts in (curves, single)
            )
            of_textures = _present(texture_methods if with_textures else (), "texture")
            results = _measure(
                pairs if with_transfers else (),
                [list(methods(several, once, factors, size=size, **changes)) for size in sizes],
                exemplars if with_textures else (),
                list(methods((), of_textures, (), **changes)),
                texture_size,
                source,
                output,
            )
        drawn = _draw(results, earlier, source, output, output, for_docs=False)
        text = page.page(results, earlier, curves[0], drawn)
        (output / "quality.md").write_text(text, encoding="utf-8")
        if for_docs:
            drawn = _draw(results, earlier, source, output, DOCS / "images", for_docs=True)
            document = page.page(results, earlier, curves[0], drawn, "images/")
            (DOCS / "quality.md").write_text(document, encoding="utf-8")
    except (OSError, TypeError, ValueError, NstError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(text)


def _measure(
    pairs: Sequence[Pair], methods_by_size: Sequence[Sequence[Method]], exemplars: Sequence[str],
    texture_methods: Sequence[Method], texture_size: int, source: Images, output: Path,
) -> Results:  # fmt: skip
    """Measure everything, and write the results after each picture."""
    output.mkdir(parents=True, exist_ok=True)
    judge, cache = Judge.load(), Cache(output)
    results = Results(
        date=datetime.now().astimezone().isoformat(timespec="seconds"),
        command=repeating(sys.argv[1:]),
        machine=machine(),
        versions=versions(),
        transfers=[],
        textures=[],
    )
    for of_one_size in methods_by_size:
        for transfer in transfers(pairs, of_one_size, source, judge, cache):
            results.transfers.append(transfer)
            results.write(output / RESULTS)
    for texture in textures(exemplars, texture_size, texture_methods, judge, cache):
        results.textures.append(texture)
        results.write(output / RESULTS)
    return results


def repeating(arguments: Sequence[str]) -> str:
    """Return how to repeat the measurement, without the paths of this machine."""
    words = list(arguments)
    for option, name in (("--images", "FOLDER"), ("--baseline", "EARLIER"), ("--output", "OUTPUT")):
        for index, word in enumerate(words):
            if word.startswith(f"{option}="):
                words[index] = f"{option}={name}"
            elif index and words[index - 1] == option:
                words[index] = name
    return f'make quality ARGS="{shlex.join(words)}"'


def _present(texts: Sequence[str], job: str) -> list[str]:
    """Return the methods whose preset exists, and say which are left out."""
    present, missing = known(texts, job)
    for text in missing:
        click.echo(f"{text} is left out: there is no such preset.", err=True)
    return present


def _draw(
    results: Results, earlier: Results | None, source: Images, output: Path, folder: Path,
    *, for_docs: bool,
) -> page.Drawn:  # fmt: skip
    """Write sheets and plots into a folder, and return their names.

    Sheets for the docs are small, and show our own images only.
    """
    drawn: page.Drawn = {"sheet": {}, "plot": {}, "textures": {}}

    def save_sheet(kind: str, size: int, stem: str, rows: Sheets) -> None:
        if not rows:
            return
        columns = len({name for row in rows.values() for name in row})
        side, limit = (
            (min(size, SHEET_WIDTH // columns), SHEET_BYTES) if for_docs else (size, sys.maxsize)
        )
        drawn[kind][size] = f"{stem}-{size}.jpg"
        save_jpeg(contact_sheet(rows, side), folder / drawn[kind][size], limit)

    for size in sorted({one.size for one in results.transfers}):
        of = [one for one in results.transfers if one.size == size]
        shown = [
            pair
            for pair in dict.fromkeys(one.pair for one in of)
            if not for_docs or all(map(source.is_own, astuple(pair)))
        ]
        pictures = {
            str(pair): {"content": source[pair.content], "style": source[pair.style]}
            | {one.method: read_image(output / one.file) for one in of if one.pair == pair}
            for pair in shown
        }
        save_sheet("sheet", size, "quality", pictures)
        pairs = page.common_pairs(of)
        points = page.mean_points(of, pairs)
        if earlier is not None:
            before = [one for one in earlier.transfers if one.size == size]
            old = page.mean_points(before, pairs)
            points |= {f"{name}, {earlier.date[:10]}": curve for name, curve in old.items()}
        drawn["plot"][size] = f"quality-{size}-curves.png"
        save_plot(points, folder / drawn["plot"][size])
    for size in sorted({one.size for one in results.textures}):
        textures: Sheets = {}
        for one in results.textures:
            if one.size == size:
                crop = {"exemplar": exemplar_crop(one.exemplar, size)}
                row = textures.setdefault(one.exemplar, crop)
                row[one.method] = read_image(output / one.file)
        save_sheet("textures", size, "quality-textures", textures)
    return drawn


if __name__ == "__main__":
    main()
