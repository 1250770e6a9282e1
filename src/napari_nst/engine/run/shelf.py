"""Where a run keeps what is as large as its picture: in memory, or on disk.

There a tensor is a file that has no name, or loses it at once: whatever becomes of the process,
the file goes with the last tensor of it.
"""

from __future__ import annotations

import math
import mmap
import os
import shutil
import tempfile
from collections.abc import Callable
from itertools import pairwise, starmap
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from napari_nst.engine.images.convert import resize, to_array
from napari_nst.errors import NstError

Shape = tuple[int, ...]

Part = Callable[[slice], Tensor]
"""Positions along a dimension of a result → what it has there."""


class Shelf:
    """The memory of a device."""

    def empty(self, shape: Shape, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return a tensor whose numbers are to be written yet."""
        return torch.empty(shape, dtype=dtype, device=device)

    def zeros(self, shape: Shape, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return a tensor of zeros."""
        return torch.zeros(shape, dtype=dtype, device=device)

    def filled(self, shape: Shape, part: Part, dim: int = 2) -> Tensor:
        """Return a tensor, computed as a whole or part by part.

        Parameters
        ----------
        shape : tuple of int
            Of the result.
        part : callable
            Returns the result at a slice of positions; no other than what it says of these alone.
        dim : int
            Along which these lie: 2 are the rows of an image.
        """
        return part(slice(0, shape[dim]))

    def resized(
        self, image: Tensor, shape: tuple[int, int], *, smooth: bool = True, periodic: bool = False
    ) -> Tensor:
        """Return an image resampled, or itself, as `resize`."""
        return resize(image, shape, smooth=smooth, periodic=periodic)

    def array(self, image: Tensor) -> np.ndarray[Any, Any]:
        """Return an image (1, 3, H, W) as pixels (H, W, 3), a copy, as `to_array`."""
        _, channels, height, width = image.shape
        pixels = self.filled(
            (height, width, channels),
            lambda rows: torch.from_numpy(to_array(image[:, :, rows])),
            dim=0,
        )
        return pixels.numpy()


MEMORY = Shelf()
"""Of whichever device."""


class Disk(Shelf):
    """Files in a folder, which are gone when nothing uses them any more.

    What is computed part by part never is in memory as a whole.

    Parameters
    ----------
    folder : Path
        Made where there is none.
    """

    least = 1 << 26
    """Bytes. What is smaller stays in memory, as is what a viewer cuts out of a large picture."""

    part = 1 << 24
    """About how many numbers are computed at a time. Of fewer columns, pieces of rows would be so
    short that most of the time goes into finding them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def empty(self, shape: Shape, dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return a tensor of zeros, which is what new files hold.

        Raises
        ------
        NstError
            If the disk has no room for it.
        """
        size = math.prod(shape) * dtype.itemsize
        if size < self.least:
            return torch.zeros(shape, dtype=dtype, device=device)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as file:
                _reserve(file.fileno(), size)
                numbers = mmap.mmap(file.fileno(), size)
        except OSError as error:
            raise NstError(
                f"{self.folder} cannot hold the picture ({error.strerror}); make room there, or "
                "let NAPARI_NST_HOME be a folder on a larger disk."
            ) from error
        return torch.frombuffer(numbers, dtype=dtype).view(shape)

    zeros = empty

    def filled(self, shape: Shape, part: Part, dim: int = 2) -> Tensor:
        """Return a tensor, computed a few rows at a time, or whatever lies along the dimension."""
        length = shape[dim]
        count = min(length, -(-math.prod(shape) // self.part))
        # Alike: of an image that is a single column, torch makes another one than of many.
        bounds = [length * index // count for index in range(count + 1)]
        whole: Tensor | None = None
        for where in starmap(slice, pairwise(bounds)):
            values = part(where)
            if whole is None:
                whole = self.empty(shape, values.dtype, values.device)
            whole[(slice(None),) * dim + (where,)] = values
        assert whole is not None
        return whole

    def resized(
        self, image: Tensor, shape: tuple[int, int], *, smooth: bool = True, periodic: bool = False
    ) -> Tensor:
        """Return an image resampled, or itself, as `resize`: across, and then down."""
        height, width = image.shape[-2:]
        if (height, width) == shape:
            return image
        of_all = image.shape[:2]

        def across(rows: slice) -> Tensor:
            return _resized_along(3, image[:, :, rows], shape[1], smooth, periodic)

        def down(columns: slice) -> Tensor:
            return _resized_along(2, wide[..., columns], shape[0], smooth, periodic)

        wide = self.filled((*of_all, height, shape[1]), across)
        return self.filled((*of_all, *shape), down, dim=3)


def free_on_disk(folder: Path) -> int:
    """Return how many bytes there are for files in a folder, which need not be there yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free


def _resized_along(dim: int, image: Tensor, length: int, smooth: bool, periodic: bool) -> Tensor:
    """Return an image (N, C, H, W) resampled along its rows' (2) or its columns' dimension (3)."""
    # As `resize`, with what lies beyond the borders on both sides.
    copies = 3 if periodic and image.shape[dim] != length else 1
    wanted = [*image.shape[2:]]
    wanted[dim - 2] = copies * length
    resized = resize(torch.cat([image] * copies, dim), (wanted[0], wanted[1]), smooth=smooth)
    return resized.narrow(dim, length * (copies // 2), length)


def _reserve(file: int, size: int) -> None:
    """Make a file so large, at once where the system can.

    Where it cannot, a disk that gets full ends the process when a page is written.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)
