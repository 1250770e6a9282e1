import inspect
import time
from types import SimpleNamespace

import numpy as np
import pytest
from fake_iterations import iteration
from napari.utils.notifications import notification_manager

from napari_nst.engine import jobs, series

ENGINE = {
    "stylize": jobs,
    "synthesize": jobs,
    "reconstruct": jobs,
    "compare_reconstructions": series,
    "compare_textures": series,
    "stylize_channels": series,
}
"""What a widget may call → where it finds it."""


@pytest.fixture
def optimiser(monkeypatch):
    """Replace the optimiser, not the viewer, by one whose speed and failures a test can choose.

    The streaming is what these tests are about; the real network has tests of its own. What is
    called keeps its signature, so that a wrong argument fails here too; `state.job` says which it
    was, `state.got` what it got.
    """
    state = SimpleNamespace(closed=0, made=0, job="", got={})

    def install(steps=200, seconds=0.002, shape_at=lambda step: (48, 64), fail_at=None, error=None):
        def iterations(names):
            pictures = max(1, len(names))
            recipe = state.got["recipe"]
            facts = {"job": state.job, "recipe": recipe.to_dict(), "inputs": {}}
            first = state.got.get("content", next(iter(state.got.values())))
            grey = state.job == "stylize_channels" or np.ndim(first) == 2
            try:
                for step in range(1, steps + 1):
                    time.sleep(seconds)
                    if step == fail_at:
                        raise error
                    state.made = step
                    panel = (step - 1) * pictures // steps
                    yield iteration(
                        step, steps, shape_at(step), grey=grey, panel=panel, panels=names,
                        facts=facts,
                    )  # fmt: skip
            finally:
                state.closed += 1

        for name, home in ENGINE.items():
            monkeypatch.setattr(home, name, _stand_in(getattr(home, name), state, iterations))
        return state

    return install


def _stand_in(real, state, iterations):
    signature = inspect.signature(real)

    def called(*args, **kwargs):
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        state.job, state.got = real.__name__, dict(bound.arguments)
        del state.got["progress"]  # it belongs to the run, which nothing may keep
        state.recipe = state.got["recipe"]
        return iterations(tuple(state.got.get("layers") or state.got.get("labels") or ()))

    called.__name__, called.__signature__ = real.__name__, signature
    return called


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """A real napari window with a content and a style layer."""
    viewer = make_napari_viewer_proxy()
    random = np.random.default_rng(0)
    viewer.add_image(random.integers(0, 256, (60, 80, 3), np.uint8), name="cells", rgb=True)
    viewer.add_image(random.integers(0, 256, (50, 50, 3), np.uint8), name="starry", rgb=True)
    return viewer


@pytest.fixture
def dock(viewer):
    """Dock one of the plugin's widgets in that window, through its manifest."""
    return lambda title: viewer.window.add_plugin_dock_widget("napari-nst", title)[1]


@pytest.fixture
def widget(dock):
    """The Style Transfer widget, docked."""
    return dock("Style Transfer")


@pytest.fixture
def until(qtbot):
    """Wait, with the event loop running, until something holds."""

    def wait(condition, seconds=60):
        qtbot.waitUntil(condition, timeout=seconds * 1000)

    return wait


@pytest.fixture
def finish(until):
    """Start a widget's run and wait for its end."""

    def run(widget, seconds=60):
        widget.start()
        until(lambda: not widget.running, seconds)
        return widget.result

    return run


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
