"""Synthesize a solid texture: scale after scale, step after step, an `Iteration` each."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict

import numpy as np
import torch
from skimage.exposure import match_histograms
from torch import Tensor

from napari_nst.engine.device import choose_device, choose_precision
from napari_nst.engine.images.color_transfer import luminance
from napari_nst.engine.images.convert import to_array
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import RecipeLike
from napari_nst.engine.job.input_image import ImageLike
from napari_nst.engine.job.layers import network_layers
from napari_nst.engine.job.solid import SLICES, SolidJob, SolidScale, order_to_synthesize_solid
from napari_nst.engine.objective.from_recipe import (
    WeightedLoss,
    WholeStyle,
    named_as_term,
    style_losses,
)
from napari_nst.engine.objective.objective import summarise
from napari_nst.engine.optim.image_optimizer import ImageOptimizer
from napari_nst.engine.optim.optimizer import OPTIMIZERS
from napari_nst.engine.run.provenance import run_metadata
from napari_nst.engine.run.setup import initial_image
from napari_nst.engine.run_handle import RunHandle
from napari_nst.engine.solid.objective import SliceNetwork, SolidObjective, enlarged
from napari_nst.engine.steering import Steering
from napari_nst.engine.torch_errors import explained_errors
from napari_nst.engine.vgg.network import VGG19, network_of
from napari_nst.engine.vgg.weights import PretrainedVGG, Progress, load
from napari_nst.errors import Cancelled
from napari_nst.recipe import Recipe


def synthesize_solid(
    exemplars: ImageLike | Sequence[ImageLike | None],
    shape: Sequence[int] = (64, 64, 64),
    recipe: RecipeLike | None = None,
    *,
    slices: int = SLICES,
    progress: Progress | None = None,
    steering: Steering | None = None,
    **fields: object,
) -> RunHandle:
    """Make a volume whose slices along the axes have the texture of exemplars.

    At each step, some slices perpendicular to each axis are drawn at random, and the statistics of
    all of them together are compared with the exemplar's: the approach of Kopf et al. 2007, "Solid
    Texture Synthesis from 2D Exemplars", and Gutierrez et al. 2020, "On Demand Solid Texture
    Synthesis Using Deep 3D Networks", with the volume itself optimised. After the last step, the
    histogram of each channel is matched to that of the exemplars.

    Parameters
    ----------
    exemplars : array-like, or list of array-like or None
        One image for the slices along all axes; a list of two: the first for the slices
        perpendicular to the depth, the second for all others; or of three: for the slices
        perpendicular to the depth, to the height and to the width. One or two of the three may be
        None: slices of that direction are not compared. Images are as for `stylize`. Their rows are
        along the height and their columns along the width, in slices perpendicular to the depth;
        rows are along the depth in the others.
    shape : tuple of int
        Depth, height and width of the volume in voxels. A voxel is as large as a pixel of the
        exemplars, unless `Recipe.size` reduces these.
    recipe : Recipe or str, optional
        As for `stylize`; by default the ``solid`` preset. Its `min_size` is the longest side of
        the volume at the coarsest scale; ``padding="circular"`` makes a volume that tiles without a
        seam. The loss must be one of moments, such as ``mean_covariance`` or ``gram``, and the
        optimiser Adam or RMSprop.
    slices : int
        Number of slices perpendicular to each axis that are compared at each step.
    progress : callable, optional
        Called as ``progress(message, done, total)`` while the network's weights are downloaded.
    steering : Steering, optional
        Stops the run; it cannot change it, nor save its state.
    **fields
        Fields of `Recipe` that replace those of `recipe`.

    Returns
    -------
    RunHandle
        As for `stylize`; `RunHandle.result` is the volume, (D, H, W) for grey exemplars, else
        (D, H, W, 3), in the dtype of the first exemplar.

    Raises
    ------
    TypeError, ValueError
        If an exemplar, the shape or a field of the recipe cannot be used.
    NstError
        While iterating, if weights cannot be downloaded or memory runs out.
    """
    job = order_to_synthesize_solid(exemplars, shape, recipe, slices, **fields)
    return start(job, progress, steering)


def start(
    job: SolidJob, progress: Progress | None = None, steering: Steering | None = None
) -> RunHandle:
    """Return the run of a job."""
    choose_device(job.recipe.device)
    own = steering or Steering()
    own.check_usable()
    if own.save_every:
        raise ValueError(
            "`steering` saves states, which a solid texture does not have. Leave out `save_every`."
        )
    return RunHandle(job.name, lambda tell: _iterate(job, tell, own), own, progress)


def _iterate(
    job: SolidJob, progress: Progress, steering: Steering
) -> Generator[Iteration, None, None]:
    cure = "Choose a smaller `shape`, or close other programs"
    try:
        with explained_errors(job.recipe, job.scales, cure):
            yield from _Run(job, load(job.recipe.weights, progress), steering).iterations()
    except Cancelled:
        if not steering.stopped:
            raise


class _Run:
    """A job under way."""

    def __init__(self, job: SolidJob, pretrained: PretrainedVGG, steering: Steering) -> None:
        self.job = job
        self.pretrained = pretrained
        self.steering = steering
        self.device = choose_device(job.recipe.device)
        self.dtype = choose_precision(job.recipe.precision, self.device)
        self.generator = torch.Generator().manual_seed(job.recipe.seed)
        self.exemplars = [MaskedImage.of(one, self.device) for one in job.exemplars]
        if job.is_grey:
            self.exemplars = [
                MaskedImage(luminance(one.image).expand(-1, 3, -1, -1), one.mask)
                for one in self.exemplars
            ]
        self.facts = run_metadata(
            job.name, job.recipe, job.images, pretrained, self.device, self.dtype, job.arguments
        )
        if job.calibration is not None:
            self.facts["calibration"] = asdict(job.calibration)

    def iterations(self) -> Iterator[Iteration]:
        """Yield an iteration per step."""
        began, done, step = time.perf_counter(), 0.0, 0
        periodic = self.job.recipe.padding == "circular"
        optimizer: ImageOptimizer | None = None
        shape = self.job.scales[0].shape
        for index, scale in enumerate(self.job.scales):
            later = sum(map(_work, self.job.scales[index + 1 :]))
            if optimizer is None:
                image = self._first_image(scale)
            else:
                volume = optimizer.current.view(1, 3, *shape)
                image = _flat(enlarged(volume, scale.shape, periodic=periodic))
            shape = scale.shape
            optimizer = self._optimizer(scale, image)
            for taken in range(1, scale.steps + 1):
                self.steering.check_cancelled()
                if self.steering.take_changes() is not None:
                    self.steering.tell("Not changed: the run of a solid texture can only stop.")
                losses = summarise(optimizer.step())
                step += 1
                done += _work(scale) / scale.steps
                seconds = time.perf_counter() - began
                work_left = _work(scale) * (1 - taken / scale.steps) + later
                yield self._iteration(
                    optimizer.image, scale, step, losses, seconds, seconds * work_left / done
                )

    def _first_image(self, scale: SolidScale) -> Tensor:
        depth, height, width = scale.shape
        return initial_image(
            self.job.recipe, (depth * height, width), None, self.exemplars, None,
            grey=self.job.is_grey,
        )  # fmt: skip

    def _optimizer(self, scale: SolidScale, image: Tensor) -> ImageOptimizer:
        recipe = self.job.recipe.phase(scale.phase)
        network = network_of(
            recipe, network_layers(recipe), self.pretrained, self.dtype, SliceNetwork
        ).to(self.device)
        assert isinstance(network, SliceNetwork)
        network.check_cancelled = self.steering.check_cancelled
        # The exemplars have borders, even if the volume is periodic.
        reading = network.with_padding("replicate") if recipe.padding == "circular" else network
        found = [
            self._losses(recipe, reading, index, scale) for index in range(len(self.exemplars))
        ]
        losses = {axis: found[of] for axis, of in enumerate(self.job.of_axes) if of is not None}
        objective = SolidObjective(
            network, scale.shape, losses, recipe, self.job.slices, self.generator
        )
        return OPTIMIZERS[recipe.optimizer](recipe, image, objective, grey=self.job.is_grey)

    @torch.no_grad()
    def _losses(
        self, recipe: Recipe, network: VGG19, index: int, scale: SolidScale
    ) -> Mapping[str, WeightedLoss]:
        """Return the losses that compare slices with an exemplar."""
        exemplar = self.exemplars[index].resized(self.job.fitted(self.job.exemplars[index], scale))
        features = WholeStyle(dict(network.iter_features(exemplar.image)))
        losses: dict[str, WeightedLoss] = {}
        for number, term in enumerate(recipe.with_terms()):
            found = style_losses(term, [features], [exemplar.mask])
            losses |= named_as_term(term, found, losses) if number else found
        return losses

    def _iteration(
        self, image: Tensor, scale: SolidScale, step: int, losses: dict[str, float],
        seconds: float, seconds_left: float,
    ) -> Iteration:  # fmt: skip
        steps = sum(one.steps for one in self.job.scales)
        volume = image.view(1, 3, *scale.shape)
        return Iteration(
            step=step,
            steps=steps,
            losses=losses,
            shape=scale.shape,
            seconds=seconds,
            seconds_left=seconds_left,
            pixels=self._matched(volume) if step == steps else volume,
            is_grey=self.job.is_grey,
            full_shape=self.job.shape,
            facts=self.facts,
        )

    def _matched(self, volume: Tensor) -> Tensor:
        """Return a volume (1, 3, D, H, W) with the histograms of the exemplars' pixels."""
        pixels = [
            one.image.flatten(2) if one.mask is None else one.image[..., one.mask[0, 0] > 0.5]
            for one in self.exemplars
        ]
        reference = np.concatenate([one.reshape(3, -1).T.cpu().numpy() for one in pixels])
        own = to_array(volume)
        matched = match_histograms(own.reshape(-1, 3), reference, channel_axis=-1)
        found = torch.from_numpy(matched.astype(np.float32).reshape(own.shape))
        return found.movedim(-1, 0)[None].to(volume.device)


def _flat(volume: Tensor) -> Tensor:
    """Return a volume (1, C, D, H, W) as an image (1, C, D·H, W)."""
    return volume.flatten(2, 3).contiguous()


def _work(scale: SolidScale) -> float:
    return scale.steps * sum(math.prod(scale.shape) / side for side in scale.shape)
