"""Whatever ends a run, the picture so far is written, and the files that remain are whole."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from napari_nst.cli.signals import SignalReceived, ending_signals
from napari_nst.errors import NstError, ProcessLost
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from tests.helpers.terminal_tools import GOOD, QUICK, SOURCES, run, the_line

STYLIZE = ["stylize", *GOOD]
RECOVERED = "The picture is in "


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def steps_of(path):
    record = json.loads(read_text(path))
    return record["step"], record["steps"]


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """A folder for temporary files that is not that of the outputs."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("error", [NstError("Out of memory; try size 64."), OSError(5, "I/O")])
def test_an_error_in_the_middle_leaves_the_picture_so_far(images, engine, capsys, error):
    engine.stop_after, engine.error = 3, error
    assert run(*STYLIZE, "--steps", 9, "--log", "run.jsonl", "--animation", "a.gif") == 1
    *_, wrote, why = capsys.readouterr().err.splitlines()
    assert "stopped after step 3 of 9; wrote out.png" in wrote
    assert "a.gif (3 pictures" in wrote
    assert why in ("napari-nst: Out of memory; try size 64.", "napari-nst: I/O.")
    assert steps_of("out.png") == (3, 9)
    assert [line["step"] for line in lines("run.jsonl")] == [1, 2, 3]


def test_a_fault_of_the_program_leaves_the_picture_too(images, engine):
    engine.stop_after, engine.error = 2, ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError, match="a bug"):
        run(*STYLIZE, "--steps", 9)
    assert steps_of("out.png") == (2, 9)


@pytest.mark.parametrize("what", ["--log", "--tensorboard"])
def test_a_run_goes_on_when_the_disk_of_its_log_is_full(images, engine, capsys, small_disk, what):
    """The picture, on another disk, is that of the last step; the status says what is missing."""
    (small_disk / "ballast").write_bytes(bytes(1_040_000))
    assert run(*STYLIZE, "--steps", 200, what, small_disk / "log") == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert err.count("No space left on device.") == 1
    assert f"{small_disk / 'log'}: No space" in err
    assert "wrote out.png (8 × 6 pixels, 8 bit)." in err.splitlines()[-1]
    assert steps_of("out.png") == (200, 200)
    if what == "--log":
        assert 0 < len(lines(small_disk / "log")) < 200  # each line is whole


def test_a_picture_whose_disk_is_full_is_written_elsewhere(
    images, engine, capsys, small_disk, temporary
):
    (small_disk / "ballast").write_bytes(bytes(1_048_000))
    given = ["--steps", 2, "--animation", "a.gif"]
    assert run(*STYLIZE[:-1], small_disk / "out.png", *given) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    path = Path(said.partition(RECOVERED)[2].removesuffix(" instead."))
    assert f"The disk of the folder {small_disk} is full" in said
    assert path.is_relative_to(temporary)
    assert steps_of(path) == (2, 2)
    assert [path.name for path in small_disk.iterdir()] == ["ballast"]


def test_a_picture_whose_folder_is_gone_is_written_elsewhere(
    images, engine, capsys, temporary, monkeypatch
):
    """The folder for temporary files takes nothing either, so the home folder is used."""
    Path("there").mkdir()
    Path("home").mkdir()
    monkeypatch.setenv("HOME", str(Path("home").absolute()))
    monkeypatch.setenv("USERPROFILE", str(Path("home").absolute()))

    def remove(iteration):
        Path("there").rmdir()
        temporary.rmdir()

    monkeypatch.setattr("napari_nst.cli.terminal.ProgressBar.step", lambda _, one: remove(one))
    assert run(*STYLIZE[:-1], "there/out.png", "--steps", 1) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "There is no folder there; make it first." in said
    path = Path(said.partition(RECOVERED)[2].removesuffix(" instead."))
    assert path.is_relative_to(Path("home").absolute())
    assert steps_of(path) == (1, 1)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["synthesize", "style.jpg", "-o", "o.jpg", "--shape", "16", "65501"], "o.jpg would have"),
        (
            ["synthesize", "style.jpg", "-o", "o.png", "--shape", "16", "30000", "--tile-preview",
             "tiles.jpg"],
            "tiles.jpg would have 90000 × 48 pixels",
        ),
        ([*STYLIZE, "--size", "16386", "--animation", "a.mp4"], "a.mp4 would have 16386 × 12290"),
        ([*STYLIZE[:-1], "a" * 300 + ".png"], "is too long"),
        ([*STYLIZE[:-1], "link.png"], "There is no folder"),
        ([*STYLIZE, "--log", "link.png"], "There is no folder"),
        ([*STYLIZE, "--tensorboard", "/proc/board"], "cannot be written"),
        ([*STYLIZE[:-1], "/proc/out.png"], "cannot be written"),
        ([*STYLIZE[:-1], "out.png."], "must end in .png"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_written_are_found_before_the_run(images, engine, capsys, given, says):
    Path("link.png").symlink_to(Path("gone", "out.png").absolute())
    assert run(*given) == 2
    assert says in the_line(capsys.readouterr())
    assert not engine.jobs


# Signals


def kill(*numbers):
    for number in numbers:
        os.kill(os.getpid(), number)
        time.sleep(0.01)  # Python handles it between two instructions


def interrupted(signals, *numbers):
    """Return the signal that a block raised when the process was sent some."""
    try:
        with signals.raised():
            kill(*numbers)
    except SignalReceived as received:
        return received.number
    return None


def test_a_signal_raises_once_and_not_while_files_are_written():
    before = signal.getsignal(signal.SIGTERM)
    with ending_signals() as signals:
        assert interrupted(signals, signal.SIGHUP, signal.SIGINT) == signal.SIGHUP
        kill(signal.SIGTERM, signal.SIGHUP)
        assert interrupted(signals, signal.SIGTERM) is None  # the first said it already
        assert interrupted(signals, signal.SIGINT) == signal.SIGINT  # an impatient user
    assert signal.getsignal(signal.SIGTERM) is before
    with ending_signals() as signals:
        kill(signal.SIGTERM)
        assert interrupted(signals) == signal.SIGTERM
    with ending_signals(processes=2) as signals, pytest.raises(ProcessLost):
        interrupted(signals, signal.SIGTERM)


def test_ignored_signals_stay_ignored_and_other_threads_change_none():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with ending_signals() as signals, signals.raised():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    entered = []

    def enter():
        with ending_signals():
            entered.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert entered == [signal.getsignal(signal.SIGTERM)]


@pytest.mark.network
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_real_signal_writes_the_last_image(images):
    """The terminal is closed, and then the system shuts down."""
    given = ["--steps", "9999", "--log", "run.jsonl", "--animation", "a.gif"]
    process = subprocess.Popen(
        [sys.executable, "-m", "napari_nst", *STYLIZE, *QUICK, *given],
        env={**os.environ, "PYTHONPATH": str(SOURCES)}, stderr=subprocess.PIPE,
    )  # fmt: skip
    process.stderr.close()
    log, deadline = Path("run.jsonl"), time.monotonic() + 120
    try:
        while not log.exists() or log.read_text().count("\n") < 3:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + signal.SIGHUP
    step, steps = steps_of("out.png")
    assert 3 <= step <= len(lines("run.jsonl")) + 1
    assert steps == 9999
    assert read_image("out.png").shape == (48, 64, 3)
    assert Path("a.gif").read_bytes()[-1:] == b";"  # complete
