"""The terminal: arguments → recipe → engine → files.

Commands import torch and napari only when they need them, so that ``--help`` answers at once.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress

import click

from napari_nst.cli.commands.augment import augment
from napari_nst.cli.commands.demo import demo
from napari_nst.cli.commands.inspect import explore, features, gram, losses
from napari_nst.cli.commands.jobs import reconstruct, stylize, sweep, synthesize
from napari_nst.cli.commands.presets_and_weights import presets, weights
from napari_nst.cli.commands.resume import resume
from napari_nst.cli.commands.solid import solid
from napari_nst.cli.commands.statistics import statistics
from napari_nst.cli.commands.target import target
from napari_nst.cli.terminal import INTERRUPTED, PROGRAM, WENT_WRONG, WRONG_INPUT, say, sentence
from napari_nst.errors import NstError
from napari_nst.recipe.suggest import nearest


class _UnsortedGroup(click.Group):
    """A group whose help lists the commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command; the message for an unknown one suggests the most similar."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            if hint := nearest(args[0], self.commands):
                raise click.UsageError(f"There is no command {args[0]!r}. {hint}", ctx) from None
            raise


@click.group(
    cls=_UnsortedGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,
)
@click.version_option(
    None, "-V", "--version", package_name="napari-nst", message="%(prog)s %(version)s"
)
def program() -> None:
    """Paint one image in the style of another, from the terminal.

    Also: make more of a texture, and show what a layer of the network keeps of an image.
    """


for command in (
    stylize, synthesize, reconstruct, solid, augment, target, sweep, explore, resume, features,
    losses, gram, statistics, presets, weights, demo,
):  # fmt: skip
    program.add_command(command)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``napari-nst`` and return the exit status, after one line on stderr for an error."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # A terminal without ✓, or a file name that is not text, must not cause a traceback.
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            stream.reconfigure(errors="replace")
    try:
        result = program.main(arguments or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    except click.Abort as abort:
        message = "interrupted."
        status = 128 + getattr(abort.__cause__, "number", INTERRUPTED - 128)
    except click.UsageError as error:
        where = f" See '{error.ctx.command_path} --help'." if error.ctx else ""
        message, status = error.format_message() + where, WRONG_INPUT
    except click.ClickException as error:
        message, status = error.format_message(), WRONG_INPUT
    except (NstError, OSError, MemoryError) as error:
        # An OSError of wrong input is a ClickException, see `input_errors`.
        message, status = sentence(error), WENT_WRONG
    else:
        return result if isinstance(result, int) else 0
    finally:
        _drop_unwritable_output()
    say(" ".join(message.split()))  # one line, even if a file name or a library's message has more
    return status


def _drop_unwritable_output() -> None:
    """Drop output that a full disk or a closed pipe refuses; Python would report it at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError, AttributeError):
            with suppress(OSError, ValueError, AttributeError), open(os.devnull, "w") as nothing:
                os.dup2(nothing.fileno(), stream.fileno())
