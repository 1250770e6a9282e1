"""Guides: labels that say which region of the content takes which region of the styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.given import opened_labels
from napari_nst.engine.job.input_image import InputImage, Window
from napari_nst.engine.job.layers import counted, layer_weights
from napari_nst.engine.job.schedule import Fit
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import poolings_before

Labels = np.ndarray[Any, np.dtype[np.int64]]
"""(H, W) integers: the label of each pixel, 0 for none."""

Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""(H, W) bool."""

LEAST_SHARE = 0.5
"""A region exists at a layer if it fills at least this share of some position: otherwise every
position shows more of the pixels around the region than of the region."""

MOST_REGIONS = 64
"""More labels become one region, because each region takes passes and memory of its own."""

MANY_REGIONS = 16
"""More labels than people draw: they may be the grey values of a mask."""

SmallRegion = tuple[int, str]
"""A label, and a layer at which its region is too small."""


@dataclass(frozen=True, eq=False)
class Guides:
    """Labels of the content and the styles, with the meaning that `stylize` gives them."""

    content: Labels
    styles: tuple[Labels | None, ...]
    keep_unlabelled: bool = False  # whether content pixels of label 0 stay exactly as they are
    notes: tuple[str, ...] = ()  # sentences to tell before the run

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """The labels of the content, ascending."""
        return labels_in(self.content)

    def styles_for(self, label: int) -> list[int]:
        """Return the indices of the styles that a label takes."""

        def takes(index: int, labels: Labels | None) -> bool:
            if labels is None:
                return len(self.styles) == 1 or label == index + 1
            return bool((labels == label).any())

        return [index for index, labels in enumerate(self.styles) if takes(index, labels)]

    def equals(self, other: Guides) -> bool:
        """Whether other guides label every pixel alike."""
        own, its = (self.content, *self.styles), (other.content, *other.styles)
        return self.keep_unlabelled == other.keep_unlabelled and all(
            same_pixels(a, b) for a, b in zip_longest(own, its)
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """Labels and sizes, for the record."""
        return {
            "guide": _metadata(self.content),
            "style_guides": [None if one is None else _metadata(one) for one in self.styles],
            "keep_unlabelled": self.keep_unlabelled,
        }


@dataclass(frozen=True, eq=False)
class KeepOutside:
    """A picture that a run leaves as it is outside a mask."""

    picture: InputImage
    mask: Mask  # of the picture's size: the pixels that the run may change
    window: Window  # rows and columns that the run works on; the mask is inside
    seamless: bool = False  # whether the result shall continue the pixels around the mask


def keep_outside(guides: Guides, content: InputImage) -> KeepOutside | None:
    """Return a content with its labelled pixels as mask, if the guides keep unlabelled ones."""
    if not guides.keep_unlabelled:
        return None
    height, width = content.shape
    return KeepOutside(content, guides.content > 0, (slice(0, height), slice(0, width)))


def same_pixels(own: Labels | Mask | None, other: Labels | Mask | None) -> bool:
    """Whether two optional images of labels are equal."""
    if own is None or other is None:
        return own is other
    return np.array_equal(own, other)


def labels_in(labels: Labels) -> tuple[int, ...]:
    """Return the labels above 0 that occur, ascending."""
    return tuple(int(label) for label in np.unique(labels) if label > 0)


def read_guides(
    content_guide: ArrayLike,
    style_guides: ArrayLike | Sequence[ArrayLike | None] | None,
    content_shape: tuple[int, int],
    style_shapes: Sequence[tuple[int, int]],
    keep_unlabelled: bool = False,
) -> Guides:
    """Check and copy labels of a content and of styles; None is a style that is used whole."""
    content = read_labels(content_guide, "guide", "content", content_shape)
    given: Sequence[Any] = [style_guides]
    if style_guides is None:
        given = [None] * len(style_shapes)
    elif isinstance(style_guides, (list, tuple)):
        is_one_image = bool(style_guides) and all(np.ndim(row) == 1 for row in style_guides)
        given = [style_guides] if is_one_image else style_guides
    if len(given) != len(style_shapes):
        raise ValueError(
            f"`style_guides` needs {counted(len(style_shapes), 'image')} of labels, one per style; "
            f"it has {len(given)}. None stands for a whole style."
        )
    styles = tuple(
        None if labels is None else read_labels(labels, "style_guides", "style", shape)
        for labels, shape in zip(given, style_shapes, strict=True)
    )
    guides = Guides(content, styles, keep_unlabelled)
    if not guides.labels:
        raise ValueError("`guide` labels no pixel. Give pixels that take a style a number above 0.")
    if len(guides.labels) > MANY_REGIONS:
        guides = _with_note_on_many_labels(guides)
    for label in guides.labels:
        if not guides.styles_for(label):
            raise ValueError(
                f"`guide` has label {label}, and no style has it. Label a region of "
                f"`style_guides` {label} too, or erase it from `guide`."
            )
    return guides


def _with_note_on_many_labels(guides: Guides) -> Guides:
    """Return guides with a note on their labels; more than `MOST_REGIONS` become one region."""
    # A mask with a soft edge has a label for each grey value, and a segmentation one for each cell.
    count = len(guides.labels)
    found = f"`guide` has {count} labels, each of which is a region with a style of its own"
    cure = "if it is a mask with a soft edge, make it black and white"
    if count <= MOST_REGIONS:
        return replace(guides, notes=(f"{found}; {cure}.",))
    if len(guides.styles) > 1 or guides.styles[0] is not None:
        raise ValueError(
            f"{found}, and at most {MOST_REGIONS} are possible; {cure}, or give all pixels that "
            "take the same style one number."
        )
    region = (guides.content > 0).astype(np.int64)
    note = (
        f"`guide` has {count} labels, which all take the whole style, so they count as one region; "
        f"{cure}."
    )
    return replace(guides, content=region, notes=(note,))


def read_labels(labels: ArrayLike, name: str, of: str, shape: tuple[int, int]) -> Labels:
    """Check and copy labels of an image of a shape; errors call them `name`, the image `of`."""
    array = opened_labels(labels, name)
    if array.dtype.kind not in "bui":
        raise TypeError(
            f"`{name}` must be whole numbers or bool; its type is {array.dtype}. Convert it first."
        )
    if array.shape != tuple(shape):
        raise ValueError(
            f"`{name}` must be as large as the {of}, {shape[0]} × {shape[1]}; its shape is "
            f"{array.shape}."
        )
    return array.astype(np.int64)


def _metadata(labels: Labels) -> dict[str, Any]:
    return {"labels": list(labels_in(labels)), "shape": list(labels.shape)}


def small_regions(
    labels: Labels, fit: Fit, recipe: Recipe, weights: np.ndarray[Any, Any] | None = None
) -> list[SmallRegion]:
    """Return each label, with each style layer at which its visible region is too small."""
    from PIL import Image

    height, width = fit.shape
    found = []
    for label in labels_in(labels):
        region = (labels == label)[fit.window].astype(np.float32)
        if weights is not None:
            region *= weights[fit.window]
        # Pillow shrinks with the same antialiasing filter as the run does.
        resampled = Image.fromarray(region).resize((width, height), Image.Resampling.BILINEAR)
        mask = np.asarray(resampled)
        found += [
            (label, layer)
            for layer in layer_weights(recipe, "style")
            if not region_exists(_pooled(mask, layer), recipe)
        ]
    return found


def region_exists(shares: np.ndarray[Any, Any], recipe: Recipe) -> bool:
    """Whether a region that fills these shares (H, W) of a layer's positions is large enough."""
    most = shares.max(initial=0)
    if most < LEAST_SHARE - 1e-4:  # rounding errors of a filter
        return False
    if recipe.style_loss != "mrf":
        return True
    size, stride = recipe.patch_size, recipe.patch_stride  # a whole patch must be inside
    if min(shares.shape) < size:
        return False
    patches = np.lib.stride_tricks.sliding_window_view(shares / most > 0.5, (size, size))
    return bool(patches[::stride, ::stride].all(axis=(-2, -1)).any())


def describe_small_regions(found: Sequence[SmallRegion], argument: str, recipe: Recipe) -> str:
    """Return a sentence on small regions; raise a ValueError for one with no style layer left."""
    layers: dict[int, list[str]] = {}
    for label, layer in found:
        layers.setdefault(label, []).append(layer)
    for label, names in layers.items():
        if len(names) == len(layer_weights(recipe, "style")):
            raise ValueError(
                f"The region with label {label} in `{argument}` is too small for each of the "
                f"recipe's style layers, {', '.join(names)}. Draw it larger, erase it, or choose a "
                "larger `size`."
            )
    parts = [f"label {label} at {', '.join(names)}" for label, names in layers.items()]
    return (
        f"Regions of `{argument}` are too small for some layers, and left out: {'; '.join(parts)}."
    )


def _pooled(mask: np.ndarray[Any, Any], layer: str) -> np.ndarray[Any, Any]:
    """Return the mean of a mask (H, W) over the pixels of each position of a layer."""
    side = 2 ** poolings_before(layer)
    height, width = (length // side for length in mask.shape)
    blocks = mask[: height * side, : width * side].reshape(height, side, width, side)
    means: np.ndarray[Any, Any] = blocks.mean(axis=(1, 3))
    return means
