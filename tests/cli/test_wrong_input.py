"""Wrong input is reported in one line, with exit status 2, before anything is written."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.helpers.terminal_tools import GOOD, run, the_line

STYLIZE = ["stylize", *GOOD]
TEXTURE = ["synthesize", "style.jpg", "-o", "out.png"]
INTO = ["synthesize", "-o", "out.png", "--into", "content.png"]
KEEP = ["reconstruct", "grey.png", "-o", "out.png"]
SWEEP = ["sweep", *GOOD]
WEIGHTS = ["--vary", "style_weight=2,4,8"]
EXPLORE = ["explore", "content.png", "-o", "out.png"]

WRONG = {
    "no command": (["weights"], "Missing command"),
    "no content": (["stylize", "-o", "out.png"], "CONTENT and STYLE are missing"),
    "no style": (["stylize", "content.png", "-o", "out.png"], "STYLE is missing"),
    "out of bounds": ([*STYLIZE, "--size", "-5"], "--size must be between 0 and 65536"),
    "no layer": ([*STYLIZE, "--style-layers", "relu9_1"], "VGG-19 has no layer 'relu9_1'"),
    "too small": ([*STYLIZE, "--size", "4"], "--size of at least"),
    "unknown preset": ([*STYLIZE, "--preset", "monet"], "'monet'. Choose one of default"),
    "preset and job": (["presets", "default", "--job", "texture"], "--job"),
    "preset is no JSON": ([*STYLIZE, "--preset", "text.png"], "text.png: The recipe is"),
    "preset of odd fields": ([*STYLIZE, "--preset", "odd.json"], "odd.json: A recipe has"),
    "an option of another job": ([*STYLIZE, "--shape", "9", "9"], "--shape is an option of synth"),
    "odd pixel size": ([*STYLIZE, "--pixel-size", "1um"], "--pixel-size must be numbers"),
    "pixel sizes for nothing": (
        [*STYLIZE, "--pixel-size", "1,1", "--style-sizing", "fit"],
        "--pixel-size means --style-sizing physical, not fit",
    ),
    "no init image": ([*STYLIZE, "--init", "image"], "--init-image is missing"),
    "no image": (["stylize", "content.png", "text.png", *GOOD[2:]], "text.png is not a PNG"),
    "two lines in a name": (["stylize", "two\nlines.png", *GOOD[1:]], "two lines.png"),
    "unknown format": ([*STYLIZE[:4], "out.gif"], "out.gif must end in .png"),
    "deep jpeg": ([*STYLIZE[:4], "out.jpg", "--depth", "16"], "a JPEG has 8 bits"),
    "clear jpeg": (["stylize", "clear.png", "style.jpg", "-o", "o.jpg"], "no alpha channel"),
    "clear jpeg of a filling": (
        ["synthesize", "-o", "o.jpg", "--into", "clear.png", "--region", "hole.png"],
        "o.jpg: a JPEG has no alpha channel",
    ),
    "full jpeg": (
        [*STYLIZE[:4], "out.jpg", *["style.jpg"] * 200],
        "out.jpg: a JPEG cannot hold the names of 202 inputs. Write",
    ),
    "missing folder": ([*STYLIZE[:4], "no/out.png"], "There is no folder no"),
    "output is start": (
        [*STYLIZE[:4], "deep.tif", "--init-image", "deep.tif"],
        "deep.tif would be overwritten",
    ),
    "output is guide": ([*STYLIZE[:4], "hole.png", "--guide", "hole.png"], "hole.png would be"),
    "board in a file": ([*STYLIZE, "--tensorboard", "text.png/a"], "text.png is a file"),
    "animation of no format": ([*STYLIZE, "--animation", "a.avi"], "a.avi must end in .gif"),
    "every of no animation": ([*STYLIZE, "--animation-every", "3"], "--animation-every"),
    # Guides and fillings
    "guide without labels": ([*STYLIZE, "--guide", "content.png"], "content.png has colours"),
    "style guide alone": ([*STYLIZE, "--style-guide", "hole.png"], "--style-guide needs"),
    "kept at another size": (
        [*STYLIZE, "--keep-unlabelled", "--size", "64", "--guide", "hole.png"],
        "--keep-unlabelled means --size 0, not 64",
    ),
    "region of nothing": ([*TEXTURE, "--region", "hole.png"], "--region is for"),
    "filling without region": (INTO, "--into needs a region to fill. Give --region"),
    "filling of many": ([*INTO, "--region", "hole.png", "--compare", "layers"], "go with --into"),
    # Textures and reconstructions
    "animation of many": ([*KEEP, "--compare", "--animation", "a.gif"], "go with --animation"),
    "layers of one": ([*TEXTURE, "--layers", "conv1_1"], "--layers names the layers of --compare"),
    "no layers": ([*KEEP, "--compare", "--layers", ""], "--layers must name"),
    # Sweeps
    "nothing to vary": (SWEEP, "--vary is missing"),
    "no values": ([*SWEEP, "--vary", "size"], "--vary must be"),
    "no field": ([*SWEEP, "--vary", "sise=9"], "'sise'. Did you mean 'size'?"),
    "twice": ([*SWEEP, *WEIGHTS, *WEIGHTS], "--vary names style_weight twice"),
    "both": (
        [*SWEEP, *WEIGHTS, "--style-weight", "3"],
        "--vary style_weight and --style-weight contradict",
    ),
    "too many": (
        [*SWEEP, "--vary", "seed=" + ",".join(map(str, range(65)))],
        "at most 64 pictures; 65 of --seed",
    ),
    "no explored layers": ([*EXPLORE, "--layers", ""], "--layers must name each once"),
    # Inspection
    "losses of a photo": (["losses", "content.png", "-o", "o.png"], "content.png"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_one_line_before_anything_is_written(images, engine, capsys, case):
    Path("text.png").write_text("hello")
    Path("odd.json").write_text('{"stepz": 3}')
    hole = np.zeros((72, 96), np.uint8)
    hole[20:50, 30:60] = 255
    Image.fromarray(hole).save("hole.png")
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    arguments, says = WRONG[case]
    assert run(*arguments) == 2
    assert says in the_line(capsys.readouterr())
    assert {path: path.stat().st_mtime_ns for path in Path().rglob("*")} == before
    assert not engine.jobs


def test_a_missing_library_is_named_before_the_run(images, engine, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(*STYLIZE, "--tensorboard", "board") == 1
    assert 'pip install "napari-nst[tensorboard]"' in the_line(capsys.readouterr())
    assert not engine.jobs


def test_float_pixels_beyond_1_are_refused(images, engine, capsys):
    tifffile.imwrite("bright.tif", np.full((72, 96), 300, np.float32))
    assert run("stylize", "bright.tif", *GOOD[1:]) == 2
    assert "CONTENT must be" in the_line(capsys.readouterr())
