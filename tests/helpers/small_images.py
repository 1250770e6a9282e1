"""Small pictures to run jobs on."""

import numpy as np
import skimage.data

CONTENT = np.ascontiguousarray(skimage.data.astronaut()[:256:4, 128:384:4])
STYLE = np.ascontiguousarray(skimage.data.coffee()[:192:3, 200:392:3])


def with_alpha(image, alpha):
    """Return an RGB image of uint8 as RGBA; `alpha` is true where it can be seen."""
    return np.dstack([image, np.where(alpha, 255, 0).astype(np.uint8)])
