"""Several seeds of a texture in the terminal, written into a zarr folder, with a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_nst.cli.options import FILE, OF_WORKERS
from napari_nst.cli.request import Request, read_in_range, split
from napari_nst.cli.stack import SUFFIX, is_stack, refuse_others, run_slices
from napari_nst.cli.terminal import input_errors, option, say
from napari_nst.io.atomic_write import check_writable
from napari_nst.io.image_files.decoded_image import DecodedImage
from napari_nst.io.image_files.write_image import depth_for, write_image

if TYPE_CHECKING:
    from napari_nst.ensembles.ensemble_run import EnsembleRun
    from napari_nst.ensembles.exemplar import Exemplar

_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "--seeds seeds": {
        "metavar": "N|SEED,…",
        "help": "How many textures to make, with as many seeds from --seed on, or which seeds; the "
        f"output is a folder {SUFFIX}.  [default: 8]",
    },
    "--statistics/--no-statistics statistics": {
        "default": None,
        "help": "Measure each texture of --seeds, and find what it has copied from EXEMPLAR.  "
        "[default: --statistics]",
    },
    "--table table": {
        "type": FILE,
        "help": "Write the statistics as CSV: a line for each seed, their mean and their standard "
        "deviation.",
    },
    "--mean mean": {"type": FILE, "help": "Write the mean of all textures, pixel by pixel."},
    "--deviation deviation": {
        "type": FILE,
        "help": "Write the standard deviation of all textures, pixel by pixel; white is the range "
        "of a texture.",
    },
    **OF_WORKERS,
}
_NAMES = tuple(names.partition(" ")[2] for names in _OPTIONS)


def ensemble_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of an ensemble, whose output is a zarr folder."""
    for names, declared in list(_OPTIONS.items())[::-1]:
        function = click.option(*names.split(" "), **declared)(function)
    return function


def take_ensemble_options(request: Request, options: MutableMapping[str, Any]) -> dict[str, Any]:
    """Remove the options of ensembles from all options; refuse them if the output is a picture."""
    taken = {name: options.pop(name) for name in _NAMES}
    given = [name for name, value in taken.items() if value is not None]
    with input_errors():
        if given and not is_stack(request):
            raise ValueError(
                f"{option(given[0])} is for several seeds. Give --output a name that ends in "
                f"{SUFFIX}, or leave out {option(given[0])}."
            )
    return taken


def run_ensemble(
    request: Request,
    exemplars: Sequence[Path],
    shape: tuple[int, int] | None,
    options: Mapping[str, Any],
    others: Mapping[str, Any],  # arguments of the command that an ensemble has not
) -> int:
    """Make a texture by many seeds, print and write its table, and return the exit status."""
    given = {name: value for name, value in options.items() if value is not None}
    table, mean, deviation = (given.pop(name, None) for name in ("table", "mean", "deviation"))
    with input_errors():
        refuse_others(request, exemplars[:1], others)
        request.check_given({"exemplar": exemplars})
        if len(exemplars) > 1:
            raise ValueError("Several seeds are compared with one EXEMPLAR. Give one.")
        if table and given.get("statistics") is False:
            raise ValueError("--table has the statistics. Leave out --table or --no-statistics.")
        check_writable([path for path in (table, mean, deviation) if path], exemplars)
        image = read_in_range(exemplars[0], request.limits, request.page, request.channel)
        for path in (mean, deviation):
            if path:
                depth_for(path, image.pixels)
        if "seeds" in given:
            given["seeds"] = _seeds(given["seeds"])
        exemplar = _exemplar(exemplars[0], image, request)

    from napari_nst import synthesize_ensemble

    run, status = run_slices(request, partial(synthesize_ensemble, exemplar, shape=shape, **given))
    if run.table.seeds:
        click.echo(repr(run.table))
        if table:
            run.table.to_csv(table)
            say(f"wrote {table}.")
    if run.done > 1:
        _write_images(run, mean, deviation)
    return status


def _write_images(run: EnsembleRun, mean: Path | None, deviation: Path | None) -> None:
    """Write the images of all seeds together, in [0, 1] of the range of a texture."""
    paths = [path for path in (mean, deviation) if path]
    if not paths:
        return
    low, high = run.job.result_limits
    of_mean, of_deviation = run.mean_and_deviation()
    for path, pixels in ((mean, of_mean - low), (deviation, of_deviation)):
        if path:
            unit = (pixels / (high - low)).clip(0, 1)
            write_image(path, unit, depth_for(path, unit))
    say(f"wrote {', '.join(map(str, paths))}.")


def _seeds(text: str) -> int | list[int]:
    """Return a number of seeds, or the seeds."""
    try:
        numbers = [int(one) for one in split(text)]
    except ValueError:
        raise ValueError(
            f"--seeds must be a number of seeds such as 8, or seeds such as 3,17; not {text!r}."
        ) from None
    return numbers[0] if len(numbers) == 1 and "," not in text else numbers


def _exemplar(path: Path, image: DecodedImage, request: Request) -> Exemplar:
    """Return the exemplar of a file, with the file in the record."""
    from napari_nst.ensembles.exemplar import read_exemplar

    found = read_exemplar(image, request.recipe)
    known = {"name": str(path), "path": str(path.absolute())}
    metadata = found.image.metadata | known
    return replace(found, image=replace(found.image, metadata=metadata))
