import subprocess
import sys
from pathlib import Path

import pytest

from napari_nst.viewer.run import triton_workaround as triton_beside_mesa
from napari_nst.viewer.run.triton_workaround import keep_triton_out


@pytest.fixture
def without_triton(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "triton")


@pytest.mark.usefixtures("without_triton")
@pytest.mark.parametrize("brought", [False, True])
def test_triton_stays_out_only_beside_mesas_llvm(monkeypatch, brought):
    monkeypatch.setattr(triton_beside_mesa, "_mesa_brought_llvm", lambda: brought)
    keep_triton_out()
    assert ("triton" in sys.modules) == brought
    if brought:
        with pytest.raises(ImportError):
            __import__("triton")


@pytest.mark.window
@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="Linux only")
def test_torch_makes_an_optimiser_beside_a_drawn_canvas():
    code = """
import napari, numpy as np
from qtpy.QtWidgets import QApplication
viewer = napari.Viewer()
viewer.add_image(np.eye(9))
for _ in range(20):
    QApplication.processEvents()
from napari_nst.viewer.run.triton_workaround import keep_triton_out
keep_triton_out()
import torch, torchvision
torch.optim.Adam([torch.zeros(1, requires_grad=True)]).zero_grad()
viewer.close()
"""
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
