"""What made a picture: enough to make it again, as data that JSON can hold."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
import torch

from napari_nst import __version__
from napari_nst.engine.device import describe_device
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.vgg.weights import PretrainedVGG
from napari_nst.recipe import Recipe

FORMAT = 1
"""Raised when the meaning of a record's entries changes."""


def facts_of_run(
    job: str,
    recipe: Recipe,
    images: Mapping[str, InputImage],
    pretrained: PretrainedVGG,
    device: torch.device,
    dtype: torch.dtype,
    **arguments: Any,
) -> dict[str, Any]:
    """Return what is known of a run before its first step.

    Parameters
    ----------
    job : str
        Name of the function that runs it.
    recipe : Recipe
        What it does.
    images : mapping of str to InputImage
        Role of each input, such as ``content`` or ``style 1`` → the input.
    pretrained : PretrainedVGG
        The network's weights.
    device : torch.device
        Where it computes.
    dtype : torch.dtype
        Number format of the network.
    **arguments
        What else the function was called with.
    """
    return {
        "format": FORMAT,
        "job": job,
        "recipe": recipe.to_dict(),
        "seed": recipe.seed,
        "arguments": {name: value for name, value in arguments.items() if value is not None},
        "inputs": {role: dict(image.metadata) for role, image in images.items()},
        "weights": {"flavour": pretrained.flavour, "sha256": pretrained.sha256},
        "device": describe_device(device),
        "precision": str(dtype).removeprefix("torch."),
        "versions": {
            "napari-nst": __version__,
            "torch": str(torch.__version__),
            "torchvision": metadata.version("torchvision"),
            "numpy": np.__version__,
            "python": platform.python_version(),
            "system": platform.platform(),
        },
    }
