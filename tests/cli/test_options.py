"""The help of the jobs' commands, which is made from the recipe's controls."""

import pytest

from napari_nst.cli.options import UNUSED
from napari_nst.recipe import CONTROLS, SECTIONS, preset
from tests.helpers.terminal_tools import run

DEFAULTS = {"stylize": "default", "synthesize": "texture", "reconstruct": "reconstruction"}


def help_of(job, capsys):
    assert run(job, "--help") == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("job", DEFAULTS)
def test_every_control_that_a_job_uses_is_an_option_with_its_help_and_default(job, capsys):
    out = " ".join(help_of(job, capsys).replace("-\n", "-").split())
    recipe = preset(DEFAULTS[job])
    for name, control in CONTROLS.items():
        flag = "--" + name.replace("_", "-")
        if name in UNUSED[job]:
            assert f"{flag} " not in out
            continue
        assert f"{flag} " in out
        value = getattr(recipe, name)
        if control.kind is bool:
            shown = flag if value else f"--no-{flag[2:]}"
        elif control.kind is float:
            shown = f"{value:g}"
        else:
            shown = control.text(value) or "empty"
        explained = " ".join(f"{control.help} [default: {shown}]".split())
        assert explained.replace("- ", "-") in out.replace("- ", "-")


@pytest.mark.parametrize("job", DEFAULTS)
def test_the_help_has_sections_the_usual_options_first(job, capsys):
    lines = help_of(job, capsys).splitlines()
    titles = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Files", "This job", "Recipe", "Most used", *SECTIONS, "Other"]
    usual = lines[lines.index("Most used:") + 1 : lines.index("Size and steps:")]
    named = [line.split()[0] for line in usual if line.startswith("  --")]
    assert named[:2] == ["--size", "--steps"]
    assert named[-2:] == ["--seed", "--device"]


def test_no_option_is_left_out_that_a_job_would_need():
    assert not UNUSED["stylize"]
    for name in ("size", "steps", "init", "padding", "channels", "tv_weight", "image_range"):
        assert not any(name in unused for unused in UNUSED.values())
    assert "style_blend" not in UNUSED["synthesize"]
    assert "content_layers" not in UNUSED["reconstruct"]


def test_an_option_that_a_job_cannot_use_is_none(images, engine, capsys):
    assert run("synthesize", "style.jpg", "-o", "o.png", "--content-weight", 2) == 2
    assert "No such option '--content-weight'" in capsys.readouterr().err
    assert run("reconstruct", "style.jpg", "-o", "o.png", "--style-weight", 2) == 2
    assert "No such option '--style-weight'" in capsys.readouterr().err
