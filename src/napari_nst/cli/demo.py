"""The ``demo`` command: the one that opens the viewer."""

from __future__ import annotations

from pathlib import Path

import click

from napari_nst.cli import virtual_display as display
from napari_nst.cli.terminal import about_input, say
from napari_nst.recipe import preset


@click.command()
@click.option("--headless", is_flag=True, help="Need no display, and end without a click.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Folder for what it makes.",
)
@click.option("--size", type=int, help="Longest side in pixels.  [default: the widget's]")
@click.option("--steps", type=int, help="Iterations over all scales.  [default: the widget's]")
def demo(headless: bool, output: Path, size: int | None, steps: int | None) -> None:
    """Show everything once, in a napari window."""
    changes = {k: v for k, v in {"size": size, "steps": steps}.items() if v is not None}
    with about_input():
        preset("default", **changes)

    if display.is_missing():
        if not headless:
            say("there is no display, so the demo runs headless.")
        sizes = [text for name, value in changes.items() for text in (f"--{name}", str(value))]
        display.restart_in_xvfb(["demo", "--headless", "--output", str(output), *sizes])

    from napari_nst.viewer.demo import run_demo

    for path in run_demo(headless, output, **changes):
        click.echo(path)
