"""The ``presets`` command: the published recipes, to choose from and to start one's own from."""

from __future__ import annotations

import json

import click

from napari_nst.cli.terminal import about_input
from napari_nst.recipe import DEFAULT_PRESETS, preset, preset_names, published
from napari_nst.recipe.presets.registry import Published


@click.command()
@click.argument("name", required=False)
@click.option("--job", type=click.Choice(list(DEFAULT_PRESETS)), help="Only those for this job.")
@click.option("--json", "as_json", is_flag=True, help="Print every field of each as JSON.")
def presets(name: str | None, job: str | None, as_json: bool) -> None:
    """List the published recipes, or print one.

    The list has name, job, the network that it was tuned for, and below that its source. NAME is
    printed as JSON, which --preset takes as a file:

    napari-nst presets gatys-2016 > mine.json
    """
    if name is not None:
        with about_input():
            if job is not None:
                raise ValueError("--job is for the list; leave it out, or NAME.")
            recipe = preset(name)
        click.echo(recipe.to_json())
        return
    names = preset_names(job)
    if as_json:
        click.echo(json.dumps({name: preset(name).to_dict() for name in names}, indent=2))
        return
    every = [published(name) for name in names]
    widths = [max(len(cell) for cell in column) for column in zip(*map(_cells, every), strict=True)]
    for one in every:
        cells = [cell.ljust(width) for cell, width in zip(_cells(one), widths, strict=True)]
        click.echo("  ".join([*cells, one.summary]))
        click.secho(f"    {one.source}", dim=True)


def _cells(one: Published) -> tuple[str, str, str]:
    return one.name, one.job, one.flavour
