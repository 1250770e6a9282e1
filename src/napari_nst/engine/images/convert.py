"""Images as the engine has them: float32 tensors (1, 3, H, W), RGB in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2.functional import resize_image  # type: ignore[attr-defined]

from napari_nst.engine.job.input_image import as_rgb

__all__ = ["as_rgb", "resize", "to_array", "to_tensor"]


def to_tensor(image: np.ndarray[Any, Any], device: torch.device) -> Tensor:
    """Return float32 RGB pixels (H, W, 3) as a tensor (1, 3, H, W) on `device`."""
    channels_first = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    return torch.from_numpy(channels_first).to(device)


def to_array(image: Tensor) -> np.ndarray[Any, Any]:
    """Return a tensor (1, 3, H, W) as float32 pixels (H, W, 3) in [0, 1], a copy."""
    pixels = image.detach().clamp(0, 1).float().cpu()
    return np.array(pixels[0].permute(1, 2, 0).numpy(), order="C")


def resize(
    image: Tensor, shape: tuple[int, int], *, smooth: bool = True, periodic: bool = False
) -> Tensor:
    """Resample an image, or anything else that has one value per pixel, to `shape`.

    Parameters
    ----------
    image : Tensor
        (N, C, H, W), float32.
    shape : tuple of int
        Height and width wanted.
    smooth : bool
        Bicubic where true; bilinear, which never leaves the range of the values, where false.
        Both with an antialiasing filter when shrinking.
    periodic : bool
        Whether the image goes on beyond its border with the opposite one.
    """
    if image.shape[-2:] == shape:
        return image
    if periodic:
        # Nine tiles keep the phase at any ratio; padding by whole pixels would shift it.
        height, width = shape
        tiles = resize(image.repeat(1, 1, 3, 3), (3 * height, 3 * width), smooth=smooth)
        return tiles[..., height : 2 * height, width : 2 * width]
    mode = InterpolationMode.BICUBIC if smooth else InterpolationMode.BILINEAR
    resampled: Tensor = resize_image(image, list(shape), interpolation=mode, antialias=True)
    return resampled
