"""What opening a widget and a run change of the process that napari and other plugins share."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.window, pytest.mark.network]

CODE = """
import gc, json, locale, logging, os, random, signal, sys, threading, time, warnings
import napari, numpy as np, pyqtgraph, sympy, torch
from PIL import Image, ImageFile
from qtpy.QtWidgets import QApplication

def state():
    rng = lambda *parts: str(hash(tuple(map(str, parts))))
    return {
        "environment": dict(os.environ),
        "modules kept out": sorted(name for name, module in sys.modules.items() if module is None),
        "folder": os.getcwd(),
        "locale": locale.setlocale(locale.LC_ALL),
        "warnings": [str(warnings.filters), str(warnings.showwarning)],
        "signals": [str(signal.getsignal(number)) for number in sorted(signal.valid_signals())],
        "hooks": [str(sys.excepthook), str(threading.excepthook), str(sys.unraisablehook)],
        "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), str(gc.callbacks)],
        "logging": [str(logging.root.handlers), logging.root.level, logging.root.manager.disable],
        "pillow": [Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES],
        "numpy": [np.geterr(), rng(*np.random.get_state()), str(np.get_printoptions())],
        "random": rng(random.getstate()),
        "torch": [
            rng(torch.random.get_rng_state().tolist()), torch.get_num_threads(),
            torch.get_num_interop_threads(), str(torch.get_default_dtype()),
            str(torch.get_default_device()), torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(), torch.backends.cudnn.benchmark,
            torch.backends.mkldnn.enabled, torch.get_float32_matmul_precision(),
            torch.is_anomaly_enabled(), str(torch.multiprocessing.get_sharing_strategy()),
        ],
        "pyqtgraph": str(pyqtgraph.CONFIG_OPTIONS),
        "switch interval": [sys.getswitchinterval(), sys.getrecursionlimit()],
    }

viewer = napari.Viewer()
viewer.add_image(np.random.default_rng(0).random((64, 64, 3)))
viewer.add_image(np.random.default_rng(1).random((64, 64, 3)))
QApplication.processEvents()
before = state()
_, widget = viewer.window.add_plugin_dock_widget("napari-nst", "Style Transfer")
opened = state()
widget.panel.begin(lambda: widget.request(steps=3, size=64, device="cpu"))
deadline = time.monotonic() + 240
while widget.panel.active is not None and time.monotonic() < deadline:
    QApplication.processEvents()
assert widget.panel.result is not None
ran = state()

def changes(one, other):
    return {name: [one[name], other[name]] for name in one if one[name] != other[name]}

variables = {k: v for k, v in ran["environment"].items() if before["environment"].get(k) != v}
found = [changes(before, opened), changes(opened, ran)]
for one in found:
    one.pop("environment", None)
print(json.dumps([*found, variables]))
viewer.close()
"""


def test_a_widget_and_a_run_change_only_what_is_documented():
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    opened, ran, variables = json.loads(done.stdout.splitlines()[-1])
    kept_out = ran.pop("modules kept out", [[], []])
    assert set(kept_out[1]) - set(kept_out[0]) <= {"triton"}
    assert opened == {}
    assert ran == {}
    assert set(variables) <= {"THP_MEM_ALLOC_ENABLE", "TORCHINDUCTOR_CACHE_DIR"}
