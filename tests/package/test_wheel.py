"""What a user installs: built, checked, and driven where the source folder cannot be imported."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from PIL import Image

from tests.package.conftest import ROOT

PACKAGES = [path for path in sys.path if path.endswith("-packages")]
SHOW_MANIFEST = """
import napari_nst, npe2
manager = npe2.PluginManager()
manager.discover()
manifest = manager.get_manifest("napari-nst")
manifest.validate_imports()
print(napari_nst.__file__, manifest.package_version, sep="\\n")
print(*(widget.display_name for widget in manifest.contributions.widgets), sep="\\n")
"""
LINK = re.compile(r"\]\(([^)\s]+)|src=\"([^\"]+)")


@pytest.fixture(scope="session")
def metadata(wheel):
    """The wheel's metadata, which an index shows."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_the_tools_of_the_index_find_nothing(built, wheel):
    for arguments in (
        ["twine", "check", "--strict", *sorted(built.iterdir())],
        ["check_wheel_contents", wheel],
    ):
        command = [sys.executable, "-m", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr


def test_the_description_links_to_files_of_the_repository(metadata):
    repository = metadata["Project-URL"].split(", ")[1]
    links = [link for pair in LINK.findall(metadata.get_payload()) for link in pair if link]
    ours = [link.removeprefix(f"{repository}/") for link in links if link.startswith(repository)]
    others = [link for link in links if not link.startswith(repository)]
    assert all(link.startswith(("https://", "#")) for link in others), others
    kinds, _, paths = zip(*(link.split("/", 2) for link in ours), strict=True)
    assert set(kinds) == {"raw", "blob"}  # pictures and pages
    assert not [path for path in paths if not (ROOT / path.partition("#")[0]).exists()]


def test_the_owner_has_one_place():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    repository = project["tool"]["hatch"]["metadata"]["hooks"]["custom"]["repository"]
    search = ["git", "grep", "--files-with-matches", "--fixed-strings", repository]
    found = subprocess.run(search, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout.split() == ["pyproject.toml"]


def test_the_archives_have_what_is_needed_and_no_more(built, wheel):
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    package = ROOT / "src"
    sources = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*")
        if path.suffix in (".py", ".yaml", ".jpg", ".typed")
    }
    assert {name for name in inside if ".dist-info/" not in name} == sources
    (source,) = built.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {f"src/{name}" for name in sources} <= names
    assert {"README.md", "LICENSE", "CHANGELOG.md", "hatch_build.py", "pyproject.toml"} <= names


@pytest.mark.window
@pytest.mark.network
def test_the_installed_plugin_paints_in_a_napari_window(wheel, tmp_path):
    folder = tmp_path / "bare"
    venv.create(folder, symlinks=os.name != "nt")
    paths = {"base": str(folder), "platbase": str(folder)}
    scripts, library = (
        Path(sysconfig.get_path(name, "venv", paths)) for name in ("scripts", "purelib")
    )
    python = scripts / Path(sys.executable).name
    # Torch and napari are this environment's. Its own .pth files, and with them the source folder,
    # have no effect there.
    (library / "packages.pth").write_text("\n".join(PACKAGES))
    install = ["pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([sys.executable, "-m", *install], check=True)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(*command):
        ended = subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    found = run(python, "-c", SHOW_MANIFEST).splitlines()
    version = wheel.name.split("-")[1]
    assert library in Path(found[0]).parents
    jobs = ["Style Transfer", "Texture Synthesis", "Content Reconstruction"]
    docks = ["Texture Statistics", "Solid Texture", "Training Data", "Stylize Files"]
    assert found[1:] == [version, *jobs, *docks]
    painted = run(scripts / "napari-nst", "demo", "--headless", "--size", "64", "--steps", "3")
    with Image.open(tmp_path / painted.splitlines()[-1]) as picture:
        record = json.loads(picture.text["napari-nst"])
    assert (record["step"], record["steps"]) == (3, 3)
    assert record["versions"]["napari-nst"] == version
