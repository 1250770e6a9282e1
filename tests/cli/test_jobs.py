"""The commands of the three jobs: which job they run, and what they write."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_nst.cli import terminal
from napari_nst.engine.run import run as run_module
from napari_nst.engine.steering import TileDone
from napari_nst.engine.vgg import weights as network
from napari_nst.errors import NstError
from napari_nst.io.image_files.embedded_text import read_text
from napari_nst.io.image_files.read_image import read_image
from napari_nst.io.image_files.write_image import write_image
from napari_nst.recipe import on_flavour, preset
from tests.helpers.terminal_tools import GOOD, QUICK, SOURCES, page_labels, run, the_line

LOG_KEYS = ["step", "steps", "seconds", "height", "width", "total", "content", "style", "tv"]
BLOCKS = ["conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"]
HALVES = np.where(np.arange(96) < 48, 1, 2) * np.ones((72, 1), int)
HOLE = np.zeros((72, 96), np.uint8)
HOLE[20:50, 30:60] = 255


def test_a_run_writes_its_last_image_and_reports_on_stderr(images, engine, capsys):
    assert run("stylize", *GOOD, "--steps", 3) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "wrote out.png (8 × 6 pixels, 8 bit)" in err
    assert "3/3" in err
    assert "<01:23, " in err  # the remaining time
    assert "loss=6" in err
    assert "size=8x6" in err
    assert "downloading: 100%" in err
    np.testing.assert_array_equal(read_image("out.png"), np.full((6, 8, 3), 3, np.uint8))


@pytest.mark.parametrize(
    ("content", "out", "options", "dtype", "shape"),
    [
        ("content.png", "out.png", [], np.uint8, (6, 8, 3)),
        ("grey.png", "out.tif", ["--depth", "16"], np.uint16, (6, 8)),
        ("clear.png", "out.tif", ["--depth", "32"], np.float32, (6, 8, 4)),
        ("deep.tif", "out.png", [], np.uint16, (6, 8, 3)),
        ("opaque.png", "out.jpg", [], np.uint8, (6, 8, 3)),
    ],
)
def test_the_output_has_depth_and_channels_of_the_content(
    images, engine, content, out, options, dtype, shape
):
    write_image("opaque.png", np.full((72, 96, 4), 255, np.uint8))
    assert run("stylize", content, "style.jpg", "-o", out, "--steps", 1, *options) == 0
    written = read_image(out)
    assert (written.dtype, written.shape) == (dtype, shape)


def test_the_output_covers_the_area_of_a_calibrated_content(images, engine):
    pixels = np.zeros((72, 96), np.uint8)
    options = {"resolution": (4, 2), "metadata": {"unit": "um"}, "imagej": True}
    tifffile.imwrite("cells.tif", pixels, **options)
    given = ["--steps", 2, "--animation", "frames.tif"]
    assert run("stylize", "cells.tif", "style.jpg", "-o", "out.tif", *given) == 0
    for name in ("out.tif", "frames.tif"):
        with tifffile.TiffFile(name) as tiff:
            tags = tiff.pages[0].tags
            assert tags["XResolution"].value == (1, 3), "4 per µm, at a twelfth of the size"
            assert tags["YResolution"].value == (1, 6)
            assert tiff.imagej_metadata["unit"] == "um"
    assert json.loads(read_text("out.tif"))["job"] == "stylize"


def test_the_output_holds_its_record(images, engine):
    given = ["deep.tif", "-o", "out.jpg", "--steps", 2, "--init-image", "grey.png"]
    assert run("stylize", "content.png", "style.jpg", *given) == 0
    record = json.loads(read_text("out.jpg"))
    assert record["job"] == "stylize"
    assert record["recipe"] == preset(steps=2, init="image").to_dict()
    assert (record["step"], record["losses"]["total"]) == (2, 6.0)
    named = {role: (entry["name"], entry["path"]) for role, entry in record["inputs"].items()}
    assert named == {
        "content": ("content.png", str(Path.cwd() / "content.png")),
        "style 1": ("style.jpg", str(Path.cwd() / "style.jpg")),
        "style 2": ("deep.tif", str(Path.cwd() / "deep.tif")),
        "start": ("grey.png", str(Path.cwd() / "grey.png")),
    }


def test_options_replace_fields_of_the_preset(images, engine):
    options = (
        "--preset gatys-2016 --steps 2 --style-weight 7 --rescale-pooling --pooling average "
        "--content-layers relu3_1:2,conv4_2 --style-blend 0.7"
    )
    assert run("stylize", *GOOD, *options.split()) == 0
    assert engine.jobs[0].recipe == preset(
        "gatys-2016", steps=2, style_weight=7.0, rescale_pooling=True, pooling="average",
        content_layers={"relu3_1": 2.0, "conv4_2": 1.0}, style_blend=(0.7,),
    )  # fmt: skip


def test_a_preset_may_be_a_file_and_follows_the_flavour(images, engine):
    Path("mine.json").write_text(preset(steps=4, tv_weight=2.5).to_json())
    assert run("stylize", *GOOD, "--preset", "mine.json", "--steps", "2") == 0
    given = ["--preset", "gatys-2016", "--weights", "caffe", "--steps", 1]
    assert run("stylize", *GOOD, *given) == 0
    assert run("stylize", *GOOD) == 0
    assert [job.recipe for job in engine.jobs] == [
        preset(steps=2, tv_weight=2.5), preset("gatys-2016", weights="caffe", steps=1), preset(),
    ]  # fmt: skip


def test_pixel_sizes_imply_physical_sizing(images, engine):
    given = ["--pixel-size", "0.5", "--pixel-size", "0.25", "--steps", 1]
    assert run("stylize", *GOOD, *given) == 0
    (job,) = engine.jobs
    assert job.recipe.style_sizing == "physical"
    assert job.relative_pixels == [0.5]
    assert json.loads(read_text("out.png"))["arguments"]["pixel_sizes"] == [0.5, 0.25]


def test_the_log_has_an_object_for_each_step_and_tensorboard_a_file(images, engine):
    assert run("stylize", *GOOD, "--steps", 3, "--log", "run.jsonl", "--tensorboard", "a/b") == 0
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [LOG_KEYS] * 3
    assert lines[1] == {
        "step": 2, "steps": 3, "seconds": 0.2, "height": 6, "width": 8,
        "total": 6, "content": 1, "style": 2, "tv": 3,
    }  # fmt: skip
    assert len(list(Path("a/b").glob("events.out.tfevents.*"))) == 1


# The end of a run


def test_ctrl_c_writes_the_last_image(images, engine, capsys):
    engine.stop_after, engine.error = 2, KeyboardInterrupt()
    assert run("stylize", *GOOD, "--log", "run.jsonl") == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"stopped after step 2 of {preset().steps}; wrote out.png" in said
    assert (read_image("out.png") == 2).all()
    assert json.loads(read_text("out.png"))["step"] == 2
    assert len(Path("run.jsonl").read_text().splitlines()) == 2


def test_ctrl_c_before_the_first_step_writes_nothing(images, engine, capsys):
    engine.stop_after, engine.error = 0, KeyboardInterrupt()
    assert run("stylize", *GOOD) == 130
    assert capsys.readouterr().err.splitlines()[-1] == "napari-nst: interrupted."
    assert not Path("out.png").exists()


def test_errors_of_a_run_are_one_line_and_faults_keep_their_traceback(images, engine, capsys):
    engine.stop_after, engine.error = 1, NstError("Out of memory;\ntry size 64.")
    assert run("stylize", *GOOD) == 1
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == "napari-nst: Out of memory; try size 64."
    assert "Traceback" not in err
    engine.error = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        run("stylize", *GOOD)


# Messages of the run

ESTIMATE = "About 4 min and 2.1 GB on cpu, in tiles of 1024 pixels."
SMALLER = "Ran out of memory; going on from iteration 2 in tiles of 512 pixels."


@pytest.fixture
def messages(monkeypatch, engine):
    """Let the run report an estimate, smaller tiles, and each tile."""
    silent = run_module.run

    def reporting(job, progress, steering, after):
        for iteration in silent(job, progress, steering, after):
            if iteration.step == 1:
                progress(ESTIMATE, 0, 0)
            if iteration.step == 3:
                steering.tell(SMALLER)
            for done in (1, 2):
                steering.watch(TileDone(iteration.step, done, 2, None, None, (6, 8)))
            yield iteration

    monkeypatch.setattr(run_module, "run", reporting)


def test_estimate_and_tiles_are_shown(images, messages, capsys):
    assert run("stylize", *GOOD, "--steps", 3) == 0
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line.split("\r")[-1] for line in err.splitlines()]
    assert lines.count(f"napari-nst: {ESTIMATE}") == 1
    assert err.index("downloading: 100%") < err.index(ESTIMATE) < err.index("3/3")
    assert f"napari-nst: {SMALLER}" in lines
    assert "step 1:" in err  # a bar for the tiles of the first step
    assert "tile=1/2" in err
    assert "tile" not in err.split("\r")[-1]


def test_several_pictures_show_messages_but_no_estimate(images, messages, capsys):
    assert run("sweep", *GOOD, "--vary", "style_weight=1,2", "--steps", 3) == 0
    err = capsys.readouterr().err
    assert f"napari-nst: {SMALLER}" in err
    assert ESTIMATE not in err


# A network that is not on this machine


def test_a_network_on_this_machine_is_used(images, engine, capsys, monkeypatch):
    here = network.WeightsStatus("caffe", Path("here"), 1, "ok", "elsewhere", 1)
    monkeypatch.setattr(network, "verify", lambda flavour: here)
    assert run("stylize", *GOOD, "--preset", "neural-style", "--convert", "--steps", 1) == 0
    assert "network" not in capsys.readouterr().err
    assert engine.jobs[0].recipe == preset("neural-style", steps=1)


@pytest.mark.parametrize("convert", [False, True])
def test_a_missing_network_is_fetched_or_replaced(images, engine, capsys, monkeypatch, convert):
    for name in ("NAPARI_NST_HOME", "TORCH_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(Path(name).absolute()))
    given = ["--preset", "neural-style", "--steps", 1, *(["--convert"] if convert else [])]
    assert run("stylize", *GOOD, *given) == 0
    said = capsys.readouterr().err.splitlines()[0]
    assert "the caffe network is not on this machine" in said
    assert ("--convert" in said) != convert
    own = preset("neural-style", steps=1)
    assert engine.jobs[0].recipe == (on_flavour(own, "gatys") if convert else own)


# Guides and fillings


@pytest.fixture
def labels(images):
    Image.fromarray(HALVES.astype(np.uint8)).save("guide.png")
    halves = np.arange(80, dtype=np.uint8) // 40 + 1
    Image.fromarray(np.tile(halves[:, None], (1, 80))).save("style_guide.png")
    Image.fromarray(HOLE).save("hole.png")
    Image.fromarray(HOLE > 0).save("bits.png")
    tifffile.imwrite("part.tif", (np.arange(6400).reshape(80, 80) < 3200).astype(np.uint8))


def test_guides_reach_the_job(labels, engine, capsys):
    given = ["--steps", 1, "--guide", "guide.png"]
    assert run("stylize", *GOOD, *given, "--style-guide", "style_guide.png") == 0
    (job,) = engine.jobs
    np.testing.assert_array_equal(job.guides.content, HALVES)
    np.testing.assert_array_equal(job.guides.styles[0][:, 0] == 1, np.arange(80) < 40)
    record = json.loads(read_text("out.png"))
    assert record["arguments"]["guide"] == {"labels": [1, 2], "shape": [72, 96]}
    capsys.readouterr()
    assert run("stylize", "--like", "out.png", "-o", "again.png") == 2
    assert "Give --guide again." in the_line(capsys.readouterr())
    assert run("stylize", "--like", "out.png", "-o", "again.png", "--guide", "guide.png") == 0


def test_unlabelled_pixels_are_kept_at_their_own_size(labels, engine):
    assert run("stylize", *GOOD, "--steps", 1, "--guide", "hole.png", "--keep-unlabelled") == 0
    (job,) = engine.jobs
    assert job.recipe.size == 0
    np.testing.assert_array_equal(job.keep_outside.mask, HOLE > 0)


def test_regions_too_small_for_a_layer_are_reported(labels, engine, capsys):
    speck = HALVES.copy()
    speck[4:7, 4:7] = 9
    tifffile.imwrite("speck.tif", speck.astype(np.uint8))
    assert run("stylize", *GOOD, "--guide", "speck.tif", "--size", 96, "--steps", 1) == 0
    said = capsys.readouterr().err
    assert "Regions of --guide are too small" in said
    assert "Warning" not in said


def test_a_region_is_filled_and_filled_again(labels, engine, capsys):
    given = ["--into", "content.png", "--region", "hole.png", "-o", "out.png", "--steps", 1]
    assert run("synthesize", *given) == 0
    assert run("synthesize", "style.jpg", *given, "--exemplar-region", "part.tif") == 0
    without, with_exemplar = engine.jobs
    assert list(without.images) == ["into"]
    assert list(with_exemplar.images) == ["into", "exemplar"]
    assert with_exemplar.arguments == {"filled_pixels": 900, "exemplar_pixels": 3200}
    np.testing.assert_array_equal(without.keep_outside.mask, HOLE > 0)
    capsys.readouterr()
    assert run("synthesize", "--like", "out.png", "-o", "again.png") == 2
    assert "Give --region" in the_line(capsys.readouterr())
    again = ["--like", "out.png", "-o", "again.png", "--region", "bits.png"]
    assert run("synthesize", *again, "--exemplar-region", "part.tif") == 0
    assert list(engine.jobs[-1].images) == ["into", "exemplar"]


# Textures and reconstructions


def test_a_texture_has_its_preset_shape_and_padding(images, engine):
    given = ["--shape", 90, 110, "--seamless", "--steps", 2]
    assert run("synthesize", "style.jpg", "deep.tif", "-o", "out.png", *given) == 0
    (job,) = engine.jobs
    assert job.recipe == preset("texture", steps=2, padding="circular")
    assert job.scales[-1].shape == (90, 110)
    assert len(job.styles) == 2


@pytest.mark.parametrize(
    ("exemplar", "preview", "shape", "dtype"),
    [
        ("grey.png", "tiles.jpg", (18, 24), np.uint8),
        ("deep.tif", "tiles.tif", (18, 24, 3), np.uint16),
    ],
)
def test_a_preview_tiles_the_texture(images, engine, exemplar, preview, shape, dtype):
    given = ["--tile-preview", preview, "--steps", 1]
    assert run("synthesize", exemplar, "-o", "out.png", *given) == 0
    tiles = read_image(preview)
    assert (tiles.shape, tiles.dtype) == (shape, dtype)


def test_textures_of_layers_become_labelled_pages(images, engine, capsys):
    given = ["--compare", "layers", "--steps", 2, "--log", "run.jsonl"]
    assert run("synthesize", "style.jpg", "-o", "out.tif", *given) == 0
    assert page_labels("out.tif") == BLOCKS
    assert [job.recipe.style_layers for job in engine.jobs] == [{name: 1.0} for name in BLOCKS]
    record = json.loads(read_text("out.tif"))
    assert record["arguments"] == {"compare": "layers", "layers": BLOCKS}
    assert list(record["pictures"]) == BLOCKS
    assert (record["step"], record["steps"]) == (10, 10)
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert [line["picture"] for line in lines] == [name for name in BLOCKS for _ in range(2)]
    err = capsys.readouterr().err
    assert "wrote out.tif (5 of 5 pictures, 8 × 6 pixels)." in err
    assert "conv5_1: 100%" in err  # the bar


def test_reconstructions_follow_their_preset_and_layers(images, engine):
    assert run("reconstruct", "grey.png", "-o", "a.png", "--layer", "relu3_1", "--steps", 2) == 0
    given = ["--compare", "--layers", "conv1_1,relu4_2", "--steps", 1]
    assert run("reconstruct", "clear.png", "-o", "out.tif", *given) == 0
    assert [job.recipe for job in engine.jobs] == [
        preset("reconstruction", steps=steps, content_layers={layer: 1.0})
        for steps, layer in ((2, "relu3_1"), (1, "conv1_1"), (1, "relu4_2"))
    ]
    assert tifffile.imread("out.tif").shape == (2, 6, 8, 3)


def test_ctrl_c_writes_the_pictures_of_a_comparison_so_far(images, engine, capsys):
    engine.stop_after, engine.error = 3, KeyboardInterrupt()
    given = ["--compare", "--steps", 4]
    assert run("reconstruct", "content.png", "-o", "out.tif", *given) == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert "stopped after step 3 of 20; wrote out.tif (1 of 5 pictures, 8 × 6 pixels)." in said
    assert page_labels("out.tif") == ["conv1_1"]


# With the real network


@pytest.mark.network
def test_a_real_run_in_tiles_records_its_estimate(images, capsys):
    write_image("wide.png", np.random.default_rng(0).random((96, 160, 3)))
    arguments = ["wide.png", *GOOD[1:], *QUICK, "--steps", 2, "--tile", 128, "--size", 160]
    assert run("stylize", *arguments) == 0
    assert " on cpu, in tiles of 128" in capsys.readouterr().err
    record = json.loads(read_text("out.png"))
    assert record["tile"] == record["forecast"]["tile"] == record["recipe"]["tile"] == 128


@pytest.mark.network
def test_a_real_filling_keeps_all_other_pixels(labels):
    given = ["--into", "content.png", "--region", "hole.png", "-o", "out.png", "--steps", 2]
    assert run("synthesize", *given, "--device", "cpu") == 0
    written, content = read_image("out.png"), read_image("content.png")
    np.testing.assert_array_equal(written[HOLE == 0], content[HOLE == 0])


@pytest.mark.network
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_real_ctrl_c_writes_the_last_image(images):
    arguments = ["stylize", *GOOD, *QUICK, "--depth", "16", "--steps", "9999", "--log", "run.jsonl"]
    # A shell may have started the tests with SIGINT ignored, which a child would inherit.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from napari_nst.cli import main; sys.exit(main({arguments}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True
    )
    log, deadline = Path("run.jsonl"), time.monotonic() + 120
    try:
        while not log.exists() or log.read_text().count("\n") < 3:
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == terminal.INTERRUPTED
    assert "Traceback" not in err
    assert "of 9999; wrote out.png (64 × 48 pixels, 16 bit)." in err.splitlines()[-1]
    written = read_image("out.png")
    assert (written.dtype, written.shape) == (np.uint16, (48, 64, 3))
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        assert line["content"] + line["style"] + line["tv"] == pytest.approx(line["total"])
    assert lines[-1]["total"] < lines[0]["total"]
