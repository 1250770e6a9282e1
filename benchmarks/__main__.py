"""Measure every row of the table, print it, and write it as JSON.

make bench                          # everything
make bench ARGS="--quick"           # a short trial of everything
make bench ARGS="--rows speed --size 512 --device cuda"
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import click
import torch

from benchmarks import estimates, memory, peers, speed, startup, time_to_loss
from benchmarks.machine import devices, machine, versions
from benchmarks.rows import NotMeasured, Report, Row
from benchmarks.setting import Setting
from napari_nst.errors import NstError


@dataclass(frozen=True)
class Measurement:
    """A function that measures rows of the table."""

    title: str  # of the row that says why nothing could be measured
    rows: Callable[[Setting], Iterator[Row]]
    each_device: bool = True


MEASUREMENTS = {
    "import": Measurement("import napari_nst", startup.importing, each_device=False),
    "opening": Measurement("opening the widget", startup.opening, each_device=False),
    "window": Measurement("iteration in a napari window ÷ from the terminal", startup.streaming),
    "speed": Measurement("iteration ÷ textbook's", speed.per_iteration),
    "peers": Measurement("iteration ÷ other packages'", peers.per_iteration),
    "race": Measurement("time to the textbook's final loss", time_to_loss.to_textbook_loss),
    "memory": Measurement("peak memory ÷ textbook's", memory.peak),
    "forecast": Measurement("estimate ÷ measured", estimates.compared),
    "growth": Measurement("cost per megapixel, large ÷ small", speed.growth),
}
"""The values of `--rows`, in the order of the table."""


def measured(names: list[str], settings: list[Setting]) -> Iterator[Row]:
    """Yield the rows of some measurements; a row says why a measurement failed."""
    for index, setting in enumerate(settings):
        for name in names:
            measurement = MEASUREMENTS[name]
            if index and not measurement.each_device:
                continue
            began = time.perf_counter()
            try:
                yield from measurement.rows(setting)
            except (NotMeasured, NstError, MemoryError, RuntimeError, ValueError) as error:
                reason = str(error) or type(error).__name__
                yield Row(
                    what=measurement.title,
                    device=str(setting.device),
                    remark=reason.splitlines()[0],
                )
            took = time.perf_counter() - began
            click.echo(f"{name} on {setting.device}: {took:.0f} s", err=True)
    if not torch.cuda.is_available():
        yield Row(what="all rows on a GPU", device="cuda", remark="there is no CUDA device here")


@click.command(help=__doc__.splitlines()[0])
@click.option(
    "--rows",
    multiple=True,
    type=click.Choice(list(MEASUREMENTS)),
    help="Measure only these; may be given several times.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    type=click.IntRange(64),
    default=(256, 512, 1024),
    show_default=True,
    help="Sides of the images in pixels; may be given several times.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto measures the CPU, and a GPU if there is one.",
)
@click.option("--quick", is_flag=True, help="A short trial of everything, with small images.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="bench.json",
    show_default=True,
    help="Where to write the rows as JSON.",
)
@click.option("--show", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Measure nothing; print this earlier output, as Markdown.")  # fmt: skip
def main(
    rows: tuple[str, ...], sizes: tuple[int, ...], device: str, quick: bool, output: Path,
    show: Path | None,
) -> None:  # fmt: skip
    """Measure, print and write."""
    if show is not None:
        report = Report.from_json(show.read_text(encoding="utf-8"))
        click.echo(report.heading() + "\n\n" + report.table("github"))
        return
    if device == "cuda" and not torch.cuda.is_available():
        raise click.BadParameter("this machine has no CUDA device.", param_hint="--device")
    began, date = time.perf_counter(), datetime.now().astimezone().isoformat(timespec="seconds")
    settings = [Setting(one, (256,) if quick else sizes, quick) for one in devices(device)]
    names = [name for name in MEASUREMENTS if not rows or name in rows]
    report = Report(
        date=date,
        machine=machine(),
        versions=versions(),
        command=" ".join(["python -m benchmarks", *sys.argv[1:]]),
        rows=tuple(measured(names, settings)),
        seconds=time.perf_counter() - began,
    )
    output.write_text(report.to_json(), encoding="utf-8")
    click.echo(report.heading() + "\n" + report.table())


if __name__ == "__main__":
    main()
