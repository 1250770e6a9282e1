import numpy as np
import pytest
import skimage.data

from tests.engine.conftest import gatys, quick, untrained, untrained_file  # noqa: F401

EXEMPLAR = skimage.data.gravel()[:64, :64]


@pytest.fixture
def exemplar():
    return np.ascontiguousarray(EXEMPLAR)


@pytest.fixture
def texture(quick):  # noqa: F811
    """Return a recipe of few steps, whose features of no network are compared."""

    def make(**fields):
        own = {"content_layers": {}, "init": "noise", "size": 64, "steps": 2, "noise": "covariance"}
        return quick(**{**own, **fields})

    return make
