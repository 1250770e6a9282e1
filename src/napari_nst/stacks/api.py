"""The public functions that run a job on every slice of a stack."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.engine.api import checked_options
from napari_nst.engine.device import choose_device
from napari_nst.engine.job.build import RecipeLike, checked_recipe
from napari_nst.engine.job.input_image import Images, read_styles
from napari_nst.engine.job.job import FIXED_FIELDS
from napari_nst.io.given_path import as_path
from napari_nst.recipe import CONTROLS
from napari_nst.recipe.suggest import nearest
from napari_nst.stacks.places import Names, Places, Range, choose_places
from napari_nst.stacks.slice_job import SliceInputs, SliceJob, checked_for_stacks
from napari_nst.stacks.source import Stack, StackLike, open_stack
from napari_nst.stacks.stack_run import SliceStep, StackRun, compute_here
from napari_nst.stacks.store import ResultStore, open_store, resized_plane

if TYPE_CHECKING:
    from napari_nst.engine.steering import Steering
    from napari_nst.engine.vgg.weights import Progress
    from napari_nst.io.image_files.decoded_image import Limits, Pixels

FilePath = str | os.PathLike[str]

Started = tuple[
    SliceJob, Stack, Places, ResultStore, "Steering", "Progress | None",
    Callable[[StackRun], Iterator[SliceStep]],
]  # fmt: skip
"""The arguments of a `StackRun`."""


def stylize_stack(
    content: StackLike,
    style: Images,
    recipe: RecipeLike | None = None,
    *,
    axes: Names | None = None,
    slices: Range | Mapping[str, Range] | None = None,
    channel: int | Sequence[int] | None = None,
    channel_axis: int | str | None = None,
    limits: Limits | None = None,
    out: FilePath | None = None,
    warm_steps: int | None = None,
    temporal: float = 0.0,
    workers: int = 1,
    scheduler: str | None = None,
    pixel_sizes: Sequence[float] | None = None,
    steering: Steering | None = None,
    progress: Progress | None = None,
    **fields: Any,
) -> StackRun:
    """Paint every slice of a stack, or time point of a series, in the style of another image.

    Each slice starts from the result of the one before, changed as the content has changed, which
    takes fewer steps and keeps what does not change. The result is written slice by slice; a call
    with the same arguments computes the slices that are missing, as after a crash.

    Parameters
    ----------
    content : array-like, path, or image layer of napari
        A stack: an array of NumPy, dask, zarr or xarray, a TIFF of several pages (OME and ImageJ
        too), an OME-Zarr image, or a layer, of which the finest level is read. The last two axes
        are those of pixels, or those named ``y`` and ``x``; after three others, a last axis of 3
        or 4 is RGB or RGBA. Values are as for `stylize`; those of layers and of files with a
        display range are shown in that range. One slice is in memory at a time.
    style : array-like, or list of array-like
        As for `stylize`.
    recipe : Recipe or str, optional
        As for `stylize`.
    axes : str, int, or sequence of both, optional
        Names or numbers of the axes to go through, the slowest first. Slices that follow each other
        along the last of them are neighbours. By default all but those of channels and pixels.
        Of an axis that is left out, `slices` has to choose one entry.
    slices : slice, range, int, str, or mapping, optional
        Which entries of the axis, such as ``"0:10"``; for several axes a dict by name or number. By
        default all.
    channel : int or sequence of three int, optional
        One channel, or three that are red, green and blue. By default each channel is computed in
        turn, in grey.
    channel_axis : str or int, optional
        The axis of channels, by default that named ``c``.
    limits : tuple of float, optional
        The values that are black and white, instead of those of the content.
    out : path, optional
        Folder for the result, which ends in ``.zarr``; by default one in the folder for temporary
        files. If it holds a part of the same result, the slices that are missing are computed. One
        run at a time writes into it, until it ends or is closed.
    warm_steps : int, optional
        Steps of a slice that starts from the one before, by default 0.3 times those of the recipe;
        with 0, each slice starts as the recipe says. They are taken at full size, with the recipe's
        last phases.
    temporal : float
        Weight of the difference to the result before, moved by the optical flow of the content and
        weighted by its certainty (Ruder et al. 2016); 0 leaves it out, and 200 keeps a time series
        calm.
    workers : int
        Processes on this machine that compute at the same time. With several, the slices are
        divided into as many runs of neighbours, and the first of each run takes all steps. A script
        needs ``if __name__ == "__main__":`` around the call.
    scheduler : str, optional
        Address of a scheduler of dask.distributed, such as ``tcp://host:8786``, instead of
        workers on this machine; `workers` is then the number of runs of neighbours, by default that
        of its workers. They need this package; only this process reads and writes files.
    pixel_sizes, progress, **fields
        As for `stylize`.
    steering : Steering, optional
        Stops the stack; finished slices remain. A change applies to the slice under way.

    Returns
    -------
    StackRun
        An iterator of `SliceStep`; `StackRun.result` runs to the end and returns the zarr array.
        Slices that fail are tried once more at the end, and then named.

    Raises
    ------
    TypeError, ValueError
        As `stylize`; also if there are no such axes or slices, `out` holds another result, or
        another run writes into it.
    OSError
        If a file cannot be read or written.
    NstError
        While iterating, if weights cannot be downloaded, a scheduler does not answer, or the first
        two slices fail.
    """
    refuse_unknown_fields(fields, stylize_stack)
    recipe = checked_recipe(recipe, "transfer", fields)
    styles = read_styles(style, "style", recipe)
    stack = open_stack(content, limits)
    places = choose_places(stack, axes, slices, channel, channel_axis)
    warm_steps, temporal = checked_for_stacks(recipe, warm_steps, temporal)
    job = SliceJob(
        "stylize", recipe, stack.dtype, stack.limits, styles, pixel_sizes, warm_steps, temporal
    )
    return _start(job, stack, places, out, workers, scheduler, steering, progress)


def reconstruct_stack(
    image: StackLike,
    recipe: RecipeLike | None = None,
    *,
    axes: Names | None = None,
    slices: Range | Mapping[str, Range] | None = None,
    channel: int | Sequence[int] | None = None,
    channel_axis: int | str | None = None,
    limits: Limits | None = None,
    out: FilePath | None = None,
    warm_steps: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    steering: Steering | None = None,
    progress: Progress | None = None,
    **fields: Any,
) -> StackRun:
    """Show what a layer represents of every slice of a stack, as `reconstruct` does of an image.

    Parameters
    ----------
    image : array-like, path, or image layer of napari
        As the content of `stylize_stack`.
    recipe : Recipe or str, optional
        As for `reconstruct`.
    axes, slices, channel, channel_axis, limits, out
        As for `stylize_stack`.
    warm_steps : int
        Steps of a slice that starts from the one before. By default each starts from noise, so that
        it shows nothing that its layer does not hold.
    workers, scheduler, steering, progress, **fields
        As for `stylize_stack`; so are the returned run and errors.
    """
    refuse_unknown_fields(fields, reconstruct_stack)
    recipe = checked_recipe(recipe, "reconstruction", fields).replace(**FIXED_FIELDS["reconstruct"])
    stack = open_stack(image, limits)
    places = choose_places(stack, axes, slices, channel, channel_axis)
    warm_steps, _ = checked_for_stacks(recipe, warm_steps, 0.0)
    job = SliceJob("reconstruct", recipe, stack.dtype, stack.limits, warm_steps=warm_steps)
    return _start(job, stack, places, out, workers, scheduler, steering, progress)


def _start(
    job: SliceJob,
    stack: Stack,
    places: Places,
    out: FilePath | None,
    workers: int,
    scheduler: str | None,
    steering: Steering | None,
    progress: Progress | None,
) -> StackRun:
    """Return the run of a stack, whose first slice is read now, for errors before it starts."""
    first = places.read(stack, next(iter(places)))
    record = partial(_record, job, stack, places, first)
    given = (out, workers, scheduler, steering, progress)
    return StackRun(*started(job, stack, places, SliceInputs(first), record, *given))


def started(
    job: SliceJob,
    stack: Stack,
    places: Places,
    first: SliceInputs,
    record: Callable[[int], Mapping[str, Any]],  # of the number of runs of neighbours
    out: FilePath | None,
    workers: int,
    scheduler: str | None,
    steering: Steering | None,
    progress: Progress | None,
) -> Started:
    """Check the first slice, open the result, and return the arguments of a `StackRun`."""
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"`workers` must be a number of processes, 1 or more; not {workers!r}.")
    steering = checked_options(progress, steering)
    if steering.save_every:
        raise ValueError(
            "`steering` saves states of single runs, but a stack is saved slice by slice. Leave "
            "out `save_every`."
        )
    if scheduler is None:
        choose_device(job.recipe.device)
    order = job.order(first)
    samples = 1 if order.shows_grey else max(stack.samples, 3)
    parts = workers
    if scheduler is not None:
        from napari_nst.stacks.workers import count_workers

        found = count_workers(scheduler)  # before anything is written
        parts = workers if workers > 1 else found
    store = open_store(
        _checked_path(out, stack),
        places,
        resized_plane(stack.plane_axes, order.full_shape),
        samples,
        job.result_dtype,
        job.result_limits,
        record(parts),
    )
    compute: Callable[[StackRun], Iterator[SliceStep]] = compute_here
    if workers > 1 or scheduler is not None:
        from napari_nst.stacks.workers import compute_on

        compute = compute_on(workers, scheduler)
    return job, stack, places, store, steering, progress, compute


def _record(
    job: SliceJob, stack: Stack, places: Places, first: Pixels, parts: int
) -> dict[str, Any]:
    """Return what makes a result, as JSON holds it; a result with another record is another one."""
    digest = hashlib.sha256(np.ascontiguousarray(first).data).hexdigest()
    content = "content" if job.name == "stylize" else "image"
    many = len(job.styles) > 1
    inputs = {content: {**stack.metadata, "sha256": digest}}
    for number, style in enumerate(job.styles, start=1):
        inputs[f"style {number}" if many else "style"] = style.metadata
    ranges = {name: [r.start, r.stop, r.step] for name, r in places.ranges.items()}
    record = {
        "format": 1,
        "job": job.name,
        "recipe": job.recipe.to_dict(),
        "inputs": inputs,
        "arguments": {
            "axes": list(places.order),
            "slices": ranges,
            "channel": list(places.rgb_channels) or None,
            "warm_steps": job.warm_steps,
            "temporal": job.temporal,
            "pixel_sizes": None if job.pixel_sizes is None else [*map(float, job.pixel_sizes)],
        },
        "starts": [run[0] for run in places.runs(parts)] if job.warm_steps else [],
        "versions": {"napari-nst": metadata.version("napari-nst")},
    }
    return as_json(record)


def as_json(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as it is read back from JSON."""
    found: dict[str, Any] = json.loads(json.dumps(record))
    return found


def _checked_path(out: FilePath | None, stack: Stack) -> Path:
    """Return the folder of the result."""
    if out is None:
        name = "".join(one if one.isalnum() else "-" for one in stack.name) or "stack"
        return Path(tempfile.mkdtemp(prefix="napari-nst-"), f"{name}.zarr")
    path = as_path(out, "out")
    if path.suffix != ".zarr":
        raise ValueError(f"`out` must be a folder whose name ends in .zarr; not {path}.")
    if stack.path is not None and path.absolute() == stack.path.absolute():
        raise ValueError(f"`out` is {path}, the stack itself. Choose another folder.")
    return path


def refuse_unknown_fields(fields: Mapping[str, Any], function: Callable[..., Any]) -> None:
    """Raise TypeError if keywords are neither arguments of a function nor fields of a recipe."""
    own = [name for name in inspect.signature(function).parameters if name != "fields"]
    for name in fields:
        if name not in CONTROLS:
            hint = nearest(name, [*own, *CONTROLS]) or f"There are {', '.join(own)}."
            raise TypeError(
                f"{name!r} is neither an argument of {function.__name__} nor a field of a recipe. "
                f"{hint}"
            )
