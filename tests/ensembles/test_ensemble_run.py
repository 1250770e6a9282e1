"""One texture by many seeds: its images, its statistics, its copies, and after a crash."""

import csv
import math
import pickle
import signal
import subprocess
import sys
from dataclasses import astuple

import numpy as np
import pytest
import skimage.data
import zarr
from distributed import LocalCluster
from skimage.filters import gaussian

import napari_nst as nst
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.write_image import write_image
from tests.helpers import killed_ensemble


def finished(run):
    return [one.label for one in run if one.finished]


@pytest.mark.parametrize("seeds", [2, [4, 0], range(3, 9, 3)])
def test_each_seed_is_the_texture_that_synthesize_makes_of_it(exemplar, texture, seeds, tmp_path):
    run = nst.synthesize_ensemble(
        exemplar, texture(seed=7), seeds=seeds, shape=(40, 48), out=tmp_path / "a.zarr",
        statistics=seeds == 2,
    )  # fmt: skip
    expected = (7, 8) if seeds == 2 else tuple(seeds)
    assert run.seeds == expected
    assert finished(run) == [f"seed={seed}" for seed in expected]
    assert run.array.shape == (2, 40, 48)
    for at, seed in enumerate(expected):
        alone = nst.synthesize(exemplar, texture(seed=seed), shape=(40, 48)).result(progress=False)
        np.testing.assert_array_equal(run.array[at], alone)
    assert run.table.seeds == (expected if seeds == 2 else ())
    (image,) = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs["ome"]["multiscales"]
    assert [axis["name"] for axis in image["axes"]] == ["seed", "y", "x"]
    scale, translation = image["datasets"][0]["coordinateTransformations"]
    if seeds != [4, 0]:  # positions cannot go down
        assert translation["translation"][0] == expected[0]
        assert scale["scale"][0] == expected[1] - expected[0]


def test_the_table_is_that_of_statistics_called_by_hand(texture, tmp_path):
    """A file of 128 pixels with a pixel size, made smaller by the recipe."""
    photograph = skimage.data.gravel()[:128, :128]
    write_image(
        tmp_path / "e.tif", photograph, 8, calibration=Calibration((128, 128), (0.5, 0.5), "um")
    )
    run = nst.synthesize_ensemble(tmp_path / "e.tif", texture(), seeds=2, out=tmp_path / "a.zarr")
    result = run.result(progress=False)
    assert run.exemplar.shape == (64, 64)
    for at, seed in enumerate(run.seeds):
        by_hand = nst.statistics(
            result[at], run.exemplar, scale=1.0, copies=True, recipe=run.job.recipe
        )
        np.testing.assert_array_equal(
            [astuple(row)[2:] for row in run.table.rows[seed]],
            [astuple(row)[2:] for row in by_hand.rows],
        )
        assert run.table.copies[seed] == nst.copy_score(result[at], run.exemplar)
    assert run.table.rows[0][3].unit == "µm"
    (image,) = zarr.open_group(tmp_path / "a.zarr", mode="r").attrs["ome"]["multiscales"]
    assert image["axes"][1]["unit"] == "micrometer"
    assert image["datasets"][0]["coordinateTransformations"][0]["scale"][1:] == [1.0, 1.0]


def test_a_seed_with_a_part_of_the_exemplar_is_a_copy(texture, tmp_path):
    """The textures are other parts of the photograph, one of them with a square of the exemplar."""
    photograph = skimage.data.gravel()
    exemplar, others = (
        photograph[:128, :128],
        [photograph[300:428, at : at + 128] for at in (0, 300)],
    )
    begin = {
        "exemplar": exemplar,
        "recipe": texture(size=128),
        "seeds": 3,
        "out": tmp_path / "a.zarr",
    }
    made = nst.synthesize_ensemble(**begin, statistics=False)
    made.result(progress=False)
    assert not made.table.seeds
    made.array[0] = others[0]
    copied = others[1].copy()
    copied[50:78, 20:48] = exemplar[90:118, 70:98]
    made.array[1] = copied
    coarse = [gaussian(one / 255, 4) for one in (exemplar, others[1])]
    made.array[2] = np.rint((others[1] / 255 - coarse[1] + coarse[0]).clip(0, 1) * 255)
    run = nst.synthesize_ensemble(**begin)
    assert not finished(run)  # all are there, and are measured alone
    assert run.table.seeds == (0, 1, 2)
    assert run.table.copied == (1,)
    assert run.table.same_layout == (2,)
    assert [*run.table.verdicts.values()] == ["no copy", "copy", "same layout"]
    assert 24 <= run.table.copies[1] <= 28


def test_images_of_all_seeds_together(exemplar, texture, tmp_path):
    colours = np.stack([exemplar, exemplar.T, exemplar[::-1]], axis=-1)
    begin = {"exemplar": colours, "recipe": texture(), "statistics": False}
    run = nst.synthesize_ensemble(**begin, seeds=4)
    with pytest.raises(ValueError, match="two"):
        run.mean_and_deviation()
    pixels = np.moveaxis(np.asarray(run.result(progress=False)), 1, -1)
    assert pixels.shape == (4, 64, 64, 3)
    mean, deviation = run.mean_and_deviation()
    np.testing.assert_allclose(mean, pixels.mean(0), rtol=1e-5)
    np.testing.assert_allclose(deviation, pixels.std(0, ddof=1), rtol=1e-4, atol=1e-4)
    assert deviation.mean() > 5


def test_a_killed_ensemble_goes_on_to_the_same_result(untrained_file, tmp_path):
    command = [sys.executable, killed_ensemble.__file__, untrained_file]
    killed = subprocess.run([*command, tmp_path / "a.zarr", "seed=2", "2"], check=False)
    assert killed.returncode == -signal.SIGKILL
    table = tmp_path / "a.zarr" / "napari-nst" / "states" / "statistics.jsonl"
    with table.open("a") as file:
        file.write('\n{"seed": 2, "ro')  # cut by a crash
    run = killed_ensemble.begin(untrained_file, tmp_path / "a.zarr")
    assert run.table.seeds == (5,)
    assert finished(run) == ["seed=2", "seed=9"]
    whole = killed_ensemble.begin(untrained_file, tmp_path / "b.zarr")
    np.testing.assert_array_equal(run.array, whole.result(progress=False))
    again = killed_ensemble.begin(untrained_file, tmp_path / "a.zarr")
    assert repr(again.table) == repr(run.table) == repr(whole.table)
    assert again.table.seeds == (5, 2, 9)


@pytest.mark.filterwarnings("ignore")  # of dask, when its threads end
def test_seeds_are_computed_by_workers_too(exemplar, texture):
    begin = {"exemplar": exemplar, "recipe": texture(), "seeds": 3}
    with LocalCluster(n_workers=2, processes=False, dashboard_address=None) as cluster:
        run = nst.synthesize_ensemble(**begin, scheduler=cluster.scheduler_address)
        together = run.result(progress=False)
    alone = nst.synthesize_ensemble(**begin, statistics=False)
    np.testing.assert_array_equal(together, alone.result(progress=False))
    assert run.table.seeds == (0, 1, 2)
    job = pickle.loads(pickle.dumps(run.job))  # as other processes get it
    pixels = [*job.start(run.inputs((2,)), None, None)][-1]
    np.testing.assert_array_equal(job.stored(pixels, 1), together[2])


def test_a_seed_that_fails_is_tried_again_and_then_named(exemplar, texture, monkeypatch, tmp_path):
    from napari_nst.ensembles.seeds import SeedJob

    order, failing = SeedJob.order, {2: 1, 3: 9}

    def fails(job, inputs):
        seed = int(inputs.content)
        if failing.get(seed, 0):
            failing[seed] -= 1
            raise MemoryError("no memory")
        return order(job, inputs)

    monkeypatch.setattr(SeedJob, "order", fails)
    run = nst.synthesize_ensemble(
        exemplar, texture(steps=1), seeds=range(1, 5), steering=nst.Steering(tell=lambda _: None),
        statistics=False,
    )  # fmt: skip
    assert finished(run) == [f"seed={seed}" for seed in (1, 4, 2)]
    assert [*run.failed] == ["seed=3"]


def test_the_csv_has_a_line_for_each_seed_their_mean_and_their_deviation(
    exemplar, texture, tmp_path
):
    run = nst.synthesize_ensemble(exemplar, texture(), seeds=3)
    run.result(progress=False)
    run.table.to_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        lines = {line["seed"]: line for line in csv.DictReader(file)}
    assert [*lines] == ["0", "1", "2", "mean", "standard deviation", "exemplar", "between crops"]
    for seed in run.seeds:
        rows = {row.name: row for row in run.table.rows[seed]}
        line = lines[str(seed)]
        assert float(line["contrast"]) == rows["contrast"].image
        assert float(line["contrast ratio"]) == rows["contrast"].ratio
        assert float(line["S2 distance"]) == rows["S2"].distance
        assert float(line["largest copied square (pixel)"]) == run.table.copies[seed]
    for name in ("contrast", "contrast ratio", "S2 distance"):
        values = [float(lines[str(seed)][name]) for seed in run.seeds]
        assert float(lines["mean"][name]) == pytest.approx(np.mean(values))
        assert float(lines["standard deviation"][name]) == pytest.approx(np.std(values, ddof=1))
    assert float(lines["exemplar"]["contrast"]) == pytest.approx(exemplar.std() / 255)
    assert math.isclose(float(lines["between crops"]["contrast"]), rows["contrast"].between_crops)


def test_transparent_pixels_of_the_exemplar_do_not_count(exemplar, texture):
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:, 40:] = 0
    image = np.dstack([exemplar, exemplar, exemplar, alpha])
    image[:, 40:, :3] = 0
    run = nst.synthesize_ensemble(image, texture(), seeds=1)
    run.result(progress=False)
    lightness = next(row for row in run.table.rows[0] if row.name == "mean lightness")
    assert lightness.exemplar == pytest.approx(exemplar[:, :40].mean() / 255, abs=1e-3)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"seeds": 0}, "seeds"),
        ({"seeds": []}, "seeds"),
        ({"seeds": [1, 1]}, "seeds"),
        ({"seeds": [1, 2.5]}, "seeds"),
        ({"seeds": [-1]}, "seeds"),
        ({"seeds": True}, "seeds"),
        ({"seeds": 2, "seed": 2**31 - 2}, "out"),
        ({"seeds": 3, "seed": 2**31 - 2}, "seeds"),
        ({"init": "image"}, "init"),
        ({"style_weight": 0}, "style_weight"),
        ({"shape": (20, 64)}, "shape"),
        ({"size": 24}, "size"),
        ({"exemplar": [np.zeros((64, 64), np.uint8)] * 2}, "exemplar"),
        ({"exemplar": np.zeros((9, 64, 64), np.uint8)}, "exemplar"),
        ({"workers": 0}, "workers"),
        ({"out": "a.tif"}, "out"),
        ({"out": ""}, "out"),
        ({"out": 5}, "out"),
    ],
)
def test_wrong_arguments_are_refused_before_anything_is_written(
    exemplar, texture, tmp_path, monkeypatch, arguments, named
):
    monkeypatch.chdir(tmp_path)
    given = {"exemplar": exemplar, "recipe": texture(), "out": "gone.tif", **arguments}
    with pytest.raises((TypeError, ValueError), match=f"`{named}"):
        nst.synthesize_ensemble(**given)
    assert not [*tmp_path.iterdir()]


def test_another_ensemble_is_not_gone_on_with(exemplar, texture, tmp_path):
    begin = {"exemplar": exemplar, "recipe": texture(), "out": tmp_path / "a.zarr"}
    nst.synthesize_ensemble(**begin, seeds=2)
    with pytest.raises(ValueError, match=r"`out`.*seeds"):
        nst.synthesize_ensemble(**begin, seeds=3)


def test_an_unknown_keyword_is_named(exemplar):
    with pytest.raises(TypeError, match="workers"):
        nst.synthesize_ensemble(exemplar, worker=3)
