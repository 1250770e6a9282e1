"""What a saved state holds, as JSON and arrays."""

import numpy as np

from napari_nst.engine.checkpoint.codec import Encoder, decode
from napari_nst.engine.job.input_image import InputImage
from napari_nst.io.image_files.calibration import Calibration


def test_an_input_keeps_the_size_of_its_pixels():
    rgb = np.zeros((4, 5, 3), np.float32)
    known = Calibration((4, 5), (0.5, 0.25), "um", (1.0, 2.0))
    encoder = Encoder()
    text = encoder.text(InputImage(rgb, None, True, {"name": "cells.tif"}, known))
    found = decode(text, lambda name: rgb)
    assert list(encoder.blocks) == ["0"]
    assert found.calibration == known
    assert found.shape == (4, 5)
