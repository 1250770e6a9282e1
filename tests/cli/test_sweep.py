"""``sweep`` and ``explore``: many small pictures in one file."""

import json
from pathlib import Path

import numpy as np
import tifffile

from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.recipe import preset
from napari_nst.recipe.layer_names import EXPLORED_LAYERS
from tests.helpers.terminal_tools import page_labels, run

SWEEP = ["sweep", "content.png", "style.jpg", "-o", "out.png"]
WEIGHTS = ["--vary", "style_weight=2,4,8"]


def test_a_sweep_runs_every_combination_small_and_short(images, engine, capsys):
    assert run(*SWEEP, *WEIGHTS, "--vary", "size=64, 96") == 0
    expected = [
        preset("default", style_weight=weight, size=size, steps=40)
        for weight in (2, 4, 8)
        for size in (64, 96)
    ]
    assert [job.recipe for job in engine.jobs] == expected
    record = json.loads(read_text("out.png"))
    assert record["job"] == "stylize"
    assert record["arguments"] == {"sweep": {"style_weight": [2, 4, 8], "size": [64, 96]}}
    assert record["inputs"]["style"]["path"] == str(Path("style.jpg").absolute())
    assert list(record["pictures"]["style_weight 2 · size 96"]) == [
        "total", "content", "style", "tv",
    ]  # fmt: skip
    assert len(record["grid"]["cells"]) == 6
    assert "wrote out.png (6 of 6 pictures)." in capsys.readouterr().err


def test_a_tiff_has_a_page_for_each(images, engine):
    given = ["sweep", "grey.png", "style.jpg", "-o", "out.tif", "--vary", "color=style,luminance"]
    assert run(*given, "--steps", 1) == 0
    assert page_labels("out.tif") == ["--color style", "--color luminance"]
    assert tifffile.imread("out.tif").shape == (2, 6, 8)


def test_layers_are_swept_with_semicolons_and_options_are_for_all(images, engine):
    vary = ["--vary", "style-layers=relu1_1; relu1_1:0.5, relu2_1"]
    assert run(*SWEEP, *vary, "--size", 64, "--steps", 1, "--seed", 5, "--preset", "default") == 0
    assert [dict(job.recipe.style_layers) for job in engine.jobs] == [
        {"relu1_1": 1.0},
        {"relu1_1": 0.5, "relu2_1": 1.0},
    ]
    assert {(job.recipe.size, job.recipe.seed) for job in engine.jobs} == {(64, 5)}


def test_a_sweep_is_made_again_and_changed(images, engine):
    assert run(*SWEEP, *WEIGHTS, "--size", 64, "--steps", 2) == 0
    first = [job.recipe for job in engine.jobs]
    engine.jobs.clear()
    assert run("sweep", "--like", "out.png", "-o", "again.png") == 0
    assert [job.recipe for job in engine.jobs] == first
    np.testing.assert_array_equal(read_image("again.png"), read_image("out.png"))
    engine.jobs.clear()
    assert run("sweep", "--like", "out.png", "-o", "b.png", "--vary", "seed=1,2") == 0
    assert [(job.recipe.seed, job.recipe.size) for job in engine.jobs] == [(1, 64), (2, 64)]


def test_a_jpeg_holds_the_record_of_64_pictures(images, engine):
    numbers = ",".join(str(number / 7) for number in range(1, 9))
    vary = ["--vary", f"style_weight={numbers}", "--vary", f"content_weight={numbers}"]
    assert run("sweep", "content.png", "style.jpg", "-o", "out.jpg", *vary, "--steps", 1) == 0
    assert len(json.loads(read_text("out.jpg"))["pictures"]) == 64


def test_every_layer_is_explored(images, engine, capsys):
    assert run("explore", "content.png", "-o", "out.png", "--steps", 1) == 0
    assert [job.name for job in engine.jobs] == ["reconstruct", "synthesize"] * len(EXPLORED_LAYERS)
    kept = [list(job.recipe.content_layers) for job in engine.jobs[::2]]
    assert kept == [[layer] for layer in EXPLORED_LAYERS]
    assert {job.recipe.size for job in engine.jobs} == {96}
    assert "wrote out.png (42 of 42 pictures)." in capsys.readouterr().err
    record = json.loads(read_text("out.png"))
    assert record["arguments"]["explore"] == list(EXPLORED_LAYERS)


def test_some_layers_are_explored_as_asked(images, engine):
    given = ["--layers", "relu1_1, conv_4", "--size", 64, "--steps", 2, "--device", "cpu"]
    assert run("explore", "grey.png", "-o", "out.tif", *given) == 0
    assert page_labels("out.tif") == [
        "relu1_1 reconstruction", "relu1_1 texture", "conv2_2 reconstruction", "conv2_2 texture",
    ]  # fmt: skip
    assert {job.recipe.size for job in engine.jobs} == {64}
