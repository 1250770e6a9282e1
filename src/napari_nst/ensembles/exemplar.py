"""The exemplar of an ensemble: what textures are made of, and compared with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from napari_nst.engine.images.color_transfer import luminance
from napari_nst.engine.images.convert import to_array
from napari_nst.engine.images.masked_image import MaskedImage
from napari_nst.engine.job.input_image import InputImage, read_styles
from napari_nst.io.image_files.decoded_image import Limits, Pixels
from napari_nst.recipe import Recipe
from napari_nst.texture_statistics.reading import read

if TYPE_CHECKING:
    from napari_nst.engine.job.job import Job

MICROMETRE = {"µm": "micrometer"}
"""Unit of statistics → that of OME-Zarr; others are those of pixels."""


@dataclass(frozen=True, eq=False)
class Exemplar:
    """An image that was read, and how results are stored."""

    image: InputImage
    dtype: np.dtype[Any]
    limits: Limits | None = None  # the values of results that are black and white
    sides: tuple[float, float] = (1.0, 1.0)  # of a pixel
    unit: str = "pixel"

    @property
    def name(self) -> str:
        """The name of the file or the layer."""
        name = self.image.metadata.get("name") or self.image.metadata.get("path") or "texture"
        return Path(str(name)).stem

    def sides_in(self, job: Job) -> tuple[float, float]:
        """Return the sides of a pixel at the size that a job gives the exemplar."""
        fit = job.fits(job.scales[-1])[0]
        height, width = (
            own * side / now
            for own, side, now in zip(self.image.shape, self.sides, fit.shape, strict=True)
        )
        return height, width

    def fitted(self, job: Job) -> tuple[Pixels, Pixels | None]:
        """Return the exemplar in [0, 1], (H, W) or (H, W, 3), as the result of a job is.

        With it comes which of its pixels count, bool (H, W); None if all do.
        """
        fit = job.fits(job.scales[-1])[0]
        found = MaskedImage.of(self.image, torch.device("cpu")).fitted(fit)
        image = found.image
        if job.shows_grey and not self.image.is_grey:
            image = luminance(image).expand(-1, 3, -1, -1)
        picture: Pixels = to_array(image)
        mask = None if found.mask is None else found.mask[0, 0].numpy() >= 0.5
        return picture[..., 0] if job.shows_grey else picture, mask


def read_exemplar(given: Any, recipe: Recipe) -> Exemplar:
    """Check an exemplar as `synthesize` takes it; there is one, because copies are those of it."""
    if isinstance(given, Exemplar):
        read_styles(given.image, "exemplar", recipe)
        return given
    several = list(given) if isinstance(given, (list, tuple)) else [given]
    if len(several) > 1:
        raise ValueError(
            f"`exemplar` is a list of {len(several)}; an ensemble is compared with a single image. "
            "Give one."
        )
    image = read_styles(several, "exemplar", recipe)[0]
    dtype = np.dtype(image.metadata.get("dtype", "float32")).newbyteorder("=")
    found = read(image.rgb if isinstance(several[0], InputImage) else several[0], "exemplar")
    sides = found.scale if found.scale is not None and len(found.scale) == 2 else (1.0, 1.0)
    return Exemplar(image, dtype, None, (sides[0], sides[1]), found.unit)
