"""The options of the jobs' commands; those of the recipe are made from its controls."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from napari_nst.cli.outputs import KEPT_MEGABYTES, Results
from napari_nst.cli.request import Request, default_preset
from napari_nst.cli.sections import SectionedCommand, SectionOption
from napari_nst.recipe import CONTROLS, Recipe, preset
from napari_nst.recipe.fields import Control
from napari_nst.recipe.layer_weights import LayerWeights
from napari_nst.recipe.recipe import SECTIONS

FILE = click.Path(path_type=Path)

FILES, RECIPE, COMMON, JOB = "Files", "Recipe", "Most used", "This job"

_COMMON = ("size", "steps", "style_weight", "content_weight", "tv_weight", "seed", "device")

_METAVARS: Mapping[type, str] = {LayerWeights: "LAYER:WEIGHT,…", tuple: "NUMBER,…"}

_WRITTEN = ("output", "depth", "log", "tensorboard", "animation", "animation_every")

_OF_STYLES = [name for name in CONTROLS if name.startswith("style_")]
_UNUSED: Mapping[str, frozenset[str]] = {
    "stylize": frozenset(),
    "synthesize": frozenset(
        ["content_weight", "content_layers", "content_norm", "style_sizing", "color"]
    ),
    "reconstruct": frozenset(
        [*_OF_STYLES, "projections", "patch_size", "patch_stride", "color"]
    ),
}  # fmt: skip
"""Job → the fields of a recipe that make no difference to it."""


def job_command(
    job: str,
    name: str | None = None,
    *,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    without: Container[str] = (),
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a job's command of a function ``(request, **own arguments)``.

    The function's own arguments and options are declared below this decorator. Everything else that
    the user gave comes as the `Request`.

    Parameters
    ----------
    job : str
        What it does, and what it is called where there is no `name`.
    name : str, optional
        What it is called.
    defaults : mapping
        Fields of the recipe whose default is not the preset's, for the help.
    without : container of str
        Options for files that make no sense here.
    """

    def make(function: Callable[..., int]) -> click.Command:
        own = getattr(function, "__click_params__", [])[::-1]

        @functools.wraps(function)
        def callback(**given: Any) -> int:
            own_values = {one.name: given.pop(one.name) for one in own}
            fields = {name: given.pop(name) for name in CONTROLS if name in given}
            written = {name: given.pop(name, None) for name in _WRITTEN}
            request = Request(
                job=job,
                command=click.get_current_context(),
                fields={name: value for name, value in fields.items() if value is not None},
                results=Results(**written),
                **given,
            )
            return function(request, **own_values)

        files = [option for option in _file_options() if option.name not in without]
        usual = preset(default_preset(job), **defaults)
        parameters = [*files, *own, *_source_options(job), *_recipe_options(job, usual)]
        help_text = inspect.getdoc(function) or ""
        return SectionedCommand(
            name or job, callback=callback, params=parameters, help=help_text,
            short_help=help_text.partition("\n")[0],
        )  # fmt: skip

    return make


def _file_options() -> list[click.Option]:
    return [
        SectionOption(
            ["-o", "--output"], type=FILE, required=True, section=FILES,
            help="PNG, JPEG or TIFF to write. Its text says how it was made, and of which files, "
            "for --like.",
        ),
        SectionOption(
            ["--depth"], type=click.Choice(["8", "16", "32"]), section=FILES,
            help="Bits per channel of the output; 32 is a TIFF of float numbers.  "
            "[default: those of the input, 16 at most; of a JPEG 8]",
        ),
        SectionOption(
            ["--init-image"], type=FILE, section=FILES,
            help="An image to start from: --init image.",
        ),
        SectionOption(
            ["--log"], type=FILE, section=FILES,
            help="Write one JSON object per step to this file (.jsonl).",
        ),
        SectionOption(
            ["--tensorboard"], metavar="FOLDER", type=click.Path(path_type=Path), section=FILES,
            help="Write losses, pictures and recipe for TensorBoard; each run wants a folder of "
            'its own. Needs: pip install "napari-nst[tensorboard]"',
        ),
        SectionOption(
            ["--animation"], type=FILE, section=FILES,
            help="Write how the picture came about, as a GIF, an MP4 or a TIFF stack: more of the "
            "first steps than of the last.",
        ),
        SectionOption(
            ["--animation-every"], metavar="N", type=click.IntRange(min=1), section=FILES,
            help="Let --animation keep the first step, each N-th and the last; half of them where "
            f"they would take more than {KEPT_MEGABYTES / 1000:g} GB of memory.",
        ),
    ]  # fmt: skip


def _source_options(job: str) -> list[click.Option]:
    return [
        SectionOption(
            ["--preset", "preset_or_file"], metavar="NAME|FILE", section=RECIPE,
            help="A published recipe (see: napari-nst presets), or a recipe's JSON file: it says "
            "what the options below do not. Their defaults are those of this one.  "
            f"[default: {default_preset(job)}]",
        ),
        SectionOption(
            ["--like"], type=FILE, section=RECIPE,
            help="A picture that this command wrote, to make it again: its recipe, and its inputs "
            "where none are given. Options change it.",
        ),
        SectionOption(
            ["--convert"], is_flag=True, section=RECIPE,
            help="Where the recipe's flavour of the network is not on this machine, run on gatys "
            "with converted weights, an approximation, instead of fetching it.",
        ),
    ]  # fmt: skip


def _recipe_options(job: str, defaults: Recipe) -> list[click.Option]:
    used = [name for name in CONTROLS if name not in _UNUSED[job]]
    sections = {name: title for title, names in SECTIONS.items() for name in names}
    common = [name for name in _COMMON if name in used]
    rest = [name for name in used if name not in _COMMON]
    return [
        _recipe_option(name, getattr(defaults, name), section)
        for name, section in [
            *((name, COMMON) for name in common),
            *((name, sections[name]) for name in rest),
        ]
    ]


def _recipe_option(name: str, default: Any, section: str) -> click.Option:
    control, flag = CONTROLS[name], f"--{name.replace('_', '-')}"
    switch = f"--no-{flag.removeprefix('--')}"
    shown = (flag if default else switch) if control.kind is bool else _text(control, default)
    kind: Any = control.kind if control.kind in (int, float, bool) else str
    return SectionOption(
        [f"{flag}/{switch}" if control.kind is bool else flag, name],
        type=click.Choice(control.choices) if control.choices else kind,
        metavar=_METAVARS.get(control.kind),
        default=None,  # what is not given is the preset's to say
        help=f"{control.help}  [default: {shown}]",
        section=section,
    )


def _text(control: Control, value: Any) -> str:
    if control.kind is float:
        return f"{value:g}"
    return control.text(value) or "empty"
