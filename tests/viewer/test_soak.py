"""Long runs in a real window; `make soak` is the long form."""

import json
import subprocess
import sys
from itertools import pairwise
from statistics import median

import pytest
from benchmarks.soak import Sample, slope

pytestmark = [pytest.mark.window, pytest.mark.network]


def test_nothing_grows_while_a_window_iterates_is_steered_and_shows_its_history(tmp_path):
    report = tmp_path / "samples.json"
    command = [sys.executable, "-m", "benchmarks.soak", "--steps", "420", "--json", report]
    # In a process of its own: other tests' windows leave objects behind that are freed later.
    soak = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert soak.returncode == 0, soak.stdout + soak.stderr
    samples = [Sample(**one) for one in json.loads(report.read_text())]
    settled = [one for one in samples if 200 < one.step < 420]
    for name in ("threads", "python_threads", "timers", "connections", "layers"):
        counts = [getattr(one, name) for one in settled]
        assert max(counts) <= counts[0], (name, counts)
    # A tensor per iteration would be 200; one objective has more tensors than another.
    assert settled[-1].tensors - settled[0].tensors < 50
    # Each change of a setting adds an entry to the record and a mark to the plot. The median
    # ignores what is made once.
    growth = [slope(list(pair), "objects") for pair in pairwise(settled)]
    assert median(growth) < 5
