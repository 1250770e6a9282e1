"""Real processes, started by torch's launcher, that compute one picture together."""

import json
import signal
import subprocess
import sys
import time

import imageio.v3 as iio
import numpy as np
import psutil
import pytest
import skimage.data

from napari_nst.cli import main

pytestmark = pytest.mark.network

LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
RECIPE = [
    *("--size", "192", "--min-size", "0", "--tile", "128", "--precision", "float32"),
    *("--style-layers", "relu1_1", "--content-layers", "relu2_1"),
]


@pytest.fixture
def command(tmp_path):
    """Return a function that makes the command of a number of processes."""
    iio.imwrite(tmp_path / "content.png", skimage.data.astronaut()[:192, :192])
    iio.imwrite(tmp_path / "style.png", skimage.data.coffee()[:128, :128])

    def of(processes, steps, name):
        inputs = [str(tmp_path / file) for file in ("content.png", "style.png")]
        written = ["-o", str(tmp_path / f"{name}.png"), "--log", str(tmp_path / f"{name}.jsonl")]
        job = ["stylize", *inputs, *written, *RECIPE, "--steps", str(steps), "--device", "cpu"]
        if processes == 1:
            return [sys.executable, "-m", "napari_nst", *job]
        return [*LAUNCH, str(processes), "-m", "--", "napari_nst", *job]

    return of


def losses(path):
    return [json.loads(line)["total"] for line in path.read_text().splitlines()]


def test_two_processes_make_the_picture_of_one(command, tmp_path):
    assert main(command(1, 1, "alone")[3:]) == 0
    done = subprocess.run(
        command(2, 1, "both"), capture_output=True, text=True, timeout=500, check=True
    )
    assert done.stderr.count("wrote") == 1
    alone, both = (iio.imread(tmp_path / f"{name}.png") for name in ("alone", "both"))
    assert np.abs(alone.astype(int) - both).max() <= 1
    alone, both = (losses(tmp_path / f"{name}.jsonl") for name in ("alone", "both"))
    assert both == pytest.approx(alone, rel=1e-5)


def test_the_last_complete_step_is_saved_after_a_process_is_lost(command, tmp_path):
    run = subprocess.Popen(
        command(2, 500, "lost"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        log = tmp_path / "lost.jsonl"
        deadline = time.monotonic() + 400
        while not (log.exists() and losses(log)):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        workers = psutil.Process(run.pid).children(recursive=True)
        [second] = [one for one in workers if one.environ().get("RANK") == "1"]
        second.send_signal(signal.SIGKILL)
        _, said = run.communicate(timeout=120)
    finally:
        run.kill()
    assert run.returncode != 0
    assert "lost" in said
    assert f"of 500; wrote {tmp_path / 'lost.png'}" in said
    assert iio.imread(tmp_path / "lost.png").shape == (192, 192, 3)
