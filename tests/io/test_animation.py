"""Animations as other programs find them: read back frame by frame."""

import re
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image

from napari_nst.errors import Cancelled, NstError
from napari_nst.io.animation import FPS, LAST_FRAME_SECONDS, check_format, write_animation
from napari_nst.io.embedded_text import read_text
from napari_nst.io.frame_stack import FrameStack


def stack_of(pictures):
    return FrameStack({step: (picture, f"step {step}") for step, picture in enumerate(pictures, 1)})


@pytest.fixture
def colours():
    """Five pictures, each of one colour, the first coarser than the others."""
    levels = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (128, 128, 128)]
    shapes = [(16, 20), *[(32, 40)] * 4]
    return [
        np.full((*shape, 3), level, np.uint8) for shape, level in zip(shapes, levels, strict=True)
    ]


@pytest.fixture
def photograph():
    """Many colours: a smooth one in each channel."""
    y, x = np.mgrid[0:64, 0:96]
    channels = [y / 63, x / 95, (1 + np.sin(x / 9) * np.cos(y / 7)) / 2]
    return np.rint(np.stack(channels, -1) * 255).astype(np.uint8)


def frames_of(path):
    """Return an animation's frames; imageio's own reader of MP4 leaves its pipes open."""
    if path.suffix != ".mp4":
        frames = iio.imread(path, plugin="pillow" if path.suffix == ".gif" else "tifffile")
        return frames[None] if frames.ndim == 3 else frames
    raw, _ = ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    width, height = map(int, re.search(r", (\d+)x(\d+)", about(path)).groups())
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def about(path):
    """Return what ffmpeg says of a file's video."""
    _, said = ffmpeg("-i", path)
    return next(line for line in said.splitlines() if "Video:" in line)


def ffmpeg(*arguments):
    done = subprocess.run(
        [get_ffmpeg_exe(), "-nostdin", *map(str, arguments)], capture_output=True, check=False
    )
    return done.stdout, done.stderr.decode()


# ── GIF ──────────────────────────────────────────────────────────────────────────────────────


def durations(path):
    with Image.open(path) as gif:
        found = []
        for frame in range(gif.n_frames):
            gif.seek(frame)
            found.append(gif.info["duration"])
        return found, gif.info


def test_a_gif_has_every_picture_at_one_size_in_its_colours(tmp_path, colours):
    said = write_animation(tmp_path / "a.gif", stack_of(colours))
    frames = frames_of(tmp_path / "a.gif")
    assert frames.shape == (5, 32, 40, 3)
    expected = np.array([picture[0, 0] for picture in colours], int)
    np.testing.assert_allclose(frames[:, 10, 10], expected, atol=4)
    assert said == f"5 pictures, 0.3 s, {(tmp_path / 'a.gif').stat().st_size / 1e3:.0f} kB"


def test_a_gif_loops_at_its_pace_and_rests_at_the_end(tmp_path, colours):
    write_animation(tmp_path / "a.gif", stack_of(colours * 3), fps=15, text="how")
    each, info = durations(tmp_path / "a.gif")
    assert sum(each[:-1]) == pytest.approx(14 / FPS * 1000, abs=10)
    assert each[-1] == LAST_FRAME_SECONDS * 1000
    assert info["loop"] == 0
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["comment"] == b"napari-nst: how"


def test_a_gif_has_colours_enough_for_a_photograph(tmp_path, photograph):
    write_animation(tmp_path / "a.gif", stack_of([photograph, photograph[::-1]]))
    frames = frames_of(tmp_path / "a.gif").astype(float)
    assert np.abs(frames[0] - photograph).mean() < 8
    assert np.abs(frames[1] - photograph[::-1]).mean() < 8


def test_a_grey_gif_is_exact(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_animation(tmp_path / "a.gif", stack_of([grey, grey[::-1]]))
    with Image.open(tmp_path / "a.gif") as gif:
        gif.seek(1)
        np.testing.assert_array_equal(gif.convert("L"), grey[::-1])


# ── MP4 ──────────────────────────────────────────────────────────────────────────────────────


def test_an_mp4_has_every_picture_in_its_colours(tmp_path, colours):
    said = write_animation(tmp_path / "a.mp4", stack_of(colours))
    frames = frames_of(tmp_path / "a.mp4")
    assert frames.shape == (5, 32, 40, 3)
    expected = np.array([picture[0, 0] for picture in colours], int)
    np.testing.assert_allclose(frames[:, 10, 10], expected, atol=6)
    said_by_ffmpeg = about(tmp_path / "a.mp4")
    for word in ("h264", "yuv420p(tv, bt709", "15 fps"):
        assert word in said_by_ffmpeg
    assert re.fullmatch(r"5 pictures, 0\.3 s, \d+ kB", said)


@pytest.mark.parametrize("shape", [(31, 41), (32, 41), (31, 40)])
def test_odd_sides_of_an_mp4_get_a_pixel_more(tmp_path, shape):
    picture = np.full((*shape, 3), 90, np.uint8)
    write_animation(tmp_path / "a.mp4", stack_of([picture] * 3))
    frames = frames_of(tmp_path / "a.mp4")
    assert frames.shape == (3, 32, shape[1] + shape[1] % 2, 3)
    np.testing.assert_allclose(frames.astype(int), 90, atol=4)


def test_an_mp4_shows_grey_as_grey(tmp_path):
    grey = np.full((32, 32), 0.25, np.float32)
    write_animation(tmp_path / "a.mp4", stack_of([grey, grey]))
    frames = frames_of(tmp_path / "a.mp4").astype(int)
    np.testing.assert_allclose(frames, 64, atol=3)


def test_an_mp4_looks_like_a_photograph(tmp_path, photograph):
    write_animation(tmp_path / "a.mp4", stack_of([photograph] * 3))
    frames = frames_of(tmp_path / "a.mp4").astype(float)
    assert np.abs(frames - photograph).mean() < 5


def test_a_missing_ffmpeg_is_said_before_anything_is_written(tmp_path, colours, monkeypatch):
    import imageio_ffmpeg

    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(NstError, match=r"^a.mp4 needs ffmpeg, which is not installed"):
        write_animation(tmp_path / "a.mp4", stack_of(colours))
    assert not list(tmp_path.iterdir())


# imageio leaves it to Python to close the pipe to a process that is gone, some time later.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_ffmpeg_that_fails_is_no_traceback_and_leaves_no_file(tmp_path, colours, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", sys.executable)
    with pytest.raises(NstError, match=r"^ffmpeg could not write the MP4 \(.+\); write a .gif"):
        write_animation(tmp_path / "a.mp4", stack_of(colours))
    assert not list(tmp_path.iterdir())


# ── TIFF ─────────────────────────────────────────────────────────────────────────────────────


def test_a_tiff_has_a_page_for_each_picture_with_its_label(tmp_path, colours):
    said = write_animation(tmp_path / "a.tif", stack_of(colours), text='{"a": 1}')
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_imagej
        assert tiff.imagej_metadata["Labels"] == [f"step {step}" for step in range(1, 6)]
        np.testing.assert_array_equal(tiff.asarray(), np.asarray(stack_of(colours)))
    assert read_text(tmp_path / "a.tif") == '{"a": 1}'
    assert said.startswith("5 pictures, ")
    assert said.endswith(" kB")


def test_a_file_is_as_large_as_is_said(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (4, 200, 300, 3), np.uint8)
    assert write_animation(tmp_path / "a.tif", stack_of(list(noise))) == "4 pictures, 0.7 MB"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_grey_stays_as_deep_as_it_is_in_a_tiff(tmp_path, dtype):
    pages = np.random.default_rng(0).normal(4000, 900, (3, 8, 9)).astype(dtype)
    write_animation(tmp_path / "a.tif", stack_of(list(pages)))
    back = tifffile.imread(tmp_path / "a.tif")
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, pages)


@pytest.mark.parametrize(
    ("dtype", "kept"), [(np.float64, 0.5), (np.int16, -7), (np.int64, 7000), (bool, 1)]
)
def test_numbers_that_imagej_has_not_become_float(tmp_path, dtype, kept):
    write_animation(tmp_path / "a.tif", stack_of([np.full((8, 9), kept, dtype)] * 2))
    back = tifffile.imread(tmp_path / "a.tif")
    assert back.dtype == np.float32
    assert (back == kept).all()


# ── all of them ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ending", ["gif", "mp4", "tif"])
@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_what_is_transparent_lies_on_white(tmp_path, ending, dtype, most):
    half = np.zeros((16, 16, 4), dtype)
    half[..., 3] = most / 2 if dtype == np.float32 else most // 2
    write_animation(tmp_path / f"a.{ending}", stack_of([half, half[:8, :8]]))
    frames = frames_of(tmp_path / f"a.{ending}")
    assert frames.shape[-3:] == (16, 16, 3)
    np.testing.assert_allclose(frames.astype(int), 128, atol=4)


@pytest.mark.parametrize("ending", ["gif", "mp4", "tif"])
def test_one_picture_is_an_animation_too(tmp_path, ending, photograph):
    said = write_animation(tmp_path / f"a.{ending}", stack_of([photograph]))
    assert said.startswith("1 picture, ")
    assert frames_of(tmp_path / f"a.{ending}").shape == (1, 64, 96, 3)


@pytest.mark.parametrize("name", ["a.avi", "a", "a.png", "a.mp4.zip"])
def test_other_endings_are_refused(tmp_path, colours, name):
    with pytest.raises(ValueError, match=r"must end in .gif, .mp4, .tif, .tiff, to say its format"):
        write_animation(tmp_path / name, stack_of(colours))
    assert not list(tmp_path.iterdir())


def test_endings_may_be_of_capitals(tmp_path):
    assert [check_format(tmp_path / name) for name in ("a.GIF", "a.Mp4", "a.TIFF")] == [
        "GIF", "MP4", "TIFF",
    ]  # fmt: skip


def test_a_folder_that_is_not_there_is_named(tmp_path, colours):
    with pytest.raises(FileNotFoundError, match=r"^There is no folder .*none; make it first.$"):
        write_animation(tmp_path / "none" / "a.gif", stack_of(colours))


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path, colours, monkeypatch):
    def refused(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("napari_nst.io.atomic_write.tempfile.TemporaryFile", refused)
    with pytest.raises(OSError, match=r"cannot be written to: Read-only file system.$"):
        write_animation(tmp_path / "a.gif", stack_of(colours))


@pytest.mark.parametrize("ending", ["gif", "mp4", "tif"])
def test_who_is_told_how_far_it_is_may_end_it(tmp_path, colours, ending):
    (tmp_path / f"a.{ending}").write_text("before")
    told = []

    def progress(message, done, total):
        told.append((message, done, total))
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        write_animation(tmp_path / f"a.{ending}", stack_of(colours), progress=progress)
    assert told == [(f"writing a.{ending}", done, 5) for done in range(3)]
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{ending}"]
    assert (tmp_path / f"a.{ending}").read_text() == "before"
