"""Published recipes, by origin, each number with its source beside it.

Names of layers are those of what a program *really* compares. Caffe and torchvision rectify in
place, so what their programs keep as a convolution's output has been rectified when it is read;
Keras's convolutions include the rectifier.
"""

from __future__ import annotations

from napari_nst.recipe.presets import articles, gatys, ours, patches, programs
from napari_nst.recipe.presets.registry import Entry

ENTRIES: tuple[Entry, ...] = tuple(
    entry
    for module in (ours, gatys, programs, articles, patches)
    for entry in vars(module).values()
    if isinstance(entry, Entry)
)
"""Every preset, ours first, then by origin."""
