"""An image that processes have divided, and how they go over to another size of it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from napari_nst.engine.run.bands import Bands
from napari_nst.engine.run.resampling import Resampling
from napari_nst.engine.run.shelf import MEMORY, Shelf


@dataclass(frozen=True, eq=False)
class BandedImage:
    """Rows of an image that are this process's, and who has the others.

    Attributes
    ----------
    rows : Tensor
        (N, C, h, W).
    bands : Bands
        Of which they are this process's own.
    """

    rows: Tensor
    bands: Bands

    @classmethod
    def whole(cls, image: Tensor) -> BandedImage:
        """Return an image (N, C, H, W) that is all this process's."""
        return cls(image, Bands.undivided(image.shape[2]))

    def resized(
        self,
        shape: tuple[int, int],
        bands: Bands,
        shelf: Shelf = MEMORY,
        *,
        smooth: bool = True,
        periodic: bool = False,
    ) -> Tensor:
        """Return the rows of the image resampled to `shape` that are this process's then.

        All processes have to ask, each for its own: for this they get from one another the rows
        that it takes.

        Parameters
        ----------
        shape : tuple of int
            Height and width wanted.
        bands : Bands
            Who has which rows of that.
        shelf : Shelf
            Where they lie, if all of them are this process's.
        smooth, periodic : bool
            As for `resize`.
        """
        resampling = Resampling(self.bands.height, shape, smooth, periodic)
        wanted = [bands.own.core] * self.bands.processes.count
        if self.bands.are_divided and bands.are_divided:
            wanted = [span.core for span in bands.spans]
        needed = [resampling.needs(rows) for rows in wanted]
        seen = self.bands.reaching(needed).surrounded(self.rows)
        return resampling.of(seen, bands.own.core, shelf)
