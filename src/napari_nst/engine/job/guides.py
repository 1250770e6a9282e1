"""Guides: which region of the content takes which region of the styles. NumPy alone, no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.input_image import InputImage

Labels = np.ndarray[Any, np.dtype[np.int64]]
"""(H, W) whole numbers: the label of each pixel, 0 for none."""


@dataclass(frozen=True, eq=False)
class Guides:
    """Labels of content and styles; regions of one label belong together.

    A style with labels gives its pixels of each. A style without gives all of itself: to every
    label where it is the only style, and of several styles the i-th to label i, from 1.

    Attributes
    ----------
    content : ndarray
        (H, W) int, 0 where a pixel belongs to no region: no style is asked of it.
    styles : tuple of ndarray or None
        The same for each style.
    keep_unlabelled : bool
        Whether pixels of label 0 stay exactly as they are.
    """

    content: Labels
    styles: tuple[Labels | None, ...]
    keep_unlabelled: bool = False

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """The labels of the content, ascending."""
        return labels_in(self.content)

    def styles_for(self, label: int) -> list[int]:
        """Return the indices of the styles that have something for a label."""
        return [
            index
            for index, labels in enumerate(self._labels_of_styles)
            if (label in labels if labels is not None else len(self.styles) == 1)
            or (labels is None and label == index + 1)
        ]

    def equals(self, other: Guides) -> bool:
        """Whether other guides mark the same pixels."""
        own, its = (self.content, *self.styles), (other.content, *other.styles)
        return self.keep_unlabelled == other.keep_unlabelled and all(
            one is another
            or (one is not None and another is not None and np.array_equal(one, another))
            for one, another in zip_longest(own, its)
        )

    @property
    def metadata(self) -> dict[str, Any]:
        """What a record says of them: labels and sizes, not pixels."""
        return {
            "guide": _facts(self.content),
            "style_guides": [None if one is None else _facts(one) for one in self.styles],
            "keep_unlabelled": self.keep_unlabelled,
        }

    @cached_property
    def _labels_of_styles(self) -> list[tuple[int, ...] | None]:
        return [None if labels is None else labels_in(labels) for labels in self.styles]


@dataclass(frozen=True, eq=False)
class KeepOutside:
    """A picture of which a run may change some pixels.

    Attributes
    ----------
    picture : InputImage
        All of it.
    mask : ndarray
        (H, W) bool, of the picture's size: the pixels that may change.
    window : tuple of slice
        The rows and columns that the run works on; every such pixel is inside.
    seamless : bool
        Whether what comes in shall go on from what is around it.
    """

    picture: InputImage
    mask: np.ndarray[Any, np.dtype[np.bool_]]
    window: tuple[slice, slice]
    seamless: bool = False


def kept_by(guides: Guides, content: InputImage) -> KeepOutside | None:
    """Return what guides keep of a content: its unlabelled pixels, if anything."""
    if not guides.keep_unlabelled:
        return None
    height, width = content.shape
    return KeepOutside(content, guides.content > 0, (slice(0, height), slice(0, width)))


def labels_in(labels: Labels) -> tuple[int, ...]:
    """Return the labels of an image, ascending, without 0."""
    return tuple(int(label) for label in np.unique(labels) if label > 0)


def read_guides(
    content_guide: ArrayLike,
    style_guides: ArrayLike | Sequence[ArrayLike | None] | None,
    content_shape: tuple[int, int],
    style_shapes: Sequence[tuple[int, int]],
    keep_unlabelled: bool = False,
) -> Guides:
    """Check the guides that a caller handed in.

    Parameters
    ----------
    content_guide : array-like
        (H, W) whole numbers or bool, of the content's size; what is not above 0 has no label.
    style_guides : array-like, or sequence of array-like or None
        The same for each style; None for a style that serves its label, or all, as a whole. One
        array stands for the guide of an only style.
    content_shape, style_shapes : tuple of int, sequence of tuple of int
        Height and width of content and styles.
    keep_unlabelled : bool
        Whether unlabelled pixels stay exactly as they are.

    Returns
    -------
    Guides
        Copies, so that the caller may draw on.

    Raises
    ------
    TypeError, ValueError
        If labels are not whole numbers, an image of them has another size than its image, or a
        label of the content is found in no style.
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
        raise ValueError("guide labels no pixel; give those that a style is for a number above 0.")
    for label in guides.labels:
        if not guides.styles_for(label):
            raise ValueError(
                f"guide has label {label}, and no style has it; label a region of style_guides "
                f"{label} too, or erase it from guide."
            )
    return guides


def read_labels(labels: ArrayLike, name: str, of: str, shape: tuple[int, int]) -> Labels:
    """Check an image of labels.

    Parameters
    ----------
    labels : array-like
        (H, W) whole numbers or bool.
    name, of : str
        What to call it, and the image that it labels, in an error.
    shape : tuple of int
        Height and width of that image.

    Returns
    -------
    ndarray
        (H, W) int64, a copy.

    Raises
    ------
    TypeError, ValueError
        If they are not whole numbers, or not as many as the image has pixels.
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
    if isinstance(style_guides, (list, tuple)) and not _is_image(style_guides):
        return list(style_guides)
    return [style_guides]


def _is_image(rows: Sequence[Any]) -> bool:
    """Return whether nested lists are one image of labels, rather than several."""
    return bool(rows) and all(row is not None and np.ndim(row) == 1 for row in rows)


def _facts(labels: Labels) -> dict[str, Any]:
    return {"labels": list(labels_in(labels)), "shape": list(labels.shape)}
