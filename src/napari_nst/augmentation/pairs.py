"""Images with their labels, as callers hand them in: arrays, files, layers, lists, folders."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_nst.batch.files import files_in
from napari_nst.engine.job.given import ImageFile, Layer, opened, opened_labels
from napari_nst.engine.job.input_image import InputImage, NamedImage, read_input
from napari_nst.io.image_files.calibration import Calibration
from napari_nst.io.image_files.decoded_image import DecodedImage, Limits, Pixels, split_alpha
from napari_nst.io.image_files.read_image import decode_image, decode_labels
from napari_nst.io.image_files.write_image import encode_image

_TIFF = (".tif", ".tiff")


@dataclass(frozen=True, eq=False)
class Source:
    """An image that was read, and how to write pictures that resemble it."""

    content: InputImage  # in [0, 1]
    dtype: np.dtype[Any]
    limits: Limits | None  # its values that are 0 and 1; None: those of its type
    is_tiff: bool
    calibration: Calibration | None = None

    @property
    def suffix(self) -> str:
        """The ending of files that keep its type."""
        return ".tif" if self.is_tiff or self.dtype.kind == "f" else ".png"

    def encoded(self, picture: Pixels, text: str = "") -> bytes:
        """Return the file of a picture in [0, 1] with this image's type, values and transparency.

        (H, W), (H, W, 3) or (H, W, 4), of the shape of this image.
        """
        colours, _ = split_alpha(picture)
        low, high = self.limits or (0.0, 1.0)
        whole = 1.0
        if self.dtype.kind == "u":
            whole = float(np.iinfo(self.dtype).max)
            low, high = self.limits or (0.0, whole)
        values = low + np.clip(colours, 0, 1).astype(np.float64) * (high - low)
        if self.content.alpha is not None:
            alpha = self.content.alpha * whole
            values = np.dstack([values if values.ndim == 3 else np.dstack([values] * 3), alpha])
        if self.dtype.kind == "u":
            values = np.rint(values)
        return encode_image(
            Path(f"picture{self.suffix}"),
            values.astype(self.dtype),
            depth=32 if self.dtype.kind == "f" else 8,
            text=text,
            calibration=self.calibration,
        )


@dataclass(frozen=True, eq=False)
class Pair:
    """An image and its labels, read when they are needed."""

    name: str
    image: Any
    labels: Any

    def folders(self) -> set[Path]:
        """Return the folders of its files."""
        files = (_path_of(self.image), _path_of(self.labels))
        return {file.resolve().parent for file in files if file is not None}

    def read(self) -> Source:
        """Read the image; TypeError, ValueError or OSError for one that cannot be used."""
        path = _path_of(self.image)
        if path is None:
            found, origin = opened(self.image, "images")
            image = found if isinstance(found, DecodedImage) else DecodedImage(found)
        else:
            file = self.image if isinstance(self.image, ImageFile) else ImageFile(path)
            _check_file(path, "images")
            image = decode_image(path, file.page, file.channel)
            origin = {"name": str(path), "path": str(path.absolute()), **image.plane}
            _check_upright(image, path)
        dtype, limits = image.pixels.dtype.newbyteorder("="), _working_range(image)
        content = read_input(image if limits is None else image.scaled(limits), "images")
        known = {"name": self.name} | origin | ({} if limits is None else {"limits": list(limits)})
        content = replace(content, metadata=content.metadata | known)
        is_tiff = path is not None and path.suffix.lower() in _TIFF
        dtype = np.dtype(np.float32) if dtype.kind == "f" else dtype
        return Source(content, dtype, limits, is_tiff, image.calibration)

    def checked(self) -> Source:
        """Read the image, whose labels must be of its shape, and errors name both."""
        source, labels = self.read(), self._read_labels()
        if labels.ndim != 2 or labels.dtype.kind not in "bui":
            raise ValueError(
                f"`labels` of {self.name} must be integers or bool (H, W); they are {labels.dtype} "
                f"of the shape {labels.shape}."
            )
        if labels.shape != source.content.shape:
            raise ValueError(
                f"`labels` of {self.name} are {_size(labels.shape)} pixels, and the image is "
                f"{_size(source.content.shape)}. Give labels of the image's size."
            )
        return source

    def label_file(self) -> tuple[str, bytes]:
        """Return the ending and the content of a file with the labels; of a file, its own bytes."""
        path = _path_of(self.labels)
        if path is not None:
            return path.suffix.lower(), path.read_bytes()
        labels = np.ascontiguousarray(self._read_labels())
        if labels.dtype in (np.uint8, np.uint16):
            return ".png", encode_image(Path("labels.png"), labels)
        import tifffile

        file = io.BytesIO()
        tifffile.imwrite(file, labels, photometric="minisblack", metadata=None)
        return ".tif", file.getvalue()

    def image_file(self, source: Source) -> tuple[str, bytes]:
        """Return the ending and the content of a file with the image; of a file, its own bytes."""
        path = _path_of(self.image)
        if path is not None and not source.content.metadata.keys() & {"page", "channel"}:
            return path.suffix.lower(), path.read_bytes()
        content = source.content
        return source.suffix, source.encoded(
            content.rgb[..., 0] if content.is_grey else content.rgb
        )

    def _read_labels(self) -> Pixels:
        path = _path_of(self.labels)
        if path is None:
            return opened_labels(self.labels, "labels")
        _check_file(path, "labels")
        labels = decode_labels(path)
        _check_upright(labels, path)
        return labels.pixels


def read_pairs(images: Any, labels: Any) -> list[Pair]:
    """Return the images with their labels; those of folders are paired by name, others in turn."""
    pictures, answers = _listed(images, "images"), _listed(labels, "labels")
    if _is_folder(images) or _is_folder(labels):
        pictures, answers = _by_name(pictures, answers)
    if len(pictures) != len(answers):
        raise ValueError(
            f"`labels` must be one for each of the {len(pictures)} images; there are "
            f"{len(answers)}."
        )
    names = [*_names(pictures)]
    twice = [name for name, count in Counter(map(str.casefold, names)).items() if count > 1]
    if twice:
        raise ValueError(f"`images` has several of the name {twice[0]}. Rename them.")
    return [Pair(*one) for one in zip(names, pictures, answers, strict=True)]


def listed_styles(styles: Any) -> list[tuple[str, Any]]:
    """Return each style with its name."""
    found = _listed(styles, "styles")
    return [*zip(_names(found, "style"), found, strict=True)]


def _listed(given: Any, role: str) -> list[Any]:
    """Return the entries of a list, or one image; a folder stands for its image files."""
    entries = list(given) if isinstance(given, (list, tuple)) else [given]
    if not entries:
        raise ValueError(f"`{role}` is an empty list. Give at least one image.")
    found: list[Any] = []
    for entry in entries:
        path = _path_of(entry)
        if path is not None and not path.exists():
            raise FileNotFoundError(f"`{role}`: {path} does not exist.")
        found += files_in(Path(entry).expanduser(), role) if _is_folder(entry) else [entry]
    return found


def _by_name(images: Sequence[Any], labels: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Return files in pairs of equal names, apart from their endings."""
    by_name: list[dict[str, Any]] = []
    for role, found in (("images", images), ("labels", labels)):
        names = [*_names(found)]
        for name, count in Counter(names).items():
            if count > 1:
                raise ValueError(f"`{role}` has {count} files of the name {name}. Remove others.")
        by_name.append(dict(zip(names, found, strict=True)))
    first, second = by_name
    for role, missing in (
        ("labels", [name for name in first if name not in second]),
        ("images", [name for name in second if name not in first]),
    ):
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise ValueError(
                f"`{role}` has no file for {missing[0]}{more}. An image and its labels need the "
                "same name, apart from their endings."
            )
    return list(first.values()), [second[name] for name in first]


def _names(found: Sequence[Any], kind: str = "image") -> Iterator[str]:
    """Yield a name for each image, which can be that of a file."""
    for number, one in enumerate(found, start=1):
        path = _path_of(one)
        if path is not None:
            yield path.stem
            continue
        name = str(one.name) if isinstance(one, (Layer, NamedImage)) else ""  # type: ignore[union-attr]
        safe = "".join(letter if letter.isalnum() or letter in " -_." else "-" for letter in name)
        yield safe.strip(" .") or (kind if len(found) == 1 else f"{kind}_{number}")


def _path_of(one: Any) -> Path | None:
    if isinstance(one, ImageFile):
        one = one.path
    return Path(one).expanduser() if isinstance(one, (str, os.PathLike)) else None


def _is_folder(given: Any) -> bool:
    return isinstance(given, (str, os.PathLike)) and Path(given).expanduser().is_dir()


def _check_file(path: Path, role: str) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"`{role}`: the file {path} does not exist.")


def _check_upright(image: DecodedImage, path: Path) -> None:
    """Refuse a turned image: whether its labels are turned as well is not known."""
    if image.orientation != 1:
        raise ValueError(
            f"{path} is stored turned (EXIF orientation {image.orientation}), so that images and "
            "labels may not match. Save both upright."
        )


def _working_range(image: DecodedImage) -> Limits | None:
    """Return the values that a run takes as black and white; None if the type says it."""
    pixels = image.pixels
    if pixels.dtype == np.uint8 or pixels.dtype.kind not in "uf":
        return None  # or it is refused
    low, high = image.limits or image.extremes()
    if pixels.dtype.kind == "f" and image.limits is None and low >= 0 and high <= 1:
        return None
    return (low, high) if high > low else None


def _size(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape[1::-1]))
