"""Convert images between NumPy arrays and float32 tensors (1, 3, H, W), RGB in [0, 1]."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def to_tensor(image: np.ndarray[Any, Any], device: torch.device) -> Tensor:
    """Return float32 RGB pixels (H, W, 3) as a tensor (1, 3, H, W) on `device`."""
    channels_first = np.ascontiguousarray(image.transpose(2, 0, 1)[None])
    return torch.from_numpy(channels_first).to(device)


def to_array(image: Tensor) -> np.ndarray[Any, Any]:
    """Return a tensor (1, 3, H, W) as float32 pixels (H, W, 3) in [0, 1], a copy.

    A volume (1, 3, D, H, W) becomes (D, H, W, 3).
    """
    pixels = image.detach().clamp(0, 1).float().cpu()
    return np.array(pixels[0].movedim(0, -1).numpy(), order="C")


def resize(
    image: Tensor, shape: tuple[int, int], *, smooth: bool = True, periodic: bool = False
) -> Tensor:
    """Resample an image or mask (N, C, H, W) antialiased, bicubic if `smooth`, else bilinear."""
    if image.shape[-2:] == shape:
        return image
    if periodic:
        # The image continues beyond each border at the opposite one. Nine copies keep the phase at
        # any ratio; padding by whole pixels would shift it.
        height, width = shape
        copies = resize(image.repeat(1, 1, 3, 3), (3 * height, 3 * width), smooth=smooth)
        return copies[..., height : 2 * height, width : 2 * width]
    mode = "bicubic" if smooth else "bilinear"
    return functional.interpolate(image, shape, mode=mode, align_corners=False, antialias=True)


def mixed(image: Tensor, matrix: Tensor) -> Tensor:
    """Return an image (1, 3, H, W) whose channels are mixed by a matrix (3, 3)."""
    return (matrix @ image.flatten(2)).view_as(image)


def painted(picture: Tensor, paint: np.ndarray[Any, Any], where: np.ndarray[Any, Any]) -> Tensor:
    """Return an image (1, 3, H, W) with RGB pixels (h, w, 3) over it where a mask (h, w) is true.

    The pixels and the mask are resampled to its size.
    """
    shape = (picture.shape[2], picture.shape[3])
    mask = torch.from_numpy(where.astype("float32"))[None, None].to(picture.device)
    pixels = resize(to_tensor(paint, picture.device), shape)
    return torch.lerp(picture, pixels, resize(mask, shape, smooth=False))
