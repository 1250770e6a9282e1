import inspect
import time
from types import SimpleNamespace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.utils._proxies import PublicOnlyProxy
from napari.utils.notifications import notification_manager

from napari_nst.engine import api as jobs
from napari_nst.engine import compare as series
from napari_nst.recipe import DEFAULT_PRESETS
from tests.helpers.fake_iterations import evaluate, iteration

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
    was, `state.got` what it got, `state.changes` how it was steered on its way. With `tile`, steps
    come in tiles; `state.until_tile`, a step and how many of its tiles, is where they wait.
    """
    state = SimpleNamespace(closed=0, made=0, job="", got={}, changes=[], until_tile=None)

    def install(
        steps=200, seconds=0.002, shape_at=lambda step: (48, 64), fail_at=None, error=None, tile=0,
        forecast="",
    ):  # fmt: skip
        def iterations(names, progress, steering, after):
            pictures = max(1, len(names))
            done = after.step if after else 0
            recipe = state.got["recipe"]
            facts = {
                "job": state.job, "recipe": recipe.to_dict(), "inputs": {}, "arguments": {},
            }  # fmt: skip
            pictures_of = ("content", "into", "exemplar", "image")
            shown = [state.got[n] for n in pictures_of if state.got.get(n) is not None]
            grey = state.job == "stylize_channels" or np.ndim(shown[0]) == 2
            marked = state.got.get("guide" if state.got.get("keep_unlabelled") else "region")
            free = None if marked is None else np.asarray(marked) > 0
            if forecast:
                progress(forecast, 0, 0)
            try:
                for step in range(done + 1, done + steps + 1):
                    time.sleep(seconds)
                    if step == fail_at:
                        raise error
                    if steering is not None and (change := steering.take_changes()) is not None:
                        state.changes.append(change)
                        noted = {"after_step": step - 1, **change.fields}
                        facts = {**facts, "steered": [*facts.get("steered", []), noted]}
                    if tile:
                        evaluate(step, step / (done + steps), shape_at(step), tile, steering, state)
                    state.made = step
                    panel = (step - done - 1) * pictures // steps
                    yield iteration(
                        step, done + steps, shape_at(step), grey=grey, panel=panel, panels=names,
                        full_shape=shape_at(done + steps), facts=facts, free=free,
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
        # These belong to the run, which nothing may keep.
        run = [state.got.pop(name, None) for name in ("progress", "steering", "after")]
        state.is_steered = run[1] is not None
        state.recipe = state.got["recipe"]
        names = tuple(state.got.get("layers") or state.got.get("labels") or ())
        return iterations(names, *run)

    called.__name__, called.__signature__ = real.__name__, signature
    return called


@pytest.fixture
def model():
    """A viewer without a window; layers need no more."""
    return ViewerModel()


@pytest.fixture(params=["bare", "as a plugin gets it"])
def windowless(request, model, monkeypatch):
    """A viewer without a window, and what a plugin would get of it.

    That shows public names alone, and makes new objects of all that it is asked for.
    """
    if request.param == "bare":
        return model
    monkeypatch.delenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD")  # there is no Qt to ask for a thread
    return PublicOnlyProxy(model)


@pytest.fixture
def viewer(make_napari_viewer_proxy):
    """A real napari window with a content and a style layer."""
    viewer = make_napari_viewer_proxy()
    random = np.random.default_rng(0)
    viewer.add_image(random.integers(0, 256, (60, 80, 3), np.uint8), name="cells", rgb=True)
    viewer.add_image(random.integers(0, 256, (50, 50, 3), np.uint8), name="starry", rgb=True)
    viewer.layers.selection.active = viewer.layers["cells"]
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
        qtbot.waitUntil(lambda: bool(condition()), timeout=seconds * 1000)

    return wait


@pytest.fixture
def running(optimiser, until):
    """Return a function that starts a widget's slow run; all of them are stopped at the end."""
    started = []

    def start(widget, **arguments):
        started.append(widget)
        state = optimiser(**{"steps": 3000, "seconds": 0.005, **arguments})
        widget.start()
        until(lambda: state.made > 3)
        return state

    yield start
    for widget in started:
        widget.panel.runner.stop()
        until(lambda widget=widget: not widget.running)


@pytest.fixture
def settle(qtbot):
    """Wait until something is counted no more, because the window is idle."""

    def wait(counted):
        before = -1
        while before != counted.count:
            before = counted.count
            qtbot.wait(200)

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


@pytest.fixture(autouse=True)
def _nothing_remembered():
    """Let no test's run say where the next test's widgets begin."""
    yield
    from napari_nst.viewer.settings.preferences import remember

    for kind in DEFAULT_PRESETS:
        remember(kind, {})
