"""A rectifier and a maximum in one step, which keeps no features."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from napari_nst.engine.vgg.stages import NO_JOINS, Joins, Pooling, Rectifier, bands_of, room_like


class RectifiedMaximum(Pooling):
    """A rectifier that nobody sees, and the largest of each 2 × 2 of its results.

    It keeps where those were: in single precision an eighth of what the rectifier's result takes.
    Features are passed as pairs of rows, each an image of its own, since torch numbers the places
    within an image: so they fit into 16 bits, and one image goes back on more than one core.
    """

    def forward(self, features: Tensor, joins: Joins, *, is_own: bool) -> tuple[Tensor, Tensor]:
        """Return (N, C, H, W) halved, and places (N, C, H - H // 2, W - W // 2).

        A place is a column of the upper row, or, counted on, of the lower one, or -1 where nothing
        is above 0. Those of an odd end are empty, and tell the way back of it by being there.
        Features with joins are kept themselves, rectified.
        """
        if joins != NO_JOINS:
            return super().forward(features.relu(), joins, is_own=True)
        channels, height, width = features.shape[1], features.shape[2] // 2, features.shape[3] // 2
        halved = room_like(features, (channels, height, width))
        narrow = torch.int16 if features.shape[3] <= 2**14 else torch.int32
        upper = (channels, features.shape[2] - height, features.shape[3] - width)
        kept = room_like(features, upper, narrow)
        for image, result, places in zip(*map(_images, (features, halved, kept)), strict=True):
            for rows in bands_of(halved):
                largest, place = functional.max_pool2d_with_indices(_pairs(image, rows), (2, 2))
                places[rows, :width] = _rows(place.masked_fill_(largest <= 0, -1))
                result[rows] = _rows(largest.clamp_min_(0))
        return halved, kept

    def backward(self, gradient: Tensor, kept: Tensor, joins: Joins, *, is_own: bool) -> Tensor:
        """Return the gradient by the features, given that by what they were halved to."""
        if joins != NO_JOINS:
            by_result = super().backward(gradient, kept, joins, is_own=is_own)
            return Rectifier().backward(by_result, kept, joins, is_own=True)
        channels, height, width = gradient.shape[1:]
        whole = (channels, height + kept.shape[2], width + kept.shape[3])
        by_features = room_like(gradient, whole)
        by_features[:, :, 2 * height :] = 0
        back = torch.ops.aten.max_pool2d_with_indices_backward.grad_input
        for image, given, places in zip(*map(_images, (by_features, gradient, kept)), strict=True):
            for rows in bands_of(gradient):
                place = places[rows, :width]
                above = torch.where(place < 0, 0, given[rows])
                pairs, index = _pairs(image, rows), place.clamp_min(0).long()
                how = ([2, 2], [2, 2], [0, 0], [1, 1], False)
                back(_of_one_row(above), pairs, *how, _of_one_row(index), grad_input=pairs)
        return by_features


def _images(features: Tensor) -> Tensor:
    """Return (N, C, H, W) as (N, H, W, C)."""
    return features.permute(0, 2, 3, 1)


def _pairs(image: Tensor, rows: slice) -> Tensor:
    """Return some pairs of rows of (H, W, C) as images, (n, C, 2, W)."""
    pairs = image[2 * rows.start : 2 * rows.stop]
    return pairs.view(-1, 2, *pairs.shape[1:]).permute(0, 3, 1, 2)


def _of_one_row(rows: Tensor) -> Tensor:
    """Return rows (n, W, C) as images, (n, C, 1, W)."""
    return rows.permute(0, 2, 1).unsqueeze(2)


def _rows(images: Tensor) -> Tensor:
    """Return images of one row, (n, C, 1, W), as rows (n, W, C)."""
    return images.squeeze(2).permute(0, 2, 1)
