"""Runs of the terminal that were interrupted, and the command that goes on with them."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch

import napari_nst as nst
from napari_nst.cli.outputs import Outputs
from napari_nst.cli.terminal import ProgressBar
from napari_nst.engine.checkpoint import saved_runs
from napari_nst.engine.checkpoint.saved_runs import interrupted_runs, release, runs_folder
from napari_nst.engine.vgg.weights import cached_file
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.image_files.write_image import write_image
from tests.helpers.terminal_tools import SOURCES, run, the_line

QUICK = nst.Recipe(
    content_layers={"relu2_1": 1}, style_layers={"relu1_1": 1}, size=32, min_size=0, steps=4,
    precision="float32", device="cpu",
)  # fmt: skip
RECIPE = ["--size", "64", "--min-size", "48", "--steps", "14", "--device", "cpu"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A cache folder with the real network and no runs."""
    network = cached_file("gatys")
    folder = tmp_path / "cache"
    folder.mkdir()
    monkeypatch.setenv("NAPARI_NST_HOME", str(folder))
    (folder / network.name).symlink_to(network)
    return folder


@pytest.fixture
def photographs():
    write_image("cat.png", skimage.data.chelsea()[:240, :300])
    write_image("coffee.png", skimage.data.coffee()[:200, :200])


def started(*arguments):
    """Start the program as a process of its own, with as many threads as this one."""
    path = os.pathsep.join(filter(None, [str(SOURCES), os.environ.get("PYTHONPATH")]))
    threads = str(torch.get_num_threads())
    return subprocess.Popen(
        [sys.executable, "-m", "napari_nst", *arguments],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": threads},
        stderr=subprocess.PIPE,
        text=True,
    )


def saved_step():
    for path in runs_folder().glob("*.safetensors") if runs_folder().exists() else ():
        return saved_runs.read_summary(path).step
    return 0


def log_of(path):
    lines = [json.loads(line) for line in Path(path).read_text("utf-8").splitlines()]
    return [{name: one[name] for name in one if name != "seconds"} for one in lines]


@pytest.mark.network
@pytest.mark.parametrize(("number", "seed"), [("SIGKILL", 1), ("SIGTERM", 5)])
def test_a_killed_run_ends_with_exactly_the_picture_of_an_uninterrupted_one(
    number, seed, home, photographs, capfd
):
    pair = ["cat.png", "coffee.png", *RECIPE]
    assert run("stylize", *pair, "-o", "whole.png", "--log", "whole.jsonl") == 0
    step = random.Random(seed).randrange(1, 10)
    print(f"{number} after step {step} was saved")
    process = started(
        "stylize", *pair, "-o", "cut.png", "--log", "cut.jsonl", "--tensorboard", "events",
        "--save-every", "0.001",
    )  # fmt: skip
    while saved_step() < step and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(getattr(signal, number))
    _, said = process.communicate()
    assert process.returncode in (-signal.SIGKILL, 128 + signal.SIGTERM), said
    (left,) = interrupted_runs()
    assert (left.title, left.program, left.steps) == ("cat × coffee", "terminal", 14)
    assert step <= left.step < 14
    assert run("resume", "--list") == 0
    assert str(left.path) in capfd.readouterr().out
    assert run("resume", "--list", "--discard") == 2
    assert left.path.exists()

    assert run("resume", "--save-every", "0") == 0
    assert not list(runs_folder().iterdir())
    assert np.array_equal(read_image("cut.png"), read_image("whole.png"))
    assert log_of("cut.jsonl") == log_of("whole.jsonl")
    whole, cut = (json.loads(read_text(name)) for name in ("whole.png", "cut.png"))
    assert cut["resumed"] == [{"after_step": left.step}]
    assert cut["inputs"]["style"]["sha256"] == whole["inputs"]["style"]["sha256"]
    assert cut["inputs"]["style"]["path"] == whole["inputs"]["style"]["path"]
    assert cut["recipe"] == whole["recipe"]
    assert cut["losses"] == whole["losses"]
    assert steps_in("events") == list(range(1, 15))


@pytest.mark.network
def test_the_state_remains_until_the_picture_is_written(home, photographs, monkeypatch, capfd):
    pair = ["cat.png", "coffee.png", *RECIPE, "--save-every", "0.001"]

    def fails(*_):
        assert len(list(runs_folder().iterdir())) == 1
        raise OSError("The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(Outputs, "_write", fails)
        assert run("stylize", *pair, "-o", "out.png") == 1
    said = capfd.readouterr().err
    assert "The disk is full." in said
    assert "'napari-nst resume'" in said
    assert len(interrupted_runs()) == 1
    assert run("resume") == 0
    assert Path("out.png").exists()
    assert not list(runs_folder().iterdir())


@pytest.mark.network
def test_ctrl_c_between_two_steps_deletes_the_state(home, photographs, monkeypatch):
    def interrupt(_, iteration):
        if iteration.step == 5:
            assert len(list(runs_folder().iterdir())) == 1
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(ProgressBar, "step", interrupt)
    pair = ["cat.png", "coffee.png", *RECIPE, "--save-every", "0.001"]
    assert run("stylize", *pair, "-o", "out.png") == 130
    assert Path("out.png").exists()
    assert not list(runs_folder().iterdir())


def test_an_empty_list_says_so_and_prints_nothing(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path))
    assert run("resume", "--list") == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert "no interrupted run" in err


def steps_in(folder):
    """Return the steps that TensorBoard shows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(folder)
    events.Reload()
    return [event.step for event in events.Scalars("loss/total")]


@pytest.fixture
def interrupted(home):
    """The state of an interrupted run, given the about that it shall have."""

    def interrupted(**about):
        content = np.random.default_rng(0).integers(0, 256, (40, 48, 3), np.uint8)
        steering = nst.Steering(save_every=1e-9, about=about)
        steps = nst.stylize(content, content[:, ::-1].copy(), QUICK, steering=steering)
        next(steps), next(steps)
        steering.keeps_state = True
        steps.close()
        return interrupted_runs()[0].path

    return interrupted


@pytest.mark.network
def test_a_run_of_the_viewer_needs_an_output(interrupted, capfd):
    path = interrupted(program="viewer", title="a × b")
    assert run("resume") == 2
    assert "--output" in the_line(capfd.readouterr())
    assert run("resume", "-o", "out.tif", "--save-every", "nan") == 2
    assert run("resume", "-o", "missing/out.tif") == 2
    assert interrupted_runs()[0].path == path  # nothing was lost
    assert run("resume", "-o", "out.tif") == 0
    assert read_image("out.tif").shape == (27, 32, 3)
    assert not interrupted_runs()


@pytest.mark.network
def test_a_state_from_elsewhere_names_no_file_that_is_written(interrupted, tmp_path, capfd):
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    outputs = {
        "output": str(tmp_path / "victim.png"), "log": str(victim), "depths": {},
        "depth": None, "animation_every": None, "animation_depth": 8, "limits": (),
        "calibration": None,
    }  # fmt: skip
    path = interrupted(program="terminal", outputs=outputs)
    shutil.copy(path, "copy.safetensors")
    assert run("resume", "copy.safetensors") == 2
    assert "--output" in the_line(capfd.readouterr())
    assert run("resume", "copy.safetensors", "-o", "out.png") == 0
    assert victim.read_text() == "precious"
    assert not (tmp_path / "victim.png").exists()
    assert Path("copy.safetensors").exists()
    assert run("resume", "copy.safetensors", "--discard") == 2
    assert Path("copy.safetensors").exists()


@pytest.mark.network
def test_states_are_discarded(interrupted, capfd):
    path = interrupted()
    (path.parent / "notes.txt").write_text("is no state")
    damaged = path.with_name("damaged.00000000.0.0.safetensors")
    damaged.write_bytes(b"damaged")
    assert run("resume", "--discard") == 0
    assert not path.exists()
    assert run("resume", "--discard", damaged) == 0
    assert not damaged.exists()
    capfd.readouterr()
    for arguments in (["--discard"], [], [path], [path.parent / "notes.txt"], [path.parent]):
        assert run("resume", *arguments) == 2
        the_line(capfd.readouterr())
    assert (path.parent / "notes.txt").exists()


@pytest.mark.network
def test_the_run_of_a_living_process_is_refused(interrupted, capfd):
    path = interrupted()
    path = saved_runs.claim(path)
    assert run("resume", path, "-o", "out.png") == 2
    assert run("resume", path, "--discard") == 2
    assert str(os.getpid()) in capfd.readouterr().err
    release(path)
