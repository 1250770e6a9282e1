"""The ``presets`` command: the published recipes."""

from __future__ import annotations

import json

import click

from napari_nst.cli.terminal import input_errors
from napari_nst.recipe import DEFAULT_PRESETS, preset, preset_names, published


@click.command()
@click.argument("name", required=False)
@click.option("--job", type=click.Choice(list(DEFAULT_PRESETS)), help="Only those for this job.")
@click.option("--json", "as_json", is_flag=True, help="Print every field of each as JSON.")
def presets(name: str | None, job: str | None, as_json: bool) -> None:
    """List the published recipes, or print one.

    The list has name, job, the network that the recipe was tuned for, and its source below. NAME is
    printed as JSON, which --preset takes as a file:

    napari-nst presets gatys-2016 > mine.json
    """
    if name is not None:
        with input_errors():
            if job is not None:
                raise ValueError("--job is for the list; leave it out, or NAME.")
            recipe = preset(name)
        click.echo(recipe.to_json())
        return
    names = preset_names(job)
    if as_json:
        click.echo(json.dumps({name: preset(name).to_dict() for name in names}, indent=2))
        return
    listed = [published(name) for name in names]
    rows = [(one.name, one.job, one.flavour) for one in listed]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for one, row in zip(listed, rows, strict=True):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join([*cells, one.summary]))
        click.secho(f"    {one.source}", dim=True)
