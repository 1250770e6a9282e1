"""Several processes on one picture: what they share, and what becomes of them without each other.

The processes are real ones, started by torch's launcher, and speak gloo to each other.
"""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_nst.engine.distributed import Processes, joined, present
from tests.helpers import runs_by_processes

HERE = Path(__file__).parents[1] / "helpers"
LAUNCHER = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]

RUNS = [
    "the usual",
    "two scales of Adam, averaged",
    "two scales of L-BFGS",
    "a line search",
    "a periodic texture",
    "scales of a periodic texture",
    "a line search around what is kept",
    "deep layers",
    "transparent",
    "regions",
    "a hole",
    "a reconstruction",
    "going on",
]


def found_by(script, count, path):
    """Return what each of so many processes finds."""
    command = [sys.executable] if count == 1 else [*LAUNCHER, str(count)]
    subprocess.run([*command, str(HERE / script), str(path)], check=True, timeout=300)
    return [torch.load(f"{path}.{rank}.of.{count}", weights_only=True) for rank in range(count)]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What one process finds alone, and what each of two finds with the other."""
    path = tmp_path_factory.mktemp("processes") / "found"
    script = "gradient_by_processes.py"
    return [*found_by(script, 1, path), *found_by(script, 2, path)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What one process makes alone, and what each of two and of three makes with the others."""
    path = tmp_path_factory.mktemp("runs") / "made"
    return [found_by("runs_by_processes.py", count, path) for count in (1, 2, 3)]


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


@pytest.mark.parametrize("name", RUNS)
def test_several_make_the_picture_of_one(runs, name):
    ((alone,), *others) = [[one[name] for one in together] for together in runs]
    for first, *rest in others:
        assert all(one["losses"] == first["losses"] for one in rest)
        for step, (ours, theirs) in enumerate(zip(first["losses"], alone["losses"], strict=True)):
            # Steps that learn from differences of gradients enlarge what rounding leaves.
            assert ours == pytest.approx(theirs, rel=1e-3 if step else 1e-5)
        assert first["shape"] == alone["shape"]
        assert first["picture"].shape == alone["picture"].shape
        assert (first["picture"] - alone["picture"]).abs().mean() < 1e-4


def test_all_take_back_an_infinite_gradient_of_one(runs):
    ((alone,), *others) = [[one["float16"] for one in together] for together in runs]
    assert np.isfinite(alone["picture"].numpy()).all()
    for first, *rest in others:
        assert all(one["losses"] == first["losses"] for one in rest)
        for ours, theirs in zip(first["losses"], alone["losses"], strict=True):
            assert ours == pytest.approx(theirs, rel=0.02)
        assert (first["picture"] - alone["picture"]).abs().mean() < 0.01


@pytest.mark.parametrize("name", RUNS)
def test_the_first_has_all_rows_to_show_and_others_their_own(runs, name):
    for together in runs:
        first, *others = (one[name]["rows"] for one in together)
        assert first == together[0][name]["shape"][0]
        if name.startswith("a line search"):  # torch's own, which divides nothing
            assert {first, *others} == {first}
        elif others:
            assert len(others) / (len(others) + 1) * first == pytest.approx(sum(others), abs=32)


def test_no_process_but_the_first_ever_has_the_whole_picture(tmp_path):
    (first, second) = found_by("held_by_processes.py", 2, tmp_path / "held")
    assert "going on" in second
    for name, found in second.items():
        height, width = 288, 200
        assert found["rows"] == height / 2
        own = (height / 2 + 16) * width * 3  # and what the network sees around them
        assert math.prod(found["largest"]) <= own, (name, found["largest"])
        assert math.prod(first[name]["largest"]) >= height * width * 3


@pytest.fixture(scope="module")
def short_of_memory(tmp_path_factory):
    """What two processes make where memory runs out in one, or in both."""
    return found_by("memory_by_processes.py", 2, tmp_path_factory.mktemp("memory") / "made")


@pytest.mark.parametrize(
    ("place", "step"), [("content", 0), ("style", 0), ("pass 1", 1), ("pass 2", 1)]
)
def test_all_go_on_in_smaller_tiles_where_memory_runs_out_in_one(short_of_memory, place, step):
    one, both = ([each[place, n] for each in short_of_memory] for n in ("one", "both"))
    since = f"from iteration {step}" if step else "from the start"
    for first, second in (one, both):
        assert first["said"] == [f"Ran out of memory; going on {since} in tiles of 64 pixels."]
        assert second["said"] == []
        assert first["tiles"] == second["tiles"] == [128] * step + [64] * (3 - step)
        assert first["losses"] == second["losses"] == both[0]["losses"]
        assert torch.equal(first["picture"], both[0]["picture"])
    enough = short_of_memory[0]["enough"]
    assert enough["tiles"] == [128] * 3
    for ours, theirs in zip(both[0]["losses"], enough["losses"], strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3)
    assert (both[0]["picture"] - enough["picture"]).abs().mean() < 1e-4


def test_what_is_kept_is_so_to_the_last_bit(runs):
    labels = runs_by_processes.LABELS == 0
    content = runs_by_processes.CONTENT[labels].astype(np.float32) / np.float32(255)
    for first, *_ in runs:
        assert np.array_equal(first["regions"]["picture"].numpy()[labels], content)


def test_alone_nothing_is_joined_or_added():
    with joined("cpu") as alone:
        assert alone == present() == Processes(0, 1)
    values = torch.ones(3)
    alone.add_up([values])
    assert torch.equal(values, torch.ones(3))
