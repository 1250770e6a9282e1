"""What the terminal says of a run before its first step, and within one."""

import json

import numpy as np
import pytest

from napari_nst.engine import api as jobs
from napari_nst.engine.steering import TileDone
from napari_nst.io.embedded_text import read_text
from napari_nst.io.write_image import write_image
from tests.helpers.terminal_tools import GOOD, QUICK, run

FORECAST = "About 4 min and 2.1 GB on cpu, in tiles of 1024 pixels."
SHRUNK = "Ran out of memory; going on from iteration 2 in tiles of 512 pixels."


@pytest.fixture
def talking(monkeypatch, engine):
    """Let the engine say what it would say of a large picture."""
    fake = jobs.run

    def talking(order, progress, steering, after):
        iterations = fake(order, progress, steering, after)
        for iteration in iterations:
            if iteration.step == 1:
                progress(FORECAST, 0, 0)
            if steering is not None:
                if iteration.step == 3:
                    steering.tell(SHRUNK)
                for done in (1, 2):
                    steering.watch(TileDone(iteration.step, done, 2, None, None, (6, 8)))
            yield iteration

    monkeypatch.setattr(jobs, "run", talking)


def test_the_forecast_is_a_line_between_the_download_and_the_steps(images, talking, capsys):
    assert run("stylize", *GOOD, "--steps", 3) == 0
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line.split("\r")[-1] for line in err.splitlines()]
    assert lines.count(f"napari-nst: {FORECAST}") == 1
    assert err.index("downloading: 100%") < err.index(FORECAST) < err.index("3/3")
    assert f"napari-nst: {SHRUNK}" in lines
    assert "wrote out.png" in lines[-1]


def test_the_tiles_of_the_first_step_are_a_bar_and_later_ones_beside_the_loss(
    images, talking, capsys
):
    assert run("stylize", *GOOD, "--steps", 3) == 0
    err = capsys.readouterr().err
    assert "step 1:" in err
    assert "/2 [" in err
    assert "tile=1/2" in err
    assert "tile" not in err.split("\r")[-1]  # nothing of them is left at the end


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", *GOOD, "--vary", "style_weight=1,2", "--steps", 3],
        ["reconstruct", "content.png", "-o", "out.png", "--compare", "--steps", 3],
        ["synthesize", "style.jpg", "-o", "out.png", "--compare", "layers", "--steps", 3],
        ["explore", "content.png", "-o", "out.png", "--layers", "relu1_1,relu2_1", "--steps", 3],
    ],
    ids=lambda arguments: arguments[0],
)
def test_what_becomes_of_pictures_made_in_turn_is_said(images, talking, capsys, arguments):
    assert run(*arguments) == 0
    assert f"napari-nst: {SHRUNK}" in capsys.readouterr().err


def test_several_pictures_are_not_foretold_by_one_of_them(images, talking, capsys):
    assert run("sweep", *GOOD, "--vary", "style_weight=1,2", "--steps", 1) == 0
    assert FORECAST not in capsys.readouterr().err


@pytest.mark.network
def test_a_real_run_in_tiles_says_so_and_writes_it_down(images, capsys):
    write_image("wide.png", np.random.default_rng(0).random((96, 160, 3)))
    arguments = ["wide.png", "style.jpg", "-o", "out.png", *QUICK, "--steps", 2, "--tile", 128]
    assert run("stylize", *arguments, "--size", 160) == 0
    err = capsys.readouterr().err
    assert " MB on cpu, in tiles of 128 pixels." in err or " GB on cpu, in tiles of 128" in err
    record = json.loads(read_text("out.png"))
    assert record["tile"] == record["forecast"]["tile"] == record["recipe"]["tile"] == 128
