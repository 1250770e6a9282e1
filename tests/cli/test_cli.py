"""The program as a whole, the network's commands and the demo."""

import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

import napari_nst
from napari_nst.cli.demo import RESTARTED
from napari_nst.engine.vgg import weights as network
from napari_nst.errors import NstError
from tests.helpers.terminal_tools import SOURCES, program, run, the_line


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(flag, capsys):
    assert run(flag) == 0
    out = capsys.readouterr().out
    commands = ("stylize", "synthesize", "reconstruct", "presets", "weights", "demo")
    places = [out.index(f"\n  {command} ") for command in commands]
    assert places == sorted(places)


def test_no_arguments_show_the_help(capsys):
    assert run() == 0
    assert "stylize" in capsys.readouterr().out


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"napari-nst {napari_nst.__version__}\n"


def test_the_terminal_imports_nothing_heavy():
    check = (
        "import sys, napari_nst.cli; print([m for m in ('torch', 'napari') if m in sys.modules])"
    )
    code = "; ".join([
        check, "napari_nst.cli.main(['presets'])", "napari_nst.cli.main(['synthesize', '--help'])",
        "napari_nst.cli.main(['stylize', 'no.png', 'no.png', '-o', 'no.png'])", check,
    ])  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("[]", "[]")


def test_wrong_input_to_the_real_program():
    done = program("stylize", "missing.png", "style.jpg", "-o", "out.png")
    assert done.returncode == 2
    assert (done.stdout, done.stderr) == (
        "",
        "napari-nst: missing.png: No such file or directory.\n",
    )


# The pretrained network


def made_up(**changes):
    values = {
        "flavour": "gatys", "path": Path("gatys.safetensors"), "size": 80_000_000, "state": "ok",
        "origin": "elsewhere", "download_size": 75_000_000,
    }  # fmt: skip
    return network.WeightsStatus(**{**values, **changes})


OK = made_up()
BAD = made_up(state="bad")
ABSENT = made_up(flavour="caffe", path=None, size=0, state="absent")


def test_status_of_weights_is_a_line_each(monkeypatch, capsys):
    monkeypatch.setattr(network, "status", lambda: [BAD, ABSENT])
    assert run("weights", "status") == 0
    bad, absent = capsys.readouterr().out.splitlines()
    assert bad.split() == ["gatys", "bad", "80.0", "MB", "gatys.safetensors"]
    assert absent.split() == ["caffe", "absent", "75.0", "MB", "would", "come", "from", "elsewhere"]


@pytest.mark.parametrize(
    ("found", "status"), [([OK, ABSENT], 0), ([BAD, OK], 1), ([ABSENT, ABSENT], 1)]
)
def test_verify_fails_where_a_hash_does_not_hold(monkeypatch, capsys, found, status):
    monkeypatch.setattr(network, "status", lambda: found)
    assert run("weights", "verify") == status
    assert len(capsys.readouterr().out.splitlines()) == len(found)


@pytest.mark.parametrize(("found", "status"), [(OK, 0), (BAD, 1), (ABSENT, 1)])
def test_verify_one_flavour(monkeypatch, capsys, found, status):
    monkeypatch.setattr(network, "verify", lambda flavour: found)
    assert run("weights", "verify", "gatys") == status
    assert len(capsys.readouterr().out.splitlines()) == 1


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


def test_a_fetch_that_fails_is_one_line(monkeypatch, capsys):
    def fetch(flavour, progress, force):
        raise NstError("The 'gatys' weights could not be fetched.")

    monkeypatch.setattr(network, "fetch", fetch)
    assert run("weights", "fetch") == 1
    assert "could not be fetched" in the_line(capsys.readouterr())


# The demo


@pytest.fixture
def fake_demo(monkeypatch):
    calls = []
    module = types.ModuleType("napari_nst.viewer.demo")

    def run_demo(headless, output):
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


def test_the_demo_runs_where_there_is_a_display(fake_demo, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", ":7")
    assert run("demo") == 0
    assert run("demo", "--headless", "--output", "there") == 0
    assert fake_demo == [(False, Path("demo-output")), (True, Path("there"))]
    assert capsys.readouterr().out == f"{Path('there/window.png')}\n"


@pytest.mark.parametrize("arguments", [["demo"], ["demo", "--headless"]])
def test_without_a_display_the_demo_makes_one(fake_demo, no_display, monkeypatch, arguments):
    started = []

    def become(name, command, environment):
        started.append((command, environment[RESTARTED]))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execvpe", become)
    monkeypatch.setattr("shutil.which", lambda name: name)
    with pytest.raises(SystemExit):
        run(*arguments)
    ((command, mark),) = started
    assert mark == "1"
    assert command[:4] == ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24"]
    assert command[4:] == [
        sys.executable, *["-m", "napari_nst", "demo", "--headless", "--output", "demo-output"],
    ]  # fmt: skip
    assert not fake_demo


def test_without_xvfb_the_demo_names_its_packages(fake_demo, no_display, monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert run("demo", "--headless") == 1
    assert "packages xvfb and xauth" in the_line(capsys.readouterr())


def test_the_demo_starts_itself_anew_only_once(fake_demo, no_display, monkeypatch, capsys):
    monkeypatch.setenv(RESTARTED, "1")
    assert run("demo", "--headless") == 1
    assert "did not make a display" in the_line(capsys.readouterr())
