"""The ``presets`` command, and presets whose network is not here."""

import json
from pathlib import Path

import pytest

from napari_nst.recipe import Recipe, on_flavour, preset, preset_names, published
from tests.helpers.terminal_tools import GOOD, run, the_line


def test_presets_are_listed_with_their_sources(capsys):
    assert run("presets") == 0
    lines = capsys.readouterr().out.splitlines()
    for first, second, name in zip(lines[::2], lines[1::2], preset_names(), strict=True):
        facts = published(name)
        assert first.split()[:3] == [name, facts.job, facts.flavour]
        assert first.endswith(f"  {facts.summary}")
        assert second.strip() == facts.source


def test_presets_of_a_job(capsys):
    assert run("presets", "--job", "reconstruction") == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()[::2]]
    assert listed == preset_names("reconstruction")


def test_presets_as_json_are_recipes(capsys):
    assert run("presets", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == preset_names()
    for name, fields in found.items():
        assert Recipe.from_json(json.dumps(fields)) == preset(name)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_one_preset_is_a_file_to_edit(images, engine, capsys, flags):
    assert run("presets", "gatys-2016", *flags) == 0
    Path("mine.json").write_text(capsys.readouterr().out)
    assert run("stylize", *GOOD, "--preset", "mine.json", "--steps", 1) == 0
    assert engine.orders[0].recipe == preset("gatys-2016", steps=1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["monet"], "There is no preset 'monet'; choose from default"),
        (["--job", "music"], "is not one of 'transfer', 'texture', 'reconstruction'"),
        (["default", "--job", "texture"], "--job is for the list; leave it out, or NAME."),
        (["default", "now"], "unexpected extra argument"),
    ],
)
def test_wrong_input_is_told_in_one_line(capsys, arguments, says):
    assert run("presets", *arguments) == 2
    assert says in the_line(capsys.readouterr())


# A network that is not on this machine


@pytest.fixture
def nothing_fetched(monkeypatch, tmp_path):
    for name in ("NAPARI_NST_HOME", "TORCH_HOME", "KERAS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


def test_a_fetch_is_told_before_the_run_and_what_could_be_done_instead(
    nothing_fetched, images, engine, capsys
):
    assert run("stylize", *GOOD, "--preset", "neural-style", "--steps", 1) == 0
    said = capsys.readouterr().err.splitlines()[0]
    assert said == (
        "napari-nst: the caffe network is not on this machine and will be fetched (80 MB); "
        "--convert runs on gatys instead."
    )
    assert engine.orders[0].recipe == preset("neural-style", steps=1)


def test_a_recipe_is_converted_where_its_network_is_not_here(
    nothing_fetched, images, engine, capsys
):
    given = ["--preset", "neural-style", "--convert", "--steps", 1]
    assert run("stylize", *GOOD, *given) == 0
    said = capsys.readouterr().err.splitlines()[0]
    assert said == (
        "napari-nst: the caffe network is not on this machine, so this runs on gatys with "
        "converted weights, approximately."
    )
    converted = on_flavour(preset("neural-style", steps=1), "gatys")
    assert engine.orders[0].recipe == converted
    assert converted.weights == "gatys"


def test_a_recipe_stays_as_it_is_where_its_network_is_here(images, engine, capsys, monkeypatch):
    from napari_nst.engine.vgg import weights

    here = weights.WeightsStatus("caffe", Path("here"), 1, "ok", "elsewhere", 1)
    monkeypatch.setattr(weights, "verify", lambda flavour: here)
    given = ["--preset", "neural-style", "--convert", "--steps", 1]
    assert run("stylize", *GOOD, *given) == 0
    assert "network" not in capsys.readouterr().err
    assert engine.orders[0].recipe == preset("neural-style", steps=1)


def test_of_the_usual_network_nothing_is_said(nothing_fetched, images, engine, capsys):
    assert run("stylize", *GOOD, "--steps", 1) == 0
    assert "network" not in capsys.readouterr().err


def test_where_the_input_is_wrong_nothing_else_is_said(nothing_fetched, images, engine, capsys):
    assert run("stylize", *GOOD, "--preset", "neural-style", "--size", 4) == 2
    assert "take a size of at least" in the_line(capsys.readouterr())
