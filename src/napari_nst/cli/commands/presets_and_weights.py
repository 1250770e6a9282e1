"""The commands ``presets``, for the published recipes, and ``weights``, for their networks."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from napari_nst.cli.terminal import WENT_WRONG, ProgressBar, input_errors
from napari_nst.engine.vgg import weights as network
from napari_nst.recipe import DEFAULT_PRESETS, Recipe, preset, preset_names, published
from napari_nst.recipe.convert_weights import FLAVOURS


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
    names = preset_names(job)
    if name is not None:
        with input_errors():
            if job is not None:
                raise ValueError("--job restricts the list. Leave out --job, or NAME.")
            click.echo(preset(name).to_json())
    elif as_json:
        click.echo(json.dumps({name: preset(name).to_dict() for name in names}, indent=2))
    else:
        for one in map(published, names):
            click.echo(f"{one.name:21}  {one.job:14}  {one.flavour:11}  {one.summary}")
            click.secho(f"    {one.source}", dim=True)


@click.group(no_args_is_help=False)
def weights() -> None:
    """Look after the pretrained network."""


@weights.command()
def status() -> None:
    """List the flavours, and whether they are on this machine."""
    _print_table(network.status())


@weights.command()
@click.argument("flavour", type=click.Choice(FLAVOURS), default=Recipe.weights, metavar="[FLAVOUR]")
@click.option("--force", is_flag=True, help="Fetch it anew even if it is there and whole.")
def fetch(flavour: str, force: bool) -> None:
    """Fetch FLAVOUR (by default gatys) unless it is there, and print its path."""
    with ProgressBar() as bar:
        path = network.fetch(flavour, bar.download, force=force)
    click.echo(path)


@weights.command()
@click.argument("flavour", type=click.Choice(FLAVOURS), required=False, metavar="[FLAVOUR]")
def verify(flavour: str | None) -> int:
    """Recompute the hash of FLAVOUR, or of all that are there; exit 1 if one differs."""
    found = [network.verify(flavour)] if flavour else network.status()
    _print_table(found)
    states = {one.state for one in found} - {"absent"}
    return 0 if states == {"ok"} else WENT_WRONG


def _print_table(found: Sequence[network.WeightsStatus]) -> None:
    for one in found:
        size = (one.size if one.path else one.download_size) / 1e6
        where = one.path or f"would come from {one.origin}"
        click.echo(f"{one.flavour:12} {one.state:7} {size:6.1f} MB  {where}")
