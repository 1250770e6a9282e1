"""Settings that must be in place before napari is imported, and the division among workers."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline, because machines differ. The same examples each time, so that failures reappear.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")

# The user's own settings stay as they are, and a layer touched off the main thread is an error.
os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp(prefix="napari-nst-")) / "settings.yaml")
os.environ["NAPARI_ENSURE_PLUGIN_MAIN_THREAD"] = "1"


@pytest.fixture
def small_disk(tmp_path):
    """A folder on a disk of one megabyte."""
    folder = tmp_path / "small disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting needs the rights of the administrator")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items):
    """Give all tests that use Qt to one worker: windows share the display and the keyboard."""
    for item in items:
        if "qapp" in item.fixturenames or item.get_closest_marker("window"):
            item.add_marker(pytest.mark.xdist_group("window"))
