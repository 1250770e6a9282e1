"""Attacks on the terminal's arguments: a status that is documented, one sentence, and no file."""

import os
import shutil
from pathlib import Path

import click
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_nst.cli import program
from napari_nst.errors import NstError
from tests.helpers.terminal_tools import run

COMMANDS = [name for name in program.commands if name not in ("demo", "weights")]
VALUES = st.one_of(
    st.sampled_from([
        "", "-", "--", "0", "-1", "1", "64", "99999999999999999999", "1e400", "nan", "inf", "1,2",
        "relu1_1", "conv1_1:nan,pool5:-3", "relu9_9", "~nobody/weights.pth", "content.png",
        "style.jpg", "out.png", "no/out.png", "/dev/null", ".", "..", "a" * 300,
        "out.png/x.png", "$(touch x)", "`touch x`", "x\\ny", "ä ö #.png", "\\udcff.png",
        "%s%n", "style_weight=1,nan", "seed=" + "9" * 30, "size=0,65537", "default", "cuda:99",
    ]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12),
)  # fmt: skip


@st.composite
def arguments(draw):
    """Return a command with some of its options, some values, and often a way to its images."""
    name = draw(st.sampled_from(COMMANDS))
    options = [one for one in program.commands[name].params if isinstance(one, click.Option)]
    inputs = {"stylize": 2, "sweep": 2, "presets": 0}.get(name, 1)
    given = [name, *["content.png", "style.jpg"][:inputs]]
    given += ["-o", "out.png"] if name != "presets" else []
    given += ["--layer", "relu1_1"] if name in ("features", "gram") else []
    given += ["--vary", "size=64,96"] if name == "sweep" else []
    for option in draw(st.lists(st.sampled_from(options), min_size=1, max_size=2)):
        given.append(draw(st.sampled_from([*option.opts, *option.secondary_opts])))
        given += [draw(VALUES) for _ in range(0 if option.is_flag else option.nargs)]
    if draw(st.integers(0, 5)) == 0:  # something is missing, or there is more
        del given[draw(st.integers(0, len(given) - 1))]
        given += draw(st.lists(VALUES, max_size=2))
    return given


def no_network(*_):
    raise NstError("This test has no network.")


def files():
    return {path: path.stat().st_mtime_ns for path in Path().rglob("*")}


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(given_arguments=arguments())
def test_any_arguments_end_in_a_status_and_a_sentence(
    images, engine, capsys, monkeypatch, given_arguments
):
    """A run of one step without a network follows where all arguments are right."""
    for module in ("inspect", "vgg.weights"):
        monkeypatch.setattr(f"napari_nst.engine.{module}.load", no_network)
    inputs = {path: path.read_bytes() for path in Path().iterdir()}
    before = files()
    status = run(*given_arguments)
    out, err = capsys.readouterr()
    assert status in (0, 1, 2)
    assert "Traceback" not in out + err
    if status == 2:
        assert files() == before
        assert err.startswith("napari-nst: ")
        assert err.count("\n") == 1
    assert not Path("x").exists()
    assert Path(os.devnull).is_char_device()
    for path in Path().iterdir():  # as the next arguments find it
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path, data in inputs.items():
        path.write_bytes(data)
