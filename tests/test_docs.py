"""The documents name files, commands and options that exist."""

import re
import shlex
from pathlib import Path

import click
import pytest

from napari_nst.cli import program

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
    named = re.findall(r"`((?:recipe|engine|viewer|cli|io)/[\w/]*(?:\.py)?)`", text)
    assert named
    assert not [name for name in named if not (ROOT / "src" / "napari_nst" / name).exists()]


def test_tests_that_the_promises_name_exist():
    named = re.findall(r"tests/[\w/.]+", (ROOT / "docs" / "reliability.md").read_text("utf-8"))
    assert named
    assert not [name for name in named if not (ROOT / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_have_the_options_that_are_shown(page):
    for line in re.findall(r"^    .*?napari[-_]nst (.+)$", page.read_text("utf-8"), re.MULTILINE):
        command, words = program, shlex.split(line, comments=True)
        while isinstance(command, click.Group) and words:
            command = command.get_command(click.Context(command), words.pop(0))
            assert command is not None, line
        options = {name for option in command.params for name in option.opts}
        assert options.issuperset(word for word in words if word.startswith("-")), line
