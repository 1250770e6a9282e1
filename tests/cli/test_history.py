"""The animation that a command writes beside its picture."""

import json
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_nst.cli import outputs
from napari_nst.io.embedded_text import read_text
from tests.helpers.terminal_tools import GOOD, QUICK, run, the_line

STEPS = ["--steps", 30]


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["stylize", *GOOD], "30"),
        (["synthesize", "style.jpg", "-o", "out.png"], "30"),
        (["reconstruct", "content.png", "-o", "out.png"], "30"),
    ],
)
def test_each_job_may_leave_an_animation(images, engine, capsys, command, shown):
    assert run(*command, *STEPS, "--animation", "a.gif", "--animation-every", 1) == 0
    said = capsys.readouterr().err
    assert "wrote out.png (8 × 6 pixels, 8 bit) and a.gif (30 pictures, 2.0 s, " in said
    frames = iio.imread("a.gif")
    assert frames.shape == (int(shown), 6, 8, 3)
    np.testing.assert_allclose(frames[:, 0, 0, 0], np.arange(1, 31) * 255 / 256, atol=1)


def test_every_nth_step_is_in_it_the_first_and_the_last_too(images, engine):
    assert run("stylize", *GOOD, *STEPS, "--animation", "a.tif", "--animation-every", 8) == 0
    with tifffile.TiffFile("a.tif") as tiff:
        labels = tiff.imagej_metadata["Labels"]
        pages = tiff.asarray()
    steps = [int(label.split()[1]) for label in labels]
    assert steps == [1, 8, 16, 24, 30]
    assert labels[0] == "iteration 1 of 30, 8 px, loss 6"
    np.testing.assert_array_equal(pages[:, 0, 0, 0], np.rint(np.array(steps) * 255 / 256))
    record = json.loads(read_text("a.tif"))
    assert record == json.loads(read_text("out.png"))
    assert record["recipe"]["steps"] == 30


def test_left_to_itself_it_has_more_of_the_first_steps(images, engine):
    assert run("stylize", *GOOD, "--steps", 200, "--animation", "a.tif") == 0
    with tifffile.TiffFile("a.tif") as tiff:
        steps = [int(label.split()[1]) for label in tiff.imagej_metadata["Labels"]]
    assert steps[:15] == list(range(1, 16))
    assert steps[-1] == 200
    assert 60 < len(steps) < 75


def test_a_run_that_is_interrupted_leaves_what_there_was(images, engine, capsys):
    engine.stop_after, engine.error = 12, KeyboardInterrupt()
    assert run("stylize", *GOOD, *STEPS, "--animation", "a.tif", "--animation-every", 5) == 130
    assert "stopped after step 12 of 30; wrote out.png" in capsys.readouterr().err
    with tifffile.TiffFile("a.tif") as tiff:
        steps = [int(label.split()[1]) for label in tiff.imagej_metadata["Labels"]]
    assert steps == [1, 5, 10, 12]


def test_deep_grey_stays_deep_in_a_tiff_alone(images, engine, capsys):
    grey = np.arange(72 * 96, dtype=np.uint16).reshape(72, 96)
    tifffile.imwrite("deep-grey.tif", grey)
    command = ["reconstruct", "deep-grey.tif", "-o", "out.tif", *STEPS]
    assert run(*command, "--animation", "a.tif", "--animation-every", 10) == 0
    back = tifffile.imread("a.tif")
    assert back.dtype == np.uint16
    np.testing.assert_array_equal(
        back[:, 0, 0], np.rint(np.array([1, 10, 20, 30]) / 256 * 65535).astype(np.uint16)
    )
    assert run(*command, "--animation", "a.gif") == 0
    assert iio.imread("a.gif").dtype == np.uint8


def test_what_takes_too_much_memory_is_thinned(images, engine, monkeypatch):
    monkeypatch.setattr(outputs, "ANIMATION_MEGABYTES", 10 * 6 * 8 * 3 / 1e6)
    assert run("stylize", *GOOD, *STEPS, "--animation", "a.tif", "--animation-every", 1) == 0
    with tifffile.TiffFile("a.tif") as tiff:
        steps = [int(label.split()[1]) for label in tiff.imagej_metadata["Labels"]]
    assert steps == [1, 4, 8, 12, 16, 20, 24, 28, 30]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--animation", "a.avi"], "a.avi must end in .gif, .mp4, .tif, .tiff"),
        (["--animation", "none/a.gif"], "There is no folder none; make it first."),
        (["--animation", "content.png"], "content.png would be overwritten"),
        (["--animation-every", 3], "--animation-every says what --animation keeps; give that"),
        (["--animation", "a.gif", "--animation-every", 0], "0 is not in the range x>=1"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_run(images, engine, capsys, options, message):
    assert run("stylize", *GOOD, *STEPS, *options) == 2
    assert message in the_line(capsys.readouterr())
    assert not engine.orders
    assert not Path("out.png").exists()


def test_a_missing_ffmpeg_is_said_before_the_run(images, engine, capsys, monkeypatch):
    import imageio_ffmpeg

    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    assert run("stylize", *GOOD, *STEPS, "--animation", "a.mp4") == 1
    assert "a.mp4 needs ffmpeg, which is not installed" in the_line(capsys.readouterr())
    assert not engine.orders


@pytest.mark.parametrize(
    "options", [["synthesize", "--compare", "layers"], ["reconstruct", "--compare"]]
)
def test_a_comparison_has_no_animation(images, engine, capsys, options):
    job, *options = options
    assert run(job, "content.png", "-o", "out.tif", *options, "--animation", "a.gif") == 2
    line = the_line(capsys.readouterr())
    assert "--compare does not go with --animation; leave out one of them." in line


@pytest.mark.network
def test_an_animation_of_a_real_run(images, capsys):
    command = ["stylize", *GOOD, *QUICK, "--steps", 4]
    assert run(*command, "--animation", "a.mp4", "--animation-every", 1) == 0
    assert "and a.mp4 (4 pictures, 0.3 s, " in capsys.readouterr().err
    assert Path("a.mp4").stat().st_size > 500
