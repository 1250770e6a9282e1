"""Images and labels as callers hand them in: arrays, files, images of Pillow, layers of napari."""

from __future__ import annotations

import os
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from napari_nst.io.image_files.decoded_image import (
    DecodedImage,
    Pixels,
    SeveralImages,
    Unusable,
    from_pillow,
    labels_from_pillow,
)
from napari_nst.io.image_files.read_image import decode_image, read_labels


@dataclass(frozen=True)
class ImageFile:
    """One image of a file that has several, such as a stack or an animation.

    Give one wherever a function takes an image.

    Parameters
    ----------
    path : str or path
        The file. A TIFF of more than 8 bits is read in its display range.
    page : int, optional
        Which page, or frame of an animation, from 1.
    channel : int, optional
        Which channel, from 1.

    Raises
    ------
    TypeError, ValueError
        If a number is not whole or less than 1; where the image is read, if the file has fewer.

    Examples
    --------
    >>> nst.stylize(nst.ImageFile("cells.tif", page=3, channel=1), "tissue.png")  # doctest: +SKIP
    """

    path: str | os.PathLike[str]
    page: int | None = None
    channel: int | None = None

    def __post_init__(self) -> None:
        for name in ("page", "channel"):
            number = getattr(self, name)
            if number is None:
                continue
            if isinstance(number, bool) or not isinstance(number, Integral):
                raise TypeError(f"`{name}` must be a whole number from 1; not {number!r}.")
            if number < 1:
                raise ValueError(f"`{name}` counts from 1; not {number!r}.")


@runtime_checkable
class Layer(Protocol):
    """A layer of napari, which this package does not import."""

    def as_layer_data_tuple(self) -> tuple[Any, ...]:
        """Return the layer's data, its state, and its kind, such as ``image``."""


def opened(image: Any, name: str) -> tuple[DecodedImage | Pixels, dict[str, Any]]:
    """Return the pixels of an image, and what the record holds of where they come from."""
    from PIL import Image

    if isinstance(image, Image.Image):
        try:
            return from_pillow(image), {}
        except Unusable as error:
            raise ValueError(f"`{name}` {error}.") from None
        # Pillow reads a file when its pixels are needed; one may have been closed.
        except (OSError, ValueError) as error:
            raise ValueError(f"`{name}` cannot be read: {error}.") from None
    if isinstance(image, DecodedImage):
        return image, {}
    if isinstance(image, (str, os.PathLike)):
        image = ImageFile(image)
    if isinstance(image, ImageFile):
        return _from_file(image, name)
    if isinstance(image, Layer):
        return _from_layer(image, name)
    if np.ma.is_masked(image):
        raise ValueError(f"`{name}` has masked pixels; give RGBA with an alpha of 0 there.")
    return _as_array(image, name), {}


def opened_labels(labels: Any, name: str) -> Pixels:
    """Return labels as an array, whose shape and type are not checked."""
    from PIL import Image

    if isinstance(labels, Image.Image):
        try:
            return labels_from_pillow(labels).pixels
        except Unusable as error:
            raise ValueError(f"`{name}` {error}.") from None
    if isinstance(labels, (str, os.PathLike)):
        path = Path(labels).expanduser()
        _check_file(path, name)
        return read_labels(path)
    if isinstance(labels, Layer):
        return _pixels_of(labels, name, ("labels", "image"))[0]
    return _as_array(labels, name)


def advice(shape: tuple[int, ...]) -> str:
    """Return what to do about an array that is no image, such as a stack; "" if nobody knows."""
    if len(shape) < 3 or 0 in shape:
        return ""
    if len(shape) == 3 and shape[2] in (1, 2):
        return f", an image of {shape[2]} channel(s). Give one channel, image[..., 0]"
    if len(shape) == 3 and shape[0] in (3, 4):
        return ", with its channels first. Give np.moveaxis(image, 0, -1), or one slice of a stack"
    return f", a stack of {shape[0]}. Give one slice of it, such as stack[{shape[0] // 2}]"


def _as_array(values: Any, name: str) -> Pixels:
    try:
        array: Pixels = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # a tensor on a GPU, ragged lists
        raise TypeError(f"`{name}` cannot be read as an array: {error}") from None
    if array.dtype.kind in "OSUV":
        raise TypeError(f"`{name}` must be an image or its file; {type(values).__name__} is none.")
    return array


def _check_file(path: Path, name: str) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"`{name}` is the folder {path}. Give an image file.")
    if not path.is_file():
        raise FileNotFoundError(f"`{name}` is the file {path}, which does not exist.")


def _from_file(file: ImageFile, name: str) -> tuple[DecodedImage, dict[str, Any]]:
    """Read a file as the terminal does: more than 8 bits in the display range of the file."""
    path = Path(file.path).expanduser()
    _check_file(path, name)
    try:
        image = decode_image(path, file.page, file.channel)
    except SeveralImages as error:
        raise ValueError(
            f"`{name}`: {error} In Python, that is an argument of nst.ImageFile."
        ) from None
    for one in ("page", "channel"):
        number = getattr(file, one)
        if number is not None and number > 1 and one not in image.plane:
            raise ValueError(f"`{name}`: {path} has one {one}. Leave out `{one}`.")
    origin: dict[str, Any] = {"name": str(path), "path": str(path.absolute())}
    if image.limits is not None and image.pixels.dtype != np.uint8:
        image = image.scaled(image.limits)
        origin["limits"] = list(image.limits or ())
    return image, origin | image.plane


def _from_layer(layer: Layer, name: str) -> tuple[DecodedImage | Pixels, dict[str, Any]]:
    """Return what an image layer shows, with its contrast limits as black and white."""
    pixels, state = _pixels_of(layer, name, ("image",))
    origin = {"name": str(state["name"])}
    if pixels.dtype.kind not in "buif":
        raise TypeError(f"`{name}` is a layer of {pixels.dtype}; convert it to float first.")
    low, high = (float(limit) for limit in state["contrast_limits"])
    is_whole = pixels.dtype in (np.uint8, np.uint16) and low == 0
    if is_whole and high == np.iinfo(pixels.dtype).max:
        return pixels, origin
    return DecodedImage(pixels).scaled((low, high)).pixels, origin


def _pixels_of(layer: Layer, name: str, kinds: tuple[str, ...]) -> tuple[Pixels, dict[str, Any]]:
    """Return the only slice of a layer of one of some kinds, and the layer's state."""
    data, state, kind = layer.as_layer_data_tuple()
    title = f"`{name}` is the layer {state['name']!r}"
    if kind not in kinds:
        raise TypeError(f"{title} of {kind}; give a layer of type {kinds[0]}.")
    data = data[0] if state.get("multiscale") else data  # the finest level
    extra = data.ndim - (3 if state.get("rgb") else 2)
    slices = tuple(data.shape[:extra])
    if any(count != 1 for count in slices):
        where = ", ".join(str(count // 2) for count in slices)
        listed = " × ".join(map(str, slices))
        raise ValueError(
            f"{title}, a stack of {listed} slices. Give one of them, such as layer.data[{where}]."
        )
    return _as_array(data, name).reshape(data.shape[extra:]), state
