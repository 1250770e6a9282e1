"""Many files in one call: their pictures, the table, skipping, failures, and what is refused."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import napari_nst as nst
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image

RANDOM = np.random.default_rng(0)
RECIPE = nst.Recipe(
    size=32, steps=2, min_size=0, content_layers={"relu2_1": 1}, style_layers={"relu1_1": 1}
)


@pytest.fixture
def folder(tmp_path):
    """Two contents, an RGB PNG and a grey WebP, and two styles."""
    for name, shape in {
        "contents/a.png": (40, 56, 3),
        "contents/b.webp": (48, 40),
        "styles/x.png": (40, 40, 3),
        "styles/y.jpg": (44, 40, 3),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(RANDOM.integers(0, 256, shape, np.uint8)).save(path)
    return tmp_path


@pytest.fixture
def painted(folder, untrained_file):
    """Paint the contents in the first style."""

    def paint(contents=None, style=None, out=None, **options):
        arguments = {"recipe": RECIPE, "weights": untrained_file, **options}
        return nst.stylize_files(
            contents or folder / "contents",
            style or folder / "styles/x.png",
            out or folder / "out",
            **arguments,
        )

    return paint


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_each_content_makes_a_picture_with_its_record_and_a_row(painted, folder):
    steps = list(painted())
    assert [(one.label, one.finished, one.done) for one in steps] == [
        ("a.png", False, 0), ("a.png", False, 0), ("a.png", True, 1),
        ("b.png", False, 1), ("b.png", False, 1), ("b.png", True, 2),
    ]  # fmt: skip
    out = folder / "out"
    assert names(out) == ["a.png", "b.png", "summary.csv"]
    record = json.loads(read_text(out / "a.png"))
    assert record["inputs"]["content"]["name"].endswith("a.png")
    weights = record["recipe"]["weights"]
    images = folder / "contents/a.png", folder / "styles/x.png"
    alone = nst.stylize(*images, RECIPE, weights=weights).result(progress=False)
    alone = np.rint(alone * 255) if alone.dtype.kind == "f" else alone
    assert np.abs(read_image(out / "a.png").astype(float) - alone).max() <= 1
    with (out / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["status"], row["step"]) for row in rows] == [("written", "2")] * 2
    assert float(rows[0]["total_loss"]) == record["losses"]["total"]


def test_what_is_there_is_not_made_again(painted, folder):
    painted().result(progress=False)
    (folder / "out/b.png").unlink()
    run = painted()
    assert {one.label for one in run} == {"b.png"}
    assert [row["status"] for row in run.rows] == ["there already", "written"]
    assert {one.label for one in painted(steps=1)} == {"a.png", "b.png"}


def test_styles_are_blended_or_make_a_picture_each(painted, folder):
    styles = folder / "styles"
    blended = painted(style=styles)
    blended.result(progress=False)
    assert len(json.loads(read_text(folder / "out/a.png"))["inputs"]) == 3
    each = painted(style=styles, out=folder / "each", each_style=True)
    rows = each.result(progress=False)
    assert names(folder / "each") == ["a_x.png", "a_y.png", "b_x.png", "b_y.png", "summary.csv"]
    assert [row["style"] for row in rows[:2]] == [str(styles / "x.png"), str(styles / "y.jpg")]
    assert (read_image(folder / "each/a_x.png") != read_image(folder / "each/a_y.png")).any()


def test_a_broken_file_is_named_and_the_others_are_made(painted, folder):
    (folder / "contents/aa.png").write_bytes(b"no image")
    told = []
    run = painted(steering=nst.Steering(tell=told.append))
    with pytest.raises(nst.NstError, match=r"aa\.png"):
        run.result(progress=False)
    assert "aa.png" in told[0]
    assert [row["status"] for row in run.rows] == ["written", "left out", "written"]
    assert set(run.failed) == {"aa.png"}


def test_two_failures_without_a_success_end_the_run(painted, folder):
    for name in ("c.png", "d.png", "e.png"):
        (folder / name).write_bytes(b"no image")
    tell = nst.Steering(tell=[].append)
    run = painted([folder / name for name in ("c.png", "d.png", "e.png")], steering=tell)
    with pytest.raises(nst.NstError, match=r"d\.png"):
        list(run)
    assert len(run.rows) == 2


def test_stop_keeps_what_is_finished(painted, folder):
    run = painted()
    for step in run:
        if step.finished:
            run.stop()
    assert run.done == 1
    assert names(folder / "out") == ["a.png", "summary.csv"]


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"contents": "nowhere"}, "contents"),
        ({"contents": []}, "contents"),
        ({"contents": [3]}, "contents"),
        ({"contents": 3}, "contents"),
        ({"contents": ""}, "contents"),
        ({"pixel_sizes": (0, 1)}, "pixel_sizes"),
        ({"style": None}, "style"),
        ({"style": "nowhere.png"}, "style"),
        ({"siz": 3}, "siz"),
        ({"style_blend": (1, 2)}, "style_blend"),
        ({"out": "contents"}, "a.png"),
        ({"out": "contents/a.png"}, "out"),
        ({"out": "contents/a.png/more"}, "out"),
        ({"out": ""}, "out"),
        ({"out": 3}, "out"),
        ({"steering": nst.Steering(save_every=1)}, "save_every"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_input_is_refused_before_anything_starts(folder, monkeypatch, changed, named):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    given = {"contents": "contents", "style": "styles/x.png", "out": "out", "recipe": RECIPE}
    with pytest.raises((TypeError, ValueError, OSError), match=named):
        nst.stylize_files(**given | changed)
    assert sorted(folder.rglob("*")) == before


def test_contents_of_one_name_are_refused(folder):
    Image.new("RGB", (40, 40)).save(folder / "contents/b.png")
    with pytest.raises(ValueError, match=r"b\.png"):
        nst.stylize_files(folder / "contents", folder / "styles/x.png", folder / "out", RECIPE)


@pytest.mark.parametrize("name", ["b.png", "summary.csv"])
def test_a_file_made_elsewhere_is_not_replaced(painted, folder, name):
    foreign = folder / "out" / name
    foreign.parent.mkdir()
    if name.endswith(".png"):
        Image.new("RGB", (9, 9)).save(foreign)
    else:
        foreign.write_text("animal,legs\ncat,4\n")
    before = foreign.read_bytes()
    with pytest.raises(ValueError, match=name):
        painted()
    assert foreign.read_bytes() == before
    assert names(folder / "out") == [name]


def test_the_terminal_and_python_know_each_others_pictures(painted, folder, untrained_file):
    painted(style=folder / "styles", each_style=True).result(progress=False)
    recipe = RECIPE.replace(weights=str(untrained_file))
    (folder / "recipe.json").write_text(recipe.to_json())
    command = [
        sys.executable, "-m", "napari_nst", "stylize", *sorted((folder / "contents").iterdir()),
        "--style", folder / "styles/x.png", "--style", folder / "styles/y.jpg", "--each-style",
        "-o", folder / "out", "--preset", folder / "recipe.json",
    ]  # fmt: skip
    printed = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert printed.returncode == 0, printed.stderr
    assert printed.stderr.count("is there already") == 4
