"""Training data: files, labels, skipping, failures, and what is refused before anything starts."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

import napari_nst as nst
from napari_nst.augmentation.pairs import Pair
from napari_nst.augmentation.variants import Plan
from napari_nst.batch import run as module
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image, read_labels

RANDOM = np.random.default_rng(0)
STYLES = [RANDOM.integers(0, 256, (40, 40, 3), np.uint8) for _ in range(2)]
FIELDS = {
    "recipe": nst.Recipe(
        size=32, steps=2, min_size=0, content_layers={"relu2_1": 1}, style_layers={"relu1_1": 1}
    )
}


@pytest.fixture
def folders(tmp_path):
    """Two images, an RGB PNG and a 12-bit TIFF, with their labels in a second folder."""
    for name in ("images", "labels"):
        (tmp_path / name).mkdir()
    colours = RANDOM.integers(0, 256, (40, 56, 3), np.uint8)
    Image.fromarray(colours).save(tmp_path / "images" / "a.png")
    deep = RANDOM.integers(300, 4000, (48, 40), np.uint16)
    tifffile.imwrite(tmp_path / "images" / "b.tif", deep)
    marks = np.arange(40 * 56, dtype=np.int32).reshape(40, 56)
    tifffile.imwrite(tmp_path / "labels" / "a.tif", marks, compression="zlib")
    Image.fromarray((deep > 2000).astype(np.uint8)).save(tmp_path / "labels" / "b.png")
    return tmp_path


@pytest.fixture
def made(folders, untrained_file):
    """Make the variants of both images."""

    def make(**options):
        arguments = {"variants": 2, "weights": untrained_file, **FIELDS, **options}
        images, labels = folders / "images", folders / "labels"
        return nst.augment(images, labels, STYLES, folders / "out", **arguments)

    return make


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


def test_variants_keep_size_type_and_range_and_labels_every_byte(made, folders):
    rows = made().result(progress=False)
    out = folders / "out"
    assert files(out) == [
        "images/a.png", "images/a_01.png", "images/a_02.png",
        "images/b.tif", "images/b_01.tif", "images/b_02.tif",
        "labels/a.tif", "labels/a_01.tif", "labels/a_02.tif",
        "labels/b.png", "labels/b_01.png", "labels/b_02.png",
        "variants.csv",
    ]  # fmt: skip
    for row in rows:
        source = next((folders / "labels").glob(f"{row['source']}.*"))
        assert (out / row["labels"]).read_bytes() == source.read_bytes()
    assert (out / "images/a.png").read_bytes() == (folders / "images/a.png").read_bytes()
    colours, deep = read_image(out / "images/a_01.png"), tifffile.imread(out / "images/b_01.tif")
    assert (colours.shape, colours.dtype) == ((40, 56, 3), np.uint8)
    assert (deep.shape, deep.dtype) == ((48, 40), np.uint16)
    of_source = tifffile.imread(folders / "images/b.tif")
    assert of_source.min() <= deep.min() < deep.max() <= of_source.max()
    assert (deep != of_source).any()


def test_each_variant_has_its_own_settings_a_record_and_a_row(made, folders):
    rows = [row for row in made(style_weights=(2, 3)).result(False) if row["status"] == "written"]
    for row in rows:
        record = json.loads(read_text(folders / "out" / row["image"]))
        assert record["recipe"]["style_weight"] == row["style_weight"]
        assert record["recipe"]["seed"] == row["seed"]
        assert 2 <= row["style_weight"] <= 3
        assert record["inputs"]["style"]["name"] == row["style"]
        assert Path(record["inputs"]["content"]["path"]).stem == row["source"]
    assert len({row["seed"] for row in rows}) == 4
    for source in "ab":  # styles take turns
        assert {row["style"] for row in rows if row["source"] == source} == {"style_1", "style_2"}
    with (folders / "out/variants.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["image"] for row in written][1:3] == ["images/a_01.png", "images/a_02.png"]
    assert all(0 <= float(row["overlap"]) <= 1 for row in written)


def test_what_is_there_is_not_made_again(made, folders):
    first = {row["image"]: row for row in made().result(False)}
    steps = list(made(variants=3))
    assert {step.label for step in steps} == {"a_03.png", "b_03.tif"}
    (folders / "out/labels/a_01.tif").write_bytes(b"damaged")
    (folders / "out/images/b_02.tif").unlink()
    run = made()
    assert {step.label for step in run} == {"b_02.tif"}
    assert read_labels(folders / "out/labels/a_01.tif").dtype == np.int32
    again = {row["image"]: row for row in run.rows}
    assert again["images/a_01.png"]["status"] == "there already"
    for name, row in again.items():
        assert row["overlap"] == first[name]["overlap"]
        assert row["displacement"] == first[name]["displacement"]
    assert len({step.label for step in made(steps=1)}) == 4


def test_an_image_keeps_its_variants_when_others_are_added(folders, untrained_file):
    def drawn(names):
        images = [folders / "images" / name for name in names]
        labels = [np.zeros(read_image(one).shape[:2], np.uint8) for one in images]
        run = nst.augment(
            images, labels, STYLES, folders / "+".join(names), originals=False,
            weights=untrained_file, **FIELDS,
        )  # fmt: skip
        keys = ("style", "style_weight", "seed")
        rows = run.result(False)
        return [[row[key] for key in keys] for row in rows if row["source"] == "b"]

    assert drawn(["b.tif"]) == drawn(["a.png", "b.tif"])


def test_a_variant_that_fails_is_named_and_the_others_are_made(made, folders, monkeypatch):
    start, told = module.start, []

    def failing(job, *rest):
        if job.content.metadata["name"].endswith("a.png"):
            raise MemoryError("no memory for a")
        return start(job, *rest)

    monkeypatch.setattr(module, "start", failing)
    run = made(variants=1, steering=nst.Steering(told.append))
    with pytest.raises(nst.NstError, match="a_01"):
        run.result(False)
    assert list(run.failed) == ["a_01.png"]
    assert any("a_01" in sentence for sentence in told)
    assert not (folders / "out/labels/a_01.tif").exists()
    assert (folders / "out/images/b_01.tif").is_file()
    assert {row["status"] for row in run.rows} == {"original", "left out", "written"}
    monkeypatch.setattr(module, "start", start)
    assert len(made(variants=1).result(False)) == 4


def test_a_failure_of_all_ends_the_run(made, monkeypatch):
    def failing(*_):
        raise MemoryError("no memory")

    monkeypatch.setattr(module, "start", failing)
    with pytest.raises(nst.NstError, match="no memory"):
        made(steering=nst.Steering(lambda _: None)).result(False)


def test_a_stopped_run_keeps_what_is_finished(made, folders):
    run = made()
    for step in run:
        if step.finished:
            run.stop()
    assert run.done == 1
    assert (folders / "out/images/a_01.png").is_file()
    assert not (folders / "out/labels/a_02.tif").exists()


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.uint16, np.int32, np.int64])
def test_labels_in_arrays_keep_their_type(dtype, tmp_path, untrained_file):
    image = RANDOM.random((40, 40), np.float32)
    labels = (RANDOM.random((40, 40)) * 300).astype(dtype)
    run = nst.augment(
        image, labels, STYLES[0], tmp_path, variants=1, weights=untrained_file, **FIELDS
    )
    last = run.result(False)[-1]
    written = read_labels(tmp_path / last["labels"])
    assert written.dtype == dtype
    assert (written == labels).all()
    assert read_image(tmp_path / last["image"]).dtype == np.float32


def test_the_pixels_of_transparent_images_stay_transparent(tmp_path, untrained_file):
    image = RANDOM.integers(0, 256, (40, 40, 4), np.uint8)
    labels = np.zeros((40, 40), np.uint8)
    run = nst.augment(
        image, labels, STYLES[0], tmp_path, variants=1, weights=untrained_file, **FIELDS
    )
    run.result(False)
    for name in ("image", "image_01"):
        assert (read_image(tmp_path / f"images/{name}.png")[..., 3] == image[..., 3]).all()


def of_folders(folders, out="out", **options):
    return nst.augment(folders / "images", folders / "labels", STYLES, folders / out, **options)


def remove(path):
    return lambda folders: (folders / path).unlink()


def small_labels(folders):
    Image.fromarray(np.zeros((10, 12), np.uint8)).save(folders / "labels" / "b.png")


def jpeg_labels(folders):
    (folders / "labels/b.png").unlink()
    Image.fromarray(np.zeros((48, 40), np.uint8)).save(folders / "labels" / "b.jpg")


def turned(folders):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(folders / "images" / "b.png", exif=exif)
    (folders / "images/b.tif").unlink()


def same_name(folders):
    for folder, suffix in (("images", "png"), ("labels", "tif")):
        content = (folders / folder / f"a.{suffix}").read_bytes()
        (folders / folder / f"b_02.{suffix}").write_bytes(content)


@pytest.mark.parametrize(
    ("change", "options", "named"),
    [
        (remove("labels/b.png"), {}, "`labels` has no file for b"),
        (remove("images/a.png"), {}, "`images` has no file for a"),
        (small_labels, {}, "`labels` of b"),
        (jpeg_labels, {}, "b.jpg"),
        (turned, {}, "b.png"),
        (same_name, {}, "b_02"),
        (None, {"variants": 0}, "`variants`"),
        (None, {"variants": 10**9}, "`variants`"),
        (None, {"seed": -1}, "`seed`"),
        (None, {"style_weights": (4, 1)}, "`style_weights`"),
        (None, {"style_weights": "strong"}, "`style_weights`"),
        (None, {"style_weights": (1, 2), "style_weight": 3}, "`style_weight`"),
        (None, {"out": ""}, "`out`"),
        (None, {"out": "images/a.png/more"}, "`out`"),
        (None, {"size": 8}, "`size`"),
        (None, {"steering": nst.Steering(save_every=9)}, "`save_every`"),
        (None, {"device": "cuda:77"}, "cuda"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(folders, change, options, named):
    if change is not None:
        change(folders)
    with pytest.raises((TypeError, ValueError, OSError), match=named):
        of_folders(folders, **options)
    assert not (folders / "out").exists()


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"images": 5, "labels": STYLES[0][..., 0]}, "images"),
        ({"images": "nowhere"}, "nowhere"),
        ({"labels": "nowhere"}, "nowhere"),
        ({"out": ""}, "out"),
        ({"out": None}, "out"),
        ({"images": ["images/a.png"], "labels": ["labels/a.tif"], "out": "."}, "out"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_arguments_of_other_kinds_are_named(folders, monkeypatch, changed, named):
    monkeypatch.chdir(folders)
    before = files(folders)
    given = {"images": "images", "labels": "labels", "styles": STYLES, "out": "out"}
    with pytest.raises((TypeError, ValueError, OSError), match=named):
        nst.augment(**given | changed)
    assert files(folders) == before


def test_every_target_is_tried_before_anything_is_written(folders, untrained_file):
    fields = {"weights": untrained_file, **FIELDS}
    target = nst.StyleTarget.from_images(STYLES, **fields)  # of colours; b.tif is grey
    with pytest.raises(ValueError, match="channels"):
        nst.augment(
            folders / "images", folders / "labels", [STYLES[0], target], folders / "out", **fields
        )
    assert not (folders / "out").exists()


@pytest.mark.parametrize("name", ["images/a.png", "labels/a.tif", "labels/b_02.png"])
def test_files_that_were_not_made_here_are_not_replaced(made, folders, name):
    own = folders / "out" / name
    own.parent.mkdir(parents=True)
    own.write_bytes(b"by hand")
    with pytest.raises(ValueError, match=own.stem):
        made()
    assert files(folders / "out") == [name]
    assert own.read_bytes() == b"by hand"


def test_the_table_keeps_what_a_stopped_second_run_has_not_reached(made, folders):
    made().result(progress=False)
    next(run := made(variants=3))
    run.close()
    with (folders / "out/variants.csv").open(newline="") as file:
        listed = [row["image"] for row in csv.DictReader(file)]
    there = [path.relative_to(folders / "out").as_posix() for path in folders.glob("out/images/*")]
    assert sorted(listed) == sorted(there)
    assert len(made(variants=3).result(progress=False)) == 8


def test_variants_keep_their_names_when_many_more_are_made():
    def named(count):
        return Plan(nst.Recipe(), [], count, (1, 4), 0).names(Pair("a", None, None))

    assert named(120)[:3] == named(3)


def test_an_argument_that_does_not_exist_is_named_with_the_nearest():
    with pytest.raises(TypeError, match="variants"):
        nst.augment(STYLES[0], STYLES[0][..., 0], STYLES[1], "out", variant=3)


@pytest.mark.network
def test_edges_stay_in_place_at_the_usual_weights(tmp_path, gatys):
    coins = skimage.data.coins()[::2, ::2]
    run = nst.augment(
        coins, coins > 110, skimage.data.immunohistochemistry(), tmp_path, variants=1, steps=6,
        size=128,
    )  # fmt: skip
    last = run.result(False)[-1]
    assert last["displacement"] < 1
    assert last["overlap"] > 0.6
