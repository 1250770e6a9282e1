import os
import subprocess
import sys
from pathlib import Path

import pytest

OFFERED = Path("/sys/kernel/mm/transparent_hugepage/enabled")

IN_HUGE_PAGES = """
import napari_nst.engine, torch
from pathlib import Path

def huge():
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("AnonHugePages:"):
            return int(line.split()[1]) * 1024

before = huge()
tensor = torch.zeros(16 << 20).fill_(1.0)
print((huge() - before) >> 20)
"""


def printed(code, **variables):
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("THP_")}
    return subprocess.run(
        [sys.executable, "-c", code], env={**inherited, **variables}, capture_output=True,
        text=True, check=True,
    ).stdout.strip()  # fmt: skip


@pytest.mark.skipif(
    not OFFERED.exists() or "[never]" in OFFERED.read_text(), reason="Linux offers no huge pages."
)
def test_a_tensor_of_64_megabytes_is_in_huge_pages():
    assert int(printed(IN_HUGE_PAGES)) >= 32


def test_the_users_own_setting_is_kept():
    code = "import os, napari_nst.engine; print(os.environ['THP_MEM_ALLOC_ENABLE'])"
    assert printed(code) == "1"
    assert printed(code, THP_MEM_ALLOC_ENABLE="0") == "0"
