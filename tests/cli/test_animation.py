"""``--animation`` and ``--animation-every``."""

import json

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile

from napari_nst.cli import outputs
from napari_nst.io.image_files.embedded_text import read_text
from tests.helpers.terminal_tools import GOOD, page_labels, run, the_line

STEPS = ["--steps", 30]


def steps_in(path):
    return [int(label.split()[1]) for label in page_labels(path)]


@pytest.mark.parametrize(
    "command", [["stylize", *GOOD], ["synthesize", "style.jpg", "-o", "out.png"]]
)
def test_jobs_write_an_animation(images, engine, capsys, command):
    assert run(*command, *STEPS, "--animation", "a.gif", "--animation-every", 1) == 0
    assert "wrote out.png (8 × 6 pixels, 8 bit) and a.gif (30 pictures" in capsys.readouterr().err
    frames = iio.imread("a.gif")
    assert frames.shape == (30, 6, 8, 3)
    np.testing.assert_allclose(frames[:, 0, 0, 0], np.arange(1, 31) * 255 / 256, atol=1)


def test_every_nth_step_and_the_first_and_the_last_are_written(images, engine):
    assert run("stylize", *GOOD, *STEPS, "--animation", "a.tif", "--animation-every", 8) == 0
    assert steps_in("a.tif") == [1, 8, 16, 24, 30]
    assert json.loads(read_text("a.tif")) == json.loads(read_text("out.png"))
    assert run("stylize", *GOOD, "--steps", 60, "--animation", "a.tif") == 0
    by_default = steps_in("a.tif")
    assert by_default[:15] == list(range(1, 16))
    assert len(by_default) < 50


def test_an_interrupted_run_writes_the_frames_so_far(images, engine):
    engine.stop_after, engine.error = 12, KeyboardInterrupt()
    assert run("stylize", *GOOD, *STEPS, "--animation", "a.tif", "--animation-every", 5) == 130
    assert steps_in("a.tif") == [1, 5, 10, 12]


def test_grey_of_16_bit_keeps_its_depth_only_in_a_tiff(images, engine):
    tifffile.imwrite("deep-grey.tif", np.arange(72 * 96, dtype=np.uint16).reshape(72, 96))
    command = ["reconstruct", "deep-grey.tif", "-o", "out.tif", *STEPS]
    assert run(*command, "--animation", "a.tif", "--animation-every", 10) == 0
    frames = tifffile.imread("a.tif")
    assert frames.dtype == np.uint16
    np.testing.assert_array_equal(
        frames[:, 0, 0], np.rint(np.array([1, 10, 20, 30]) / 256 * 65535).astype(np.uint16)
    )
    assert run(*command, "--animation", "a.gif") == 0
    assert iio.imread("a.gif").dtype == np.uint8


def test_frames_beyond_the_memory_budget_are_thinned(images, engine, monkeypatch):
    monkeypatch.setattr(outputs, "ANIMATION_MEGABYTES", 10 * 6 * 8 * 3 / 1e6)
    assert run("stylize", *GOOD, *STEPS, "--animation", "a.tif", "--animation-every", 1) == 0
    assert steps_in("a.tif") == [1, 4, 8, 12, 16, 20, 24, 28, 30]


def test_a_missing_ffmpeg_is_reported_before_the_run(images, engine, capsys, monkeypatch):
    import imageio_ffmpeg

    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    assert run("stylize", *GOOD, *STEPS, "--animation", "a.mp4") == 1
    assert "a.mp4 needs ffmpeg, which is not installed" in the_line(capsys.readouterr())
    assert not engine.jobs
