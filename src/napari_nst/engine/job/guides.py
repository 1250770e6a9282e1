"""Guides: labels that say which region of the content takes which region of the styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.input_image import InputImage, Window

Labels = np.ndarray[Any, np.dtype[np.int64]]
"""(H, W) integers: the label of each pixel, 0 for none."""

Mask = np.ndarray[Any, np.dtype[np.bool_]]
"""(H, W) bool."""


@dataclass(frozen=True, eq=False)
class Guides:
    """Labels of the content and the styles; a label's content region takes its style regions.

    A style without labels is used whole: for every label if it is the only style, else the i-th
    style for label i, counted from 1. Content pixels of label 0 take no style.
    """

    content: Labels
    styles: tuple[Labels | None, ...]
    keep_unlabelled: bool = False  # whether content pixels of label 0 stay exactly as they are

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """The labels of the content, ascending."""
        return labels_in(self.content)

    def styles_for(self, label: int) -> list[int]:
        """Return the indices of the styles that a label takes."""
        return [
            index
            for index, labels in enumerate(self._labels_of_styles)
            if (label in labels if labels is not None else len(self.styles) == 1)
            or (labels is None and label == index + 1)
        ]

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

    @cached_property
    def _labels_of_styles(self) -> list[tuple[int, ...] | None]:
        return [None if labels is None else labels_in(labels) for labels in self.styles]


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
    """Check labels of a content and of styles of these shapes, and return copies of them.

    A single array is the guide of a single style; None is a style that is used whole. Raises
    TypeError or ValueError as `read_labels` does, and if a label of the content is in no style.
    """
    content = read_labels(content_guide, "guide", "content", content_shape)
    given = _as_sequence(style_guides, len(style_shapes))
    if len(given) != len(style_shapes):
        raise ValueError(
            f"style_guides has {len(given)} images of labels for {len(style_shapes)} "
            f"style{'s' if len(style_shapes) != 1 else ''}; give one for each, None for a whole "
            "style."
        )
    styles = tuple(
        None if labels is None else read_labels(labels, "style_guides", "style", shape)
        for labels, shape in zip(given, style_shapes, strict=True)
    )
    guides = Guides(content, styles, keep_unlabelled)
    if not guides.labels:
        raise ValueError(
            "guide labels no pixel; give the pixels that take a style a number above 0."
        )
    for label in guides.labels:
        if not guides.styles_for(label):
            raise ValueError(
                f"guide has label {label}, and no style has it; label a region of style_guides "
                f"{label} too, or erase it from guide."
            )
    return guides


def read_labels(labels: ArrayLike, name: str, of: str, shape: tuple[int, int]) -> Labels:
    """Return a copy of the labels of an image of a shape; errors call them `name`, the image `of`.

    Raises TypeError if labels are not integers or bool, and ValueError if the shapes differ.
    """
    array: np.ndarray[Any, Any] = np.asarray(labels)
    if array.dtype.kind not in "bui":
        raise TypeError(
            f"{name} must be whole numbers or bool, a label for each pixel; its type is "
            f"{array.dtype}, convert it first."
        )
    if array.shape != tuple(shape):
        raise ValueError(
            f"{name} must be as large as the {of}, {shape[0]} × {shape[1]}; its shape is "
            f"{array.shape}."
        )
    return array.astype(np.int64)


def _as_sequence(
    style_guides: ArrayLike | Sequence[ArrayLike | None] | None, styles: int
) -> Sequence[Any]:
    if style_guides is None:
        return [None] * styles
    if isinstance(style_guides, (list, tuple)):
        is_one_image = bool(style_guides) and all(np.ndim(row) == 1 for row in style_guides)
        return [style_guides] if is_one_image else list(style_guides)
    return [style_guides]


def _metadata(labels: Labels) -> dict[str, Any]:
    return {"labels": list(labels_in(labels)), "shape": list(labels.shape)}
