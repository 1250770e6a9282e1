"""A run from the terminal: what it is asked for, what it shows, what it writes."""

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

from napari_nst.cli import terminal
from napari_nst.errors import NstError
from napari_nst.io.embedded_text import read_text
from napari_nst.io.read_image import read_image
from napari_nst.io.write_image import write_image
from napari_nst.recipe import preset
from tests.helpers.terminal_tools import GOOD, QUICK, SOURCES, program, run, the_line

LOG_KEYS = ["step", "steps", "seconds", "height", "width", "total", "content", "style", "tv"]


def test_a_run_writes_its_last_image_and_says_so_on_stderr(images, engine, capsys):
    assert run("stylize", "content.png", "style.jpg", "-o", "out.png", "--steps", 3) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert "wrote out.png (8 × 6 pixels, 8 bit)" in err
    assert "3/3" in err
    assert "<01:23, " in err  # what is left
    assert "loss=6" in err
    assert "size=8x6" in err
    assert "downloading: 100%" in err
    np.testing.assert_array_equal(read_image("out.png"), np.full((6, 8, 3), 3, np.uint8))


@pytest.mark.parametrize(
    ("content", "out", "options", "dtype"),
    [
        ("content.png", "out.png", [], np.uint8),
        ("content.png", "out.tif", ["--depth", "16"], np.uint16),
        ("content.png", "out.tif", ["--depth", "32"], np.float32),
        ("deep.tif", "out.png", [], np.uint16),
        ("deep.tif", "out.tiff", ["--depth", "8"], np.uint8),
        ("deep.tif", "out.jpg", [], np.uint8),
    ],
)
def test_the_output_is_as_deep_as_the_content(images, engine, content, out, options, dtype):
    assert run("stylize", content, "style.jpg", "-o", out, "--steps", 1, *options) == 0
    assert read_image(out).dtype == dtype


@pytest.mark.parametrize(
    ("content", "shape"),
    [("grey.png", (6, 8)), ("content.png", (6, 8, 3)), ("clear.png", (6, 8, 4))],
)
def test_the_output_has_the_channels_of_the_content(images, engine, content, shape):
    assert run("stylize", content, "style.jpg", "-o", "out.png", "--steps", 1) == 0
    assert read_image("out.png").shape == shape


def test_an_opaque_alpha_channel_may_become_a_jpeg(images, engine):
    opaque = np.dstack([read_image("content.png"), np.full((72, 96), 255, np.uint8)])
    write_image("opaque.png", opaque)
    assert run("stylize", "opaque.png", "style.jpg", "-o", "out.jpg", "--steps", 1) == 0


@pytest.mark.parametrize("out", ["out.png", "out.jpg", "out.tif"])
def test_the_output_says_how_it_was_made(images, engine, out):
    assert run("stylize", "content.png", "style.jpg", "deep.tif", "-o", out, "--steps", 2) == 0
    record = json.loads(read_text(out))
    assert record["job"] == "stylize"
    assert record["recipe"] == preset(steps=2).to_dict()
    assert (record["step"], record["losses"]["total"]) == (2, 6.0)
    named = {role: (facts["name"], facts["path"]) for role, facts in record["inputs"].items()}
    assert named == {
        "content": ("content.png", str(Path.cwd() / "content.png")),
        "style 1": ("style.jpg", str(Path.cwd() / "style.jpg")),
        "style 2": ("deep.tif", str(Path.cwd() / "deep.tif")),
    }


def test_options_replace_fields_of_the_preset(images, engine):
    options = (
        "--preset gatys-2016 --steps 2 --style-weight 7 --rescale-pooling --pooling average "
        "--content-layers relu3_1:2,conv4_2 --style-blend 0.7"
    )
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", *options.split()) == 0
    assert engine.orders[0].recipe == preset(
        "gatys-2016", steps=2, style_weight=7.0, rescale_pooling=True, pooling="average",
        content_layers={"relu3_1": 2.0, "conv4_2": 1.0}, style_blend=(0.7,),
    )  # fmt: skip


def test_without_options_the_preset_stays_as_it_is(images, engine):
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png") == 0
    assert engine.orders[0].recipe == preset()


def test_a_preset_takes_the_numbers_that_its_source_has_for_a_flavour(images, engine):
    options = ["--preset", "gatys-2016", "--weights", "caffe", "--steps", 1]
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", *options) == 0
    assert engine.orders[0].recipe == preset("gatys-2016", weights="caffe", steps=1)


def test_a_preset_may_be_a_recipes_file(images, engine):
    Path("mine.json").write_text(preset(steps=4, tv_weight=2.5).to_json())
    options = ["--preset", "mine.json", "--steps", "2"]
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", *options) == 0
    assert engine.orders[0].recipe == preset(steps=2, tv_weight=2.5)


def test_several_styles_are_all_handed_on(images, engine):
    styles = ["style.jpg", "deep.tif"]
    assert run("stylize", "content.png", *styles, "-o", "o.png", "--steps", 1) == 0
    shapes = [style.shape for style in engine.orders[0].styles]
    assert shapes == [read_image(style).shape[:2] for style in styles]


@pytest.mark.parametrize(
    "given", [["--pixel-size", "0.5,0.25"], ["--pixel-size", "0.5", "--pixel-size", "0.25"]]
)
def test_pixel_sizes_are_handed_on_and_mean_physical_sizing(images, engine, given):
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", "--steps", 1, *given) == 0
    (order,) = engine.orders
    assert order.recipe.style_sizing == "physical"
    assert order.relative_pixels == [0.5]
    assert json.loads(read_text("o.png"))["arguments"]["pixel_sizes"] == [0.5, 0.25]


def test_an_image_to_start_from_is_handed_on(images, engine):
    given = ["--init-image", "grey.png", "--steps", 1]
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", *given) == 0
    (order,) = engine.orders
    assert order.recipe.init == "image"
    assert order.start.is_grey
    assert json.loads(read_text("o.png"))["inputs"]["start"]["name"] == "grey.png"


def test_the_log_has_an_object_for_each_step(images, engine):
    arguments = ["content.png", "style.jpg", "-o", "o.png", "--steps", 3, "--log", "run.jsonl"]
    assert run("stylize", *arguments) == 0
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [LOG_KEYS] * 3
    assert lines[1] == {
        "step": 2, "steps": 3, "seconds": 0.2, "height": 6, "width": 8,
        "total": 6, "content": 1, "style": 2, "tv": 3,
    }  # fmt: skip


def test_the_board_is_written_beside_the_output(images, engine):
    arguments = ["content.png", "style.jpg", "-o", "o.png", "--steps", 3, "--tensorboard", "a/b"]
    assert run("stylize", *arguments) == 0
    assert len(list(Path("a/b").glob("events.out.tfevents.*"))) == 1


def test_ctrl_c_keeps_the_last_image(images, engine, capsys):
    engine.stop_after, engine.error = 2, KeyboardInterrupt()
    arguments = ["content.png", "style.jpg", "-o", "o.png", "--log", "run.jsonl"]
    assert run("stylize", *arguments, "--tensorboard", "board") == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"stopped after step 2 of {preset().steps}; wrote o.png" in said
    assert (read_image("o.png") == 2).all()
    assert json.loads(read_text("o.png"))["step"] == 2
    assert len(Path("run.jsonl").read_text().splitlines()) == 2


def test_ctrl_c_before_the_first_step_writes_nothing(images, engine, capsys):
    engine.stop_after, engine.error = 0, KeyboardInterrupt()
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "napari-nst: interrupted."
    assert not Path("o.png").exists()


def test_what_goes_wrong_while_running_is_one_line_too(images, engine, capsys):
    engine.stop_after, engine.error = 1, NstError("Out of memory;\ntry size 64.")
    assert run("stylize", *GOOD, "--tensorboard", "board") == 1
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == "napari-nst: Out of memory; try size 64."
    assert "Traceback" not in err
    assert not Path("out.png").exists()


@pytest.mark.parametrize("kind", [TypeError, ValueError, KeyError])
def test_our_own_faults_keep_their_traceback(images, engine, kind):
    engine.stop_after, engine.error = 1, kind("a bug")
    with pytest.raises(kind, match="a bug"):
        run("stylize", "content.png", "style.jpg", "-o", "o.png")


def test_a_disk_that_fills_up_is_one_line(images, engine, capsys, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device", "o.png")

    monkeypatch.setattr(os, "fsync", full)
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", "--steps", 1) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "napari-nst: o.png: No space left on device."


# Wrong input

WRONG = {
    "no command": (["weights"], "Missing command"),
    "unknown command": (["paint"], "No such command 'paint'"),
    "no content": (["stylize", "-o", "out.png"], "Missing argument 'CONTENT'"),
    "no style": (["stylize", "content.png", "-o", "out.png"], "Missing argument 'STYLE..."),
    "no output": (["stylize", "content.png", "style.jpg"], "Missing option '-o'"),
    "unknown option": (["stylize", *GOOD, "--stepz", "3"], "No such option"),
    "no number": (["stylize", *GOOD, "--size", "big"], "not a valid int"),
    "out of bounds": (["stylize", *GOOD, "--size", "-5"], "size must be between 0 and 65536"),
    "not a number": (["stylize", *GOOD, "--tv-weight", "nan"], "tv_weight must be at least 0"),
    "no choice": (["stylize", *GOOD, "--pooling", "min"], "is not one of 'max', 'average'"),
    "no layer": (["stylize", *GOOD, "--style-layers", "relu9_1"], "VGG-19 has no layer 'relu9_1'"),
    "no layer weight": (["stylize", *GOOD, "--style-layers", "relu1_1:x"], "style_layers must be"),
    "no blend": (["stylize", *GOOD, "--style-blend", "half"], "style_blend must be numbers"),
    "blend of too many": (["stylize", *GOOD, "--style-blend", "1,2"], "style_blend"),
    "nothing to do": (
        ["stylize", *GOOD, "--style-weight", "0", "--content-weight", "0"],
        "content_weight and style_weight are both 0",
    ),
    "too small": (["stylize", *GOOD, "--size", "4"], "take a size of at least"),
    "unknown device": (["stylize", *GOOD, "--device", "abacus"], "device 'abacus' is not on"),
    "unknown weights": (["stylize", *GOOD, "--weights", "vgg99"], "weights must be gatys"),
    "unknown preset": (["stylize", *GOOD, "--preset", "monet"], "preset must be default"),
    "preset is no JSON": (["stylize", *GOOD, "--preset", "text.png"], "text.png: The recipe is"),
    "preset of odd fields": (["stylize", *GOOD, "--preset", "odd.json"], "odd.json: A recipe has"),
    "preset of odd types": (["stylize", *GOOD, "--preset", "bad.json"], "bad.json: steps must be"),
    "odd pixel size": (["stylize", *GOOD, "--pixel-size", "1um"], "--pixel-size must be numbers"),
    "one pixel size": (["stylize", *GOOD, "--pixel-size", "0.5"], "pixel_sizes must be the"),
    "pixel sizes for nothing": (
        ["stylize", *GOOD, "--pixel-size", "1,1", "--style-sizing", "fit"],
        "--pixel-size is --style-sizing physical, not fit; leave out one",
    ),
    "init image for nothing": (
        ["stylize", *GOOD, "--init-image", "deep.tif", "--init", "noise"],
        "--init-image is --init image, not noise; leave out one",
    ),
    "no init image": (["stylize", *GOOD, "--init", "image"], "init_image is missing"),
    "missing init image": (["stylize", *GOOD, "--init-image", "no.png"], "no.png: No such file"),
    "missing content": (
        ["stylize", "missing.png", "style.jpg", "-o", "out.png"],
        "missing.png: No such file",
    ),
    "missing style": (["stylize", *GOOD, "missing.png"], "missing.png: No such file"),
    "folder as style": (["stylize", *GOOD, "."], ".: Is a directory"),
    "no image": (["stylize", "content.png", "text.png", "-o", "out.png"], "text.png is not a PNG"),
    "broken image": (["stylize", "half.png", "style.jpg", "-o", "out.png"], "half.png is broken"),
    "float beyond 1": (["stylize", "bright.tif", "style.jpg", "-o", "out.png"], "content must be"),
    "unknown format": (["stylize", *GOOD[:3], "out.gif"], "out.gif must end in .png"),
    "deep jpeg": (["stylize", *GOOD[:3], "out.jpg", "--depth", "16"], "a JPEG has 8 bits"),
    "float png": (["stylize", *GOOD, "--depth", "32"], "only a TIFF has 32 bits"),
    "odd depth": (["stylize", *GOOD, "--depth", "12"], "'12' is not one of '8', '16', '32'"),
    "clear jpeg": (
        ["stylize", "clear.png", "style.jpg", "-o", "out.jpg"],
        "out.jpg: a JPEG has no alpha channel, which the input has",
    ),
    "full jpeg": (
        ["stylize", *GOOD[:3], "out.jpg", *["style.jpg"] * 200],
        "out.jpg: a JPEG has no room for the names of 202 inputs; take PNG or TIFF",
    ),
    "missing folder": (["stylize", *GOOD[:3], "no/out.png"], "There is no folder no"),
    "missing log folder": (["stylize", *GOOD, "--log", "no/run.jsonl"], "There is no folder no"),
    "output is a folder": (["stylize", *GOOD[:3], "folder.png"], "folder.png is a folder"),
    "output is content": (["stylize", *GOOD[:3], "content.png"], "content.png would be over"),
    "output is style": (["stylize", *GOOD[:3], "./style.jpg"], "style.jpg would be overwritten"),
    "output is start": (
        ["stylize", *GOOD[:3], "deep.tif", "--init-image", "deep.tif"],
        "deep.tif would be overwritten",
    ),
    "log is output": (["stylize", *GOOD, "--log", "./out.png"], "out.png would be overwritten"),
    "log is content": (["stylize", *GOOD, "--log", "content.png"], "content.png would be over"),
    "board is a file": (["stylize", *GOOD, "--tensorboard", "text.png"], "text.png is a file"),
    "board in a file": (["stylize", *GOOD, "--tensorboard", "text.png/a"], "text.png is a file"),
    "unknown flavour": (["weights", "fetch", "vgg99"], "must be gatys, torchvision, caffe"),
    "unknown flavour to verify": (["weights", "verify", "vgg99"], "must be gatys, torchvision"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_in_one_line_before_anything_is_written(images, engine, capsys, case):
    Path("text.png").write_text("hello")
    Path("odd.json").write_text('{"stepz": 3}')
    Path("bad.json").write_text('{"steps": "many"}')
    Path("half.png").write_bytes(Path("content.png").read_bytes()[:2000])
    Path("folder.png").mkdir()
    tifffile.imwrite("bright.tif", np.full((72, 96), 300, np.float32))
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    arguments, says = WRONG[case]
    assert run(*arguments) == 2
    assert says in the_line(capsys.readouterr())
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    assert not engine.orders


def test_a_line_stays_one_whatever_a_file_is_called(capsys):
    assert run("stylize", "two\nlines.png", "style.jpg", "-o", "out.png") == 2
    assert "two lines.png" in the_line(capsys.readouterr())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
@pytest.mark.parametrize(
    "writes", [["-o", "locked/out.png"], ["-o", "o.png", "--tensorboard", "locked/b"]]
)
def test_a_folder_that_may_not_be_written_is_told_before_the_run(images, capsys, writes):
    Path("locked").mkdir(mode=0o500)
    assert run("stylize", *GOOD[:2], *writes) == 2
    assert "locked cannot be written to" in the_line(capsys.readouterr())


def test_without_tensorboard_its_extra_is_named_before_the_run(images, engine, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run("stylize", *GOOD, "--tensorboard", "board") == 1
    assert 'pip install "napari-nst[tensorboard]"' in the_line(capsys.readouterr())
    assert not engine.orders


# With the real network


@pytest.mark.network
def test_a_real_run_from_files_to_files(images):
    outputs = ["-o", "out.png", "--depth", "16", "--log", "run.jsonl"]
    done = program("stylize", "content.png", "style.jpg", *outputs, *QUICK, "--steps", 3)
    assert done.returncode == 0, done.stderr
    assert "3/3" in done.stderr
    assert "loss=" in done.stderr
    back = read_image("out.png")
    assert (back.dtype, back.shape) == (np.uint16, (48, 64, 3))
    assert len(np.unique(back)) > 256
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [LOG_KEYS] * 3
    assert [line["step"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert (line["height"], line["width"], line["steps"]) == (48, 64, 3)
        assert line["content"] + line["style"] + line["tv"] == pytest.approx(line["total"])
    assert lines[-1]["total"] < lines[0]["total"]


@pytest.mark.network
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_real_ctrl_c_keeps_the_last_image(images):
    arguments = ["stylize", *GOOD, *QUICK, "--steps", "100000", "--log", "run.jsonl"]
    # A shell may have started us with interrupts ignored, which a child would inherit.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"from napari_nst.cli import main; sys.exit(main({arguments}))"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_for_lines(Path("run.jsonl"), 3, process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == terminal.INTERRUPTED
    assert "Traceback" not in err
    steps = [json.loads(line)["step"] for line in Path("run.jsonl").read_text().splitlines()]
    said = err.splitlines()[-1]
    assert "of 100000; wrote out.png (64 × 48 pixels, 8 bit)." in said
    assert int(said.split("after step ")[1].split()[0]) in (steps[-1], steps[-1] + 1)
    assert read_image("out.png").shape == (48, 64, 3)


def wait_for_lines(path, count, process):
    until = time.monotonic() + 120
    while not path.exists() or path.read_text().count("\n") < count:
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.05)
