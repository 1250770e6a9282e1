"""Loading torch, and running it, without holding up the window.

Python lets one thread go on at a time. Two things keep all others waiting for a third of a second
and more: the loading of a library, and a collection of garbage that goes through everything that
torch and napari have made.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LIBRARIES = {"libtorch_global_deps.so": "RTLD_GLOBAL", "libtorch.so": "RTLD_LOCAL"}
"""Torch's libraries that know nothing of Python and bring most of the others with them, and
whether those that come later find what is in them; as torch itself has it."""


def load_torch() -> None:
    """Import torch; other threads go on meanwhile."""
    if "torch" not in sys.modules:
        _open_libraries()
    import torch  # noqa: F401


class _Collections:
    """Python's collections of garbage, which several runs at once keep short."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs, self._wanted = 0, True

    def begin(self) -> None:
        with self._lock:
            if not self._runs:
                self._wanted = gc.isenabled()
            self._runs += 1
            gc.disable()

    def loaded(self) -> None:
        gc.freeze()
        if self._wanted:
            gc.enable()

    def end(self) -> None:
        with self._lock:
            self._runs -= 1
            if not self._runs:  # else what the others have frozen would never thaw, or too early
                gc.unfreeze()
            if self._wanted:
                gc.enable()


_collections = _Collections()


@contextmanager
def without_long_collections() -> Iterator[Callable[[], None]]:
    """Keep Python from going through all that there is while a run goes on.

    Nothing is collected until what is yielded is called, when everything is loaded; then only what
    has come since. After the last of several runs all is as before the first.
    """
    _collections.begin()
    try:
        yield _collections.loaded
    finally:
        _collections.end()


def _open_libraries() -> None:
    """Load what the import would, through a call during which Python does not wait."""
    found = importlib.util.find_spec("torch")
    if sys.platform != "linux" or found is None or not found.submodule_search_locations:
        return
    folder = Path(found.submodule_search_locations[0], "lib")
    # By way of ctypes' own loader Python would wait. What cannot be opened is left to torch.
    opened = ctypes.CDLL(None).dlopen
    opened.restype, opened.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name, mode in LIBRARIES.items():
        opened(os.fsencode(folder / name), os.RTLD_NOW | getattr(os, mode))
