import json
import os
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest

import napari_nst
from napari_nst import cli, display, terminal
from napari_nst.engine import jobs
from napari_nst.engine import weights as network
from napari_nst.engine.optimize import Iteration
from napari_nst.errors import NstError
from napari_nst.files import read_image, write_image
from napari_nst.recipe import CONTROLS, Recipe, preset, preset_names

SOURCES = Path(napari_nst.__file__).parents[1]
LOG_KEYS = ["step", "steps", "seconds", "height", "width", "total", "content", "style", "tv"]
QUICK = ["--size", "64", "--min-size", "0", "--device", "cpu"]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Work in an empty folder, so that tests name files as a user does."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    write_image("content.png", rng.random((72, 96, 3)))
    write_image("deep.tif", rng.random((72, 96, 3)), 16)
    write_image("style.jpg", rng.random((80, 80, 3)))


@pytest.fixture
def fake_run(monkeypatch):
    """Replace the engine's slow part, and note what it is asked for."""
    import torch

    asked = types.SimpleNamespace(recipe=None, styles=None, stop_after=None, error=None)

    def stylize(content, style, recipe, *, progress):
        asked.recipe, asked.styles = recipe, style
        progress("downloading", 10, 100)
        progress("downloading", 100, 100)
        for step in range(1, recipe.steps + 1):
            if asked.stop_after is not None and step > asked.stop_after:
                raise asked.error
            losses = {"total": 6.0, "content": 1.0, "style": 2.0, "tv": 3.0, "style/relu1_1": 2.0}
            yield Iteration(
                step=step, steps=recipe.steps, losses=losses, shape=(6, 8), seconds=step / 10,
                seconds_left=83.0, pixels=torch.full((1, 3, 6, 8), step / 256),
            )  # fmt: skip

    monkeypatch.setattr(jobs, "stylize", stylize)
    return asked


def run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def program(*arguments, **options):
    """Start the real program."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCES)}
    return subprocess.run(
        [sys.executable, "-m", "napari_nst", *map(str, arguments)],
        env=environment, capture_output=True, text=True, timeout=300, check=False, **options,
    )  # fmt: skip


def the_line(captured):
    """Return the one line on stderr that an error is."""
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert captured.err.startswith("napari-nst: ")
    assert captured.err.rstrip("'\n").endswith((".", "?", "--help"))
    assert captured.err.count("\n") == 1
    return captured.err


# Help, version, presets


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(flag, capsys):
    assert run(flag) == 0
    out = capsys.readouterr().out
    assert all(command in out for command in ("stylize", "presets", "weights", "demo"))


def test_no_arguments_show_the_help(capsys):
    assert run() == 0
    assert "stylize" in capsys.readouterr().out


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"napari-nst {napari_nst.__version__}\n"


def test_every_control_of_a_recipe_is_an_option_with_its_help_and_default(capsys):
    assert run("stylize", "--help") == 0
    out = " ".join(capsys.readouterr().out.split())
    for name, control in CONTROLS.items():
        flag = "--" + name.replace("_", "-")
        assert f"{flag} " in out
        assert control.help in out
        value = getattr(Recipe(), name)
        assert f"{control.help} [default: {flag if value is True else value}]" in out


def test_presets_are_listed_with_a_line_each(capsys):
    assert run("presets") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == preset_names()
    assert all(len(line.split()) > 3 for line in lines)


def test_presets_as_json_are_recipes(capsys):
    assert run("presets", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == preset_names()
    for name, fields in found.items():
        assert Recipe.from_json(json.dumps(fields)) == preset(name)


def test_the_terminal_imports_nothing_heavy():
    check = (
        "import sys, napari_nst.cli; print([m for m in ('torch', 'napari') if m in sys.modules])"
    )
    code = f"{check}; napari_nst.cli.main(['presets']); {check}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(SOURCES)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert (lines[0], lines[-1]) == ("[]", "[]")


# A run


def test_a_run_writes_its_last_image_and_says_so_on_stderr(images, fake_run, capsys):
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
        ("deep.tif", "out.png", [], np.uint16),
        ("deep.tif", "out.tiff", ["--depth", "8"], np.uint8),
        ("deep.tif", "out.jpg", [], np.uint8),
    ],
)
def test_the_output_is_as_deep_as_the_content(images, fake_run, content, out, options, dtype):
    assert run("stylize", content, "style.jpg", "-o", out, "--steps", 1, *options) == 0
    assert read_image(out).dtype == dtype


def test_options_replace_fields_of_the_preset(images, fake_run):
    options = "--preset gatys-2016 --steps 2 --style-weight 7 --relative --pooling average"
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", *options.split()) == 0
    assert fake_run.recipe == preset(
        "gatys-2016", steps=2, style_weight=7.0, relative=True, pooling="average"
    )


def test_without_options_the_preset_stays_as_it_is(images, fake_run):
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png") == 0
    assert fake_run.recipe == preset()


def test_a_preset_may_be_a_recipes_file(images, fake_run):
    Path("mine.json").write_text(preset(steps=4, tv_weight=2.5).to_json())
    options = ["--preset", "mine.json", "--steps", "2"]
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", *options) == 0
    assert fake_run.recipe == preset(steps=2, tv_weight=2.5)


def test_several_styles_are_all_handed_on(images, fake_run):
    styles = ["style.jpg", "deep.tif"]
    assert run("stylize", "content.png", *styles, "-o", "o.png", "--steps", 1) == 0
    for given, style in zip(fake_run.styles, styles, strict=True):
        np.testing.assert_array_equal(given, read_image(style))


def test_the_log_has_an_object_for_each_step(images, fake_run):
    arguments = ["content.png", "style.jpg", "-o", "o.png", "--steps", 3, "--log", "run.jsonl"]
    assert run("stylize", *arguments) == 0
    lines = [json.loads(line) for line in Path("run.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [LOG_KEYS] * 3
    assert lines[1] == {
        "step": 2, "steps": 3, "seconds": 0.2, "height": 6, "width": 8,
        "total": 6, "content": 1, "style": 2, "tv": 3,
    }  # fmt: skip


def test_ctrl_c_keeps_the_last_image(images, fake_run, capsys):
    fake_run.stop_after, fake_run.error = 2, KeyboardInterrupt()
    arguments = ["content.png", "style.jpg", "-o", "o.png", "--log", "run.jsonl"]
    assert run("stylize", *arguments) == 130
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"stopped after step 2 of {fake_run.recipe.steps}; wrote o.png" in said
    assert (read_image("o.png") == 2).all()
    assert len(Path("run.jsonl").read_text().splitlines()) == 2


def test_ctrl_c_before_the_first_step_writes_nothing(images, fake_run, capsys):
    fake_run.stop_after, fake_run.error = 0, KeyboardInterrupt()
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "napari-nst: interrupted."
    assert not Path("o.png").exists()


def test_what_goes_wrong_while_running_is_one_line_too(images, fake_run, capsys):
    fake_run.stop_after, fake_run.error = 1, NstError("Out of memory;\ntry size 64.")
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png") == 1
    err = capsys.readouterr().err
    assert err.splitlines()[-1] == "napari-nst: Out of memory; try size 64."
    assert "Traceback" not in err
    assert not Path("o.png").exists()


@pytest.mark.parametrize("kind", [TypeError, ValueError, KeyError])
def test_our_own_faults_keep_their_traceback(images, fake_run, kind):
    fake_run.stop_after, fake_run.error = 1, kind("a bug")
    with pytest.raises(kind, match="a bug"):
        run("stylize", "content.png", "style.jpg", "-o", "o.png")


def test_a_disk_that_fills_up_is_one_line(images, fake_run, capsys, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device", "o.png")

    monkeypatch.setattr(os, "fsync", full)
    assert run("stylize", "content.png", "style.jpg", "-o", "o.png", "--steps", 1) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "napari-nst: o.png: No space left on device."


# Wrong input

GOOD = ["content.png", "style.jpg", "-o", "out.png"]

WRONG = {
    "no command": (["weights"], "Missing command"),
    "unknown command": (["paint"], "No such command 'paint'"),
    "no content": (["stylize", "-o", "out.png"], "Missing argument 'CONTENT'"),
    "no style": (["stylize", "content.png", "-o", "out.png"], "Missing argument 'STYLE"),
    "no output": (["stylize", "content.png", "style.jpg"], "Missing option '-o'"),
    "unknown option": (["stylize", *GOOD, "--stepz", "3"], "No such option"),
    "no number": (["stylize", *GOOD, "--size", "big"], "not a valid int"),
    "out of bounds": (["stylize", *GOOD, "--size", "-5"], "size must be between 0 and 65536"),
    "not a number": (["stylize", *GOOD, "--tv-weight", "nan"], "tv_weight must be at least 0"),
    "no choice": (["stylize", *GOOD, "--pooling", "min"], "is not one of 'max', 'average'"),
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
    "odd depth": (["stylize", *GOOD, "--depth", "12"], "'12' is not one of '8', '16'"),
    "missing folder": (["stylize", *GOOD[:3], "no/out.png"], "There is no folder no"),
    "missing log folder": (["stylize", *GOOD, "--log", "no/run.jsonl"], "There is no folder no"),
    "output is a folder": (["stylize", *GOOD[:3], "folder.png"], "folder.png is a folder"),
    "output is content": (["stylize", *GOOD[:3], "content.png"], "content.png would be over"),
    "output is style": (["stylize", *GOOD[:3], "./style.jpg"], "style.jpg would be overwritten"),
    "log is output": (["stylize", *GOOD, "--log", "./out.png"], "out.png would be overwritten"),
    "log is content": (["stylize", *GOOD, "--log", "content.png"], "content.png would be over"),
    "unknown flavour": (["weights", "fetch", "vgg99"], "must be gatys, torchvision, caffe"),
    "unknown flavour to verify": (["weights", "verify", "vgg99"], "must be gatys, torchvision"),
    "extra argument": (["presets", "now"], "unexpected extra argument"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_told_in_one_line_before_anything_is_written(images, capsys, case):
    import tifffile

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


def test_a_line_stays_one_whatever_a_file_is_called(capsys):
    assert run("stylize", "two\nlines.png", "style.jpg", "-o", "out.png") == 2
    assert "two lines.png" in the_line(capsys.readouterr())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_may_not_be_written_is_told_before_the_run(images, capsys):
    Path("locked").mkdir(mode=0o500)
    assert run("stylize", *GOOD[:3], "locked/out.png") == 2
    assert "locked cannot be written to" in the_line(capsys.readouterr())


def test_wrong_input_to_the_real_program():
    done = program("stylize", "missing.png", "style.jpg", "-o", "out.png")
    assert done.returncode == 2
    assert (done.stdout, done.stderr) == (
        "",
        "napari-nst: missing.png: No such file or directory.\n",
    )


# The pretrained network


def made_up(**changes):
    values = {
        "flavour": "gatys", "path": Path("gatys.safetensors"), "size": 80_000_000, "state": "ok",
        "origin": "elsewhere", "download_size": 75_000_000,
    }  # fmt: skip
    return network.WeightsStatus(**{**values, **changes})


OK = made_up()
BAD = made_up(state="bad")
ABSENT = made_up(flavour="caffe", path=None, size=0, state="absent")


def test_status_of_weights_is_a_line_each(monkeypatch, capsys):
    monkeypatch.setattr(network, "status", lambda: [BAD, ABSENT])
    assert run("weights", "status") == 0
    bad, absent = capsys.readouterr().out.splitlines()
    assert bad.split() == ["gatys", "bad", "80.0", "MB", "gatys.safetensors"]
    assert absent.split() == ["caffe", "absent", "75.0", "MB", "would", "come", "from", "elsewhere"]


@pytest.mark.parametrize(
    ("found", "status"), [([OK, ABSENT], 0), ([BAD, OK], 1), ([ABSENT, ABSENT], 1)]
)
def test_verify_fails_where_a_hash_does_not_hold(monkeypatch, capsys, found, status):
    monkeypatch.setattr(network, "status", lambda: found)
    assert run("weights", "verify") == status
    assert len(capsys.readouterr().out.splitlines()) == len(found)


@pytest.mark.parametrize(("found", "status"), [(OK, 0), (BAD, 1), (ABSENT, 1)])
def test_verify_one_flavour(monkeypatch, capsys, found, status):
    monkeypatch.setattr(network, "verify", lambda flavour: found)
    assert run("weights", "verify", "gatys") == status
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_fetch_shows_bytes_and_prints_the_path(monkeypatch, capsys):
    asked = []

    def fetch(flavour, progress, force):
        asked.append((flavour, force))
        progress("waiting for another program", 0, 0)
        progress("downloading", 40_000_000, 80_000_000)
        progress("downloading", 80_000_000, 80_000_000)
        return Path("here.safetensors")

    monkeypatch.setattr(network, "fetch", fetch)
    assert run("weights", "fetch") == 0
    assert run("weights", "fetch", "caffe", "--force") == 0
    assert asked == [("gatys", False), ("caffe", True)]
    out, err = capsys.readouterr()
    assert out.splitlines() == ["here.safetensors"] * 2
    assert "downloading: 100%" in err
    assert "80.0M/80.0M" in err


def test_a_fetch_that_fails_is_one_line(monkeypatch, capsys):
    def fetch(flavour, progress, force):
        raise NstError("The 'gatys' weights could not be fetched.")

    monkeypatch.setattr(network, "fetch", fetch)
    assert run("weights", "fetch") == 1
    assert "could not be fetched" in the_line(capsys.readouterr())


# The demo


@pytest.fixture
def fake_demo(monkeypatch):
    calls = []
    module = types.ModuleType("napari_nst.viewer.demo")

    def run_demo(headless, output):
        calls.append((headless, output))
        return [output / "window.png"] if headless else []

    module.run_demo = run_demo
    monkeypatch.setitem(sys.modules, "napari_nst.viewer.demo", module)
    return calls


@pytest.fixture
def no_display(monkeypatch):
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", display._IN_XVFB):
        monkeypatch.delenv(name, raising=False)


def test_the_demo_runs_where_there_is_a_display(fake_demo, monkeypatch, capsys):
    monkeypatch.setenv("DISPLAY", ":7")
    assert run("demo") == 0
    assert run("demo", "--headless", "--output", "there") == 0
    assert fake_demo == [(False, Path("demo-output")), (True, Path("there"))]
    assert capsys.readouterr().out == f"{Path('there/window.png')}\n"


@pytest.mark.parametrize("arguments", [["demo"], ["demo", "--headless"]])
def test_without_a_display_the_demo_makes_one(fake_demo, no_display, monkeypatch, arguments):
    started = []

    def become(name, command, environment):
        started.append((command, environment[display._IN_XVFB]))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execvpe", become)
    monkeypatch.setattr("shutil.which", lambda name: name)
    with pytest.raises(SystemExit):
        run(*arguments)
    ((command, mark),) = started
    assert mark == "1"
    assert command[:4] == ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24"]
    assert command[4:] == [
        sys.executable, *["-m", "napari_nst", "demo", "--headless", "--output", "demo-output"],
    ]  # fmt: skip
    assert not fake_demo


def test_without_xvfb_the_demo_names_its_packages(fake_demo, no_display, monkeypatch, capsys):
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert run("demo", "--headless") == 1
    assert "packages xvfb and xauth" in the_line(capsys.readouterr())


def test_the_demo_starts_itself_anew_only_once(fake_demo, no_display, monkeypatch, capsys):
    monkeypatch.setenv(display._IN_XVFB, "1")
    assert run("demo", "--headless") == 1
    assert "did not make a display" in the_line(capsys.readouterr())


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
