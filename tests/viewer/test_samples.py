import numpy as np

from napari_nst.viewer.samples import sample_painting


def test_the_painting_is_shipped_with_the_package():
    painting = sample_painting()
    assert painting.shape == (512, 512, 3)
    assert painting.dtype == np.uint8
    assert painting.std() > 40
