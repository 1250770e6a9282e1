"""One step of a run, as callers get it."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Iteration:
    """One step of a run.

    Attributes
    ----------
    step, steps : int
        Number of this step, from 1, and of all steps over all scales.
    losses : dict of str to float
        ``total``, ``content``, ``style``, ``tv``, and each layer's part such as ``style/relu1_1``.
        Parts are weighted and add up to the total. They are the losses of this image; with a
        moving average (`Recipe.ema`), of the step that the average took in last.
    shape : tuple of int
        Height and width of the image at this step; depth, height and width of a solid texture. A
        run that changes only a part of an image yields the whole image and its shape.
    seconds : float
        Since the run began.
    seconds_left : float
        Estimate of the time until the end of the run, from the time per pixel so far.
    pixels : Tensor
        The image on the device of the run, (1, 3, H, W), RGB in [0, 1], or (1, 3, D, H, W). Most
        callers want `image`.
    alpha : Tensor or None
        (1, 1, H, W) in [0, 1], if the content has transparent pixels.
    is_grey : bool
        Whether the three channels are equal.
    full_shape : tuple of int
        Height and width of the image at the last scale of the run.
    panel, panels : int, tuple of str
        For several images made in turn: index of this image, and the names of all. Empty for a
        single image.
    facts : mapping
        Metadata of the run; see `record`.
    free : ndarray or None
        (H, W) bool, true for pixels that the run may change; None if it may change all.
    """

    step: int
    steps: int
    losses: dict[str, float]
    shape: tuple[int, ...]
    seconds: float
    seconds_left: float
    pixels: Tensor = field(repr=False)
    alpha: Tensor | None = field(default=None, repr=False)
    is_grey: bool = False
    full_shape: tuple[int, ...] = (0, 0)
    panel: int = 0
    panels: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict, repr=False)
    free: np.ndarray[Any, np.dtype[np.bool_]] | None = field(default=None, repr=False)

    @cached_property
    def image(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The image as float32, RGB in [0, 1], copied from the device when first read.

        It is (H, W, 3), or (D, H, W, 3) of a solid texture.
        """
        from napari_nst.engine.images.convert import to_array  # imports torch

        return to_array(self.pixels)

    @cached_property
    def picture(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """The image with the channels of the content: (H, W), (H, W, 3), or RGBA (H, W, 4).

        Of a solid texture, it is (D, H, W) or (D, H, W, 3).
        """
        if self.is_grey and self.alpha is None:
            return np.ascontiguousarray(self.image[..., 0])
        if self.alpha is None:
            return self.image
        alpha = self.alpha.detach().cpu().numpy()[0, 0, :, :, None]
        return np.concatenate([self.image, alpha], axis=-1)

    @property
    def input_dtype(self) -> np.dtype[Any]:
        """The dtype of the content, or of the first exemplar, in the byte order of this machine."""
        dtypes = (facts.get("dtype", "float32") for facts in self.facts.get("inputs", {}).values())
        return np.dtype(next(dtypes, "float32")).newbyteorder("=")

    @property
    def summary(self) -> str:
        """The step, the size and the losses in one line."""
        size = " × ".join(map(str, self.shape))
        sums = {name: value for name, value in self.losses.items() if "/" not in name and value}
        losses = ", ".join(f"{name} {value:.4g}" for name, value in sums.items())
        return f"step {self.step} of {self.steps}, {size}, {losses or 'no loss'}"

    def _repr_png_(self) -> bytes:
        """Return the picture for a notebook; of a solid texture, the slice in its middle."""
        from PIL import Image

        file, picture = io.BytesIO(), self.picture
        if len(self.shape) == 3:
            picture = picture[len(picture) // 2]
        Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(file, "PNG")
        return file.getvalue()

    def record(self, names: Sequence[str] = ()) -> dict[str, Any]:
        """Return what made this image: recipe, inputs, weights, machine, versions, losses.

        It is plain data, as JSON can hold it. `names` are those of the inputs, in their
        order; images that were read from layers have names without it.
        """
        inputs = {role: dict(facts) for role, facts in self.facts.get("inputs", {}).items()}
        for facts, name in zip(inputs.values(), names, strict=False):
            facts["name"] = name
        return {
            **self.facts,
            "inputs": inputs,
            "step": self.step,
            "steps": self.steps,
            "shape": list(self.shape),
            "seconds": round(self.seconds, 3),
            "losses": dict(self.losses),
        }
