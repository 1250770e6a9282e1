"""The terminal: arguments → recipe → engine → files.

Nothing heavy is imported before a command needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from napari_nst import __version__
from napari_nst.cli import terminal
from napari_nst.cli.demo import demo
from napari_nst.cli.inspect import features, gram, losses
from napari_nst.cli.jobs import reconstruct, stylize, synthesize
from napari_nst.cli.presets import presets
from napari_nst.cli.sweep import explore, sweep
from napari_nst.cli.weights import weights


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``napari-nst`` and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; the process's own arguments where left out.

    Returns
    -------
    int
        0; 2 where the input was wrong, 1 where something else went wrong, each after one line on
        stderr; 130 after Ctrl-C.
    """
    return terminal.run(program, arguments)


class InOrder(click.Group):
    """A group whose help lists the commands in the order in which a user wants to see them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)


@click.group(
    cls=InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Paint one image in the style of another, from the terminal.

    Also: make more of a texture, and show what a layer of the network keeps of an image.
    """


for command in (
    stylize, synthesize, reconstruct, sweep, explore, features, losses, gram, presets, weights, demo
):  # fmt: skip
    program.add_command(command)
