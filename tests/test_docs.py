"""The documents name files, commands and options that exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import napari_nst as nst
from napari_nst.cli import program
from napari_nst.engine.tiling.grid import halo_of
from napari_nst.recipe import CONTROLS
from napari_nst.recipe.layer_names import LAYER_NAMES, poolings_before

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8"))
    missing = [
        target
        for target in targets
        if not target.startswith("http") and not (page.parent / target).exists()
    ]
    assert not missing


def test_modules_that_the_architecture_names_exist():
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = re.findall(r"`((?:recipe|engine|stacks|viewer|cli|io)/[\w/]*(?:\.py)?)`", text)
    assert named
    assert not [name for name in named if not (ROOT / "src" / "napari_nst" / name).exists()]


def test_tests_that_the_promises_name_exist():
    named = re.findall(r"tests/[\w/.]+", (ROOT / "docs" / "reliability.md").read_text("utf-8"))
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_the_options_that_are_shown(page):
    for line in re.findall(
        r"^    (?!napari ).*?napari[-_]nst (.+)$", page.read_text("utf-8"), re.MULTILINE
    ):
        command, words = program, shlex.split(line, comments=True)
        while isinstance(command, click.Group) and words:
            command = command.get_command(click.Context(command), words.pop(0))
            assert command is not None, line
        options = {name for option in command.params for name in option.opts}
        assert options.issuperset(word for word in words if word.startswith("-")), line


def test_napari_is_started_with_widgets_that_exist():
    manifest = (ROOT / "src" / "napari_nst" / "napari.yaml").read_text("utf-8")
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r'napari .*-w napari-nst "([^"]+)"', text))
    assert named
    assert not [name for name in named if f"display_name: {name}\n" not in manifest]


def test_options_that_the_page_on_the_terminal_names_exist():
    page = (ROOT / "docs" / "terminal.md").read_text("utf-8")
    named = set(re.findall(r"`(--[\w-]+)", page))
    commands = [program.commands[name] for name in program.commands]
    options = {name for one in commands for option in one.params for name in option.opts}
    assert named
    assert not named - options - {"--help"}


def test_the_page_on_the_terminal_lists_every_command():
    page = (ROOT / "docs" / "terminal.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == set(program.commands)


def test_the_reference_has_every_public_name():
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    assert sorted(re.findall(r"^::: napari_nst\.(\w+)$", page, re.MULTILINE)) == sorted(nst.__all__)


def test_what_the_page_on_layers_says_of_them():
    page = (ROOT / "docs" / "network-layers.md").read_text("utf-8")
    rows = re.findall(r"^\| (relu.*?) \| (\d+) \| (\d+) \| (.*?) \|$", page, re.MULTILINE)
    stated = {
        layer: (int(stride), int(reads))
        for layers, _, stride, several in rows
        for layer, reads in zip(layers.split(", "), several.split(", "), strict=True)
    }
    relus = [name for name in LAYER_NAMES if name.startswith("relu")]
    strides = {name: 2 ** poolings_before(name) for name in relus}
    assert stated == {name: (strides[name], strides[name] + 2 * halo_of(name)) for name in relus}


def test_every_picture_is_on_a_page():
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    pictures = sorted((ROOT / "docs" / "images").iterdir())
    assert not [picture.name for picture in pictures if f"images/{picture.name})" not in text]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_lists_are_lists_in_the_site_too(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    assert not re.findall(r"\n\n {1,3}\S.*", text), "a block in a list needs four spaces"
    assert not re.findall(r"\n[^\s|#>\-\d].*\n(?:- |1\. ).*", text), (
        "a list needs an empty line before it"
    )


def test_the_site_is_built_without_warnings(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    built = {path.stem for path in tmp_path.glob("*.html")}
    assert built >= pages | {"changelog", "contributing", "recipe-fields"}
    fields = (tmp_path / "recipe-fields.html").read_text("utf-8")
    assert all(f"<code>{name}</code>" in fields for name in CONTROLS)
    architecture = (tmp_path / "architecture.html").read_text("utf-8")
    assert 'href="../' not in architecture, "a link leaves the site"
