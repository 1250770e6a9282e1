"""The widget offers a run that was interrupted, and goes on with it."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import napari_nst as nst
from napari_nst.engine.checkpoint import saved_runs
from napari_nst.engine.checkpoint.saved_runs import interrupted_runs, read_summary, runs_folder
from napari_nst.engine.vgg.weights import cached_file
from napari_nst.viewer.run.recovered import recovered_request
from tests.helpers import killed_run
from tests.helpers.terminal_tools import SOURCES

pytestmark = [pytest.mark.window, pytest.mark.network]


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    """The saved state of a run whose process was killed after its fifth step."""
    folder, root = tmp_path_factory.mktemp("killed"), Path(__file__).parents[2]
    network = cached_file("gatys")
    (folder / network.name).symlink_to(network)
    paths = [str(SOURCES), str(root), os.environ.get("PYTHONPATH", "")]
    env = {
        **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": str(torch.get_num_threads()), "NAPARI_NST_HOME": str(folder),
    }  # fmt: skip
    command = [sys.executable, killed_run.__file__, "5"]
    assert subprocess.run(command, env=env, check=False).returncode == -signal.SIGKILL
    return folder


@pytest.fixture
def killed(state, tmp_path, monkeypatch):
    """That state in a cache folder of its own."""
    home = tmp_path / "home"
    shutil.copytree(state, home, symlinks=True)
    monkeypatch.setenv("NAPARI_NST_HOME", str(home))
    (saved,) = interrupted_runs()
    return saved


def test_a_killed_run_is_recovered_with_its_layer_and_goes_on(killed, dock, until):
    widget, other = dock("Style Transfer"), dock("Texture Synthesis")
    assert widget.recovery.isVisibleTo(widget.native)
    assert not other.recovery.isVisibleTo(other.native)
    widget.recovery.recover.click()
    assert not widget.recovery.isVisibleTo(widget.native)
    of_machine = {name: getattr(widget.recipe, name) for name in ("device", "precision")}
    assert widget.recipe == killed_run.RECIPE.replace(**of_machine)
    until(lambda: not widget.running)
    assert not widget.recovery.isVisibleTo(widget.native)
    assert not list(runs_folder().iterdir())

    *_, whole = nst.stylize(killed_run.content(), killed_run.STYLE, killed_run.RECIPE)
    layer = widget.result
    assert layer.name == "cells × starry"
    assert layer.data.dtype == np.uint16
    assert layer.data.shape == (1, 40, 48)
    assert np.array_equal(layer.data[0], np.rint(whole.picture * 4095))
    assert np.allclose(layer.scale, killed_run.LAYER["scale"])
    assert np.allclose(layer.translate, [15, 2, 3])
    assert [str(unit) for unit in layer.units] == ["micrometer"] * 3
    assert tuple(layer.contrast_limits) == (0, 4095)
    assert layer.colormap.name == "magenta"
    assert layer.metadata["napari-nst"]["resumed"] == [{"after_step": 5}]
    losses = widget.panel.runner.losses
    assert len(losses) == 8
    assert losses.columns["total"][-1] == whole.losses["total"]
    assert losses.columns["total"][0] > losses.columns["total"][-1]

    widget.panel.go_on(2)
    until(lambda: not widget.running)
    assert widget.panel.runner.last.step == 10
    assert widget.result is layer


def test_a_recovered_run_is_paused_steered_and_stopped(killed, dock, until, monkeypatch):
    widget = dock("Style Transfer")
    monkeypatch.setattr(saved_runs, "SHARE", 0)
    shown = []
    widget.panel.runner.shown.connect(lambda: shown.append(widget.panel.active.newest.step))
    widget.recovery.recover.click()
    widget.panel.runner.pause()
    until(lambda: widget.panel.active.holding)
    assert widget.panel.active.newest.step == 5  # the saved image is there at once
    widget.style_weight.value = 33.0
    until(lambda: widget.panel.active.steering._pending is not None)
    widget.panel.runner.pause()
    until(lambda: not widget.running)
    record = widget.result.metadata["napari-nst"]
    assert record["steered"] == [{"after_step": 5, "style_weight": 33.0}]
    assert record["step"] == 8


def test_a_run_that_another_process_has_is_not_recovered_twice(killed, dock, until, messages):
    widget = dock("Style Transfer")
    killed.path.unlink()
    widget.recovery.recover.click()
    until(lambda: messages())
    until(lambda: not widget.running)
    assert "\n" not in messages()[-1]
    assert widget.result is None
    assert not widget.recovery.isVisibleTo(widget.native)


def test_a_discarded_run_is_gone(killed, dock):
    widget = dock("Style Transfer")
    widget.recovery.discard.click()
    assert not widget.recovery.isVisibleTo(widget.native)
    assert not list(runs_folder().iterdir())


def test_the_offer_of_a_run_with_a_long_name_leaves_the_panel_narrow(killed, dock, monkeypatch):
    title = "a_name_without_spaces_" * 10 + " × starry"
    long = replace(killed, title=title)
    monkeypatch.setattr("napari_nst.viewer.recovery.interrupted_runs", lambda: [long])
    offering, other = dock("Style Transfer"), dock("Texture Synthesis")
    assert offering.recovery.isVisibleTo(offering.native)
    assert title in offering.recovery.text.text()
    assert offering.recovery.text.toolTip() == title
    widths = [one.native.minimumSizeHint().width() for one in (offering, other)]
    assert widths[0] < widths[1] + 50


def test_every_widget_saves_what_its_recovery_needs(
    state, tmp_path, monkeypatch, dock, until, plugin_preferences, messages
):
    shutil.copytree(state, tmp_path / "home", symlinks=True, ignore=lambda *_: ["runs"])
    monkeypatch.setenv("NAPARI_NST_HOME", str(tmp_path / "home"))
    plugin_preferences.compute.save_every = 1e-6
    for title in ("Style Transfer", "Texture Synthesis", "Content Reconstruction"):
        widget = dock(title)
        widget.size.value, widget.steps.value = 48, 500
        widget.start()
        until(lambda: runs_folder().exists() and list(runs_folder().glob("*.safetensors")))
        assert not widget.panel.active.notices
        widget.pause.native.click()
        until(lambda widget=widget: widget.panel.active.holding)
        (path,) = runs_folder().glob("*.safetensors")
        request = recovered_request(read_summary(path))
        started = widget.panel.runner.request
        assert (request.name, request.function) == (started.name, started.function)
        assert request.controls == started.controls
        assert request.position.transform["units"] == started.position.transform["units"]
        assert request.build_job().images.keys() == started.build_job().images.keys()
        widget.stop.native.click()
        until(lambda widget=widget: not widget.running)
        assert not list(runs_folder().iterdir())
    assert not [message for message in messages() if "not saved" in message]
