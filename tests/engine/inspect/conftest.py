import pytest


@pytest.fixture
def quick(quick, untrained, monkeypatch):
    """Return a function that makes a quick recipe, whose network is not read from a file."""
    monkeypatch.setattr("napari_nst.engine.inspect.feature_maps.load", lambda *args: untrained)
    return lambda **changes: quick(**{"tv_weight": 0, **changes})
