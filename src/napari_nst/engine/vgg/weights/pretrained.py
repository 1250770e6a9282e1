"""Pretrained convolutions, and the input that they were trained on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from napari_nst.engine.vgg.weights.formats import Parameters

if TYPE_CHECKING:
    from torch import Tensor

Triple = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class PretrainedVGG:
    """The convolutions of a VGG-19, and the input they were trained on.

    An image in [0, 1] RGB becomes the network's input by ordering its channels as `channel_order`
    says, then ``(image * input_scale - mean) / std``.

    Attributes
    ----------
    flavour : {"gatys", "torchvision", "caffe"}
        Of a file, the one whose input convention it follows.
    parameters : dict of str to Tensor
        float32 on the CPU: ``conv1_1.weight`` (64, 3, 3, 3), ``conv1_1.bias`` (64,) …
        ``conv5_4.bias``.
    sha256 : str
        Hash of the parameters' content, the same in whatever file they came.
    channel_order : {"RGB", "BGR"}
        Of the input, and so of `mean` and `std`.
    input_scale : float
        255 or 1.
    mean, std : tuple of float
        Per channel, after scaling.
    """

    flavour: str
    parameters: dict[str, Tensor] = field(repr=False)
    sha256: str
    channel_order: Literal["RGB", "BGR"]
    input_scale: float
    mean: Triple
    std: Triple


def pretrained(flavour: str, parameters: Parameters, sha256: str) -> PretrainedVGG:
    """Return the convolutions of a flavour's file, with the input of that flavour."""
    import numpy as np
    import torch

    tensors = {
        name: torch.from_numpy(np.require(array, requirements="W"))
        for name, array in parameters.items()
    }
    if flavour == "torchvision":
        return PretrainedVGG(
            flavour,
            tensors,
            sha256,
            channel_order="RGB",
            input_scale=1.0,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
        )
    return PretrainedVGG(
        flavour,
        tensors,
        sha256,
        channel_order="BGR",
        input_scale=255.0,
        mean=(103.939, 116.779, 123.68),
        std=(1.0, 1.0, 1.0),
    )
