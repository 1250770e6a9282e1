import pytest


@pytest.fixture
def quick(quick):
    """Return a function that makes a quick recipe without total variation."""
    return lambda **changes: quick(**{"tv_weight": 0, **changes})
