"""Several seeds of a texture in the terminal, with a table."""

import csv
import os
import signal

import numpy as np
import pytest
import zarr
from PIL import Image

import napari_nst as nst
from napari_nst.cli import stack
from napari_nst.io.image_files.read_image import decode_image
from tests.engine.conftest import untrained, untrained_file  # noqa: F401
from tests.helpers.terminal_tools import run

QUICK = [
    "--size", "64", "--min-size", "0", "--refine-share", "0", "--device", "cpu", "--steps", "1",
    "--style-layers", "relu1_1:1",
]  # fmt: skip


@pytest.fixture
def command(images, untrained_file):  # noqa: F811
    return ["synthesize", "style.jpg", "-o", "out.zarr", "--weights", untrained_file, *QUICK]


@pytest.fixture(autouse=True)
def exemplar(images):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).resize((64, 64)).save("style.jpg")


def test_seeds_table_and_images_are_those_of_python(command, capsys):
    files = ["--table", "t.csv", "--mean", "mean.tif", "--deviation", "deviation.png"]
    assert run(*command, "--seeds", "3,1", "--shape", "40", "48", *files) == 0
    printed = capsys.readouterr()
    assert "2 of 2" in printed.err
    assert "seed 1: no copy" in printed.out
    group = zarr.open_group("out.zarr", mode="r")
    record = group.attrs["napari-nst"]
    assert record["inputs"]["exemplar"]["path"].endswith("style.jpg")
    recipe = nst.Recipe.from_dict(record["recipe"])
    same = nst.synthesize_ensemble("style.jpg", recipe, seeds=[3, 1], shape=(40, 48))
    np.testing.assert_array_equal(group["0"], same.result(progress=False))
    same.table.to_csv("same.csv")
    with open("t.csv", encoding="utf-8") as one, open("same.csv", encoding="utf-8") as other:
        assert one.read() == other.read()
    mean, deviation = same.mean_and_deviation()
    for path, expected in (("mean.tif", mean), ("deviation.png", deviation)):
        pixels = decode_image(path).pixels
        assert pixels.dtype == np.uint16
        np.testing.assert_allclose(pixels / 65535, expected / 255, atol=1e-4)


def test_the_same_command_goes_on_after_ctrl_c(command, capsys, monkeypatch):
    bar = stack.ProgressBar.slice_step

    def interrupted(self, step):
        bar(self, step)
        if step.done == 1:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(stack.ProgressBar, "slice_step", interrupted)
    assert run(*command, "--seeds", "2", "--seed", "5", "--table", "t.csv") == 130
    assert "1 of 2" in capsys.readouterr().err
    monkeypatch.setattr(stack.ProgressBar, "slice_step", bar)
    assert run(*command, "--seeds", "2", "--seed", "5", "--table", "t.csv") == 0
    with open("t.csv", encoding="utf-8") as file:
        assert [line["seed"] for line in csv.DictReader(file)][:2] == ["5", "6"]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--seeds", "0"], "--seeds"),
        (["--seeds", "a"], "--seeds"),
        (["--seeds", "1,1"], "--seeds"),
        (["--seeds", "2", "-o", "out.png"], "--seeds"),
        (["--table", "t.csv", "--no-statistics"], "--table"),
        (["--table", "gone/t.csv"], "gone"),
        (["--mean", "mean.xyz"], "mean.xyz"),
        (["--shape", "20", "20"], "--shape"),
        (["--init", "image"], "--init"),
        (["--init-image", "style.jpg"], "--init-image"),
        (["--into", "style.jpg"], "--into"),
        (["--compare", "layers"], "--compare"),
        (["--depth", "16"], "--depth"),
        (["style.jpg"], "EXEMPLAR"),
        (["-o", "gone/out.zarr"], "gone"),
    ],
)
def test_wrong_arguments_are_named_before_anything_is_written(command, capsys, arguments, named):
    assert run(*command, *arguments) == 2
    assert named in capsys.readouterr().err
    assert not os.path.exists("out.zarr")
