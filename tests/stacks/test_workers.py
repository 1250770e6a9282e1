"""Slices on several processes of dask.distributed, one of which is killed."""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from distributed import Client, LocalCluster

import napari_nst as nst
from napari_nst.stacks import workers
from napari_nst.stacks.slice_job import SliceInputs, SliceJob

pytestmark = pytest.mark.filterwarnings("ignore")  # of dask, when a worker is lost


@pytest.fixture
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


def test_a_killed_worker_loses_nothing(cluster, stack, style, quick, tmp_path):
    run = nst.stylize_stack(
        stack, style, quick(steps=6), out=tmp_path / "a.zarr",
        scheduler=cluster.scheduler_address,
    )  # fmt: skip
    with Client(cluster) as client:
        pids = list(client.run(os.getpid).values())
    finished, killed, last = [], False, None
    for step in run:
        if step.finished:
            finished.append(step.label)
            last = step.iteration
            np.testing.assert_array_equal(run.job.stored(last, 1), run.array[step.place[0]])
        if step.step == 2 and not killed:  # at least one of both is in the middle of a slice
            killed = True
            os.kill(pids[0], signal.SIGKILL)
    assert sorted(finished) == [f"z={k}" for k in range(6)]
    assert last.step == last.steps  # of the whole stack
    assert not run.failed
    begin = [stack, style, quick(steps=6)]
    parts = [nst.stylize_stack(*begin, slices=part).result(False) for part in ("0:3", "3:6")]
    np.testing.assert_array_equal(run.array, np.concatenate(parts))


def test_workers_of_our_own_stop_and_end(stack, style, quick):
    run = nst.stylize_stack(stack, style, quick(steps=60), workers=2)
    labels = set()
    for step in run:
        labels.add(step.label)
        if len(labels) == 2:  # both work
            run.stop()
    assert labels == {"z=0", "z=3"}
    assert not run.done
    assert not run.failed


def test_a_scheduler_that_does_not_answer_is_named(stack, style, quick, monkeypatch):
    monkeypatch.setattr(workers, "_PATIENCE", 0.1)
    with pytest.raises(nst.NstError, match=r"tcp://127\.0\.0\.1:1"):
        nst.stylize_stack(stack, style, quick(), scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("device", "local_workers", "expected"),
    [
        ("auto", 3, ["cuda:0", "cuda:1", "cuda:0"]),
        ("cpu", 3, ["cpu"] * 3),
        ("auto", 0, ["auto"] * 3),  # of a scheduler, which may be on several machines
    ],
)
def test_each_worker_of_our_own_has_a_gpu(
    stack, style, quick, monkeypatch, device, local_workers, expected
):
    """The two GPUs are pretended."""
    job = nst.stylize_stack(stack, style, quick(device=device)).job
    devices = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    monkeypatch.setattr(
        SliceJob, "start", lambda self, *_: devices.append(self.recipe.device) or ()
    )
    for number in range(3):
        monkeypatch.setattr(workers, "get_worker", lambda name=number: SimpleNamespace(name=name))
        workers.Painter("stack", job, local_workers).paint("z=0", SliceInputs(stack[0]))
    assert devices == expected
