"""A crash to keep away from: triton imported beside Mesa's copy of LLVM.

Mesa's software and some of its hardware drivers compile shaders with LLVM, and napari's canvas has
loaded it before a run starts. PyTorch's CUDA builds bring triton, which has an LLVM of its own;
importing it then ends the process with a segmentation fault. Torch imports triton as soon as it
makes an optimiser, but does very well without: as it does where triton is not installed.
"""

from __future__ import annotations

import sys
from pathlib import Path


def keep_triton_out() -> None:
    """Make `import triton` fail politely in this process, if it would crash it."""
    if "triton" not in sys.modules and _mesa_brought_llvm():
        sys.modules["triton"] = None  # type: ignore[assignment]


def _mesa_brought_llvm() -> bool:
    mapped = Path("/proc/self/maps")
    return mapped.exists() and "libLLVM" in mapped.read_text(errors="replace")
