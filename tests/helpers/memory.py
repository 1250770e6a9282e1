"""The memory that a test takes."""

from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def memory_bounded(limit):
    """Check that what is done takes fewer bytes of memory than `limit`, at each moment."""
    process = psutil.Process()
    before = process.memory_info().rss
    Path("/proc/self/clear_refs").write_text("5")  # forgets the largest memory so far
    yield
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    assert peak - before < limit
