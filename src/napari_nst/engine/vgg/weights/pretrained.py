"""Pretrained convolutions and the input that they expect."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from napari_nst.engine.vgg.weights.formats import Parameters

if TYPE_CHECKING:
    from torch import Tensor

Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class PretrainedVGG:
    """The convolutions of a VGG-19 and the input that they were trained on.

    The network's input is an image in [0, 1] with its channels in `channel_order`, then
    ``(image * input_scale - mean) / std``.
    """

    flavour: str  # "gatys", "torchvision" or "caffe"; for a file, the flavour with the same input
    parameters: dict[str, Tensor] = field(repr=False)  # as `formats.SHAPES`; float32, on the CPU
    sha256: str  # of the parameters' content, the same for every file format
    channel_order: Literal["RGB", "BGR"]  # also the order of `mean` and `std`
    input_scale: float  # 1 or 255
    mean: Triple
    std: Triple


def pretrained(flavour: str, parameters: Parameters, sha256: str) -> PretrainedVGG:
    """Combine parameters with the input of their flavour."""
    import numpy as np
    import torch

    tensors = {
        name: torch.from_numpy(np.require(array, requirements="W"))
        for name, array in parameters.items()
    }
    if flavour == "torchvision":
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        return PretrainedVGG(flavour, tensors, sha256, "RGB", 1.0, mean, std)
    mean, std = (103.939, 116.779, 123.68), (1.0, 1.0, 1.0)
    return PretrainedVGG(flavour, tensors, sha256, "BGR", 255.0, mean, std)
