"""How the tests of the terminal call it, and read what it says."""

import os
import subprocess
import sys
from pathlib import Path

import napari_nst
from napari_nst import cli

SOURCES = Path(napari_nst.__file__).parents[1]
GOOD = ["content.png", "style.jpg", "-o", "out.png"]
QUICK = ["--size", "64", "--min-size", "0", "--device", "cpu"]


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def program(*arguments, **options):
    """Start the real program."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    return subprocess.run(
        [sys.executable, "-m", "napari_nst", *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=300, check=False, **options,
    )  # fmt: skip


def the_line(captured):
    """Return the one line on stderr that an error is."""
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.startswith("napari-nst: ")
    assert captured.err.rstrip("'\n").endswith((".", "?", "--help"))
    assert captured.err.count("\n") == 1
    return captured.err
