"""Write the picture of an iteration with its record, as the terminal and the widgets do."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.write_image import Depth, depth_for, write_image, write_volume


class _Iteration(Protocol):
    """What is needed of `napari_nst.Iteration`, which this package does not import."""

    @property
    def picture(self) -> np.ndarray[Any, np.dtype[np.float32]]: ...

    @property
    def input_dtype(self) -> np.dtype[Any]: ...

    def record(self, names: Sequence[str] = ()) -> dict[str, Any]: ...


class _Run(Protocol):
    """What is needed of `napari_nst.RunHandle`."""

    @property
    def last(self) -> _Iteration | None: ...


def save(
    path: str | os.PathLike[str], iteration: _Iteration | _Run, *, depth: Depth | None = None
) -> None:
    """Write the picture of an iteration, with the record of how it was made.

    ``napari-nst stylize --like`` and *Settings from…* of the widgets read the record.

    Parameters
    ----------
    path : str or path
        The file, whose ending says its format: ``.png``, ``.jpg`` or ``.tif``. It is written
        completely or not at all. A solid texture needs a TIFF, whose pages are slices; it gets the
        size of its voxels, if the file of the exemplar has that of its pixels.
    iteration : Iteration or RunHandle
        The iteration, or a run whose `last` is meant.
    depth : {8, 16, 32}, optional
        Bits per channel; by default 8 if the content was uint8, else 16 (8 in a JPEG). Only a TIFF
        has 32. A solid texture of colours has 8.

    Raises
    ------
    TypeError
        If it is no iteration, such as an array, which has no record.
    ValueError
        If the format does not suit the picture, such as a JPEG for RGBA, or a run has no step yet.
    OSError
        If the file cannot be written.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"`path` must be the name of a file; {type(path).__name__} is none. Give the file "
            "first: nst.save('painted.png', run)."
        )
    found: Any = getattr(iteration, "last", iteration)
    if found is None:
        raise ValueError("`iteration` is a run without a step yet; call its result() first.")
    if not hasattr(found, "record"):
        raise TypeError(
            f"`iteration` must be a run, or an Iteration such as run.last; {type(found).__name__} "
            "does not say how it was made. Write an array with skimage.io.imsave."
        )
    path = Path(path).expanduser()
    bits = depth_for(path, np.empty(0, found.input_dtype), depth)
    picture, record = found.picture, found.record()
    text = json.dumps(record)
    if len(getattr(found, "shape", ())) == 3:
        known = record.get("calibration")
        calibration = Calibration(**known) if known else None
        bits = 8 if picture.ndim == 4 and depth is None else bits
        write_volume(path, picture, bits, text=text, calibration=calibration)
    else:
        write_image(path, picture, bits, text=text)
