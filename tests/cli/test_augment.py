"""Training data in the terminal: the folder, the exit status, and what is refused."""

import csv

import numpy as np
import pytest
from PIL import Image

import napari_nst as nst
from napari_nst.cli import main
from napari_nst.engine.run_handle import RunHandle
from tests.engine.conftest import untrained, untrained_file  # noqa: F401

QUICK = ["--size", "32", "--min-size", "0", "--steps", "2", "--phases", "[]"]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for name, folder in (("cell", "images"), ("cell", "labels"), ("look", "looks")):
        (tmp_path / folder).mkdir()
        pixels = random.integers(0, 9, (40, 40), np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / f"{name}.png")
    return tmp_path


@pytest.fixture
def augment(folders, untrained_file):  # noqa: F811
    def command(*more):
        given = ["images", "labels", "--style", "looks", "-o", "out", "--weights", untrained_file]
        return main(["augment", *given, *QUICK, *more])

    return command


def test_python_finds_the_variants_of_the_terminal(augment, untrained_file):  # noqa: F811
    assert augment("-n", "1") == 0
    fields = {"size": 32, "min_size": 0, "steps": 2, "phases": (), "weights": untrained_file}
    run = nst.augment("images", "labels", "looks", "out", variants=1, **fields)
    assert [row["status"] for row in run.result(False)] == ["original", "there already"]


def rows():
    with open("out/variants.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_command_makes_only_what_is_missing(augment, folders, capsys):
    arguments = ["-n", "1", "--style-weight", "2,3", "--no-originals"]
    assert augment(*arguments) == 0
    (row,) = rows()
    assert (row["image"], row["status"], row["style"]) == ("images/cell_01.png", "written", "look")
    assert 2 <= float(row["style_weight"]) <= 3
    labels = (folders / "labels/cell.png").read_bytes()
    assert (folders / "out/labels/cell_01.png").read_bytes() == labels
    assert augment(*arguments, "-n", "2") == 0
    assert [one["status"] for one in rows()] == ["there already", "written"]
    assert "2 of 2 variants" in capsys.readouterr().err


def test_an_interrupt_keeps_the_finished_variants(augment, monkeypatch, capsys):
    send, steps = RunHandle.send, []

    def interrupted(run, value):
        steps.append(1)
        if len(steps) > 3:  # in the second variant
            raise KeyboardInterrupt
        return send(run, value)

    monkeypatch.setattr(RunHandle, "send", interrupted)
    assert augment("-n", "2") == 130
    assert [row["status"] for row in rows()] == ["original", "written"]
    assert "goes on" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--style-weight", "strong"], "--style-weight"),
        (["--style-weight", "3,2"], "--style-weight"),
        (["-o", "images/cell.png"], "--output"),
        (["-o", "."], "--output"),
        (["--style", "gone.png"], "gone.png"),
        (["--preset", "drafd"], "draft"),
        (["-n", "0"], "--variants"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_run(augment, folders, capsys, arguments, named):
    assert augment(*arguments) == 2
    assert named in capsys.readouterr().err
    assert not (folders / "out").exists()


def test_labels_of_another_size_are_named(augment, folders, capsys):
    Image.fromarray(np.zeros((20, 40), np.uint8)).save(folders / "labels" / "cell.png")
    assert augment() == 2
    assert "LABELS of cell" in capsys.readouterr().err


def test_an_empty_output_is_not_the_current_folder(augment, folders):
    before = sorted(folders.iterdir())
    assert augment("-o", "") == 2
    assert sorted(folders.iterdir()) == before
