"""What made an image: enough to make it again, as data that JSON can hold."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata, util
from typing import Any

import numpy as np
import torch

from napari_nst.engine.device import describe_device
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.recipe import Recipe

FORMAT = 1
"""Raised when the meaning of a record's entries changes."""


def run_metadata(
    name: str,
    recipe: Recipe,
    images: Mapping[str, InputImage],
    pretrained: PretrainedVGG,
    device: torch.device,
    dtype: torch.dtype,
    arguments: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what is known of a run before its first step.

    `name` is the function that runs it, `images` maps roles such as ``style 1`` to inputs, and
    `arguments` are the function's other arguments.
    """
    versions = {
        "napari-nst": metadata.version("napari-nst"),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
    }
    if util.find_spec("torchvision"):
        versions["torchvision"] = metadata.version("torchvision")
    return {
        "format": FORMAT,
        "job": name,
        "recipe": recipe.to_dict(),
        "seed": recipe.seed,
        "arguments": {key: value for key, value in arguments.items() if value is not None},
        "inputs": {role: dict(image.metadata) for role, image in images.items()},
        "weights": {"flavour": pretrained.flavour, "sha256": pretrained.sha256},
        "device": describe_device(device),
        "precision": str(dtype).removeprefix("torch."),
        "versions": versions,
    }
