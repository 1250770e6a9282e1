"""Calling the program in tests, and reading its messages and files."""

from pathlib import Path

import tifffile

import napari_nst
from napari_nst import cli

SOURCES = Path(napari_nst.__file__).parents[1]
GOOD = ["content.png", "style.jpg", "-o", "out.png"]
QUICK = ["--size", "64", "--min-size", "0", "--device", "cpu"]


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def the_line(captured):
    """Return the one line on stderr of an error."""
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.startswith("napari-nst: ")
    assert captured.err.rstrip("'\n").endswith((".", "?", "--help"))
    assert captured.err.count("\n") == 1
    return captured.err


def page_labels(path):
    """Return the labels of the pages of a TIFF."""
    with tifffile.TiffFile(path) as tiff:
        labels = tiff.imagej_metadata["Labels"]
    return [labels] if isinstance(labels, str) else labels
