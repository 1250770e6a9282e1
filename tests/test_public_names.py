"""The public names of the package, and the modules that are not imported with them."""

import re
import subprocess
import sys

import pytest

import napari_nst as nst

HEAVY = ("torch", "numpy", "PIL", "skimage", "napari", "qtpy", "PyQt5", "PyQt6", "PySide6")


def modules_after(code):
    """Return the names of all modules that a fresh interpreter has loaded after `code`."""
    code = f"{code}\nimport sys\nprint(*sys.modules)"
    printed = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    return set(printed.split())


@pytest.mark.parametrize(
    "code",
    [
        "import napari_nst",
        "import napari_nst as nst; nst.Recipe(size=64).to_json()",
        "import napari_nst as nst; [nst.preset(name) for name in nst.preset_names()]",
        "from napari_nst import NstError; dir(__import__('napari_nst'))",
    ],
)
def test_what_needs_nothing_heavy_imports_nothing_heavy(code):
    assert modules_after(code).isdisjoint(HEAVY)


def test_the_engine_imports_neither_napari_nor_qt():
    loaded = modules_after("import napari_nst; napari_nst.stylize; napari_nst.losses")
    assert "torch" in loaded
    assert loaded.isdisjoint({"napari", "qtpy", "PyQt5", "PyQt6", "PySide6", "magicgui"})


def test_what_stacks_need_is_imported_by_runs_alone():
    loaded = modules_after("import napari_nst.cli, napari_nst.viewer.style_transfer")
    assert loaded.isdisjoint({"torch", "zarr", "distributed"})


@pytest.mark.parametrize("name", nst.__all__)
def test_every_public_name_is_there_and_listed(name):
    assert getattr(nst, name).__name__.split(".")[-1] == name
    assert name in dir(nst)


def test_the_version_is_listed():
    assert "__version__" in dir(nst)
    assert re.match(r"\d+\.\d+", nst.__version__)


@pytest.mark.parametrize("name", ["stylise", "torch", "_HOME"])
def test_other_names_are_no_attributes(name):
    with pytest.raises(AttributeError, match=f"^module 'napari_nst' has no attribute '{name}'$"):
        getattr(nst, name)


def test_errors_while_running_are_not_runtime_errors():
    assert issubclass(nst.NstError, Exception)
    assert not issubclass(nst.NstError, (RuntimeError, ValueError, TypeError))
