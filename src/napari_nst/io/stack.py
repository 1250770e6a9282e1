"""Choose one page and one channel of a file that holds several."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_nst.io.image_files.decoded_image import Pixels, SeveralImages, Unusable


@dataclass(frozen=True)
class Plane:
    """The page and the channel that a user asks for, both counted from 1."""

    page: int | None = None
    channel: int | None = None

    def of(self, pages: int, channels: int) -> tuple[int, int]:
        """Return the indices, from 0, among some pages and channels; raise `Unusable`."""
        wanted = {"page": (self.page, pages), "channel": (self.channel, channels)}
        missing = [name for name, (number, count) in wanted.items() if count > 1 and number is None]
        if missing:
            held = [f"{n} {noun}s" for noun, (_, n) in wanted.items() if n > 1]
            options = " and ".join(f"`{name}`" for name in missing)
            raise SeveralImages(f"is a stack of {' with '.join(held)}. Choose one with {options}")
        for name, (number, count) in wanted.items():
            if count > 1 and number is not None and not 1 <= number <= count:
                raise Unusable(f"has {count} {name}s. Give `{name}` a number from 1 to {count}")
        page, channel = ((number or 1) - 1 if count > 1 else 0 for number, count in wanted.values())
        return page, channel

    def among(self, pages: int, channels: int) -> Plane:
        """Return what of this was used to choose among some pages and channels."""
        return Plane(self.page if pages > 1 else None, self.channel if channels > 1 else None)


def tiff_plane(tiff: Any, plane: Plane) -> tuple[Any, Pixels | None, Plane]:
    """Return the chosen page of a TIFF, its pixels if they are read already, and what was used."""
    pages = [page for page in list(tiff.pages) if not page.is_reduced]  # thumbnails, pyramids
    series = tiff.series[0]
    if len(pages) == 1 and series.size == pages[0].size:
        return pages[0], None, Plane()
    count = series.size // pages[0].size
    shape, axes = series.shape[: series.ndim - pages[0].ndim], series.axes
    if count < len(pages) or math.prod(shape) != count:  # pages of several sizes
        shape, axes = (len(pages),), "I"
    at_channels = axes.find("C", 0, len(shape))
    channels = shape[at_channels] if at_channels >= 0 else 1
    others = [n for axis, n in enumerate(shape) if axis != at_channels]
    page, channel = plane.of(math.prod(others), channels)
    place = [int(index) for index in np.unravel_index(page, others)] if others else []
    if at_channels >= 0:
        place.insert(at_channels, channel)
    index = int(np.ravel_multi_index(place, shape))
    used = plane.among(math.prod(others), channels)
    if count < len(pages):
        return pages[index], None, used
    stored = [one for one in series.pages if one is not None]
    if len(stored) == count:
        return stored[index].aspage(), None, used
    # ImageJ writes a stack of more than 4 GB as a single page, followed by the others' pixels.
    return pages[0], series.asarray().reshape(-1, *pages[0].shape)[index], used
