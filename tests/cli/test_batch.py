"""Several contents in one command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.write_image import write_image
from tests.helpers.terminal_tools import run

SEVERAL = ["stylize", "a.png", "b.tif", "--style", "style.jpg", "--steps", "2"]


@pytest.fixture
def contents(images):
    write_image("a.png", np.full((72, 96, 3), 0.5))
    write_image("b.tif", np.full((72, 96), 0.5))


def test_each_content_gets_a_picture_with_its_record(contents, engine):
    assert run(*SEVERAL, "-o", "out/new") == 0
    for name in ("a.png", "b.tif"):
        inputs = json.loads(read_text(f"out/new/{name}"))["inputs"]
        assert [Path(one["path"]).name for one in inputs.values()] == [name, "style.jpg"]
    assert [job.content.is_grey for job in engine.jobs] == [False, True]


def test_each_style_makes_a_picture(contents, engine):
    arguments = ["stylize", "a.png", "style.jpg", "b.tif", "--steps", "2", "--each-style"]
    assert run(*arguments, "-o", "out") == 0
    names = {"a_style.png", "a_b.png", "summary.csv"}
    assert {path.name for path in Path("out").iterdir()} == names
    assert [len(job.styles) for job in engine.jobs] == [1, 1]


def test_a_content_that_cannot_be_read_is_left_out(contents, engine, capsys):
    Path("a.png").write_text("no image")
    assert run(*SEVERAL, "-o", "out") == 1
    assert {path.name for path in Path("out").iterdir()} == {"b.tif", "summary.csv"}
    assert "a.png is not a PNG" in capsys.readouterr().err


def test_a_folder_is_for_a_single_content_with_the_usual_arguments_too(contents, engine):
    Path("out").mkdir()
    assert run("stylize", "a.png", "style.jpg", "-o", "out", "--steps", "2") == 0
    assert Path("out/a.png").is_file()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([*SEVERAL, "-o", "out.png"], "--output"),
        ([*SEVERAL, "-o", "out", "--log", "log.jsonl"], "--log"),
        ([*SEVERAL, "-o", "out", "--guide", "b.tif"], "--guide"),
        ([*SEVERAL, "-o", "out", "--pixel-size", "0,1"], "--pixel-size"),
        ([*SEVERAL, "x/a.png", "-o", "out"], "a.png"),
        (["stylize", "a.png", "b.tif", "--style", "gone.jpg", "-o", "out"], "gone.jpg"),
        ([*SEVERAL, "-o", "out", "--preset", "gatys"], "gatys-2016"),
        ([*SEVERAL], "--output"),
        ([*SEVERAL, "--each-style", "-o", "out.png"], "--output"),
        (["stylize", "a.png", "style.jpg", "--each-style"], "--each-style"),
        (["stylize", "--each-style", "-o", "out"], "--each-style"),
        (["stylize", "a.png", "style.jpg", "--each-style", "-o", "out.zarr"], "--each-style"),
    ],
)
def test_what_concerns_all_contents_is_refused_at_once(contents, engine, capsys, arguments, named):
    assert run(*arguments) == 2
    assert named in capsys.readouterr().err
    assert not engine.jobs
    assert not Path("out").exists()


def test_a_page_of_a_stack_is_recorded_and_read_again(images, engine):
    tifffile.imwrite("stack.tif", np.arange(2 * 72 * 96, dtype=np.uint8).reshape(2, 72, 96))
    made = ["stack.tif", "style.jpg", "-o", "out.png", "--steps", "2"]
    assert run("stylize", *made) == 2
    assert run("stylize", *made, "--page", "2") == 0
    assert run("stylize", "--like", "out.png", "-o", "again.png") == 0
    first, again = (one.content.metadata["sha256"] for one in engine.jobs)
    assert first == again


def test_a_page_of_no_stack_is_refused(images, engine, capsys):
    assert run("stylize", "content.png", "style.jpg", "-o", "out.png", "--page", "1") == 2
    assert "--page" in capsys.readouterr().err


def rows():
    with open("out/summary.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_a_table_says_what_became_of_each_content(contents, engine):
    Path("a.png").write_text("no image")
    run(*SEVERAL, "-o", "out")
    first, second = rows()
    assert (first["content"], first["status"], first["step"]) == ("a.png", "left out", "")
    assert "a.png" in first["error"]
    assert (second["output"], second["status"]) == ("out/b.tif", "written")
    assert (second["step"], second["total_loss"], second["style_loss"]) == ("2", "6.0", "2.0")


def test_what_is_there_is_not_made_again(contents, engine):
    run(*SEVERAL, "-o", "out")
    write_image("b.tif", np.full((72, 96), 0.25))
    assert run(*SEVERAL, "-o", "out") == 0
    assert len(engine.jobs) == 3
    assert [row["status"] for row in rows()] == ["there already", "written"]
    assert rows()[0]["total_loss"] == "6.0"
    assert run(*SEVERAL, "-o", "out", "--style-weight", "3") == 0
    assert len(engine.jobs) == 5
    write_image("style.jpg", np.full((80, 80, 3), 0.5))
    assert run(*SEVERAL, "-o", "out", "--style-weight", "3") == 0
    assert len(engine.jobs) == 7
