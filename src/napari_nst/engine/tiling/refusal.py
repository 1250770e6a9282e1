"""What a run says that fits nowhere: what it would need, and what would fit."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from napari_nst.engine.job.job import Job
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.tiling.capacity import Capacity
from napari_nst.engine.tiling.memory_estimate import amount
from napari_nst.recipe.sections import MOMENT_LOSSES


def refusal(capacity: Capacity, device: torch.device, order: Job, scale: Scale) -> str:
    """Return a sentence for a scale that does not fit into what a run has."""
    recipe, longest = order.recipe, max(scale.shape)
    tile, taken = capacity.least(order, scale)
    if tile:
        how = f"even in tiles of {tile} pixels"
        other = "optimizer adam, which takes less" if recipe.optimizer == "lbfgs" else ""
    else:
        how = f"and style_loss {recipe.style_loss} cannot be computed in tiles"
        other = f"another style_loss, such as {MOMENT_LOSSES[0]}"
    size = next(_sizes_that_fit(capacity, order, scale), 0)
    takes = [f"at most {size} pixels" if size else "", other]
    free, disk = f"{amount(capacity.free)} are free", ""
    if capacity.may_lie_on_disk(order):
        _, on_disk = capacity.least(order, scale, on_disk=True)
        free += (
            f", or {amount(on_disk.bytes)} with {amount(on_disk.disk)} in {capacity.folder}, where "
            f"{amount(capacity.disk)} are free"
        )
        disk = ", or let NAPARI_NST_HOME be a folder on a larger disk"
    return (
        f"A picture of {longest} pixels needs about {amount(taken.bytes)} of memory on "
        f"{device}, {how}, and {free}; "
        f"take {', or '.join(filter(None, takes)) or 'another device'}{disk}."
    )


def _sizes_that_fit(capacity: Capacity, order: Job, scale: Scale) -> Iterator[int]:
    longest = max(scale.shape)
    for size in range((longest - 1) // 64 * 64, 0, -64):
        factor = size / longest
        height, width = (max(1, round(side * factor)) for side in scale.shape)
        smaller = Scale(max(1, round(scale.longest * factor)), (height, width), scale.steps)
        if capacity.fitting(order, smaller) is not None:
            yield size
