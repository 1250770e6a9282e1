"""The sample painting, a style image that is free of any rights."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import Any

import numpy as np


def sample_painting() -> np.ndarray[Any, Any]:
    """Return the painting that the package contains: uint8 (512, 512, 3) RGB."""
    from PIL import Image

    with as_file(files("napari_nst") / "data" / "painting.jpg") as path, Image.open(path) as image:
        return np.asarray(image)
