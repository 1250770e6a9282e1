import time
from types import SimpleNamespace

import numpy as np
import pytest
from fake_iterations import iteration
from napari.utils.notifications import notification_manager


@pytest.fixture
def optimiser(monkeypatch):
    """Replace the optimiser, not the viewer, by one whose speed and failures a test can choose.

    The streaming is what these tests are about; the real network has tests of its own.
    """
    state = SimpleNamespace(closed=0, made=0)

    def install(steps=200, seconds=0.002, shape_at=lambda step: (48, 64), fail_at=None, error=None):
        def stylize(content, style, recipe, progress=None):
            state.content, state.style, state.recipe = content, style, recipe
            try:
                for step in range(1, steps + 1):
                    time.sleep(seconds)
                    if step == fail_at:
                        raise error
                    state.made = step
                    yield iteration(step, steps, shape_at(step))
            finally:
                state.closed += 1

        monkeypatch.setattr("napari_nst.engine.jobs.stylize", stylize)
        return state

    return install


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """A real napari window with a content and a style layer."""
    viewer = make_napari_viewer_proxy()
    random = np.random.default_rng(0)
    viewer.add_image(random.integers(0, 256, (60, 80, 3), np.uint8), name="cells", rgb=True)
    viewer.add_image(random.integers(0, 256, (50, 50, 3), np.uint8), name="starry", rgb=True)
    return viewer


@pytest.fixture
def widget(viewer):
    """The Style Transfer widget, docked in that window through the plugin's manifest."""
    return viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")[1]


@pytest.fixture
def until(qtbot):
    """Wait, with the event loop running, until something holds."""

    def wait(condition, seconds=60):
        qtbot.waitUntil(condition, timeout=seconds * 1000)

    return wait


@pytest.fixture
def messages():
    """Texts of the notifications that this test's user has seen."""
    seen = len(notification_manager.records)
    return lambda: [str(record.message) for record in notification_manager.records[seen:]]


@pytest.fixture
def plugin_preferences():
    """The plugin's page of preferences, put back afterwards."""
    from napari.settings import get_plugin_settings

    page = get_plugin_settings("napari-nst")
    yield page
    page.reset()
