"""Which tiles a run takes, and how much L-BFGS remembers, by how much memory is free."""

import re

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.distributed import Processes
from napari_nst.engine.job.build import order_to_reconstruct, order_to_stylize
from napari_nst.engine.tiling import budget as tiling
from napari_nst.engine.tiling.budget import SHARE, Tiling
from napari_nst.engine.tiling.memory_estimate import footprint
from napari_nst.recipe import preset

BF16 = torch.bfloat16
CPU = torch.device("cpu")
IMAGE = np.zeros((60, 80, 3), np.float32)


def order(size=4096, **fields):
    return order_to_stylize(IMAGE, IMAGE, preset(**{"size": size, "steps": 400, **fields}))


def tiling_with(monkeypatch, free):
    monkeypatch.setattr(tiling, "free_bytes", lambda device: free)
    return Tiling(CPU, CPU, BF16, print)


def needed(one, tile, past_steps=None):
    taken = footprint(one, one.scales[-1], BF16, tile=tile)
    return taken.bytes if past_steps is None else (
        taken.bytes - (taken.past_steps - past_steps) * taken.past_step
    )  # fmt: skip


def chosen(monkeypatch, free, **fields):
    one = order(**fields)
    tile, taken = tiling_with(monkeypatch, free).at(one, one.scales[-1])
    return tile, taken.past_steps


def test_a_picture_that_fits_is_computed_whole(monkeypatch):
    free = needed(order(), 0) / SHARE
    assert chosen(monkeypatch, free + 1) == (0, 20)
    tile, past_steps = chosen(monkeypatch, free - 1)
    assert 0 < tile < 4096
    assert past_steps == 20


@pytest.mark.parametrize("wanted", [2048, 1344, 512])
def test_the_largest_tile_that_fits_is_taken(monkeypatch, wanted):
    free = needed(order(), wanted) / SHARE + 1
    tile, past_steps = chosen(monkeypatch, free)
    assert tile % 64 == 0
    assert past_steps == 20
    one = order()
    assert needed(one, tile) <= free * SHARE < needed(one, tile + 64) or tile >= wanted
    assert needed(one, tile) == needed(one, wanted)


def test_coarse_scales_are_whole_where_the_last_one_is_not(monkeypatch):
    one = order()
    plan = tiling_with(monkeypatch, needed(one, 1024) / SHARE + 1).plan(one)
    tiles = [tile for _, tile, _ in plan]
    assert tiles[0] == 0 < tiles[-1]
    assert tiles == sorted(tiles, key=bool)


def test_lbfgs_remembers_less_before_tiles_get_very_small(monkeypatch):
    one = order(content_weight=0)  # whose targets would need as much for a moment as tiles do
    free = needed(one, 512, past_steps=9) / SHARE + 1
    assert chosen(monkeypatch, free, content_weight=0) == (512, 9)
    (told,) = tiling_with(monkeypatch, free).forgotten(one)
    assert told == (
        "At 4096 pixels there is memory for 9 of the 20 past steps that L-BFGS would remember."
    )
    free = needed(one, 256, past_steps=6) / SHARE + 1
    assert chosen(monkeypatch, free, content_weight=0) == (256, 6)
    assert tiling_with(monkeypatch, 10**12).forgotten(one) == []


@pytest.mark.parametrize("fields", [{"optimizer": "lbfgs"}, {"optimizer": "adam"}], ids=str)
def test_what_does_not_fit_in_any_tiles_is_refused_with_a_size_that_does(monkeypatch, fields):
    one = order(**fields)
    free = needed(one, 256, past_steps=0) / 2
    with pytest.raises(
        nst.NstError,
        match=r"^A picture of 4096 pixels needs about [\d.]+ GB of "
        r"memory on cpu, even in tiles of 256 pixels, and ",
    ) as told:
        tiling_with(monkeypatch, free).plan(one)
    size = int(re.search(r"take at most (\d+) pixels", str(told.value))[1])
    assert ("optimizer adam" in str(told.value)) == (fields["optimizer"] == "lbfgs")
    tiling_with(monkeypatch, free).plan(order(size=size, **fields))
    with pytest.raises(nst.NstError):
        tiling_with(monkeypatch, free).plan(order(size=size + 64, **fields))


@pytest.mark.parametrize("style_loss", ["mrf", "sliced_wasserstein"])
def test_a_loss_that_cannot_be_tiled_is_refused_where_it_does_not_fit(monkeypatch, style_loss):
    one = order(style_loss=style_loss)
    free = needed(one, 0, past_steps=5) / 2
    with pytest.raises(nst.NstError, match=f"style_loss {style_loss} cannot be computed in tiles"):
        tiling_with(monkeypatch, free).plan(one)
    assert chosen(monkeypatch, 10**12, style_loss=style_loss)[0] == 0


def test_a_reconstruction_is_tiled_whatever_the_style_loss(monkeypatch):
    recipe = preset("reconstruction", size=4096, steps=400, style_loss="mrf")
    one = order_to_reconstruct(IMAGE, recipe)
    free = needed(one, 512) / SHARE + 1
    assert tiling_with(monkeypatch, free).at(one, one.scales[-1])[0] >= 512


def test_the_recipes_tile_is_taken_whatever_is_free(monkeypatch):
    one = order(tile=1024)
    plan = tiling_with(monkeypatch, 1).plan(one)
    assert {tile for scale, tile, _ in plan if max(scale.shape) > 1024} == {1024}
    assert {tile for scale, tile, _ in plan if max(scale.shape) <= 1024} == {0}
    assert plan[-1][2].past_steps == tiling.LEAST_HISTORY


class Several(Processes):
    """Processes of which the others have as much as this one."""

    def least(self, value):
        return value


@pytest.mark.parametrize(
    ("size", "count", "parts"), [(4096, 2, 2), (4096, 4, 4), (512, 3, 3), (500, 3, 1)]
)
def test_several_processes_divide_what_has_enough_rows_for_each(monkeypatch, size, count, parts):
    monkeypatch.setattr(tiling, "present", lambda: Several(0, count))
    one = order(size=size)
    found = tiling_with(monkeypatch, 10**12)
    assert found.sharing(one, one.scales[-1]).count == parts
    assert found.at(one, one.scales[-1])[0] == 0
    assert found.at(one, one.scales[-1])[1].parts == parts
    whole = order(size=size, style_loss="mrf")
    assert found.sharing(whole, whole.scales[-1]).count == 1


def test_a_part_that_is_too_large_is_computed_in_tiles(monkeypatch):
    monkeypatch.setattr(tiling, "present", lambda: Several(0, 2))
    one = order(optimizer="adam")  # which has no past steps to give up first
    part = footprint(one, one.scales[-1], BF16, parts=2)
    assert part.bytes < footprint(one, one.scales[-1], BF16).bytes
    assert chosen(monkeypatch, part.bytes / SHARE + 1, optimizer="adam")[0] == 0
    assert 0 < chosen(monkeypatch, part.bytes / SHARE - 1, optimizer="adam")[0] < 4096


def test_what_several_remember_is_divided(monkeypatch):
    one = order()
    alone, parts = (footprint(one, one.scales[-1], BF16, tile=512, parts=n) for n in (1, 4))
    assert parts.past_step * 4 == alone.past_step
    assert parts.picture < alone.picture / 2
    assert parts.passes <= alone.passes


def test_processes_of_one_machine_share_its_memory(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    assert tiling_with(monkeypatch, 10**10).free == 5 * 10**9
