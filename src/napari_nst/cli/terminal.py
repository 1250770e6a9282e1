"""Exit statuses, and one line on stderr for every error."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from napari_nst.engine.distributed import process_rank
from napari_nst.errors import NstError

PROGRAM = "napari-nst"
WRONG_INPUT, WENT_WRONG, INTERRUPTED = 2, 1, 130


def run(program: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a command with the process's own or other arguments, and return the exit status.

    Errors of the user and of the run become one line; others are faults of this program and keep
    their traceback.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        status = program.main(arguments or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    except click.Abort:
        return _fail("interrupted.", INTERRUPTED)
    except click.UsageError as error:
        where = f" See '{error.ctx.command_path} --help'." if error.ctx else ""
        return _fail(error.format_message() + where, WRONG_INPUT)
    except click.ClickException as error:
        return _fail(error.format_message(), WRONG_INPUT)
    except (NstError, OSError) as error:  # `input_errors` turns other OSErrors into ClickExceptions
        return _fail(_sentence(error), WENT_WRONG)
    return status if isinstance(status, int) else 0


@contextmanager
def input_errors() -> Iterator[None]:
    """Report errors of the user's input in one sentence, with exit status 2.

    Use it only around code that reads and checks input: elsewhere, the same exceptions are faults
    of this program.
    """
    try:
        yield
    except (OSError, TypeError, ValueError) as error:
        raise click.ClickException(_sentence(error)) from error


def say(message: str) -> None:
    """Print a line on stderr, from the first of several processes alone."""
    if process_rank() == 0:
        click.echo(f"{PROGRAM}: {message}", err=True)


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}."
    return str(error)


def _fail(message: str, status: int) -> int:
    say(" ".join(message.split()))  # one line, even if a file name or a library's message has more
    return status
