"""Animations as other programs read them, frame by frame."""

import re
import subprocess
import sys

import imageio.v3 as iio
import numpy as np
import pytest
import tifffile
from imageio_ffmpeg import get_ffmpeg_exe
from PIL import Image, ImageSequence

from napari_nst.errors import Cancelled, NstError
from napari_nst.io.animation import LAST_FRAME_SECONDS, check_format, write_animation
from napari_nst.io.history import FrameStack
from napari_nst.io.image_files.embedded_text import read_text

ENDINGS = ["gif", "mp4", "tif"]


def stack_of(frames):
    return FrameStack({step: (frame, f"step {step}") for step, frame in enumerate(frames, 1)})


@pytest.fixture
def colours():
    """Five frames of one colour each, the first smaller than the others."""
    levels = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 120, 40), (128, 128, 128)]
    shapes = [(16, 20), *[(32, 40)] * 4]
    return [
        np.full((*shape, 3), level, np.uint8) for shape, level in zip(shapes, levels, strict=True)
    ]


@pytest.fixture
def photograph():
    """A frame of many colours: a smooth gradient in each channel."""
    y, x = np.mgrid[0:64, 0:96]
    channels = [y / 63, x / 95, (1 + np.sin(x / 9) * np.cos(y / 7)) / 2]
    return np.rint(np.stack(channels, -1) * 255).astype(np.uint8)


def frames_of(path):
    """Return an animation's frames; imageio's own reader of MP4 does not close its pipes."""
    if path.suffix != ".mp4":
        frames = iio.imread(path, plugin="pillow" if path.suffix == ".gif" else "tifffile")
        return frames[None] if frames.ndim == 3 else frames
    raw, _ = ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    width, height = map(int, re.search(r", (\d+)x(\d+)", video_info(path)).groups())
    return np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)


def video_info(path):
    _, log = ffmpeg("-i", path)
    return next(line for line in log.splitlines() if "Video:" in line)


def ffmpeg(*arguments):
    done = subprocess.run(
        [get_ffmpeg_exe(), "-nostdin", *map(str, arguments)], capture_output=True, check=False
    )
    return done.stdout, done.stderr.decode()


# All formats


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_frame_is_there_in_its_colours_and_at_one_size(tmp_path, ending, colours):
    path = tmp_path / f"a.{ending}"
    summary = write_animation(path, stack_of(colours))
    frames = frames_of(path)
    assert frames.shape == (5, 32, 40, 3)
    expected = np.array([frame[0, 0] for frame in colours], int)
    np.testing.assert_allclose(frames[:, 10, 10], expected, atol=6)
    duration = "" if ending == "tif" else "0.3 s, "
    assert summary == f"5 pictures, {duration}{path.stat().st_size / 1e3:.0f} kB"


@pytest.mark.parametrize("ending", ENDINGS)
def test_one_frame_of_many_colours_is_an_animation_too(tmp_path, ending, photograph):
    summary = write_animation(tmp_path / f"a.{ending}", stack_of([photograph]))
    assert summary.startswith("1 picture, ")
    (frame,) = frames_of(tmp_path / f"a.{ending}")
    assert np.abs(frame.astype(float) - photograph).mean() < 8


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1)])
def test_transparent_frames_are_blended_with_white(tmp_path, ending, dtype, white):
    half = np.zeros((16, 16, 4), dtype)
    half[..., 3] = white / 2 if dtype == np.float32 else white // 2
    write_animation(tmp_path / f"a.{ending}", stack_of([half, half[:8, :8]]))
    frames = frames_of(tmp_path / f"a.{ending}")
    assert frames.shape[-3:] == (16, 16, 3)
    np.testing.assert_allclose(frames.astype(int), 128, atol=4)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_of_the_progress_callback_ends_the_writing(tmp_path, colours, ending):
    (tmp_path / f"a.{ending}").write_text("before")
    reports = []

    def progress(message, done, total):
        reports.append((message, done, total))
        if done == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        write_animation(tmp_path / f"a.{ending}", stack_of(colours), progress=progress)
    assert reports == [(f"writing a.{ending}", done, 5) for done in range(3)]
    assert [path.name for path in tmp_path.iterdir()] == [f"a.{ending}"]
    assert (tmp_path / f"a.{ending}").read_text() == "before"


def test_the_ending_gives_the_format(tmp_path, colours):
    names = {"a.GIF": "GIF", "a.Mp4": "MP4", "a.TIFF": "TIFF"}
    assert {name: check_format(tmp_path / name) for name in names} == names
    for name in ("a.avi", "a", "a.mp4.zip"):
        with pytest.raises(ValueError, match=r"must end in \.gif, \.mp4, \.tif, \.tiff"):
            write_animation(tmp_path / name, stack_of(colours))
    with pytest.raises(FileNotFoundError, match=r"^There is no folder .*none"):
        write_animation(tmp_path / "none" / "a.gif", stack_of(colours))
    assert not list(tmp_path.iterdir())


# Each format


def test_a_gif_loops_and_holds_its_last_frame(tmp_path, colours):
    write_animation(tmp_path / "a.gif", stack_of(colours * 3), fps=15, text="how")
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.info["loop"] == 0
        assert gif.info["comment"] == b"napari-nst: how"
        *each, last = [frame.info["duration"] for frame in ImageSequence.Iterator(gif)]
    assert sum(each) == pytest.approx(14 / 15 * 1000, abs=10)
    assert last == LAST_FRAME_SECONDS * 1000


def test_a_grey_gif_is_exact(tmp_path):
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_animation(tmp_path / "a.gif", stack_of([grey, grey[::-1]]))
    with Image.open(tmp_path / "a.gif") as gif:
        gif.seek(1)
        np.testing.assert_array_equal(gif.convert("L"), grey[::-1])


def test_odd_sides_of_an_mp4_get_another_pixel(tmp_path):
    write_animation(tmp_path / "a.mp4", stack_of([np.full((31, 41), 0.25, np.float32)] * 3))
    frames = frames_of(tmp_path / "a.mp4")
    assert frames.shape == (3, 32, 42, 3)
    np.testing.assert_allclose(frames.astype(int), 64, atol=4)
    for word in ("h264", "yuv420p(tv, bt709", "15 fps"):
        assert word in video_info(tmp_path / "a.mp4")


def test_the_message_for_a_missing_ffmpeg_comes_before_the_writing(tmp_path, colours, monkeypatch):
    def missing():
        raise RuntimeError("No ffmpeg exe could be found.")

    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", missing)
    with pytest.raises(NstError, match=r"^a\.mp4 needs ffmpeg"):
        write_animation(tmp_path / "a.mp4", stack_of(colours))
    assert not list(tmp_path.iterdir())


def test_a_failing_ffmpeg_leaves_no_file(tmp_path, colours, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", sys.executable)
    with pytest.raises(NstError, match=r"^ffmpeg could not write the MP4 \(.+\); write a \.gif"):
        write_animation(tmp_path / "a.mp4", stack_of(colours))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_for_ffmpeg_leaves_no_file(tmp_path, small_disk, monkeypatch, capfd):
    """ffmpeg fails after the first frames, when it has written a part of its file."""
    monkeypatch.setattr("tempfile.tempdir", str(small_disk))
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (256, 256, 3), np.uint8) for _ in range(30)]
    path = tmp_path / "a.mp4"
    with pytest.raises(NstError, match=r"^ffmpeg could not write the MP4 \(.*space"):
        write_animation(path, stack_of(noise))
    assert not path.exists()
    assert not list(small_disk.iterdir())
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("ending", ["gif", "mp4"])
def test_a_size_beyond_the_format_is_refused_at_once(tmp_path, ending):
    wide = np.broadcast_to(np.uint8(0), (2, 70_000))
    with pytest.raises(ValueError, match="take a TIFF, or a smaller size"):
        write_animation(tmp_path / f"a.{ending}", stack_of([wide]), progress=pytest.fail)
    assert not list(tmp_path.iterdir())


def test_a_tiff_has_labels_and_text(tmp_path, colours):
    write_animation(tmp_path / "a.tif", stack_of(colours), text='{"a": 1}')
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert tiff.is_imagej
        assert tiff.imagej_metadata["Labels"] == [f"step {step}" for step in range(1, 6)]
        np.testing.assert_array_equal(tiff.asarray(), np.asarray(stack_of(colours)))
    assert read_text(tmp_path / "a.tif") == '{"a": 1}'


@pytest.mark.parametrize(
    ("dtype", "written"),
    [
        (np.uint8, np.uint8),
        (np.uint16, np.uint16),
        (np.float64, np.float32),
        (np.int64, np.float32),
        (bool, np.float32),
    ],
)
def test_grey_keeps_its_values_in_a_tiff(tmp_path, dtype, written):
    pages = np.random.default_rng(0).normal(4000, 900, (3, 8, 9)).astype(dtype)
    write_animation(tmp_path / "a.tif", stack_of(list(pages)))
    back = tifffile.imread(tmp_path / "a.tif")
    assert back.dtype == written
    np.testing.assert_array_equal(back, pages.astype(np.float32))
