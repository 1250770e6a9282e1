import numpy as np
import pytest

from tests.engine.conftest import gatys, quick, untrained, untrained_file  # noqa: F401


@pytest.fixture
def stack():
    """Six slices of noise."""
    return np.random.default_rng(0).integers(0, 256, (6, 40, 48), np.uint8)


@pytest.fixture
def style():
    return np.random.default_rng(1).integers(0, 256, (48, 40, 3), np.uint8)
