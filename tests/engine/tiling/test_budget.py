"""Which tiles a run takes, and how many steps L-BFGS stores, by how much memory is free."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.distributed import Processes
from napari_nst.engine.job.build import order_to_reconstruct, order_to_stylize
from napari_nst.engine.tiling import budget
from napari_nst.engine.tiling.budget import LEAST_HISTORY, SHARE, USUAL_TILE, TilePlanner
from napari_nst.engine.tiling.memory_estimate import estimate_memory
from napari_nst.recipe import preset

BF16 = torch.bfloat16
CPU, GPU = torch.device("cpu"), torch.device("cuda:0")
IMAGE = np.zeros((60, 80, 3), np.float32)


def job_of(size=4096, **fields):
    return order_to_stylize(
        IMAGE, IMAGE, preset(**{"size": size, "steps": 400, "phases": (), **fields})
    )


@pytest.fixture
def planner(monkeypatch):
    """Return a function that makes a planner for a job and some free memory."""

    def make(job, free, device=CPU, on_device=None):
        memory = {"cpu": free, "cuda": on_device}
        monkeypatch.setattr(budget, "free_memory", lambda device: memory[device.type])
        return TilePlanner(job, device, BF16, print)

    return make


def needed(job, tile, history=None):
    memory = estimate_memory(job, job.scales[-1], BF16, tile=tile)
    return (memory if history is None else replace(memory, history=history)).bytes


def plan_of(planner, job, free):
    plan = planner(job, free).plan(job, job.scales[-1])
    return plan.tile, plan.memory.history


def test_an_image_that_fits_is_computed_whole(planner):
    job = job_of()
    free = needed(job, 0) / SHARE
    assert plan_of(planner, job, free + 1) == (0, 20)
    tile, history = plan_of(planner, job, free - 1)
    assert 0 < tile < 4096
    assert history == 20


@pytest.mark.parametrize("wanted", [2048, 512])
def test_the_largest_tile_that_fits_is_taken(planner, wanted):
    job = job_of()
    tile, history = plan_of(planner, job, needed(job, wanted) / SHARE + 1)
    assert tile % 64 == 0
    assert history == 20
    assert needed(job, tile) == needed(job, wanted)


def test_coarse_scales_are_whole_when_the_last_one_is_not(planner):
    job = job_of()
    tiles = [plan.tile for plan in planner(job, needed(job, 1024) / SHARE + 1).plans(job)]
    assert tiles[0] == 0 < tiles[-1]
    assert tiles == sorted(tiles, key=bool)


def test_lbfgs_stores_fewer_steps_before_tiles_get_very_small(planner):
    job = job_of()
    free = needed(job, 512, history=9) / SHARE + 1
    assert plan_of(planner, job, free) == (512, 9)
    (sentence,) = planner(job, free).short_histories(job)
    assert "9 of the 20" in sentence
    assert plan_of(planner, job, needed(job, 256, history=6) / SHARE + 1) == (256, 6)
    assert planner(job, 10**12).short_histories(job) == []


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_refusal_names_a_size_that_fits(planner, optimizer):
    job = job_of(optimizer=optimizer)
    free = needed(job, 256, history=0) / 2
    with pytest.raises(nst.NstError, match="of memory on cpu") as told:
        planner(job, free).plans(job)
    size = int(re.search(r"`size` of (\d+) or less", str(told.value))[1])
    assert ("optimizer='adam'" in str(told.value)) == (optimizer == "lbfgs")
    smaller, larger = (job_of(size=one, optimizer=optimizer) for one in (size, size + 64))
    planner(smaller, free).plans(smaller)
    with pytest.raises(nst.NstError):
        planner(larger, free).plans(larger)


def test_a_loss_that_cannot_be_tiled_is_refused_if_it_does_not_fit(planner):
    job = job_of(style_loss="mrf")
    with pytest.raises(nst.NstError, match=r"style_loss.* mrf "):
        planner(job, needed(job, 0, history=5) / 2).plans(job)
    assert plan_of(planner, job, 10**12)[0] == 0
    recipe = preset("reconstruction", size=4096, steps=400, style_loss="mrf")
    other = order_to_reconstruct(IMAGE, recipe)  # which has no style
    assert plan_of(planner, other, needed(other, 512) / SHARE + 1)[0] >= 512


def test_the_recipes_tile_is_taken_whatever_is_free(planner):
    job = job_of(tile=1024)
    plans = planner(job, 1).plans(job)
    for scale, plan in zip(job.scales, plans, strict=True):
        assert plan.tile == (1024 if max(scale.shape) > 1024 else 0)
    assert plans[-1].memory.history == LEAST_HISTORY


class Several(Processes):
    """Processes of which the others have as much memory as this one."""

    def least(self, value):
        return value


@pytest.mark.parametrize(("size", "count", "sharing"), [(4096, 4, 4), (512, 3, 3), (500, 3, 1)])
def test_several_processes_share_tiles_if_there_are_rows_enough(
    planner, monkeypatch, size, count, sharing
):
    monkeypatch.setattr(budget, "present", lambda: Several(0, count))
    job, other = job_of(size=size), job_of(size=size, style_loss="mrf")
    assert planner(job, 10**12).sharing(job, job.scales[-1]).count == sharing
    assert planner(other, 10**12).sharing(other, other.scales[-1]).count == 1


def test_processes_on_one_machine_share_its_memory(planner, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert planner(job_of(), 10**10).free == 5 * 10**9


def test_an_image_too_large_for_its_gpu_is_stored_on_the_host(planner):
    job = job_of(16384)
    least = needed(job, USUAL_TILE, history=LEAST_HISTORY) / SHARE
    assert planner(job, 10**12, GPU, least + 1e8).image_device == GPU
    assert planner(job, 10**12, GPU, least - 1e8).image_device == CPU
    small, untiled = job_of(1024), job_of(16384, style_loss="mrf")
    assert planner(small, 10**12, GPU, least - 1e8).image_device == GPU
    assert planner(untiled, 10**12, GPU, least - 1e8).image_device == GPU
    plan = planner(job, 10**12, GPU, 8 * 10**9).plan(job, job.scales[-1])
    assert 0 < plan.tile < 16384
    assert plan.memory.passes <= 8 * 10**9 * SHARE < plan.memory.bytes


@pytest.mark.parametrize("size", [512, 1024, 2048])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_tile_of_the_whole_image_is_no_tile(planner, size, optimizer):
    """It is computed whole, and needs as much memory as the whole, with the styles' features."""
    guide = np.ones(IMAGE.shape[:2], int)
    recipe = preset(size=size, steps=400, optimizer=optimizer, style_scale=2.0, phases=())
    style = np.zeros((1500, 2000), np.uint8)
    job = order_to_stylize(IMAGE, style, recipe, guide=guide)
    whole, history = needed(job, 0), 20 if optimizer == "lbfgs" else 0
    assert plan_of(planner, job, whole / SHARE + 1)[0] == 0
    for free in (whole / SHARE - 1, needed(job, 512, history=history) / SHARE + 1):
        try:
            tile, _ = plan_of(planner, job, free)
        except nst.NstError:
            continue
        assert tile < size
        assert tile or needed(job, 0, history=LEAST_HISTORY) <= free
    for asked in (size, size + 1):
        one = order_to_stylize(IMAGE, style, recipe.replace(tile=asked), guide=guide)
        assert plan_of(planner, one, 10**12)[0] == 0
