"""How the program speaks to a terminal: exit statuses, and one line for what is wrong."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from napari_nst.engine import launch
from napari_nst.errors import NstError

PROGRAM = "napari-nst"
WRONG_INPUT, WENT_WRONG, INTERRUPTED = 2, 1, 130


def run(program: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return the exit status, after one line on stderr unless it is 0.

    What is neither wrong input nor bad luck is a fault of this program, and is raised.

    Parameters
    ----------
    program : click.Command
        What to run. It may return an exit status of its own.
    arguments : sequence of str, optional
        The process's own where left out; without any, the help is shown.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = program.main(arguments or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    except click.Abort:
        return _failed("interrupted.", INTERRUPTED)
    except click.UsageError as error:
        where = f" See '{error.ctx.command_path} --help'." if error.ctx else ""
        return _failed(error.format_message() + where, WRONG_INPUT)
    except click.ClickException as error:
        return _failed(error.format_message(), WRONG_INPUT)
    except (NstError, OSError) as error:  # `about_input` has made other OSErrors ClickExceptions
        return _failed(_sentence(error), WENT_WRONG)
    return status if isinstance(status, int) else 0


@contextmanager
def about_input() -> Iterator[None]:
    """Turn what the user got wrong into one sentence, and exit status 2.

    It belongs around what looks at input and nothing else: the same exceptions from anywhere else
    are faults of this program, and keep their traceback.
    """
    try:
        yield
    except (OSError, TypeError, ValueError) as error:
        raise click.ClickException(_sentence(error)) from error


def say(message: str) -> None:
    """Print a line about the run on stderr; stdout is for what a command was asked for.

    Of several processes that work together, the first speaks for all.
    """
    if launch.rank() == 0:
        click.echo(f"{PROGRAM}: {message}", err=True)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}."
    return str(error)


def _failed(message: str, status: int) -> int:
    say(" ".join(message.split()))  # one line, whatever a file is called or a library says
    return status
