"""The program as a whole, and the commands without a run: weights, presets, demo."""

import io
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import napari_nst
from napari_nst.cli.commands.demo import RESTARTED
from napari_nst.engine.vgg import weights as network
from napari_nst.io.record import PRESET_JOBS
from napari_nst.recipe import CONTROLS, SECTIONS, Recipe, preset, preset_names, published
from napari_nst.recipe.sections import UNUSED
from tests.helpers.terminal_tools import GOOD, SOURCES, run, the_line


@pytest.mark.parametrize("arguments", [["-h"], ["--help"], []])
def test_help_names_every_command_in_order(arguments, capsys):
    assert run(*arguments) == 0
    out = capsys.readouterr().out
    commands = ("stylize", "synthesize", "reconstruct", "presets", "weights", "demo")
    places = [out.index(f"\n  {command} ") for command in commands]
    assert places == sorted(places)


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"napari-nst {napari_nst.__version__}\n"


def test_help_presets_and_wrong_input_import_neither_torch_nor_napari():
    code = "; ".join([
        "import sys, napari_nst.cli", "napari_nst.cli.main(['presets'])",
        "napari_nst.cli.main(['synthesize', '--help'])",
        "napari_nst.cli.main(['stylize', 'no.png', 'no.png', '-o', 'no.png'])",
        "print([m for m in ('torch', 'napari') if m in sys.modules])",
    ])  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"


# Terminals of every kind


@pytest.mark.parametrize(
    "arguments", [["presets"], ["presets", "--json"], ["--help"], ["stylize", "-h"]]
)
def test_a_terminal_without_unicode_gets_other_letters(arguments, monkeypatch):
    shown = {}
    for encoding in ("utf-8", "latin-1"):
        written = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
        assert run(*arguments) == 0
        sys.stdout.flush()
        shown[encoding] = written.getvalue().decode(encoding)
    assert shown["latin-1"] == shown["utf-8"].encode("latin-1", "replace").decode("latin-1")


@pytest.mark.parametrize("stdout", ["closed pipe", os.devnull.replace("null", "full")])
def test_output_that_nobody_takes_is_no_traceback(stdout):
    code = "import sys; from napari_nst.cli import main; sys.exit(main(['presets']))"
    read_end, write_end = os.pipe()
    os.close(read_end)
    if stdout != "closed pipe":
        if not os.path.exists(stdout):
            pytest.skip("this system has no device that is full")
        os.close(write_end)
        write_end = os.open(stdout, os.O_WRONLY)
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=write_end, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCES)}, check=False,
    )  # fmt: skip
    os.close(write_end)
    assert done.returncode == 1
    assert done.stderr in ("", "napari-nst: No space left on device.\n")


# Options made from the recipe's fields


@pytest.mark.parametrize("job", ["stylize", "synthesize", "reconstruct"])
def test_help_lists_the_fields_that_a_job_uses_under_their_sections(job, capsys):
    assert run(job, "--help") == 0
    out = capsys.readouterr().out
    for name in CONTROLS:
        flag = "--" + name.replace("_", "-")
        assert (f"{flag} " in out) == (name not in UNUSED[PRESET_JOBS[job]])
    lines = out.splitlines()
    titles = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Files", "This job", "Stacks", "Recipe", "Most used", *SECTIONS, "Other"]


# The pretrained network


def weights_status(**changes):
    values = {
        "flavour": "gatys", "path": Path("gatys.safetensors"), "size": 80_000_000, "state": "ok",
        "origin": "elsewhere", "download_size": 75_000_000,
    }  # fmt: skip
    return network.WeightsStatus(**{**values, **changes})


OK = weights_status()
BAD = weights_status(state="bad")
ABSENT = weights_status(flavour="caffe", path=None, size=0, state="absent")


@pytest.mark.parametrize(
    ("found", "status"), [([OK, ABSENT], 0), ([BAD, ABSENT], 1), ([ABSENT, ABSENT], 1)]
)
def test_weights_are_listed_and_verified(monkeypatch, capsys, found, status):
    monkeypatch.setattr(network, "status", lambda: found)
    monkeypatch.setattr(network, "verify", lambda flavour: found[0])
    assert run("weights", "status") == 0
    first, second = capsys.readouterr().out.splitlines()
    if found[0] is BAD:
        assert first.split() == ["gatys", "bad", "80.0", "MB", "gatys.safetensors"]
    assert second.split()[:6] == ["caffe", "absent", "75.0", "MB", "would", "come"]
    assert run("weights", "verify") == status
    assert run("weights", "verify", "gatys") == status


def test_fetch_shows_bytes_and_prints_the_path(monkeypatch, capsys):
    asked = []

    def fetch(flavour, progress, force):
        asked.append((flavour, force))
        progress("waiting for another program", 0, 0)
        progress("downloading", 40_000_000, 80_000_000)
        progress("downloading", 80_000_000, 80_000_000)
        return Path("here.safetensors")

    monkeypatch.setattr(network, "fetch", fetch)
    assert run("weights", "fetch") == 0
    assert run("weights", "fetch", "caffe", "--force") == 0
    assert asked == [("gatys", False), ("caffe", True)]
    out, err = capsys.readouterr()
    assert out.splitlines() == ["here.safetensors"] * 2
    assert "downloading: 100%" in err
    assert "80.0M/80.0M" in err


# Presets


@pytest.mark.parametrize("job", [None, "reconstruction"])
def test_presets_are_listed_with_their_sources(capsys, job):
    assert run("presets", *(["--job", job] if job else [])) == 0
    lines = capsys.readouterr().out.splitlines()
    for first, second, name in zip(lines[::2], lines[1::2], preset_names(job), strict=True):
        entry = published(name)
        assert first.split()[:3] == [name, entry.job, entry.flavour]
        assert second.strip() == entry.source


def test_presets_as_json_are_recipes(images, engine, capsys):
    assert run("presets", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {name: Recipe.from_dict(fields) for name, fields in found.items()} == {
        name: preset(name) for name in preset_names()
    }
    assert run("presets", "gatys-2016") == 0
    Path("mine.json").write_text(capsys.readouterr().out)
    assert run("stylize", *GOOD, "--preset", "mine.json", "--steps", 1) == 0
    assert engine.jobs[0].recipe == preset("gatys-2016", steps=1)


# The demo


@pytest.fixture
def fake_demo(monkeypatch):
    calls = []
    module = types.ModuleType("napari_nst.viewer.demo")

    def run_demo(headless, output, progress, **changes):
        calls.append((headless, output))
        return [output / "window.png"] if headless else []

    module.run_demo = run_demo
    monkeypatch.setitem(sys.modules, "napari_nst.viewer.demo", module)
    return calls


@pytest.fixture
def no_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", RESTARTED):
        monkeypatch.delenv(name, raising=False)


def test_the_demo_runs_on_a_display(fake_demo, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", ":7")
    assert run("demo") == 0
    assert run("demo", "--headless", "--output", "there") == 0
    assert fake_demo == [(False, Path("demo-output")), (True, Path("there"))]
    assert capsys.readouterr().out == f"{Path('there/window.png')}\n"


def test_without_a_display_the_demo_restarts_on_a_virtual_one(fake_demo, no_display, monkeypatch):
    started = []

    def become(name, command, environment):
        started.append((command, environment[RESTARTED]))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execvpe", become)
    monkeypatch.setattr("shutil.which", lambda name: name)
    with pytest.raises(SystemExit):
        run("demo")
    ((command, mark),) = started
    assert (command[0], mark) == ("xvfb-run", "1")
    assert command[4:] == [
        sys.executable, *["-m", "napari_nst", "demo", "--headless", "--output", "demo-output"],
    ]  # fmt: skip
    assert not fake_demo


def test_the_demo_says_why_it_has_no_virtual_display(fake_demo, no_display, monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert run("demo", "--headless") == 1
    assert "packages xvfb and xauth" in the_line(capsys.readouterr())
    monkeypatch.setenv(RESTARTED, "1")
    assert run("demo", "--headless") == 1
    assert "did not make a display" in the_line(capsys.readouterr())
