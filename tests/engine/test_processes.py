"""Several processes on one picture: what they share, and what becomes of them without each other.

The processes are real ones, started by torch's launcher, and speak gloo to each other.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_nst.engine.processes import Processes, joined, present

SCRIPT = Path(__file__).with_name("gradient_by_processes.py")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What one process finds alone, and what each of two finds with the other."""
    path = tmp_path_factory.mktemp("processes") / "found"
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    for command in ([sys.executable], [*launcher, "--nproc-per-node", "2"]):
        subprocess.run([*command, str(SCRIPT), str(path)], check=True, timeout=300)
    names = ["0.of.1", "0.of.2", "1.of.2"]
    return [torch.load(f"{path}.{name}", weights_only=True) for name in names]


def test_two_processes_find_the_gradient_of_one(results):
    alone, *both = results
    for one in both:
        distance = (one["gradient"] - alone["gradient"]).norm() / alone["gradient"].norm()
        assert distance < 1e-5
        assert one["parts"] == pytest.approx(alone["parts"], rel=1e-5)


def test_they_take_the_same_steps(results):
    alone, *both = results
    assert torch.equal(both[0]["pixels"], both[1]["pixels"])
    assert both[0]["losses"] == both[1]["losses"]
    for ours, theirs in zip(both[0]["losses"], alone["losses"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)


def test_each_computes_its_tiles_alone(results):
    alone, *both = results
    assert sum(one["beats"] for one in both) == alone["beats"]
    assert all(one["beats"] < alone["beats"] for one in both)


def test_alone_nothing_is_joined_or_added():
    with joined("cpu") as alone:
        assert alone == present() == Processes(0, 1)
    values = torch.ones(3)
    alone.add_up([values])
    assert torch.equal(values, torch.ones(3))
