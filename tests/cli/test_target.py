"""The command ``target``, and style targets as styles of other commands."""

import pytest

import napari_nst as nst
from napari_nst.cli.request import Provenance
from tests.helpers.terminal_tools import run, the_line

RECIPE = {"style_layers": {"relu1_1": 1.0}, "size": 32, "min_size": 0, "phases": ()}

pytestmark = pytest.mark.network


@pytest.fixture
def recipe():
    with open("recipe.json", "w", encoding="utf-8") as file:
        file.write(nst.preset("default", **RECIPE).to_json())
    return ["--preset", "recipe.json", "--device", "cpu"]


def test_images_become_a_file_that_is_a_style_and_is_recorded(images, recipe, engine):
    assert run("target", "style.jpg", "clear.png", "-o", "stain", *recipe) == 0
    target = nst.StyleTarget.load("stain.safetensors")
    assert [one["name"] for one in target.images] == ["style.jpg", "clear.png"]
    given = ["content.png", "stain.safetensors", "deep.tif", "--style-blend", "1,2"]
    assert run("stylize", *given, "-o", "out.png", *recipe, "--steps", "1") == 0
    (job,) = engine.jobs
    assert job.styles[0].target.sha256 == target.sha256
    assert job.styles[1].target is None
    entry = Provenance("out.png").record["inputs"]["style 1"]
    assert (entry["sha256"], entry["name"]) == (target.sha256, "stain.safetensors")
    assert run("stylize", "--like", "out.png", "-o", "again.png") == 0
    assert engine.jobs[1].styles[0].target.sha256 == target.sha256


def test_a_target_that_changed_is_named(images, recipe, engine, capsys):
    for image in ("style.jpg", "content.png"):
        assert run("target", image, "-o", "stain.safetensors", *recipe) == 0
        if image == "style.jpg":
            given = ["content.png", "stain.safetensors", "-o", "out.png", *recipe, "--steps", "1"]
            assert run("stylize", *given) == 0
    capsys.readouterr()
    assert run("stylize", "--like", "out.png", "-o", "again.png") == 0
    assert "stain.safetensors changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "named"),
    [
        (["stylize", "content.png", "stain.safetensors", "-o", "o.png"], "--size 32"),
        (["stylize", "content.png", "stain.safetensors", "-o", "o.png", "--size", "32",
          "--style-loss", "sliced_rows"], "--style-loss sliced_rows"),
        (["solid", "stain.safetensors", "-o", "o.tif"], "target"),
        (["stylize", "content.png", "no.safetensors", "-o", "o.png"], "no.safetensors"),
        (["stylize", "stain.safetensors", "style.jpg", "-o", "o.png"], "stain.safetensors"),
        (["target", "style.jpg", "-o", "no/stain.safetensors"], "no"),
        (["target", "none.png", "-o", "b.safetensors"], "none.png"),
        (["target", "style.jpg", "-o", "b.safetensors", "--size", "0"], "--size"),
        (["target", "style.jpg", "-o", "b.safetensors", "--style-loss", "mrf"], "mrf"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_sentence(images, recipe, capsys, command, named):
    assert run("target", "style.jpg", "-o", "stain.safetensors", *recipe) == 0
    capsys.readouterr()
    assert run(*command) == 2
    assert named in the_line(capsys.readouterr())
