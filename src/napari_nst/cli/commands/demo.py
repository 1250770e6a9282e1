"""The ``demo`` command: the only one that opens the viewer."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from napari_nst.cli.terminal import ProgressBar, input_errors, say
from napari_nst.errors import NstError
from napari_nst.recipe import preset

RESTARTED = "NAPARI_NST_IN_XVFB"
"""Environment variable of the program that was restarted under Xvfb."""


@click.command()
@click.option("--headless", is_flag=True, help="Need no display, and end without a click.")
@click.option(
    "--output", type=click.Path(file_okay=False, path_type=Path), default=Path("demo-output"),
    show_default=True, help="Folder for the files that the demo writes.",
)  # fmt: skip
@click.option("--size", type=int, help="Longest side in pixels.  [default: the widget's]")
@click.option("--steps", type=int, help="Iterations over all scales.  [default: the widget's]")
def demo(headless: bool, output: Path, **options: int | None) -> None:
    """Show everything once, in a napari window."""
    fields = {name: value for name, value in options.items() if value is not None}
    with input_errors():
        preset("default", **fields)

    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not has_display and sys.platform not in ("win32", "darwin"):
        if not headless:
            say("there is no display, so the demo runs headless.")
        given = [f"--{name}={value}" for name, value in fields.items()]
        _restart_in_xvfb(["demo", "--headless", "--output", str(output), *given])

    from napari_nst.viewer.demo import run_demo

    say("opening a napari window …")
    with ProgressBar() as bar:
        written = run_demo(headless, output, bar, **fields)
    for path in written:
        click.echo(path)


def _restart_in_xvfb(arguments: Sequence[str]) -> None:
    """Replace this process by ``napari-nst`` on a virtual display of 1920 × 1080 pixels."""
    if os.environ.get(RESTARTED):
        raise NstError("xvfb-run did not make a display. Run xvfb-run -a xdpyinfo to see why.")
    if not (shutil.which("xvfb-run") and shutil.which("xauth")):
        raise NstError(
            "There is no display, and no xvfb-run to make one. Install the Debian packages xvfb "
            "and xauth."
        )
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24"]
    command = [*screen, sys.executable, "-m", "napari_nst", *arguments]
    os.execvpe(command[0], command, {**os.environ, RESTARTED: "1"})
