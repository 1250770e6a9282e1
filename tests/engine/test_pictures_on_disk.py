"""Pictures that memory would not hold: where they lie, and that they are the same there."""

import json
import re

import numpy as np
import pytest
import torch
from test_shelf import files_in, needs_maps

import napari_nst as nst
from napari_nst.engine import course, memory, steppers, tiling
from napari_nst.engine.capacity import CACHE, SHARE, SMALLEST_TILE, Capacity
from napari_nst.engine.forecast import Forecast
from napari_nst.engine.lbfgs import LimitedMemoryBFGS, Reach
from napari_nst.engine.orders import order_to_stylize
from napari_nst.engine.processes import Processes
from napari_nst.engine.shelf import MEMORY, Disk
from napari_nst.engine.steering import Steering
from napari_nst.engine.stepper import Stepper
from napari_nst.engine.tiling import Tiling
from napari_nst.recipe import preset

CPU, GPU = torch.device("cpu"), torch.device("cuda:0")
BF16 = torch.bfloat16
GIGABYTE = 10**9
RNG = np.random.default_rng(0)
CONTENT = RNG.random((150, 200, 3), dtype=np.float32)
STYLE = RNG.random((90, 80, 3), dtype=np.float32)


# ── what is chosen ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """Return a function that makes a tiling for a machine with so many gigabytes."""

    def machine(ram, disk, device=CPU, folder=tmp_path):
        free = {"cpu": ram * GIGABYTE, "cuda": 8 * GIGABYTE}
        monkeypatch.setattr(tiling, "free_bytes", lambda one: int(free[one.type]))
        monkeypatch.setattr(tiling, "free_on_disk", lambda _: disk * GIGABYTE)
        return Tiling(device, CPU, BF16, print, folder=folder)

    return machine


def order(size=16384, **fields):
    image = np.zeros((60, 80, 3), np.float32)
    recipe = preset(**{"size": size, "steps": 400, "optimizer": "adam", **fields})
    return order_to_stylize(image, image, recipe)


def last(made, one):
    return made.at(one, one.scales[-1])


@pytest.mark.parametrize("device", [CPU, GPU], ids=str)
def test_a_picture_lies_on_disk_where_memory_would_not_hold_it(machine, device, tmp_path):
    one = order()
    made = machine(20, 100, device)
    *coarse, (scale, tile, taken) = made.plan(one)
    assert taken.is_on_disk
    assert SMALLEST_TILE <= tile < 16384
    assert taken.bytes <= 20 * GIGABYTE * CACHE
    assert taken.passes <= made.for_passes
    assert 0 < taken.disk <= 100 * GIGABYTE * SHARE
    assert taken.disk > 10 * 4 * 3 * 16384 * 12288
    assert made.shelf(one, scale).folder == tmp_path
    assert not coarse[0][2].is_on_disk
    assert made.shelf(one, coarse[0][0]) is MEMORY


def test_memory_is_taken_where_it_is_enough(machine):
    with_disk, without = machine(100, 1000), machine(100, 1000, folder=None)
    assert last(with_disk, order()) == last(without, order())
    assert not last(with_disk, order())[1].is_on_disk
    with pytest.raises(nst.NstError):
        last(machine(20, 1000, folder=None), order())


def test_a_tile_that_is_asked_for_is_taken(machine):
    tile, taken = last(machine(20, 100), order(tile=1024))
    assert (tile, taken.is_on_disk) == (1024, True)
    tile, taken = last(machine(100, 100), order(tile=1024))
    assert (tile, taken.is_on_disk) == (1024, False)


def test_lbfgs_remembers_there_what_the_disk_has_room_for(machine):
    one = order(optimizer="lbfgs")
    everything = last(machine(20, 1000), one)[1]
    assert everything.past_steps == 20
    disk = (everything.disk - 11.5 * everything.past_step) / SHARE / GIGABYTE
    assert last(machine(20, disk), one)[1].past_steps == 8
    assert machine(20, disk).forgotten(one)[-1] == (
        "At 16384 pixels there is room on disk for 8 of the 20 past steps that L-BFGS would "
        "remember."
    )
    assert everything.bytes == last(machine(20, disk), one)[1].bytes


@pytest.mark.parametrize(
    "fields", [{"style_loss": "mrf"}, {"optimizer": "lbfgs", "line_search": True}], ids=str
)
def test_what_has_copies_in_memory_does_not_lie_there(machine, fields):
    with pytest.raises(nst.NstError, match="of memory on cpu"):
        last(machine(20, 1000), order(**fields))


def test_nor_does_what_several_processes_divide(machine, monkeypatch):
    class Several(Processes):
        def least(self, value):
            return value

    monkeypatch.setattr(tiling, "present", lambda: Several(0, 2))
    with pytest.raises(nst.NstError, match="of memory on cpu"):
        last(machine(20, 1000), order())


def test_a_disk_that_is_too_small_is_told_with_what_would_do(machine, tmp_path):
    with pytest.raises(nst.NstError) as told:
        last(machine(20, 30), order())
    found = re.fullmatch(
        r"A picture of 16384 pixels needs about [\d.]+ GB of memory on cpu, even in tiles of 256 "
        r"pixels, and 20.0 GB are free, or [\d.]+ [GM]B with ([\d.]+) GB in (.*), where 30.0 GB "
        r"are free; take at most (\d+) pixels, or let NAPARI_NST_HOME be a folder on a larger "
        r"disk\.",
        str(told.value),
    )
    needed, folder, size = found.groups()
    assert folder == str(tmp_path)
    last(machine(20, 30), order(int(size)))
    last(machine(20, float(needed) / SHARE + 0.1), order())
    with pytest.raises(nst.NstError):
        last(machine(20, 30), order(int(size) + 64))


def test_a_forecast_says_so():
    text = str(Forecast(3 * GIGABYTE, None, 1024, "cpu", on_disk=45 * GIGABYTE))
    assert text == (
        "About 3.0 GB on cpu, in tiles of 1024 pixels, with the picture on disk (45.0 GB)."
    )


# ── what is computed ─────────────────────────────────────────────────────────────────────────


@pytest.fixture
def on_disk(monkeypatch, tmp_path):
    """Return a function that lets all pictures lie in a folder, a few rows at a time."""

    def on_disk():
        monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path))
        monkeypatch.setattr(Disk, "least", 0)
        monkeypatch.setattr(Disk, "part", 9000)
        monkeypatch.setattr(Capacity, "_in_memory", lambda *_: None)
        return tmp_path

    return on_disk


@pytest.fixture
def large(quick):
    """Return a function that makes a recipe of two scales, each in tiles."""

    def large(**fields):
        sizes = {"size": 200, "min_size": 140, "steps": 5, "tile": 128, "tv_weight": 3.0}
        return quick(**{**sizes, **fields})

    return large


VARIANTS = [
    {"optimizer": "adam"},
    {"optimizer": "lbfgs", "history": 3, "steps": 6},
    {"optimizer": "adam", "ema": 0.5, "channels": "grey"},
    {"optimizer": "lbfgs", "init": "mix", "padding": "circular"},
    {"optimizer": "adam", "color": "luminance", "init": "noise", "noise": "matched"},
    # Both go back to their best image.
    {"optimizer": "lbfgs", "learning_rate": 40.0, "steps": 8},
]


@pytest.mark.parametrize("fields", VARIANTS, ids=str)
def test_a_run_on_disk_is_that_in_memory_to_the_last_bit(large, on_disk, fields):
    recipe = large(**fields)
    expected = list(nst.stylize(CONTENT, STYLE, recipe))
    folder = on_disk()
    found = list(nst.stylize(CONTENT, STYLE, recipe))
    assert found[-1].facts["forecast"]["on_disk"] > 0 == expected[-1].facts["forecast"]["on_disk"]
    for one, other in zip(found, expected, strict=True):
        assert one.losses == other.losses
        np.testing.assert_array_equal(one.image, other.image)
    assert list(folder.iterdir()) == []


@pytest.mark.network
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
def test_so_is_one_with_the_real_network(real, on_disk, optimizer):
    recipe = preset(
        size=256, min_size=181, steps=3, tile=128, optimizer=optimizer, precision="float32",
        device="cpu",
    )  # fmt: skip
    expected = list(nst.stylize(CONTENT, STYLE, recipe))[-1]
    on_disk()
    found = list(nst.stylize(CONTENT, STYLE, recipe))[-1]
    assert found.losses == expected.losses
    np.testing.assert_array_equal(found.image, expected.image)


def test_what_a_caller_changes_is_changed_there_too(large, on_disk):
    def changed():
        steering = Steering(print)
        for it in nst.stylize(CONTENT, STYLE, large(min_size=0), steering=steering):
            if it.step == 2:
                steering.change(style_weight=50.0)
        return it

    expected = changed()
    on_disk()
    found = changed()
    assert found.facts["steered"]
    np.testing.assert_array_equal(found.image, expected.image)


@needs_maps
@pytest.mark.parametrize("fields", VARIANTS[:3], ids=str)
def test_all_that_is_as_large_as_the_picture_is_in_files(large, on_disk, monkeypatch, fields):
    runs = []
    made = course.Course.__init__

    def noted(self, *arguments):
        made(self, *arguments)
        runs.append(self)

    monkeypatch.setattr(course.Course, "__init__", noted)
    folder, found = on_disk(), set()
    for it in nst.stylize(CONTENT, STYLE, large(**fields)):
        stepper = runs[0].stepper
        kept = {"pixels": stepper.pixels, "gradient": stepper.pixels.grad, "iteration": it.pixels}
        kept |= {"best": stepper._best[0], "gradient of the best": stepper._best[1]}
        kept["content"] = stepper.objective.on_features["content/relu2_1"].loss.target
        kept |= stepper.optimizer.state[stepper.pixels]
        if isinstance(stepper, steppers.LBFGS):
            kept |= {"past": stepper.optimizer.past, "before": stepper.optimizer.before}
            kept["reach"] = stepper.optimizer.reach.of_pixels
        if stepper.average is not None:
            kept["average"] = stepper.average._sum
        kept = {name: one for name, one in kept.items() if one is not None and one.ndim}
        spans = files_in(folder)
        outside = [
            name
            for name, one in kept.items()
            if not any(start <= one.data_ptr() < stop for start, stop in spans)
        ]
        assert outside == []
        found |= kept.keys()
    own = {"adam": {"exp_avg", "exp_avg_sq"}, "lbfgs": {"past", "before", "reach"}}
    own = own[fields["optimizer"]] | ({"average"} if "ema" in fields else set())
    of_all = {"pixels", "gradient", "iteration", "best", "gradient of the best", "content"}
    assert found == of_all | own


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adam", "ema": 0.5, "init": "noise"},
        {"optimizer": "lbfgs", "init": "mix", "padding": "circular"},
        {"optimizer": "lbfgs", "color": "luminance"},
    ],
    ids=str,
)
def test_nothing_as_large_is_in_memory(large, on_disk, monkeypatch, fields):
    on_disk()
    monkeypatch.setattr(LimitedMemoryBFGS, "chunk", 9000)
    monkeypatch.setattr(Reach, "band", 2)
    content = RNG.random((200, 268, 3), dtype=np.float32)
    recipe = large(size=601, min_size=400, steps=4, **fields)
    with torch.profiler.profile(profile_memory=True) as seen:
        for it in nst.stylize(content, STYLE, recipe):
            _ = it.image
    assert it.shape == (449, 601)  # primes: no part of it has as many pixels
    taken = {event.self_cpu_memory_usage for event in seen.events()}
    sizes = [bytes_each * channels for bytes_each in (1, 2, 4, 8) for channels in (1, 3)]
    assert taken.isdisjoint(449 * 601 * size for size in sizes)
    assert max(taken) > 449 * 601


@needs_maps
def test_foretold_are_the_files_that_are_there(large, on_disk, monkeypatch):
    most = []
    empty = Disk.empty

    def noted(self, shape, dtype, device):
        tensor = empty(self, shape, dtype, device)
        most.append(sum(stop - start for start, stop in files_in(self.folder)))
        return tensor

    monkeypatch.setattr(Disk, "empty", noted)
    monkeypatch.setattr(Disk, "zeros", noted)
    on_disk()
    for optimizer in ("adam", "lbfgs"):
        most.clear()
        recipe = large(optimizer=optimizer, size=400, min_size=280, steps=6)
        it = list(nst.stylize(CONTENT, STYLE, recipe))[-1]
        _ = it.image
        foretold = it.facts["forecast"]["on_disk"]
        print(optimizer, max(most), foretold, max(most) / foretold)
        assert 0.7 * foretold < max(most) <= foretold


class Broken(Exception):
    """What goes wrong in a test."""


@pytest.mark.parametrize("way", ["stop", "error", "close"])
@needs_maps
def test_nothing_is_left_of_a_run_that_ends_early(large, on_disk, monkeypatch, way):
    folder, steering = on_disk(), Steering(print)
    steps = nst.stylize(CONTENT, STYLE, large(), steering=steering)
    next(steps)
    assert len(files_in(folder)) > 5
    if way == "stop":
        steering.stop()
        assert list(steps) == []
    elif way == "close":
        steps.close()
    else:

        def fails(self):
            raise Broken

        monkeypatch.setattr(Stepper, "_remember", fails)
        monkeypatch.setattr(Stepper, "_take_back", fails)
        with pytest.raises(Broken):
            list(steps)
    del steps
    assert list(folder.iterdir()) == []
    assert files_in(folder) == []


def test_the_folder_of_a_run_is_that_of_the_weights(large, on_disk, monkeypatch):
    monkeypatch.setattr(memory, "UNDER_WAY", 0)
    folder, said = on_disk(), []
    report = lambda message, done, total: said.append(message)  # noqa: E731
    it = next(nst.stylize(CONTENT, STYLE, large(), progress=report))
    assert it.shelf.folder == folder
    assert "with the picture on disk (" in said[-1]
    json.dumps(it.record())
