"""The options of the jobs' commands; those of the recipe are made from its fields."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from napari_nst.cli.outputs import ANIMATION_MEGABYTES, Outputs
from napari_nst.cli.request import Request, default_preset
from napari_nst.recipe import CONTROLS, Recipe, preset
from napari_nst.recipe.fields import Control, LayerWeights
from napari_nst.recipe.recipe import SECTIONS

FILE = click.Path(path_type=Path)

_COMMON = ("size", "steps", "style_weight", "content_weight", "tv_weight", "seed", "device")
_METAVARS: Mapping[type, str] = {LayerWeights: "LAYER:WEIGHT,…", tuple: "NUMBER,…"}
_OUTPUTS = ("output", "depth", "log", "tensorboard", "animation", "animation_every")

_OF_STYLES = [name for name in CONTROLS if name.startswith("style_")]
UNUSED: Mapping[str, frozenset[str]] = {
    "stylize": frozenset(),
    "synthesize": frozenset(
        ["content_weight", "content_layers", "content_norm", "style_sizing", "color"]
    ),
    "reconstruct": frozenset(
        [*_OF_STYLES, "projections", "patch_size", "patch_stride", "color"]
    ),
}  # fmt: skip
"""Job → the fields of a recipe that do not affect it."""


class SectionOption(click.Option):
    """An option that is listed under a heading of the help."""

    def __init__(self, *declarations: Any, section: str, **settings: Any) -> None:
        super().__init__(*declarations, **settings)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help lists the options under headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            line = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and line is not None:
                sections.setdefault(getattr(parameter, "section", "Other"), []).append(line)
        for title, lines in sections.items():
            with formatter.section(title):
                formatter.write_dl(lines)


own_option = functools.partial(click.option, cls=SectionOption, section="This job")
_file_option = functools.partial(SectionOption, section="Files")
_recipe_option = functools.partial(SectionOption, section="Recipe")


def job_command(
    job: str,
    name: str | None = None,
    *,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    without: Container[str] = (),
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function ``(request, **own arguments)``.

    Own arguments and options are declared below this decorator; the `Request` has all others. The
    command is called `name`, or else like the job; `defaults` replaces fields of the preset in the
    help, and `without` names options for files that the command does not have.
    """

    def make(function: Callable[..., int]) -> click.Command:
        own = getattr(function, "__click_params__", [])[::-1]

        @functools.wraps(function)
        def callback(**given: Any) -> int:
            own_values = {one.name: given.pop(one.name) for one in own}
            fields = {name: given.pop(name) for name in CONTROLS if name in given}
            outputs = Outputs(**{name: given.pop(name) for name in _OUTPUTS if name in given})
            fields = {name: value for name, value in fields.items() if value is not None}
            return function(Request(job, outputs, fields, **given), **own_values)

        files = [option for option in _file_options() if option.name not in without]
        usual = preset(default_preset(job), **defaults)
        parameters = [*files, *own, *_source_options(job), *_field_options(job, usual)]
        help_text = inspect.getdoc(function) or ""
        return SectionedCommand(
            name or job, callback=callback, params=parameters, help=help_text,
            short_help=help_text.partition("\n")[0],
        )  # fmt: skip

    return make


def _file_options() -> list[click.Option]:
    return [
        _file_option(
            ["-o", "--output"], type=FILE, required=True,
            help="PNG, JPEG or TIFF to write. Its text says how it was made, and of which files, "
            "for --like.",
        ),
        _file_option(
            ["--depth"], type=click.Choice(["8", "16", "32"]),
            help="Bits per channel of the output; 32 is a TIFF of floats.  "
            "[default: those of the input, 16 at most; of a JPEG 8]",
        ),
        _file_option(
            ["--init-image"], type=FILE, help="An image to start from; implies --init image.",
        ),
        _file_option(
            ["--log"], type=FILE, help="Write one JSON object per step to this file (.jsonl).",
        ),
        _file_option(
            ["--tensorboard"], metavar="FOLDER", type=FILE,
            help="Write losses, pictures and recipe for TensorBoard; give each run a folder of "
            'its own. Needs: pip install "napari-nst[tensorboard]"',
        ),
        _file_option(
            ["--animation"], type=FILE,
            help="Write the pictures of several steps as a GIF, an MP4 or a TIFF stack: more of "
            "the first steps than of the last.",
        ),
        _file_option(
            ["--animation-every"], metavar="N", type=click.IntRange(min=1),
            help="Let --animation keep the first step, each N-th and the last; half of them where "
            f"they would take more than {ANIMATION_MEGABYTES / 1000:g} GB of memory.",
        ),
    ]  # fmt: skip


def _source_options(job: str) -> list[click.Option]:
    return [
        _recipe_option(
            ["--preset", "preset_or_file"], metavar="NAME|FILE",
            help="A published recipe (see: napari-nst presets), or a recipe's JSON file. The "
            "options below change it; their defaults are those of this recipe.  "
            f"[default: {default_preset(job)}]",
        ),
        _recipe_option(
            ["--like"], type=FILE,
            help="A picture that this command wrote, to make it again: its recipe, and its inputs "
            "where none are given. Options change it.",
        ),
        _recipe_option(
            ["--convert"], is_flag=True,
            help="If the recipe's flavour of the network is not on this machine, run on gatys with "
            "converted weights, an approximation, instead of fetching it.",
        ),
    ]  # fmt: skip


def _field_options(job: str, defaults: Recipe) -> list[click.Option]:
    used = [name for name in CONTROLS if name not in UNUSED[job]]
    sections = {name: title for title, names in SECTIONS.items() for name in names}
    sections |= dict.fromkeys(_COMMON, "Most used")
    common = [name for name in _COMMON if name in used]
    rest = [name for name in used if name not in _COMMON]
    names = [*common, *rest]
    return [_field_option(name, getattr(defaults, name), sections[name]) for name in names]


def _field_option(name: str, default: Any, section: str) -> click.Option:
    control, flag = CONTROLS[name], f"--{name.replace('_', '-')}"
    switch = f"--no-{flag.removeprefix('--')}"
    shown = (flag if default else switch) if control.kind is bool else _text(control, default)
    kind: Any = control.kind if control.kind in (int, float, bool) else str
    return SectionOption(
        [f"{flag}/{switch}" if control.kind is bool else flag, name],
        type=click.Choice(control.choices) if control.choices else kind,
        metavar=_METAVARS.get(control.kind),
        default=None,  # a field that is not given keeps the preset's value
        help=f"{control.help}  [default: {shown}]",
        section=section,
    )


def _text(control: Control, value: Any) -> str:
    if control.kind is float:
        return f"{value:g}"
    return control.text(value) or "empty"
