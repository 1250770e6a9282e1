"""The demo as a newcomer starts it: another process, a real window, the real network."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from napari_nst.io.image_files.read_image import read_image

pytestmark = [pytest.mark.window, pytest.mark.network]


@pytest.mark.parametrize("display", ["the one there is", "none"])
def test_the_demo_leaves_a_screenshot_and_the_result(tmp_path, display):
    environment = dict(os.environ)
    if display == "none":
        environment.pop("DISPLAY", None)
        environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, "-m", "napari_nst", "demo", "--headless", "--output", "pictures"]
    ended = subprocess.run(
        [*command, "--size", "64", "--steps", "4"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"step: 100%.*4/4", ended.stderr), "the terminal shows no progress"
    window, result = (tmp_path / line for line in ended.stdout.splitlines()[-2:])
    assert read_image(result).shape == (64, 64, 3)
    assert read_image(result).std() > 20
    shot = read_image(window)
    assert shot.shape[0] >= 600
    assert len(np.unique(shot.reshape(-1, shot.shape[-1]), axis=0)) > 1000, "a blank window"
