"""Statistics of styles in place of their images: averaged, saved, loaded and mixed."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from napari_nst.engine.job.layers import compared_layers, counted, has_style_of_image
from napari_nst.io.given_path import as_path
from napari_nst.io.tensor_file import CHECKSUM, Block, is_intact, read_texts, write_tensor_file
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import SAMPLED_LOSSES

Array = np.ndarray[Any, np.dtype[Any]]

SUFFIX = ".safetensors"
"""How the name of a target's file ends."""

FORMAT = 1
"""Raised when the meaning of a file's entries changes."""

COLOURS = "colours"
"""The array (n, 3) of pixels of the images at their own size, RGB in [0, 1]."""

PIXELS = "pixels"
"""What stands for a layer in the statistics of a loss that compares pixels."""

MOMENTS = ("mean", "second_moment")
"""The kinds of arrays that are averaged."""

_DTYPES = {"float16": "F16", "float32": "F32"}


@dataclass(frozen=True)
class Statistic:
    """What a style loss needs of a style at one size: moments of a layer, or vectors."""

    layers: tuple[tuple[str, float], ...]  # joined, each with its factor
    number: int = 0  # of vectors, at most; 0 for moments
    is_rotated: bool = False  # whether vectors are also those of the rotated style

    @property
    def name(self) -> str:
        """The part of the arrays' names between size and kind."""
        named = [one if factor == 1 else f"{one}*{factor!r}" for one, factor in self.layers]
        return "+".join(named) + ("/rotated" if self.is_rotated else "")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The arrays of this statistic."""
        return ("vectors",) if self.number else MOMENTS

    def arrays(self, size: int) -> list[str]:
        """Return the names of the arrays at a size, which is `Scale.longest`."""
        return [f"{size}/{self.name}/{kind}" for kind in self.kinds]


def statistics_of(recipe: Recipe) -> list[Statistic]:
    """Return what the style losses of one phase and its terms need of a style."""
    found: dict[str, Statistic] = {}
    for term in recipe.with_terms():
        is_sampled = term.style_loss in SAMPLED_LOSSES
        compared = [layers for _, layers in compared_layers(term, "style").values()]
        if has_style_of_image(term):
            compared = [{PIXELS: 1.0}] if is_sampled else []
        for layers in compared:
            rotated = is_sampled and term.style_rotations and PIXELS not in layers
            number = term.style_samples if is_sampled else 0
            one = Statistic(tuple(layers.items()), number, rotated)
            key = "/".join([one.name, *one.kinds])
            if key not in found or found[key].number < number:
                found[key] = one
    return list(found.values())


@dataclass(frozen=True, eq=False)
class StyleTarget:
    """What losses need of a style, in place of its images: the mean look of many, in one file.

    Give one to `stylize` or `synthesize` wherever a style image goes, alone or in a list of styles
    that `Recipe.style_blend` weighs. A file of one, whose name ends in ``.safetensors``, will do,
    too.

    A target has means and second moments of features, averaged over its images, and feature
    vectors drawn from all of them in equal shares. A loss compares with it as with a list of the
    images, with one exception: ``centred_gram`` averages the covariances of listed styles, and of
    a target takes that of all images together.

    Make targets by `from_images`, `load` and `mix`, not by the class.

    Attributes
    ----------
    recipe : Recipe
        The recipe that it was made with. Runs need the same network, style losses and layers, and
        sizes among `sizes`.
    images : tuple of mappings
        ``name`` (if known), ``sha256`` and ``share`` of each image.
    shape : tuple of int
        Height and width of the first image, which textures get.
    is_grey : bool
        Whether it can be used by runs that work in grey.
    weights_sha256 : str
        Of the network.
    arrays : mapping of str to array
        ``size/layer/mean`` (C,) and ``size/layer/second_moment`` (C, C) in float32,
        ``size/layer/vectors`` (n, C) in float16, where they are not too large, and ``colours``.
    name : str
        The file that it was loaded from, or "".
    """

    recipe: Recipe
    images: tuple[Mapping[str, Any], ...]
    shape: tuple[int, int]
    is_grey: bool
    weights_sha256: str
    arrays: Mapping[str, Array] = field(repr=False)
    name: str = ""

    @classmethod
    def from_images(
        cls,
        images: Sequence[Any],
        recipe: Recipe | str | os.PathLike[str] = "default",
        *,
        progress: Any = None,
        **fields: Any,
    ) -> StyleTarget:
        """Measure the style of images, of which one after the other is read.

        Parameters
        ----------
        images : sequence of array-like
            At least one, as the style of `stylize`.
        recipe : Recipe or str
            The recipe of the runs that will use the target, as for `stylize`. Its `style_blend`
            are the weights of the images; by default all count alike. Its `size` and `min_size`
            say at which sizes the styles are measured.
        progress : callable, optional
            Called as ``progress(message, done, total)`` before each image.
        **fields
            Fields of `Recipe`, such as ``size=256``, which replace those of `recipe`.

        Returns
        -------
        StyleTarget

        Raises
        ------
        TypeError, ValueError
            If an image or a field cannot be used, or a loss of the recipe needs whole images.
        NstError
            If weights cannot be downloaded or memory runs out.
        """
        # Imported here because this package must not import torch.
        measuring = importlib.import_module("napari_nst.engine.run.measure_styles")
        found: StyleTarget = measuring.measure(images, recipe, progress, fields)
        return found

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> StyleTarget:
        """Read a file that `save` has written; ValueError for any other, OSError without one."""
        path = as_path(path, "path")
        if not path.is_file():
            raise FileNotFoundError(f"{path} does not exist. Give the file of a style target.")
        try:
            about = json.loads(read_texts(path)["napari-nst-style-target"])
            number = int(about["format"])
        except Exception:  # noqa: BLE001 - other files cause errors of many kinds
            raise ValueError(
                f"{path} is no style target. Make one with nst.StyleTarget.from_images (in the "
                "terminal: napari-nst target)."
            ) from None
        if number > FORMAT:
            raise ValueError(
                f"{path} was written by a later version of napari-nst. Update napari-nst."
            )
        if not is_intact(path):
            raise ValueError(f"{path} is damaged. Copy or make it again.")
        from safetensors import safe_open

        with safe_open(path, framework="numpy") as file:
            names = [name for name in file.keys() if name != CHECKSUM]  # noqa: SIM118
            arrays = {name: file.get_tensor(name) for name in names}
        return cls(
            recipe=Recipe.from_dict(about["recipe"]),
            images=tuple(about["images"]),
            shape=(int(about["shape"][0]), int(about["shape"][1])),
            is_grey=bool(about["is_grey"]),
            weights_sha256=str(about["weights_sha256"]),
            arrays=arrays,
            name=str(path),
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a safetensors file and return its path, which gets the ending ``.safetensors``.

        Recipe, images and shape are JSON text in the metadata; OSError if it cannot be written.
        """
        path = as_path(path, "path")
        if path.suffix.lower() != SUFFIX:
            path = path.with_name(path.name + SUFFIX)
        about = {
            "format": FORMAT,
            "recipe": self.recipe.to_dict(),
            "images": [dict(one) for one in self.images],
            "shape": list(self.shape),
            "is_grey": self.is_grey,
            "weights_sha256": self.weights_sha256,
            "sha256": self.sha256,
        }
        blocks = {name: _block(self.arrays[name]) for name in sorted(self.arrays)}
        write_tensor_file(path, blocks, {"napari-nst-style-target": json.dumps(about)})
        return path

    @staticmethod
    def mix(a: StyleTarget, b: StyleTarget, t: float) -> StyleTarget:
        """Return a target between two: `a` for t = 0, `b` for t = 1.

        Means and second moments are interpolated linearly; of the vectors, a share t is b's.
        ValueError if t is outside [0, 1], or the targets were made with different recipes.
        """
        for one in (a, b):
            if not isinstance(one, StyleTarget):
                raise TypeError(f"`a` and `b` must be style targets; not {type(one).__name__}.")
        if not _is_share(t):
            raise ValueError(f"`t` must be a number from 0 to 1; not {t!r}.")
        if a.arrays.keys() != b.arrays.keys() or a.weights_sha256 != b.weights_sha256:
            raise ValueError(
                "`a` and `b` were made with different recipes. Make one of them anew with the "
                "recipe of the other."
            )
        if t in (0, 1):
            return replace((a, b)[round(t)], name="")
        shares = (1 - t, t)
        of_images = [
            {**image, "share": image["share"] * share}
            for one, share in zip((a, b), shares, strict=True)
            for image in one.images
        ]
        return replace(
            a,
            images=tuple(of_images),
            is_grey=a.is_grey and b.is_grey,
            arrays={n: _mixed(n, a.arrays[n], b.arrays[n], shares) for n in a.arrays},
            name="",
        )

    @property
    def sizes(self) -> list[int]:
        """The sizes of the content at which runs can use it, coarse to fine."""
        return sorted({int(name.split("/")[0]) for name in self.arrays if "/" in name})

    @cached_property
    def sha256(self) -> str:
        """The hash of all arrays, which records name the target by."""
        digest = hashlib.sha256()
        for name, array in sorted(self.arrays.items()):
            digest.update(f"{name} {array.dtype.name} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    @property
    def metadata(self) -> dict[str, Any]:
        """What the record of a run holds of it, like that of an image."""
        named = {"name": self.name, "path": str(Path(self.name).absolute())} if self.name else {}
        return {
            "shape": list(self.shape),
            "dtype": "uint8",
            "sha256": self.sha256,
            **named,
            "style_target": {"images": [dict(one) for one in self.images]},
        }

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.sizes))
        return f"<StyleTarget of {counted(len(self.images), 'image')}, at {sizes} pixels>"

    def pixels(self, size: int) -> Array:
        """Return pixels (1, n, 3) of the images at a size; at their own if no loss needs them."""
        is_compared = any(name.endswith(f"/{PIXELS}/vectors") for name in self.arrays)
        found = self.nearest(size, PIXELS, "vectors") if is_compared else self.arrays[COLOURS]
        return np.asarray(found, np.float32)[None]

    def nearest(self, size: int, name: str, kind: str) -> Array:
        """Return an array at a size, or at the nearest one, with which steps are timed."""
        sizes = [one for one in self.sizes if f"{one}/{name}/{kind}" in self.arrays]
        found = min(sizes, key=lambda one: abs(one - size))
        return self.arrays[f"{found}/{name}/{kind}"]


def _is_share(given: Any) -> bool:
    return isinstance(given, (int, float, np.floating)) and bool(0 <= given <= 1)


def weighted_sum(arrays: Sequence[Array], shares: Sequence[float]) -> Array:
    """Return the mean of arrays, each with its share, in float32."""
    total = sum(one.astype(np.float64) * share for one, share in zip(arrays, shares, strict=True))
    return np.asarray(total, np.float32)


def in_shares(vectors: Sequence[Array], shares: Sequence[float], number: int) -> Array:
    """Join so many of the vectors (n, C) of several images, of each image its share.

    Vectors of an image that has fewer are repeated.
    """
    parts = []
    for one, share in zip(vectors, shares, strict=True):
        rows = round(number * share)
        parts.append(one[np.arange(rows) * len(one) // max(rows, 1)])
    return np.concatenate(parts)


def as_float16(vectors: Array) -> Array:
    """Return vectors in half the memory, unless a value is too large for it."""
    fits = float(np.abs(vectors).max(initial=0)) < np.finfo(np.float16).max
    return vectors.astype(np.float16 if fits else np.float32)


def _mixed(name: str, one: Array, other: Array, shares: Sequence[float]) -> Array:
    """Return the array of a name of two targets together."""
    if name.endswith(MOMENTS):
        return weighted_sum([one, other], shares)
    return in_shares([one, other], shares, max(len(one), len(other)))


def _block(array: Array) -> Block:
    def read() -> memoryview:
        return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data

    return Block(_DTYPES[array.dtype.name], array.shape, array.nbytes, read)
