"""The terminal: arguments → recipe → engine → files.

Nothing heavy is imported before a command needs it, so that ``--help`` answers at once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from napari_nst import __version__, terminal
from napari_nst.recipe import CONTROLS, Recipe, preset, preset_names, preset_summary
from napari_nst.terminal import about_input, say

if TYPE_CHECKING:
    from napari_nst.bars import Bars
    from napari_nst.engine.optimize import Iteration
    from napari_nst.engine.weights import WeightsStatus

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(path_type=Path)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``napari-nst`` and return its exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        What follows the program's name; the process's own arguments where left out.

    Returns
    -------
    int
        0; 2 where the input was wrong, 1 where something else went wrong, each after one line on
        stderr; 130 after Ctrl-C.
    """
    return terminal.run(program, arguments)


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=False,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """Paint one image in the style of another, from the terminal."""


def recipe_options(command: Command) -> Command:
    """Give a command ``--preset``, and an option for each control of a recipe."""
    defaults = Recipe()
    for name, control in reversed(list(CONTROLS.items())):
        flag, default = name.replace("_", "-"), getattr(defaults, name)
        is_switch = control.kind is bool
        command = click.option(
            f"--{flag}/--no-{flag}" if is_switch else f"--{flag}",
            name,
            type=click.Choice(control.choices) if control.choices else control.kind,
            default=None,  # what is not given is the preset's to say
            help=f"{control.help}  [default: {f'--{flag}' if default is True else default}]",
        )(command)
    return click.option(
        "--preset",
        "preset_or_file",
        metavar="NAME|FILE",
        default="default",
        help="A published recipe, or a recipe's JSON file: it says what the options below do not. "
        "The defaults below are those of the default preset.  [default: default]",
    )(command)


@program.command()
@click.argument("content", type=FILE)
@click.argument("style", type=FILE, nargs=-1, required=True)
@click.option("-o", "--output", type=FILE, required=True, help="PNG, JPEG or TIFF to write.")
@click.option(
    "--depth",
    type=click.Choice(["8", "16"]),
    help="Bits per channel of the output.  [default: the content's; of a JPEG 8]",
)
@click.option("--log", type=FILE, help="Write one JSON object per step to this file (.jsonl).")
@recipe_options
def stylize(
    content: Path,
    style: tuple[Path, ...],
    output: Path,
    depth: str | None,
    log: Path | None,
    preset_or_file: str,
    **options: Any,
) -> int:
    """Paint CONTENT in the style of another image, or of several.

    Files are PNG, JPEG or TIFF, of 8 or 16 bit. Ctrl-C writes the image of the last step.

    Such as:  napari-nst stylize photo.jpg painting.jpg -o painted.png --size 256
    """
    from napari_nst import files
    from napari_nst.bars import Bars
    from napari_nst.outputs import check_writable

    with about_input():
        recipe = _recipe(preset_or_file, options)
        outputs = [output, log] if log else [output]
        check_writable(outputs, inputs=[content, *style])
        image, *styles = (files.read_image(path) for path in (content, *style))
        bits = files.depth_for(output, image, int(depth) if depth else None)
    from napari_nst.engine.jobs import stylize as run  # torch: not before the files are fine

    with Bars() as bars:
        with about_input():
            iterations = run(image, styles, recipe, progress=bars.download)
        last = _follow(iterations, bars, log)
    files.write_image(output, last.image, bits)
    is_whole = last.step == last.steps
    when = "" if is_whole else f"stopped after step {last.step} of {last.steps}; "
    say(f"{when}wrote {output} ({last.shape[1]} × {last.shape[0]} pixels, {bits} bit).")
    return 0 if is_whole else terminal.INTERRUPTED


def _recipe(preset_or_file: str, options: dict[str, Any]) -> Recipe:
    changes = {name: value for name, value in options.items() if value is not None}
    if preset_or_file in preset_names():
        return preset(preset_or_file, **changes)
    path = Path(preset_or_file)
    if not path.is_file():
        known = ", ".join(preset_names())
        raise ValueError(f"preset must be {known} or a recipe's JSON file; not {preset_or_file!r}.")
    try:
        recipe = Recipe.from_json(path.read_text(encoding="utf-8"))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
    return recipe.replace(**changes)


def _follow(iterations: Iterable[Iteration], bars: Bars, log: Path | None) -> Iteration:
    """Show and log every step until the last, or until Ctrl-C after one, and return it."""
    last = None
    with log.open("w", encoding="utf-8") if log else nullcontext() as lines:
        try:
            for iteration in iterations:
                last = iteration
                bars.step(iteration)
                if lines:
                    click.echo(json.dumps(_logged(iteration)), file=lines)
        except KeyboardInterrupt:
            if last is None:
                raise
    assert last is not None  # a recipe has at least one step
    return last


def _logged(iteration: Iteration) -> dict[str, float]:
    height, width = iteration.shape
    parts = {name: iteration.losses[name] for name in ("total", "content", "style", "tv")}
    return {
        "step": iteration.step, "steps": iteration.steps, "seconds": iteration.seconds,
        "height": height, "width": width, **parts,
    }  # fmt: skip


@program.command()
@click.option("--json", "as_json", is_flag=True, help="Print every field of every preset as JSON.")
def presets(as_json: bool) -> None:
    """List the published recipes."""
    names = preset_names()
    if as_json:
        click.echo(json.dumps({name: preset(name).to_dict() for name in names}, indent=2))
        return
    for name in names:
        click.echo(f"{name:{max(map(len, names))}}  {preset_summary(name)}")


@program.group(no_args_is_help=False)
def weights() -> None:
    """Look after the pretrained network."""


def _flavour(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    from napari_nst.engine.weights import FLAVOURS

    if value is not None and value not in FLAVOURS:
        raise click.BadParameter(f"must be {', '.join(FLAVOURS)}; not {value!r}.")
    return value


@weights.command()
def status() -> None:
    """List the flavours, and whether they are on this machine."""
    from napari_nst.engine import weights as network

    _print_table(network.status())


@weights.command()
@click.argument("flavour", default=Recipe().weights, callback=_flavour)
@click.option("--force", is_flag=True, help="Fetch it anew even if it is there and whole.")
def fetch(flavour: str, force: bool) -> None:
    """Fetch FLAVOUR (gatys, where left out) unless it is there, and print its path."""
    from napari_nst.bars import Bars
    from napari_nst.engine import weights as network

    with Bars() as bars:
        path = network.fetch(flavour, bars.download, force=force)
    click.echo(path)


@weights.command()
@click.argument("flavour", required=False, callback=_flavour)
def verify(flavour: str | None) -> int:
    """Recompute the hash of FLAVOUR, or of all that are there; exit 1 if one does not hold."""
    from napari_nst.engine import weights as network

    found = [network.verify(flavour)] if flavour else network.status()
    _print_table(found)
    present = [one for one in found if one.state != "absent"]
    holds = bool(present) and all(one.state == "ok" for one in present)
    return 0 if holds else terminal.WENT_WRONG


def _print_table(found: Sequence[WeightsStatus]) -> None:
    for one in found:
        size = (one.size if one.path else one.download_size) / 1e6
        where = one.path or f"would come from {one.origin}"
        click.echo(f"{one.flavour:12} {one.state:7} {size:6.1f} MB  {where}")


@program.command()
@click.option("--headless", is_flag=True, help="Need no display, and end without a click.")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo-output"),
    show_default=True,
    help="Folder for what it makes.",
)
@click.option("--size", type=int, help="Longest side in pixels.  [default: the widget's]")
@click.option("--steps", type=int, help="Iterations over all scales.  [default: the widget's]")
def demo(headless: bool, output: Path, size: int | None, steps: int | None) -> None:
    """Show everything once, in a napari window."""
    from napari_nst import display

    changes = {k: v for k, v in {"size": size, "steps": steps}.items() if v is not None}
    with about_input():
        preset("default", **changes)

    if display.is_missing():
        if not headless:
            say("there is no display, so the demo runs headless.")
        sizes = [text for name, value in changes.items() for text in (f"--{name}", str(value))]
        display.restart_in_xvfb(["demo", "--headless", "--output", str(output), *sizes])

    from napari_nst.viewer.demo import run_demo

    for path in run_demo(headless, output, **changes):
        click.echo(path)
