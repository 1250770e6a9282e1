"""``--like``: a picture says how it was made, and is made again."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_nst as nst
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.image_files.write_image import write_image
from napari_nst.recipe import preset
from tests.helpers.terminal_tools import QUICK, run, the_line

WRITTEN_BY_0_1_0 = Path(__file__).parents[1] / "data" / "written_by_0.1.0"


@pytest.mark.parametrize("made", ["made.png", "made.jpg"])
def test_a_picture_is_made_again_of_its_recorded_inputs(images, engine, capsys, made):
    given = ["--steps", 2, "--style-weight", 3, "--init-image", "grey.png"]
    assert run("stylize", "content.png", "style.jpg", "deep.tif", "-o", made, *given) == 0
    capsys.readouterr()
    assert run("stylize", "--like", made, "-o", "again.png") == 0
    assert "changed after" not in capsys.readouterr().err
    first, again = engine.jobs
    assert again.recipe == first.recipe
    assert {role: image.metadata for role, image in again.images.items()} == {
        role: image.metadata for role, image in first.images.items()
    }
    one, other = (json.loads(read_text(path)) for path in (made, "again.png"))
    assert {role: entry["path"] for role, entry in one["inputs"].items()} == {
        role: entry["path"] for role, entry in other["inputs"].items()
    }


def test_terms_and_phases_are_options_and_recorded(images, engine, capsys):
    phases = '[{"optimizer": "adam", "sizes": "all", "terms": []}]'
    given = ["--phases", phases, "--terms", '[{"style_loss": "gram"}]', "--refine-share", 0.5]
    made = ["stylize", "content.png", "style.jpg", "-o", "made.png", "--steps", 4]
    assert run(*made, *given) == 0
    assert run("stylize", "--like", "made.png", "-o", "again.png") == 0
    assert run("stylize", "--like", "made.png", "-o", "again.png", "--phases", "") == 0
    first, again, other = engine.jobs
    assert (
        again.recipe
        == first.recipe
        == preset(steps=4, phases=phases, terms=[{"style_loss": "gram"}], refine_share=0.5)
    )
    assert {scale.phase for scale in again.scales} == {0, 1}
    assert other.recipe == first.recipe.replace(phases=())
    for wrong in ("[", "3", '[{"size": 64}]', '[{"sizes": "coarser"}]'):
        capsys.readouterr()
        assert run(*made, "--phases", wrong) == 2
        assert "phases" in the_line(capsys.readouterr())


def test_its_inputs_may_have_moved_along_with_it(images, engine, capsys):
    Path("there").mkdir()
    assert run("stylize", "content.png", "style.jpg", "-o", "made.png", "--steps", 1) == 0
    for name in ("content.png", "style.jpg", "made.png"):
        Path(name).rename(f"there/{name}")
    capsys.readouterr()
    assert run("stylize", "--like", "there/made.png", "-o", "again.png") == 0
    assert "changed after" not in capsys.readouterr().err
    inputs = json.loads(read_text("again.png"))["inputs"]
    assert inputs["content"]["path"] == str(Path("there/content.png").absolute())


def test_what_was_stopped_is_made_to_its_end(images, engine, capsys):
    engine.stop_after, engine.error = 1, KeyboardInterrupt()
    assert run("stylize", "content.png", "style.jpg", "-o", "made.png", "--steps", 3) == 130
    engine.stop_after = None
    capsys.readouterr()
    assert run("stylize", "--like", "made.png", "-o", "again.png") == 0
    said = capsys.readouterr().err.splitlines()[0]
    assert "made.png was stopped after step 1 of 3" in said
    assert json.loads(read_text("again.png"))["step"] == 3


def test_options_and_arguments_override_what_is_recorded(images, engine, capsys):
    assert run("stylize", "content.png", "style.jpg", "-o", "made.png", "--steps", 2) == 0
    given = ["grey.png", "--like", "made.png", "-o", "other.png", "--seed", 5]
    assert run("stylize", *given) == 0
    assert "changed after" not in capsys.readouterr().err
    job = engine.jobs[-1]
    assert job.recipe == preset(steps=2, seed=5)
    assert job.content.is_grey
    assert job.images["style"].metadata == engine.jobs[0].images["style"].metadata


def test_pixel_sizes_are_those_of_the_recorded_files(images, engine):
    given = ["--pixel-size", "0.5,0.25", "--steps", 1]
    assert run("stylize", "content.png", "style.jpg", "-o", "made.png", *given) == 0
    again = ["stylize", "--like", "made.png", "-o", "again.png"]
    assert run(*again) == 0
    assert run(*again, "--pixel-size", "1,3") == 0
    assert run(*again, "grey.png") == 0
    assert [job.relative_pixels for job in engine.jobs] == [[0.5], [0.5], [3.0], None]


def test_a_texture_keeps_its_shape_unless_another_is_given(images, engine):
    given = ["--shape", 90, 110, "--seamless", "--steps", 1]
    assert run("synthesize", "style.jpg", "-o", "made.png", *given) == 0
    assert run("synthesize", "--like", "made.png", "-o", "again.png") == 0
    assert run("synthesize", "--like", "made.png", "-o", "again.png", "--shape", 80, 90) == 0
    assert [job.scales[-1].shape for job in engine.jobs] == [(90, 110), (90, 110), (80, 90)]
    assert engine.jobs[1].recipe.padding == "circular"


def test_a_comparison_is_made_again(images, engine):
    made = "made.tif"
    given = ["--compare", "cumulative", "--layers", "relu1_1,relu2_1", "--steps", 1]
    assert run("synthesize", "style.jpg", "-o", made, *given) == 0
    assert run("synthesize", "--like", made, "-o", "again.tif") == 0
    assert [dict(job.recipe.style_layers) for job in engine.jobs] == [
        {"relu1_1": 1.0}, {"relu1_1": 0.5, "relu2_1": 0.5},
    ] * 2  # fmt: skip
    with tifffile.TiffFile("again.tif") as tiff:
        assert tiff.imagej_metadata["Labels"] == ["relu1_1", "to relu2_1"]
    given = ["--like", made, "-o", "one.png", "--style-layers", "relu3_1"]  # ends the comparison
    assert run("synthesize", *given) == 0
    assert read_image("one.png").shape == (6, 8, 3)


def test_inputs_that_have_changed_are_named_in_one_line(images, engine, capsys):
    assert run("stylize", "content.png", "style.jpg", "-o", "made.png", "--steps", 1) == 0
    write_image("style.jpg", np.zeros((90, 90, 3)))
    capsys.readouterr()
    assert run("stylize", "--like", "made.png", "-o", "again.png") == 0
    said = capsys.readouterr().err.splitlines()[0]
    assert str(Path("style.jpg").absolute()) in said
    assert "made.png" in said


def test_a_picture_saved_in_python_is_made_again(images, engine, capsys):
    made = nst.stylize("content.png", ["style.jpg", Path("deep.tif")], size=80, steps=2)
    made.result(progress=False)
    nst.save("made.png", made)
    record = json.loads(read_text("made.png"))
    record["arguments"] = {"losses": [{"name": "dark"}]}
    write_image("own.png", read_image("made.png"), text=json.dumps(record))
    for path, own in (("made.png", False), ("own.png", True)):
        capsys.readouterr()
        assert run("stylize", "--like", path, "-o", "again.png") == 0
        assert ("dark" in capsys.readouterr().err) == own
    first, *others = engine.jobs
    for again in others:
        assert again.recipe == first.recipe
        assert {role: image.metadata["sha256"] for role, image in again.images.items()} == {
            role: image.metadata["sha256"] for role, image in first.images.items()
        }
    one, other = (read_image(path) for path in ("made.png", "again.png"))
    np.testing.assert_array_equal(one, other)


def changed(record, path="made.png", **changes):
    """Write a picture with another record."""
    text = json.dumps({**record, **changes})
    write_image(path, np.zeros((6, 8, 3)), text=text)


LIKE = ["stylize", "--like"]
WRONG = {
    "another job": (["synthesize", "--like", "made.png"], "was made by stylize"),
    "not ours": ([*LIKE, "content.png"], "content.png"),
    "two recipes": ([*LIKE, "made.png", "--preset", "default"], "--like and --preset"),
    "lost input": ([*LIKE, "lost.png"], "gone.png, the content of lost.png, is gone."),
    "lost start": ([*LIKE, "lost-start.png"], "the start of lost-start.png, is gone."),
    "layers": ([*LIKE, "layers.png"], "layers.png names no file of its content"),
    "nothing read": ([*LIKE, "empty.png"], "CONTENT"),
    "odd recipe": ([*LIKE, "odd.png"], "odd.png: A recipe has no field 'stepz'"),
    "overwritten": ([*LIKE, "made.png", "-o", "made.png"], "made.png would be over"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_in_one_line_before_anything_is_written(images, engine, capsys, case):
    assert run("stylize", "content.png", "style.jpg", "-o", "made.png", "--steps", 1) == 0
    record, gone = json.loads(read_text("made.png")), {"path": "gone.png"}
    inputs = record["inputs"]
    changed(record, "lost.png", inputs={**inputs, "content": gone})
    changed(record, "lost-start.png", inputs={**inputs, "start": gone},
            recipe=preset(init="image").to_dict())  # fmt: skip
    changed(record, "layers.png", inputs={**inputs, "content": {"name": "a layer"}})
    changed(record, "empty.png", inputs={})
    changed(record, "odd.png", recipe={"stepz": 3})
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    capsys.readouterr()
    arguments, says = WRONG[case]
    assert run(*arguments, *([] if "-o" in arguments else ["-o", "again.png"])) == 2
    assert says in the_line(capsys.readouterr())
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    assert len(engine.jobs) == 1


# With the real network


@pytest.mark.network
@pytest.mark.parametrize(
    ("job", "given"),
    [
        ("stylize", ["content.png", "style.jpg", "--init", "mix", "--seed", 3]),
        ("synthesize", ["style.jpg", "--shape", 40, 50, "--style-loss", "sliced_wasserstein"]),
        ("reconstruct", ["grey.png", "--layer", "relu2_1", "--seed", 7]),
    ],
)
def test_the_same_picture_again_to_the_last_bit(images, job, given):
    assert run(job, *given, "-o", "made.tif", "--depth", 16, *QUICK, "--steps", 3) == 0
    assert run(job, "--like", "made.tif", "-o", "again.tif", "--depth", 16) == 0
    made = read_image("made.tif")
    np.testing.assert_array_equal(read_image("again.tif"), made)
    assert len(np.unique(made)) > 100


@pytest.mark.network
@pytest.mark.parametrize(
    ("job", "name", "options", "atol"),
    [
        ("stylize", "stylized.png", [], 2 / 255),
        ("synthesize", "filled.tif", ["--region", "region.png"], 1 / 255),
        ("reconstruct", "reconstructed.jpg", [], 12 / 255),  # JPEG, twice
    ],
)
def test_a_picture_of_0_1_0_is_made_again(job, name, options, atol):
    shutil.copytree(WRITTEN_BY_0_1_0, ".", dirs_exist_ok=True)
    assert run(job, "--like", name, "-o", f"again-{name}", *options) == 0
    before, after = (np.asarray(read_image(path)) for path in (name, f"again-{name}"))
    assert before.dtype == after.dtype
    largest = np.iinfo(before.dtype).max
    np.testing.assert_allclose(before / largest, after / largest, atol=atol)
