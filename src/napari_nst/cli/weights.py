"""The ``weights`` commands: the pretrained network on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from napari_nst.cli import terminal
from napari_nst.cli.progress import ProgressBar
from napari_nst.recipe import Recipe
from napari_nst.recipe.convert_weights import FLAVOURS

if TYPE_CHECKING:
    from napari_nst.engine.vgg.weights import WeightsStatus


@click.group(no_args_is_help=False)
def weights() -> None:
    """Look after the pretrained network."""


@weights.command()
def status() -> None:
    """List the flavours, and whether they are on this machine."""
    from napari_nst.engine.vgg import weights as network

    _print_table(network.status())


@weights.command()
@click.argument("flavour", type=click.Choice(FLAVOURS), default=Recipe.weights, metavar="[FLAVOUR]")
@click.option("--force", is_flag=True, help="Fetch it anew even if it is there and whole.")
def fetch(flavour: str, force: bool) -> None:
    """Fetch FLAVOUR (by default gatys) unless it is there, and print its path."""
    from napari_nst.engine.vgg import weights as network

    with ProgressBar() as bar:
        path = network.fetch(flavour, bar.download, force=force)
    click.echo(path)


@weights.command()
@click.argument("flavour", type=click.Choice(FLAVOURS), required=False, metavar="[FLAVOUR]")
def verify(flavour: str | None) -> int:
    """Recompute the hash of FLAVOUR, or of all that are there; exit 1 if one differs."""
    from napari_nst.engine.vgg import weights as network

    found = [network.verify(flavour)] if flavour else network.status()
    _print_table(found)
    states = {one.state for one in found} - {"absent"}
    return 0 if states == {"ok"} else terminal.WENT_WRONG


def _print_table(found: Sequence[WeightsStatus]) -> None:
    for one in found:
        size = (one.size if one.path else one.download_size) / 1e6
        where = one.path or f"would come from {one.origin}"
        click.echo(f"{one.flavour:12} {one.state:7} {size:6.1f} MB  {where}")
