"""The checked job of a solid texture: a volume whose slices look like exemplars."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_nst.engine.job.build import (
    RecipeLike,
    refuse_targets,
    refuse_unknown,
    texture_recipe,
)
from napari_nst.engine.job.input_image import ImageLike, InputImage, read_styles, shape_fitting
from napari_nst.engine.job.layers import least_side
from napari_nst.engine.job.schedule import plan_sizes
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import MOMENT_LOSSES

Shape = tuple[int, int, int]
"""Depth, height and width."""

AXES = ("depth", "height", "width")
"""The axes that slices are perpendicular to."""

SHAPE: Shape = (64, 64, 64)
"""The usual shape."""

SLICES = 16
"""The usual number of slices along each axis in a step."""

_NEEDED = {
    "optimizer": (("adam", "rmsprop"), "compares other slices at each step, as L-BFGS cannot"),
    "init": (("noise",), "starts from noise"),
    "parametrization": (("pixels",), "changes each voxel by itself"),
    "tv_loss": (("mean",), "has total variation along three axes as a mean alone"),
}  # fmt: skip
"""Field of a recipe → the values that a solid texture can have, and why."""


@dataclass(frozen=True)
class SolidScale:
    """One size that a run works at."""

    shape: Shape
    factor: float  # the side of the volume over that at the finest scale
    steps: int
    phase: int


@dataclass(frozen=True, eq=False)
class SolidJob:
    """What `synthesize_solid` was asked for, checked and ready to run."""

    recipe: Recipe
    scales: Sequence[SolidScale]
    exemplars: Sequence[InputImage]
    of_axes: Sequence[int | None]  # for each axis, the exemplar of the slices perpendicular to it
    slices: int

    name = "synthesize_solid"

    @property
    def shape(self) -> Shape:
        """Depth, height and width of the result."""
        return self.scales[-1].shape

    @property
    def is_grey(self) -> bool:
        """Whether the result has a single channel."""
        if self.recipe.channels != "auto":
            return self.recipe.channels == "grey"
        return all(exemplar.is_grey for exemplar in self.exemplars)

    @property
    def images(self) -> dict[str, InputImage]:
        """Role → exemplar, for the record."""
        if len(self.exemplars) == 1:
            return {"exemplar": self.exemplars[0]}
        return {f"exemplar {i}": image for i, image in enumerate(self.exemplars, start=1)}

    @property
    def arguments(self) -> dict[str, Any]:
        """The caller's other arguments, for the record."""
        along = {axis: of for axis, of in zip(AXES, self.of_axes, strict=True) if of is not None}
        return {
            "shape": list(self.shape),
            "slices": self.slices,
            "exemplar_of_axis": {axis: index + 1 for axis, index in along.items()},
        }

    @property
    def calibration(self) -> Calibration | None:
        """The size of a voxel: that of the first exemplar's pixels at the recipe's size, if known.

        It is that of a slice perpendicular to the depth; voxels are as deep as they are high.
        """
        known = self.exemplars[0].calibration
        if known is None or known.pixel is None:
            return None
        at_size = known.at(self.fitted(self.exemplars[0], self.scales[-1]))
        return replace(at_size, shape=self.shape[1:], origin=None, limits=None)

    def fitted(self, exemplar: InputImage, scale: SolidScale) -> tuple[int, int]:
        """Return the height and width of an exemplar at a scale."""
        return _fitted(self.recipe, exemplar, scale.factor)


def order_to_synthesize_solid(
    exemplars: ImageLike | Sequence[ImageLike | None],
    shape: Sequence[int] = SHAPE,
    recipe: RecipeLike | None = None,
    slices: int = SLICES,
    **fields: Any,
) -> SolidJob:
    """Return the job of `synthesize_solid`; arguments and errors are its."""
    refuse_unknown(fields, order_to_synthesize_solid, ("progress", "steering"))
    recipe = texture_recipe(recipe, fields, "solid").replace(style_blend=())
    _check_recipe(recipe)
    wanted = _checked_shape(shape)
    if not isinstance(slices, int) or slices < 1:
        raise ValueError(f"`slices` must be a number of slices, 1 or more; not {slices!r}.")
    given: list[Any] = list(exemplars) if isinstance(exemplars, (list, tuple)) else [exemplars]
    images, of_axes = _along_axes(given, recipe)
    return SolidJob(recipe, _plan(recipe, wanted, images), images, of_axes, slices)


def _check_recipe(recipe: Recipe) -> None:
    """Refuse what a volume of slices cannot have."""
    for phase in (recipe.phase(index) for index in range(len(recipe.phases) + 1)):
        for name, (allowed, reason) in _NEEDED.items():
            if getattr(phase, name) not in allowed:
                raise ValueError(
                    f"`{name}={getattr(phase, name)!r}` is set, but a solid texture {reason}. Set "
                    f"`{name}={allowed[0]!r}`."
                )
        for term in phase.with_terms():
            if term.has_style and term.style_loss not in MOMENT_LOSSES:
                raise ValueError(
                    f"`style_loss={term.style_loss!r}` is set, but a solid texture needs a "
                    "statistic of all its slices together. Choose one of "
                    f"{', '.join(MOMENT_LOSSES)} for `style_loss`, also in `terms`."
                )


def _checked_shape(shape: Sequence[int]) -> Shape:
    try:
        depth, height, width = (operator.index(side) for side in shape)
    except (TypeError, ValueError):
        raise ValueError(
            f"`shape` must be depth, height and width in voxels, such as (64, 64, 64); not "
            f"{shape!r}."
        ) from None
    return depth, height, width


def _along_axes(given: Sequence[Any], recipe: Recipe) -> tuple[list[InputImage], list[int | None]]:
    """Return the exemplars, and which of them the slices perpendicular to each axis have."""
    missing = sum(one is None for one in given)
    if not 1 <= len(given) <= 3 or missing == len(given) or (missing and len(given) < 3):
        raise ValueError(
            "`exemplars` must be one image for all axes, two for the slices perpendicular to the "
            "depth and for the others, or three for depth, height and width, of which some may be "
            f"None; there are {len(given) - missing}."
        )
    order = {1: (0, 0, 0), 2: (0, 1, 1), 3: (0, 1, 2)}[len(given)]
    kept = [index for index, one in enumerate(given) if one is not None]
    images = read_styles([given[index] for index in kept], "exemplars", recipe)
    refuse_targets(images, "`exemplars` of a volume")
    return images, [kept.index(index) if index in kept else None for index in order]


def _plan(recipe: Recipe, shape: Shape, exemplars: Sequence[InputImage]) -> list[SolidScale]:
    """Return the scales at which volume and exemplars are large enough for the layers."""
    finest, least = max(shape), least_side(recipe)
    if min(shape) < least:
        raise ValueError(
            f"`shape` must have at least {least} voxels along each axis, which the recipe's layers "
            f"need; not {' × '.join(map(str, shape))}."
        )
    if min(min(_fitted(recipe, one, 1.0)) for one in exemplars) < least:
        raise ValueError(
            f"`exemplars` are narrower than {least} pixels at this `size`, which the recipe's "
            "layers need. Choose a larger `size`, or larger images."
        )

    def shape_at(size: int) -> Shape:
        depth, height, width = (round(side * size / finest) for side in shape)
        return depth, height, width

    def narrowest(size: int) -> tuple[int, int]:
        images = [min(_fitted(recipe, one, size / finest)) for one in exemplars]
        return min(shape_at(size)), min(images)

    return [
        SolidScale(shape_at(one.longest), one.longest / finest, one.steps, one.phase)
        for one in plan_sizes(recipe, finest, narrowest, least)
    ]


def _fitted(recipe: Recipe, exemplar: InputImage, factor: float) -> tuple[int, int]:
    """Return the height and width of an exemplar, of which `size` leaves a factor."""
    longest = max(exemplar.shape)
    own = min(recipe.size or longest, longest)
    return shape_fitting(exemplar.shape, max(1, round(own * recipe.style_scale * factor)))
