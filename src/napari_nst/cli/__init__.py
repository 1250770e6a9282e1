"""The terminal: arguments → recipe → engine → files.

Commands import torch and napari only when they need them, so that ``--help`` answers at once.
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

    The status is 0 for success, 2 for wrong input, 1 for other errors, each after one line on
    stderr, and 130 after Ctrl-C. Arguments default to the process's own.
    """
    return terminal.run(program, arguments)


class _UnsortedGroup(click.Group):
    """A group whose help lists the commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(
    cls=_UnsortedGroup,
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
