"""The options of the jobs' commands; those of the recipe are made from its fields."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click

from napari_nst.cli.outputs import ANIMATION_MEGABYTES, NO_FILE, Outputs
from napari_nst.cli.request import Request, default_preset
from napari_nst.io.record import PRESET_JOBS
from napari_nst.recipe import CONTROLS, SECTIONS, preset
from napari_nst.recipe.fields import Changes, LayerWeights
from napari_nst.recipe.help_texts import help_of
from napari_nst.recipe.sections import UNUSED
from napari_nst.recipe.suggest import nearest


class _File(click.Path):
    """A path; an empty one, such as of a variable that is not set, would be the current folder."""

    def convert(self, value: Any, parameter: Any, context: Any) -> Any:
        """Return the path, or raise click's error."""
        if value == "":
            self.fail("it is empty. Give a name.", parameter, context)
        return super().convert(value, parameter, context)


FILE = _File(path_type=Path)

_COMMON = ("size", "steps", "style_weight", "content_weight", "tv_weight", "seed", "device")
_METAVARS: Mapping[type, str] = {
    LayerWeights: "LAYER:WEIGHT,…", tuple: "NUMBER,…", Changes: "JSON",
}  # fmt: skip
_OUTPUTS = ("output", "depth", "log", "tensorboard", "animation", "animation_every")
_HEADINGS = {  # option → heading in the help, if it is not "This job"
    **dict.fromkeys(
        (*_OUTPUTS, "init_image", "limits", "tile_preview", "save_every", "page", "channel"),
        "Files",
    ),
    **dict.fromkeys(("preset_or_file", "like", "convert"), "Recipe"),
    **{name: title for title, names in SECTIONS.items() for name in names},
    **dict.fromkeys(_COMMON, "Most used"),
}


class _JobCommand(click.Command):
    """A command whose help lists the options under headings."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; an option of another command is named with this command."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            group = ctx.parent.command if ctx.parent is not None else None
            commands = group.commands if isinstance(group, click.Group) else {}
            owners = [
                name
                for name, command in commands.items()
                for option in command.params
                if error.option_name in option.opts
            ]
            if not owners:
                raise
            raise click.UsageError(
                f"{error.option_name} is an option of {' and '.join(owners)}, not of {self.name}.",
                ctx,
            ) from None

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            line = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Option) and line is not None:
                is_help = parameter not in self.params
                heading = "Other" if is_help else _HEADINGS.get(parameter.name or "", "This job")
                sections.setdefault(heading, []).append(line)
        for title, lines in sections.items():
            with formatter.section(title):
                formatter.write_dl(lines)


def job_command(
    job: str,
    name: str | None = None,
    *,
    usual_preset: str | None = None,  # shown in the help, not the default of the job
    defaults: Mapping[str, Any] = MappingProxyType({}),  # shown in the help, not the preset's
    without: Container[str] = (),  # names of missing options
) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function ``(request, **arguments declared below this decorator)``."""

    def make(function: Callable[..., int]) -> click.Command:
        own = getattr(function, "__click_params__", [])[::-1]

        @functools.wraps(function)
        def callback(**given: Any) -> int:
            own_values = {one.name: given.pop(one.name) for one in own}
            fields = {name: given.pop(name) for name in CONTROLS if name in given}
            files = {name: given.pop(name) for name in _OUTPUTS if name in given}
            outputs = Outputs(**{**files, "output": files.get("output") or NO_FILE})
            fields = {name: value for name, value in fields.items() if value is not None}
            return function(Request(job, outputs, fields, **given), **own_values)

        usual = preset(usual_preset or default_preset(job), **defaults)
        task = PRESET_JOBS[job]
        unused = UNUSED[task]
        used = [one for one in dict.fromkeys((*_COMMON, *CONTROLS)) if one not in unused]
        fields = [
            _field_option(field, getattr(usual, field), help_of(field, task)) for field in used
        ]
        of_recipe = _recipe_options(usual_preset or default_preset(job), task)
        before, after = (
            [one for one in options if one.name not in without]
            for options in (_FILE_OPTIONS, [*of_recipe, *fields])
        )
        help_text = inspect.getdoc(function) or ""
        return _JobCommand(
            name or job, callback=callback, help=help_text,
            params=[*before, *own, *after],
            short_help=help_text.partition("\n")[0],
        )  # fmt: skip

    return make


_LIMITS: Mapping[str, Any] = {
    "metavar": "LOW,HIGH|auto",
    "help": "The values that are black and white in images of more than 8 bits, such as 0,4095 for "
    "12 bits in a TIFF of 16; auto takes the extremes of each image.  [default: the display range "
    "in the file, or the range of its type]",
}
limits_option = click.option("--limits", **_LIMITS)
_PLANE: Mapping[str, Mapping[str, Any]] = {
    name: {"type": click.IntRange(min=1), "metavar": "N", "help": text}
    for name, text in {
        "page": "Which page of a stack, or frame of an animation, to read from inputs that have "
        "several; the first is 1.",
        "channel": "Which channel to read from inputs that have several; the first is 1.",
    }.items()
}


def plane_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose a page and a channel."""
    for name, declared in list(_PLANE.items())[::-1]:
        function = click.option(f"--{name}", **declared)(function)
    return function


_STACK: Mapping[str, Mapping[str, Any]] = {
    "--axis axes": {
        "multiple": True, "metavar": "NAME",
        "help": "An axis of a stack to go through, such as z; give several from the slowest to the "
        "fastest. Slices start from the one before along the last of them.  [default: all axes but "
        "those of channels and pixels]",
    },
    "--slices slices": {
        "multiple": True, "metavar": "RANGE",
        "help": "Which slices of a stack, such as 0:10 for the first ten, or z=0:10 where it has "
        "several axes; they are counted from 0.  [default: all]",
    },
    "--channel-axis channel_axis": {
        "metavar": "NAME",
        "help": "The axis of channels in a stack. Each is computed in turn, unless --channel or "
        "--rgb-channels chooses.  [default: c, if there is one]",
    },
    "--rgb-channels rgb_channels": {
        "metavar": "N,N,N",
        "help": "Three channels of a stack that are red, green and blue; the first is 1.",
    },
    "--warm-steps warm_steps": {
        "type": click.IntRange(min=0), "metavar": "N",
        "help": "Steps of a slice that starts from the one before; 0 starts each as --init says.  "
        "[default: of stylize 0.3 times --steps, of reconstruct 0]",
    },
    "--temporal temporal": {
        "type": click.FloatRange(min=0), "metavar": "WEIGHT",
        "help": "Weight of what moves along between slices of a time series, by optical flow; 0 "
        "leaves it out. For stylize.  [default: 0]",
    },
    "--workers workers": {
        "type": click.IntRange(min=1), "metavar": "N",
        "help": "Processes of this machine that compute slices at the same time.  [default: 1]",
    },
    "--scheduler scheduler": {
        "metavar": "tcp://HOST:PORT",
        "help": "A scheduler of dask.distributed whose workers compute the slices.",
    },
}  # fmt: skip
STACK_OPTIONS = tuple(names.partition(" ")[2] for names in _STACK)
"""Names of the options of stacks."""
_HEADINGS |= dict.fromkeys(STACK_OPTIONS, "Stacks")


OF_WORKERS = {names: _STACK[names] for names in ("--workers workers", "--scheduler scheduler")}
"""The options that say who computes."""


def stack_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a stack, whose output is a zarr folder."""
    for names, declared in list(_STACK.items())[::-1]:
        function = click.option(*names.split(" "), **declared)(function)
    return function


save_every_option = click.Option(
    ["--save-every"], metavar="SECONDS", type=click.FloatRange(min=0), default=60.0,
    show_default=True,
    help="How often to save the state of the run, with which 'napari-nst resume' goes on if this "
    "program is killed; 0 saves none. Only for a single picture and a single process.",
)  # fmt: skip

_FILE_OPTIONS = [
    # Not `required`: click would name it before missing arguments.
    click.Option(
        ["-o", "--output"], type=FILE,
        help="PNG, JPEG or TIFF to write. Its text says how it was made, and of which files, for "
        "--like. A folder .zarr gets every slice of a stack, or textures by several seeds.  "
        "[required]",
    ),
    click.Option(
        ["--depth"], type=click.Choice(["8", "16", "32"]),
        help="Bits per channel of the output; 32 is a TIFF of floats.  "
        "[default: those of the input, 16 at most; of a JPEG 8]",
    ),
    click.Option(
        ["--init-image"], type=FILE, help="An image to start from; implies --init image."
    ),
    click.Option(["--limits"], **_LIMITS),
    *(click.Option([f"--{name}"], **declared) for name, declared in _PLANE.items()),
    click.Option(
        ["--log"], type=FILE, help="Write one JSON object per step to this file (.jsonl)."
    ),
    click.Option(
        ["--tensorboard"], metavar="FOLDER", type=FILE,
        help="Write losses, pictures and recipe for TensorBoard; give each run a folder of its "
        'own. Needs: pip install "napari-nst[tensorboard]"',
    ),
    click.Option(
        ["--animation"], type=FILE,
        help="Write the pictures of several steps as a GIF, an MP4 or a TIFF stack: more of the "
        "first steps than of the last.",
    ),
    click.Option(
        ["--animation-every"], metavar="N", type=click.IntRange(min=1),
        help="Let --animation keep the first step, each N-th and the last; half of them where "
        f"they would take more than {ANIMATION_MEGABYTES / 1000:g} GB of memory.",
    ),
    save_every_option,
]  # fmt: skip


def _recipe_options(default: str, task: str) -> list[click.Option]:
    return [
        click.Option(
            ["--preset", "preset_or_file"], metavar="NAME|FILE",
            help=f"A published recipe (see: napari-nst presets --job {task}), or a recipe's JSON "
            "file. It sets every option below that you do not give; their defaults are those of "
            f"this recipe.  [default: {default}]",
        ),
        click.Option(
            ["--like"], type=FILE,
            help="A picture that this command wrote, to make it again with its recipe, and with "
            "its inputs if you give none. Options change the recipe.",
        ),
        click.Option(
            ["--convert"], is_flag=True,
            help="If the recipe's network is not on this machine, do not fetch it: run on the "
            "network gatys with converted weights, which approximates the recipe.",
        ),
    ]  # fmt: skip


class _Choice(click.Choice[str]):
    """One of several words; the message for another word suggests the most similar."""

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return the word."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            self.fail(f"{error.message} {nearest(value, self.choices)}".rstrip(), param, ctx)


def _field_option(name: str, default: Any, help_text: str) -> click.Option:
    control, flag = CONTROLS[name], f"--{name.replace('_', '-')}"
    shown = f"{default:g}" if control.kind is float else control.text(default) or "empty"
    declared = flag
    if control.kind is bool:
        off = flag.replace("--", "--no-", 1)
        declared, shown = f"{flag}/{off}", flag if default else off
    if control.kind is Changes and default:  # a page of JSON
        shown = "those of the recipe"
    kind: Any = control.kind if control.kind in (int, float, bool) else str
    return click.Option(
        [declared, name],
        type=_Choice(control.choices) if control.choices else kind,
        metavar=_METAVARS.get(control.kind),
        default=None,  # a field that is not given keeps the preset's value
        help=f"{help_text}  [default: {shown}]",
    )
