"""An estimate of the memory that a run takes, and the memory that is free.

The estimate is linear: a constant, a number of bytes for each pixel that the network reads in one
pass, and a number for each pixel of the image. The constants were fitted to the peaks of runs of
the default recipe on CPUs, from 384 to 2048 pixels, whole and in tiles, with L-BFGS and Adam.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch

from napari_nst.engine.job.job import Job
from napari_nst.engine.job.layers import layer_weights, layers_of, network_layers
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.tiling.grid import halo_of
from napari_nst.io.free_memory import free_host_memory
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import LAYER_NAMES, canonical_layer, poolings_before
from napari_nst.recipe.sections import SAMPLED_LOSSES, TILED_LOSSES

LIBRARIES = 200_000_000
"""Bytes that torch's libraries take when they first compute."""

FEATURES = {2: 4.5, 4: 3.5}
"""Bytes per element of the network → tensors as large as relu1_1 that a pass holds at its peak."""

COPIES = 4
"""float32 tensors as large as relu1_1 that a loss holds which sorts or transforms features."""

FREED = 170_000_000
"""Bytes at most that the C library keeps of freed memory between two passes."""

IMAGES = 14
"""float32 copies of the image: variables, gradients, the best image so far, the one shown, …"""

BANDS_PER_PIXEL = 4 / 3
"""Variables of Laplacian bands per pixel and channel: 1 + 1/4 + 1/16 + …"""


@dataclass(frozen=True)
class MemoryEstimate:
    """The bytes that a run takes at one scale, apart from the network and the inputs."""

    passes: int  # forward and backward pass of a tile, or of the whole image
    image: int  # image, gradients, optimizer, targets
    past_step: int  # each past step of L-BFGS; 0 for Adam
    history: int  # number of past steps

    @property
    def bytes(self) -> int:
        """All bytes together."""
        return LIBRARIES + self.passes + self.image + self.past_step * self.history


def estimate_memory(job: Job, scale: Scale, dtype: torch.dtype, *, tile: int = 0) -> MemoryEstimate:
    """Estimate the memory of a scale, computed in tiles or, with 0, as a whole."""
    recipe, pixels = job.recipe, math.prod(scale.shape)
    values = pixels * (1 if job.works_in_grey else 3)
    variables = values * (BANDS_PER_PIXEL if recipe.parametrization == "laplacian" else 1)
    read = _pixels_read(scale.shape, tile, recipe)
    styles = sum(math.prod(fit.shape) for fit in job.fits(scale))
    images = variables * (IMAGES + 2 * bool(recipe.ema))
    if recipe.parametrization != "pixels":  # the image and its gradient besides the variables
        images += 3 * values
    images += 3 * pixels * (job.content is not None) + 3 * styles
    content = pixels * elements_per_pixel(layers_of(recipe, "content")) * dtype.itemsize
    content *= max(1, recipe.jitter)  # a target for each shift
    features = read * elements_per_pixel(["relu1_1"]) * dtype.itemsize
    passes = FEATURES[dtype.itemsize] * features + min(6 * features, FREED)
    if not (tile or job.needs_no_style_features):
        # The features of all styles are in memory at once.
        of_styles = styles * elements_per_pixel(layers_of(recipe, "style"))
        passes = max(passes, of_styles * dtype.itemsize)
        whole = [term for term in recipe.with_terms() if term.style_loss not in TILED_LOSSES]
        if any(layer_weights(term, "style") for term in whole):  # with targets of their size
            passes += of_styles * (dtype.itemsize + 4)
            passes += COPIES * 4 * read * elements_per_pixel(["relu1_1"])
    per_variable = 0
    if recipe.optimizer == "lbfgs":
        per_variable = 8 if recipe.line_search else 4  # step and change, in float32 or bfloat16
    samples = sum(_of_samples(term, len(job.styles), pixels) for term in recipe.with_terms())
    return MemoryEstimate(
        passes=round(passes),
        image=round(4 * images + content + 4 * samples),
        past_step=round(per_variable * variables),
        history=min(recipe.history, scale.steps),
    )


def _of_samples(recipe: Recipe, styles: int, pixels: int) -> float:
    """Return the elements that losses of samples hold, or have for a moment; terms are left out."""
    count = 0.0
    for kind, loss in (("content", recipe.content_loss), ("style", recipe.style_loss)):
        layers = layer_weights(recipe, kind)
        if loss not in SAMPLED_LOSSES or not layers:
            continue
        channels = [_channels(canonical_layer(name)) for name in layers]
        vectors = recipe.samples if kind == "content" else styles * recipe.style_samples
        # Vectors of the style and for the search in it, of the image, and their gradients.
        count += sum(channels) * (2 * vectors + 4 * recipe.samples)
        count += 3 * recipe.samples * vectors  # similarities of all pairs
        joined = sum(channels) if recipe.hypercolumns else max(channels)
        count += 3 * joined**2 * (loss == "moments")
        if loss == "nn" and recipe.nn_targets == "scale" and recipe.hypercolumns:
            count += 2 * joined * pixels / 16  # all positions that get a target
    return count


def elements_per_pixel(layers: Iterable[str]) -> float:
    """Return how many elements the features of some layers have for each pixel of an image."""
    names = [canonical_layer(name) for name in layers]
    return float(sum(_channels(name) / 4 ** poolings_before(name) for name in names))


def _channels(layer: str) -> int:
    return min(32 << int(layer[4]), 512)


def free_memory(device: torch.device) -> int:
    """Return the bytes that a device has left for this process."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(free + cached)
    return free_host_memory()


def memory_text(count: float) -> str:
    """Write an estimate of memory: ``810 MB``, ``2.1 GB``."""
    return f"{count / 1e9:.1f} GB" if count >= 0.995e9 else f"{max(10, round(count / 1e7) * 10)} MB"


def _pixels_read(shape: tuple[int, int], tile: int, recipe: Recipe) -> int:
    """Return how many pixels the network reads of the largest tile, its halo included."""
    names = [canonical_layer(name) for name in network_layers(recipe)]
    halo = halo_of(max(names, key=LAYER_NAMES.index))
    return math.prod(
        min(side, math.ceil(side / math.ceil(side / (tile or side))) + 2 * halo) for side in shape
    )
