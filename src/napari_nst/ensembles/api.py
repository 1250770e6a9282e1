"""The public function that makes one texture by many seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_nst.engine.job.build import RecipeLike, texture_recipe
from napari_nst.engine.job.input_image import ImageLike
from napari_nst.ensembles.ensemble_run import EnsembleRun
from napari_nst.ensembles.exemplar import MICROMETRE, Exemplar, read_exemplar
from napari_nst.ensembles.seeds import SeedJob, SeedPlaces, checked_seeds
from napari_nst.stacks.api import FilePath, as_json, refuse_unknown_fields, started
from napari_nst.stacks.slice_job import SliceInputs
from napari_nst.stacks.source import Axis, Stack
from napari_nst.texture_statistics.sample import LEAST_SIDE

if TYPE_CHECKING:
    from napari_nst.engine.job.job import Job
    from napari_nst.engine.steering import Steering
    from napari_nst.engine.vgg.weights import Progress


def synthesize_ensemble(
    exemplar: ImageLike | Exemplar,
    recipe: RecipeLike | None = None,
    *,
    seeds: int | Sequence[int] = 8,
    shape: tuple[int, int] | None = None,
    statistics: bool = True,
    out: FilePath | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    steering: Steering | None = None,
    progress: Progress | None = None,
    **fields: Any,
) -> EnsembleRun:
    """Make a texture by many seeds, and measure each: its statistics, and what it has copied.

    Each seed gives the image that `synthesize` makes of it. The result is written seed by seed; a
    call with the same arguments computes the seeds that are missing, as after a crash.

    Parameters
    ----------
    exemplar : array-like
        One image, as for `synthesize`. Its pixel size, if it has one, is that of the statistics.
    recipe : Recipe or str, optional
        As for `synthesize`.
    seeds : int or sequence of int
        How many, from `Recipe.seed` on, or the seeds.
    shape : tuple of int, optional
        Height and width of each texture; by default those of the exemplar.
    statistics : bool
        Measure each texture beside the exemplar, as `napari_nst.statistics` does with `copies`.
        Both need at least 32 pixels on both sides.
    out : path, optional
        Folder for the result, which ends in ``.zarr``; by default one in the folder for temporary
        files. If it holds a part of the same result, the seeds that are missing are computed.
    workers, scheduler
        As for `stylize_stack`; a seed is a slice.
    steering, progress, **fields
        As for `stylize_stack`.

    Returns
    -------
    EnsembleRun
        An iterator of `SliceStep`. `EnsembleRun.result` runs to the end and returns the zarr array,
        (N, H, W) or (N, 3, H, W), `EnsembleRun.table` the statistics. Seeds that fail are tried
        once more at the end, and then named.

    Raises
    ------
    TypeError, ValueError, OSError, NstError
        As `synthesize` and `stylize_stack`; also if `seeds` are no different seeds.
    """
    refuse_unknown_fields(fields, synthesize_ensemble)
    recipe = texture_recipe(recipe, fields)
    if recipe.init == "image":
        raise ValueError(
            "`init='image'` is set, but an ensemble has no start image. Set `init='noise'`."
        )
    chosen = checked_seeds(seeds, recipe.seed)
    recipe = recipe.replace(seed=chosen[0])
    given = read_exemplar(exemplar, recipe)
    job = SeedJob("synthesize", recipe, given.dtype, given.limits, [given.image], shape=shape)
    first = SliceInputs(np.array(chosen[0]))
    order = job.order(first)
    picture, mask = given.fitted(order)
    if statistics:
        _check_measurable(order, picture.shape[:2])
    sides = given.sides_in(order)
    places = SeedPlaces.of(chosen)
    begun = started(
        job, _stack(given, job, places, order, sides), places, first,
        lambda _: _record(job, given, chosen, order), out, workers, scheduler, steering, progress,
    )  # fmt: skip
    pixel = (sides, given.unit) if statistics else None
    return EnsembleRun(begun, job.as_stored(picture, samples=3), mask, pixel)


def _check_measurable(order: Job, exemplar: tuple[int, ...]) -> None:
    """Refuse a texture or an exemplar that statistics cannot divide into crops."""
    for name, sides in (("size", exemplar), ("shape", order.full_shape)):
        if min(sides) < LEAST_SIDE:
            what = "exemplar" if name == "size" else "texture"
            raise ValueError(
                f"The {what} has {sides[0]} × {sides[1]} pixels, and statistics need "
                f"{LEAST_SIDE} on both sides. Choose a larger `{name}`, or set "
                "`statistics=False`."
            )


def _stack(
    exemplar: Exemplar, job: SeedJob, places: SeedPlaces, order: Job, sides: tuple[float, float]
) -> Stack:
    """Return the textures as a stack, of which nothing is ever read."""
    unit = MICROMETRE.get(exemplar.unit)
    plane = (
        Axis(name, length, scale=side if unit else 1.0, unit=unit)
        for name, length, side in zip("yx", order.full_shape, sides, strict=True)
    )
    shape = (places.count, *order.full_shape)
    data = np.broadcast_to(np.zeros((), job.result_dtype), shape)
    return Stack(exemplar.name, data, (*places.axes, *plane), is_rgb=False)


def _record(
    job: SeedJob, exemplar: Exemplar, seeds: Sequence[int], order: Job
) -> Mapping[str, Any]:
    """Return what makes an ensemble; one with another record is another one."""
    return as_json(
        {
            "format": 1,
            "job": "synthesize_ensemble",
            "recipe": job.recipe.to_dict(),
            "inputs": {"exemplar": exemplar.image.metadata},
            "arguments": {"seeds": list(seeds), "shape": list(order.full_shape)},
            "starts": [],
            "versions": {"napari-nst": metadata.version("napari-nst")},
        }
    )
