"""One slice of a stack: from its pixels, and the result before it, to a run and its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from napari_nst.engine.api import start
from napari_nst.engine.images.convert import resize, to_tensor
from napari_nst.engine.job.build import order_to_reconstruct, order_to_stylize
from napari_nst.engine.job.own_loss import OwnLoss
from napari_nst.io.image_files.decoded_image import DecodedImage, Limits, Pixels
from napari_nst.recipe import Recipe

if TYPE_CHECKING:
    from napari_nst.engine.iteration import Iteration
    from napari_nst.engine.job.input_image import InputImage
    from napari_nst.engine.job.job import Job
    from napari_nst.engine.run_handle import RunHandle
    from napari_nst.engine.steering import Steering
    from napari_nst.engine.vgg.weights import Progress

_INTEGERS = ("uint8", "uint16", "int16")


@dataclass(frozen=True, eq=False)
class SliceInputs:
    """The pixels that a slice is made of, as they are stored."""

    content: Pixels
    before: tuple[Pixels, Pixels] | None = None  # content and result of the slice before


@dataclass(frozen=True, eq=False)
class SliceJob:
    """What all slices of a stack have in common."""

    name: str  # of the function for a single image: stylize or reconstruct
    recipe: Recipe
    dtype: np.dtype[Any]  # of the content
    limits: Limits | None  # of the content: the values that are black and white
    styles: Sequence[InputImage] = ()
    pixel_sizes: Sequence[float] | None = None
    warm_steps: int = 0  # of a slice that starts from the one before; 0: none does
    temporal: float = 0.0  # weight of the difference to the slice before

    @property
    def result_dtype(self) -> np.dtype[Any]:
        """The dtype of the result."""
        return self.dtype if self.dtype.name in _INTEGERS else np.dtype(np.float32)

    @property
    def result_limits(self) -> Limits:
        """The values of the result that are black and white."""
        if self.limits is not None:
            return self.limits
        kind = self.result_dtype
        return (0.0, 1.0) if kind.kind == "f" else (0.0, float(np.iinfo(kind).max))

    def steps(self, *, is_warm: bool) -> int:
        """Return the steps of a slice."""
        return self.warm_steps if is_warm else self.recipe.steps

    def order(self, inputs: SliceInputs) -> Job:
        """Return the checked job of a slice."""
        content = inputs.content
        if self.limits is not None:
            content = DecodedImage(content).scaled(self.limits).pixels
        recipe, options = self.recipe, dict[str, Any]()
        if inputs.before is not None:
            recipe = _warm(recipe, self.warm_steps)
            first, losses = self._first_image(inputs.content, *inputs.before)
            options = {"init_image": first, "losses": losses}
        if self.name == "reconstruct":
            return order_to_reconstruct(content, recipe, **options)
        styles, sizes = list(self.styles), self.pixel_sizes
        return order_to_stylize(content, styles, recipe, pixel_sizes=sizes, **options)

    def start(
        self, inputs: SliceInputs, progress: Progress | None, steering: Steering | None
    ) -> RunHandle:
        """Return the run of a slice."""
        return start(self.order(inputs), progress, steering)

    def stored(self, iteration: Iteration, samples: int) -> Pixels:
        """Return the picture of a finished slice as it is stored."""
        return self.as_stored(iteration.picture, samples)

    def as_stored(self, picture: Pixels, samples: int) -> Pixels:
        """Return a picture in [0, 1] in the data type and the range of the result."""
        if samples == 4 and picture.shape[2:] == (3,):  # no pixel of this slice is transparent
            picture = np.dstack([picture, np.ones_like(picture[..., :1])])
        low, high = self.result_limits
        # In double precision, because limits may be close together and far from zero.
        values: Pixels = low + picture.astype(np.float64) * (high - low)
        if samples == 4:
            kind = self.result_dtype
            values[..., 3] = picture[..., 3] * (np.iinfo(kind).max if kind.kind in "ui" else 1)
        if self.result_dtype.kind == "f":
            return values.astype(self.result_dtype)
        info = np.iinfo(self.result_dtype)
        return np.clip(np.rint(values), info.min, info.max).astype(self.result_dtype)

    def _first_image(
        self, content: Pixels, former: Pixels, result: Pixels
    ) -> tuple[Pixels, list[OwnLoss]]:
        """Return the image that a slice starts from, and the loss that keeps what is certain of it.

        It is the result before, moved by the optical flow if there is a temporal loss, and changed
        as the content has changed: the losses of features would leave shapes where they were.
        """
        from napari_nst.stacks.motion import certainty, flow_between, grey, sized, warped

        image = _unit(result, self.result_limits)
        image = image[..., :3] if image.ndim == 3 else image
        if self.name == "reconstruct":  # the content's pixels are not what the layer holds
            return image, []
        limits, certain = self.limits or self.result_limits, None
        now, before = (
            grey(sized(_unit(one, limits), image.shape[:2])) for one in (content, former)
        )
        if self.temporal:
            forward = flow_between(now, before)
            certain = certainty(forward, flow_between(before, now))
            image, before = warped(image, forward), warped(before, forward)
        change = now - before
        image = np.clip(image + (change if image.ndim == 2 else change[..., None]), 0, 1)
        if certain is None:
            return image, []
        return image, [OwnLoss("temporal", TemporalLoss(image, certain), weight=self.temporal)]


class TemporalLoss:
    """The mean squared difference to a picture, weighted by how certain it is.

    It is the short-term temporal loss of Ruder et al. 2016, equation 7, of values in [0, 1]:
    `picture` is the result before, (H, W) or (H, W, 3), moved by the optical flow, `certain` (H, W)
    the certainty of the flow.
    """

    def __init__(self, picture: Pixels, certain: Pixels) -> None:
        colours = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)
        self._picture = to_tensor(colours.astype(np.float32), torch.device("cpu"))
        self._certain = torch.from_numpy(np.ascontiguousarray(certain, np.float32))[None, None]

    def __call__(self, image: Tensor) -> Tensor:
        """Compare an image (1, 3, H, W)."""
        if self._picture.shape != image.shape or self._picture.device != image.device:
            shape = (image.shape[2], image.shape[3])
            self._picture, self._certain = (
                resize(one.to(image), shape, smooth=False) for one in (self._picture, self._certain)
            )
        return ((image - self._picture).square() * self._certain).mean()


def _warm(recipe: Recipe, steps: int) -> Recipe:
    """Return the recipe of a slice that starts from the one before: at full size, from its end."""
    # Coarser sizes would replace what is there. So would the long steps of the first phase.
    share = {"refine_share": 1.0} if recipe.phases else {}
    return recipe.replace(init="image", steps=steps, min_size=0, **share)


def _unit(pixels: Pixels, limits: Limits) -> Pixels:
    return DecodedImage(pixels).scaled(limits).pixels


def checked_for_stacks(
    recipe: Recipe, warm_steps: int | None, temporal: float
) -> tuple[int, float]:
    """Return the steps of later slices and the weight of the temporal loss; refuse others."""
    if recipe.init == "image":
        raise ValueError(
            "`init='image'` is set, but a stack has no start image. Choose another value of `init`."
        )
    if warm_steps is None:
        warm_steps = max(1, round(recipe.steps * WARM_SHARE))
    if not isinstance(warm_steps, int) or warm_steps < 0:
        raise ValueError(f"`warm_steps` must be a number of steps, 0 or more; not {warm_steps!r}.")
    if not 0 <= temporal < float("inf"):
        raise ValueError(f"`temporal` must be a weight, 0 or more; not {temporal!r}.")
    if temporal and not warm_steps:
        raise ValueError(
            "`temporal` compares a slice with the one before, but `warm_steps` is 0. Set "
            "`warm_steps` above 0, or `temporal` to 0."
        )
    return warm_steps, float(temporal)


WARM_SHARE = 0.3
"""The steps of a slice that starts from the one before, over those of the recipe. Measured: they
reach the loss of all steps without it (see docs/stacks.md)."""
