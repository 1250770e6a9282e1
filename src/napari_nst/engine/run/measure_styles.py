"""Measure what losses need of styles, one image after the other, as a run does of its styles."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_nst.engine.device import choose_device, choose_precision
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.build import RecipeLike, checked_recipe, refuse_unknown
from napari_nst.engine.job.input_image import read_input
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import check_size, least_side, shares_of
from napari_nst.engine.job.schedule import plan_sizes
from napari_nst.engine.job.style_target import (
    COLOURS,
    MOMENTS,
    PIXELS,
    Array,
    Statistic,
    StyleTarget,
    as_float16,
    in_shares,
    statistics_of,
)
from napari_nst.engine.job.target_fit import refuse_colours_of_content, refuse_whole_images
from napari_nst.engine.losses.sampled import ONE_LAYER, sampled_exemplar
from napari_nst.engine.objective.from_recipe import RotatedStyle, StyleFeatures
from napari_nst.engine.run.phases import Setups
from napari_nst.engine.run.setup import RunSetup
from napari_nst.engine.tiling.budget import TilePlanner
from napari_nst.engine.torch_errors import explained_errors
from napari_nst.engine.vgg.weights import PretrainedVGG, Progress, load
from napari_nst.recipe import Recipe

COLOUR_SAMPLES = 16384
"""Pixels of all images together, of which noise and final colours take mean and covariance."""

ALL_SIZES = 100_000
"""So many steps have all sizes of a recipe; runs of few steps leave out the coarsest."""


def measure(
    images: Sequence[Any], recipe: RecipeLike, progress: Progress | None, fields: Mapping[str, Any]
) -> StyleTarget:
    """Return the style target of some images; arguments and errors are `from_images`'s."""
    refuse_unknown(fields, StyleTarget.from_images, ())
    recipe = _checked_recipe(checked_recipe(recipe, "transfer", fields))
    if progress is not None and not callable(progress):
        raise TypeError("`progress` must be a function of (message, done, total).")
    _check_images(images)
    shares = shares_of(recipe, len(images))
    measuring = _Measuring(recipe.replace(style_blend=()), load(recipe.weights, progress))
    with explained_errors(recipe, measuring.scales), torch.no_grad():
        for index, share in enumerate(shares):
            if progress is not None:
                progress(f"measuring image {index + 1}", index, len(shares))
            measuring.add(images[index], f"images {index + 1}", share)
    return measuring.target()


def _checked_recipe(recipe: Recipe) -> Recipe:
    """Return a recipe whose style losses can use a target; raise ValueError for another."""
    if not recipe.has_style:
        name = "style_layers" if recipe.style_weight else "style_weight"
        raise ValueError(f"`{name}` leaves no style: its value is 0. Give it a value above 0.")
    refuse_whole_images(recipe)
    refuse_colours_of_content(recipe)
    if recipe.style_sizing != "fit":
        raise ValueError(
            f"`style_sizing={recipe.style_sizing!r}` depends on the content, which a style target "
            "does not know. Set `style_sizing='fit'`."
        )
    if any("pooling" in one or "rescale_pooling" in one for one in recipe.phases):
        raise ValueError("A style target has one `pooling`. Leave it out of `phases`.")
    if not recipe.size:
        raise ValueError(
            "`size` is 0, and a style target needs the size of the results. Give `size` the length "
            "of their longest side."
        )
    return recipe


def _check_images(images: Sequence[Any]) -> None:
    """Refuse what is no sequence, and files that do not exist, before anything slow."""
    is_one = isinstance(images, (str, os.PathLike)) or getattr(images, "ndim", None) in (2, 3)
    if is_one or not isinstance(images, Sequence):
        raise TypeError(
            f"`images` must be a list of images; it is {type(images).__name__}. Give [image] for "
            "one."
        )
    if not len(images):
        raise ValueError("`images` is an empty list. Give at least one image.")
    if not isinstance(images, (list, tuple)):
        return  # a sequence that reads its images when they are asked for
    for given in images:
        if isinstance(given, (str, os.PathLike)) and not Path(given).expanduser().is_file():
            raise FileNotFoundError(f"`images` has the file {given}, which does not exist.")


class _Measuring:
    """The statistics of the images so far."""

    def __init__(self, recipe: Recipe, pretrained: PretrainedVGG) -> None:
        self.recipe, self.pretrained = recipe, pretrained
        least, size = least_side(recipe), recipe.size
        endless = recipe.replace(steps=ALL_SIZES)
        self.scales = plan_sizes(endless, size, lambda side: (side, side), least)
        self.device = choose_device(recipe.device)
        self.dtype = choose_precision(recipe.precision, self.device)
        self.setups: dict[int, RunSetup] = {}  # phase → the last one, for its network
        self.totals: dict[str, Array] = {}
        self.vectors: dict[str, list[Array]] = {}
        self.images: list[dict[str, Any]] = []
        self.shape: tuple[int, int] | None = None
        self.is_grey = True

    def add(self, given: Any, name: str, share: float) -> None:
        """Add an image with its share; errors call it `name`."""
        image = read_input(given, name)
        check_size(image.shape, name, self.recipe)
        job = Job("synthesize", self.recipe, self.scales, styles=[image])
        for array, values in self._statistics(job, share).items():
            if array.endswith(MOMENTS):
                weighted = values.astype(np.float64) * share
                self.totals[array] = self.totals.get(array, 0) + weighted
            else:
                self.vectors.setdefault(array, []).append(values)
        known = {key: image.metadata.get(key) for key in ("name", "sha256")}
        self.images.append({**known, "share": share})
        self.shape = self.shape or image.shape
        self.is_grey = self.is_grey and (image.is_grey or self.recipe.channels == "grey")

    def target(self) -> StyleTarget:
        """Return the target of all images."""
        shares = [one["share"] for one in self.images]
        used = [index for index, share in enumerate(shares) if share]
        arrays = {name: total.astype(np.float32) for name, total in self.totals.items()}
        for name, several in self.vectors.items():
            # The image that has the most for its share keeps them all.
            number = round(max(len(several[index]) / shares[index] for index in used))
            arrays[name] = in_shares(several, shares, number)
        assert self.shape is not None
        return StyleTarget(
            recipe=self.recipe,
            images=tuple(self.images),
            shape=self.shape,
            is_grey=self.is_grey,
            weights_sha256=self.pretrained.sha256,
            arrays=arrays,
        )

    def _statistics(self, job: Job, share: float) -> dict[str, Array]:
        """Return the arrays of one image, of the vectors as many as its share allows."""
        planner = TilePlanner(job, self.device, self.dtype, lambda _: None)
        setups = Setups(
            self.pretrained, self.device, self.dtype, planner.image_device, lambda: None
        )
        found: dict[str, Array] = {}
        for scale in self.scales:
            wanted = [
                one
                for one in statistics_of(job.in_phase(scale).recipe)
                if one.arrays(scale.longest)[0] not in found  # by a phase before
            ]
            if not wanted:
                continue
            setup = setups.at(job, scale, self.setups.get(scale.phase))
            self.setups[scale.phase] = setup
            (style,) = setup.styles_at(scale)
            features = setup.style_features(style, planner.plan(job, scale).tile)
            for one in wanted:
                arrays = one.arrays(scale.longest)
                values = _values(one, features, style, share, self.recipe.seed)
                found |= dict(zip(arrays, values, strict=True))
        (whole,) = setup.styles
        found[COLOURS] = _vectors(_pixels_of(whole, COLOUR_SAMPLES, share, self.recipe.seed))
        return found


def _values(
    statistic: Statistic, features: StyleFeatures, style: MaskedImage, share: float, seed: int
) -> list[Array]:
    """Return the arrays of a statistic, in the order of their kinds."""
    layers = dict(statistic.layers)
    if PIXELS in layers:
        return [_vectors(_pixels_of(style, statistic.number, share, seed))]
    if not statistic.number:
        moments = features.exemplar(statistic.layers[0][0], 1.0, style.mask).moments
        both = (moments.mean[0], moments.second_moment[0])
        return [one.cpu().numpy().astype(np.float32) for one in both]
    if isinstance(features, RotatedStyle) and not statistic.is_rotated:
        features = features.turned[0]
    number = math.ceil(statistic.number * share)
    sampled = features.sampled(layers, 1.0, style.mask, max(number, 1), seed)
    return [_vectors(sampled.vectors)]


def _pixels_of(image: MaskedImage, number: int, share: float, seed: int) -> Tensor:
    """Return some pixels of an image, (n, 3), as losses of samples draw them."""
    some = max(1, math.ceil(number * share))
    return sampled_exemplar({"": image.image}, ONE_LAYER, 1.0, image.mask, some, seed).vectors


def _vectors(vectors: Tensor) -> Array:
    return as_float16(vectors.float().cpu().numpy())
