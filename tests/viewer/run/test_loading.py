"""What holds up a window while torch is loaded, and while it runs."""

import gc
import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import pytest

from napari_nst.viewer.run import loading
from napari_nst.viewer.run.loading import load_torch, without_long_collections


@pytest.mark.skipif(sys.platform != "linux", reason="Elsewhere torch's import loads them.")
def test_torchs_libraries_are_there_before_torch_is():
    code = """
import sys
from pathlib import Path
from napari_nst.viewer.run import loading
loading._open_libraries()
assert "libtorch_cpu" in Path("/proc/self/maps").read_text()
assert "torch" not in sys.modules
loading.load_torch()
assert sys.modules["torch"].ones(2).sum() == 2
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def opened(monkeypatch):
    """What would be opened, by file name."""
    names = []

    class Loader:
        @staticmethod
        def __call__(path, mode):
            names.append(path.decode().rsplit("/", 1)[-1])

    monkeypatch.setattr(loading.ctypes, "CDLL", lambda name: SimpleNamespace(dlopen=Loader()))
    return names


def test_those_that_the_import_would_open_are_opened_in_order(monkeypatch, opened):
    monkeypatch.setattr(loading, "sys", SimpleNamespace(platform="linux", modules={}))
    load_torch()
    assert opened == ["libtorch_global_deps.so", "libtorch.so"]


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_on_other_systems_nothing_is_opened(monkeypatch, opened, platform):
    monkeypatch.setattr(loading, "sys", SimpleNamespace(platform=platform, modules={}))
    load_torch()
    assert not opened


def test_without_torch_nothing_is_opened(monkeypatch, opened):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    loading._open_libraries()
    assert not opened


def test_torch_that_is_there_already_is_not_opened_again(opened):
    import torch  # noqa: F401

    load_torch()
    assert not opened


@pytest.fixture(autouse=True)
def _collections_as_they_were():
    assert gc.isenabled()
    assert not gc.get_freeze_count()
    yield
    left = gc.isenabled(), gc.get_freeze_count()
    gc.unfreeze()
    gc.enable()
    assert left == (True, 0)


def test_nothing_is_collected_until_all_is_loaded_and_then_only_what_is_new():
    with without_long_collections() as loaded:
        assert not gc.isenabled()
        loaded()
        assert gc.isenabled()
        assert gc.get_freeze_count() > 1000
    assert gc.isenabled()
    assert not gc.get_freeze_count()


@pytest.mark.parametrize("when", ["loading", "running"])
def test_a_run_that_fails_leaves_all_as_it_was(when):
    def fail():
        with without_long_collections() as loaded:
            if when == "running":
                loaded()
            raise ValueError("too small")

    with pytest.raises(ValueError, match="too small"):
        fail()
    assert gc.isenabled()
    assert not gc.get_freeze_count()


def test_a_run_that_is_closed_does_too():
    def work():
        with without_long_collections() as loaded:
            loaded()
            yield

    run = work()
    next(run)
    assert gc.get_freeze_count()
    run.close()
    assert gc.isenabled()
    assert not gc.get_freeze_count()


def begun():
    """A run that goes on: its context, and what to call when it has loaded."""
    context = without_long_collections()
    return context, context.__enter__()


@pytest.mark.parametrize("first_to_end", [0, 1])
@pytest.mark.parametrize("second_begins", ["after the first has loaded", "while the first loads"])
@pytest.mark.parametrize("second_loads", ["before either ends", "after the first has ended"])
def test_of_two_runs_the_last_to_end_puts_all_back(first_to_end, second_begins, second_loads):
    one, one_loaded = begun()
    if second_begins == "after the first has loaded":
        one_loaded()
    two, two_loaded = begun()
    if second_begins == "while the first loads":
        one_loaded()
    runs = [one, two]
    if second_loads == "before either ends":
        two_loaded()
    runs.pop(first_to_end).__exit__(None, None, None)
    assert gc.get_freeze_count(), "the other goes on"
    if second_loads == "after the first has ended" and first_to_end == 0:
        two_loaded()
    runs.pop().__exit__(None, None, None)
    assert gc.isenabled()
    assert not gc.get_freeze_count()


def test_who_collects_by_hand_goes_on_to():
    gc.disable()
    try:
        with without_long_collections() as loaded:
            loaded()
            assert not gc.isenabled()
        assert not gc.isenabled()
    finally:
        gc.enable()
    assert not gc.get_freeze_count()
