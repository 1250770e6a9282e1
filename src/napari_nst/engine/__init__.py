"""The engine: torch, and neither Qt nor napari."""

import os

# Before torch is imported: a pass through the network takes and gives back some hundred megabytes,
# and in pages of 4 kB Linux spends a tenth of the time on handing them out. Elsewhere it means
# nothing. See docs/performance.md.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
