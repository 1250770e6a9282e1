"""A stack in the terminal: every slice, written into a zarr folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from napari_nst.cli.options import STACK_OPTIONS
from napari_nst.cli.outputs import NO_FILE
from napari_nst.cli.request import Request, parse_limits, read_style, split
from napari_nst.cli.run import run_several
from napari_nst.cli.terminal import ProgressBar, input_errors, option
from napari_nst.engine.distributed import process_count
from napari_nst.engine.job.input_image import InputImage, read_input
from napari_nst.engine.job.style_target import StyleTarget

if TYPE_CHECKING:
    from napari_nst.stacks.stack_run import StackRun

Run = TypeVar("Run", bound="StackRun")

SUFFIX = ".zarr"

_OF_ONE = ("depth", "log", "tensorboard", "animation", "animation_every", "tile_preview")


def take_stack_options(request: Request, options: MutableMapping[str, Any]) -> dict[str, Any]:
    """Remove the options of stacks from all options; refuse them if the output is no stack."""
    taken = {name: options.pop(name) for name in STACK_OPTIONS}
    given = [name for name, value in taken.items() if value not in (None, ())]
    with input_errors():
        if given and not is_stack(request):
            raise ValueError(
                f"{option(given[0])} is for stacks. Give --output a name that ends in {SUFFIX}, or "
                f"leave out {option(given[0])}."
            )
    return taken


def is_stack(request: Request) -> bool:
    """Whether the output is a zarr folder."""
    return request.outputs.output.suffix == SUFFIX


def run_stack(
    request: Request,
    function: str,  # of `napari_nst`
    contents: Sequence[Path],
    styles: Sequence[Path],
    options: Mapping[str, Any],
    others: Mapping[str, Any],  # arguments of the command that a stack has not
) -> int:
    """Run a job on every slice of a stack, and return the exit status."""
    with input_errors():
        refuse_others(request, contents, {"page": request.page, **others})
        if request.limits == "auto":
            raise ValueError("--limits auto is for a single picture. Give two numbers.")
        files = {"content": contents, "image": contents}
        request.check_given(files | ({"style": styles} if function == "stylize_stack" else {}))
        if function == "reconstruct_stack" and options["temporal"] is not None:
            raise ValueError("--temporal is for stylize. Leave it out.")
        arguments = _arguments(request, options)
    import napari_nst

    begin: Callable[..., StackRun] = getattr(napari_nst, function)
    images = [[_style(path) for path in styles]] if function == "stylize_stack" else []
    return run_slices(request, partial(begin, contents[0], *images, **arguments))[1]


def run_slices(request: Request, begin: Callable[..., Run]) -> tuple[Run, int]:
    """Compute all slices; return the run and the exit status."""
    return run_several(
        request,
        partial(begin, recipe=request.recipe, out=request.outputs.output),
        ProgressBar.slice_step,
        lambda run: f"{run.done} of {run.places.count} slices are in {run.path}.",
    )


def refuse_others(request: Request, contents: Sequence[Path], others: Mapping[str, Any]) -> None:
    """Raise for options of single pictures, of which `others` has some, and for several images."""
    if len(contents) > 1:
        raise ValueError("A stack is written by itself. Give one file, or a folder of zarr.")
    given = {name: getattr(request.outputs, name) for name in _OF_ONE} | {
        "init_image": request.init_image,
        "like": request.like,
        **others,
    }
    for name, value in given.items():
        if value not in (None, (), False, NO_FILE):
            raise ValueError(f"{option(name)} is for a single picture. Leave it out.")
    if process_count() > 1:
        raise ValueError("Several processes compute one picture. Give --workers, not torchrun.")


def _arguments(request: Request, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `stylize_stack` that the options give."""
    found = {name: value for name, value in options.items() if value not in (None, ())}
    if "axes" in found:
        found["axes"] = list(found["axes"])
    if "slices" in found:
        found["slices"] = _slices(found["slices"])
    channel = None if request.channel is None else request.channel - 1
    if numbers := found.pop("rgb_channels", None):
        if channel is not None:
            raise ValueError("--channel and --rgb-channels contradict each other. Leave out one.")
        try:
            channel = [int(one) - 1 for one in split(numbers)]  # type: ignore[assignment]
        except ValueError:
            raise ValueError(
                f"--rgb-channels must be three numbers, such as 1,2,3; not {numbers!r}."
            ) from None
    if channel is not None:
        found["channel"] = channel
    if request.limits is not None:
        found["limits"] = parse_limits(request.limits)
    return found


def _slices(given: Sequence[str]) -> Any:
    """Return a range, or one for each axis, of texts such as ``0:10`` or ``z=0:10``."""
    pairs = [one.rpartition("=") for one in given]
    if len(pairs) == 1 and not pairs[0][1]:
        return given[0]
    for _, equals, chosen in pairs:
        if not equals:
            raise ValueError(f"--slices must name an axis, such as z={chosen}; not {chosen!r}.")
    return {axis.strip(): chosen for axis, _, chosen in pairs}


def _style(path: Path) -> InputImage:
    """Read a style, with its file in the record."""
    with input_errors():
        found = read_style(path, None)
        if isinstance(found, StyleTarget):
            return InputImage.of_target(found)
        image = read_input(found, "style")
    known = {"name": str(path), "path": str(path.absolute())}
    return replace(image, metadata=image.metadata | known)
