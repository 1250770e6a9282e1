"""Several processes on one image: the gradient and the image of one.

The processes are real ones, started by torch's launcher, and communicate by gloo.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_nst.engine.distributed import Processes, joined, present
from tests.helpers import runs_by_processes

HELPERS = Path(__file__).parents[1] / "helpers"
LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def found_by(script, count, path, weights):
    """Return what each of so many processes finds."""
    command = [sys.executable] if count == 1 else [*LAUNCHER, str(count)]
    subprocess.run(
        [*command, str(HELPERS / script), str(path), weights],
        check=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return [torch.load(f"{path}.{rank}.of.{count}", weights_only=True) for rank in range(count)]


@pytest.fixture(scope="module")
def gradients(tmp_path_factory, untrained_file):
    """What one process finds alone, and what each of two finds with the other."""
    path = tmp_path_factory.mktemp("gradients") / "found"
    script = "gradient_by_processes.py"
    return [one for count in (1, 2) for one in found_by(script, count, path, untrained_file)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory, untrained_file):
    """The images that one process makes alone, and those that each of three makes."""
    path = tmp_path_factory.mktemp("runs") / "made"
    return [found_by("runs_by_processes.py", count, path, untrained_file) for count in (1, 3)]


def test_two_processes_find_the_gradient_of_one(gradients):
    alone, *both = gradients
    for one in both:
        distance = (one["gradient"] - alone["gradient"]).norm() / alone["gradient"].norm()
        assert distance < 1e-5
        assert one["parts"] == pytest.approx(alone["parts"], rel=1e-5)


def test_they_take_the_same_steps(gradients):
    alone, *both = gradients
    assert torch.equal(both[0]["pixels"], both[1]["pixels"])
    assert both[0]["losses"] == both[1]["losses"]
    for ours, theirs in zip(both[0]["losses"], alone["losses"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_each_computes_its_own_tiles(gradients):
    alone, *both = gradients
    assert sum(one["tiles"] for one in both) == alone["tiles"]
    assert all(one["tiles"] < alone["tiles"] for one in both)


@pytest.mark.parametrize(
    "name", [*(name for name in runs_by_processes.RUNS if name != "float16"), "going on"]
)
def test_several_make_the_image_of_one(runs, name):
    (alone,), (first, *rest) = [[one[name] for one in together] for together in runs]
    for other in rest:
        assert other["losses"] == first["losses"]
        assert torch.equal(other["picture"], first["picture"])
    for step, (ours, theirs) in enumerate(zip(first["losses"], alone["losses"], strict=True)):
        # Later steps magnify rounding errors, because they learn from differences of gradients.
        tolerance = 1e-3 if step or name == "going on" else 1e-5
        assert ours == pytest.approx(theirs, rel=tolerance)
    assert first["shape"] == alone["shape"]
    assert (first["picture"] - alone["picture"]).abs().mean() < (
        1e-3 if name == "going on" else 1e-4
    )


def test_all_try_again_after_an_infinite_gradient_of_one(runs):
    (alone,), (first, *rest) = [[one["float16"] for one in together] for together in runs]
    assert np.isfinite(alone["picture"].numpy()).all()
    assert all(one["losses"] == first["losses"] for one in rest)
    for ours, theirs in zip(first["losses"], alone["losses"], strict=True):
        assert ours == pytest.approx(theirs, rel=0.02)
    assert (first["picture"] - alone["picture"]).abs().mean() < 0.01


def test_pixels_kept_outside_are_exact(runs):
    labels = runs_by_processes.LABELS == 0
    content = runs_by_processes.CONTENT[labels].astype(np.float32) / np.float32(255)
    for first, *_ in runs:
        assert np.array_equal(first["regions"]["picture"].numpy()[labels], content)


def test_alone_nothing_is_joined_or_added():
    with joined("cpu") as alone:
        assert alone == present() == Processes(0, 1)
    values = torch.ones(3)
    alone.all_reduce([values])
    assert torch.equal(values, torch.ones(3))
    assert alone.share([1, 2, 3]) == [1, 2, 3]
