"""A region of a picture to fill, and the texture to fill it with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.guides import Guides, KeepOutside, Labels, Mask, read_labels, same_pixels
from napari_nst.engine.job.input_image import RGB, InputImage, Weights, Window

MARGIN = 64
"""How many pixels around the region a run works on, so that deep features at the region's border
see the picture: half the receptive field of relu4_1, 92 pixels, and some alignment."""

BORDER = 8
"""By how many pixels the region is enlarged for its statistics: features that straddle its border
then match the texture too, and the border does not show."""


class Inpainting:
    """A region of a picture to fill, and the exemplars whose texture fills it."""

    def __init__(
        self,
        picture: InputImage,
        mask: Mask,  # of the picture's size: the pixels to fill
        window: Window,  # rows and columns that the run works on, from beginning to end
        exemplars: Sequence[InputImage] | None,  # None takes the texture from around the region
        exemplar_mask: Mask | None,  # pixels of a single exemplar to use; None uses all
        longest: int,  # longest side of the part that is cut from an exemplar with a mask
    ) -> None:
        self.picture, self.mask, self.window = picture, mask, window
        self.exemplars, self.exemplar_mask, self.longest = exemplars, exemplar_mask, longest
        labels: Sequence[Labels]
        if exemplars is None:
            self.styles, labels = _around(picture, mask)
        elif exemplar_mask is None:
            self.styles = list(exemplars)
            labels = [np.ones(one.shape, np.int64) for one in exemplars]
        else:
            part = _densest(exemplar_mask, longest)
            self.styles = [exemplars[0].cropped(part)]
            labels = [exemplar_mask[part].astype(np.int64)]
        self.guides = Guides(_enlarged(mask[window]), tuple(labels))
        self.keep_outside = KeepOutside(picture, mask, window, seamless=True)
        self.metadata = {"filled_pixels": int(mask.sum())}
        if exemplar_mask is not None:
            self.metadata["exemplar_pixels"] = int(labels[0].sum())

    def changed(
        self, mask: Mask, exemplar_region: ArrayLike | None, exemplars: Sequence[InputImage] | None
    ) -> Inpainting:
        """Return the same for another mask, and for other exemplars unless they are None."""
        if np.count_nonzero(mask) > np.count_nonzero(mask[self.window]):
            raise ValueError(
                f"`region` reaches beyond the {MARGIN} pixels around where it was when the run "
                "began. Erase the pixels beyond, or start another run."
            )
        exemplars = self.exemplars if exemplars is None else exemplars
        exemplar_mask = read_exemplar_region(exemplar_region, exemplars)
        return Inpainting(self.picture, mask, self.window, exemplars, exemplar_mask, self.longest)

    def differences(self, other: Inpainting) -> dict[str, Any]:
        """Return which regions another inpainting of the picture has changed, for the record."""
        found = {}
        if not same_pixels(self.mask, other.mask):
            found["region"] = True
        if not same_pixels(self.exemplar_mask, other.exemplar_mask):
            found["exemplar_region"] = True
        return found


def read_region(region: ArrayLike | None, picture: InputImage) -> Mask:
    """Return the pixels to fill as a mask, or raise TypeError or ValueError."""
    if region is None:
        raise ValueError(
            "`into` needs a region to fill. Give `region`, with numbers above 0 there."
        )
    mask = _read_mask(region, "region", "image into which", picture)
    if picture.alpha is not None and not (picture.alpha[mask] > 0).any():
        raise ValueError(
            "`region` marks only transparent pixels of `into`. Make them opaque first."
        )
    return mask


def read_exemplar_region(
    region: ArrayLike | None, exemplars: Sequence[InputImage] | None
) -> Mask | None:
    """Return the pixels of a single exemplar to use as a mask, or raise TypeError or ValueError."""
    if region is None:
        return None
    if exemplars is None:
        raise ValueError("`exemplar_region` marks pixels of an exemplar. Give `exemplar` too.")
    if len(exemplars) != 1:
        raise ValueError(
            "`exemplar_region` marks pixels of a single exemplar, and there are several. Leave it "
            "out."
        )
    return _read_mask(region, "exemplar_region", "exemplar", exemplars[0])


def _read_mask(region: ArrayLike, name: str, of: str, image: InputImage) -> Mask:
    mask: Mask = read_labels(region, name, of, image.shape) > 0
    if not mask.any():
        raise ValueError(f"`{name}` labels no pixel. Give the pixels to use a number above 0.")
    return mask


def window_around(mask: Mask, margin: int) -> Window:
    """Return the rows and columns of a mask with a margin, cut to the image."""
    rows, columns = (
        slice(max(0, int(at.min()) - margin), min(side, int(at.max()) + 1 + margin))
        for at, side in zip(mask.nonzero(), mask.shape, strict=True)
    )
    return rows, columns


def _around(picture: InputImage, mask: Mask) -> tuple[list[InputImage], list[Labels]]:
    """Return the picture around a mask as exemplar, and the labels of its pixels to use."""
    rows, columns = window_around(mask, 0)
    size = max(rows.stop - rows.start, columns.stop - columns.start)
    window = window_around(mask, max(MARGIN, size))
    around, hidden = picture.cropped(window), mask[window]
    alpha = (~hidden).astype(np.float32) * (1 if around.alpha is None else around.alpha)
    # The filled pixels are hidden, and their border is an edge that is not part of the texture.
    labels, rgb = 1 - _enlarged(hidden), around.rgb
    visible = np.count_nonzero(alpha)
    if 2 * np.count_nonzero(labels * alpha) < visible:
        # Between many small holes, such as hot pixels, borders would leave little or nothing.
        # Here the picture is continued into the holes, so that features beside them see no edge.
        labels = (~hidden & (alpha > 0)).astype(np.int64)
        rgb, alpha = _continued(rgb, alpha)
    if not visible:
        raise ValueError(
            "`region` leaves too little of `into` to take a texture from. Give `exemplar`."
        )
    # Without metadata: the caller did not hand in this part as an image of its own.
    return [InputImage(rgb, alpha, around.is_grey, {})], [labels]


def _continued(rgb: RGB, alpha: Weights) -> tuple[RGB, Weights]:
    """Return an image whose visible pixels are continued by `BORDER` pixels, and its alpha."""
    alpha = np.pad(alpha, 1)
    rgb = np.pad(rgb, ((1, 1), (1, 1), (0, 0))) * (alpha > 0)[..., None]
    for _ in range(BORDER):
        known = (alpha > 0).astype(np.float32)
        count, total, most = np.zeros_like(known), np.zeros_like(rgb), np.zeros_like(alpha)
        for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1)):
            count += np.roll(known, shift, axis)
            total += np.roll(rgb, shift, axis)
            most = np.maximum(most, np.roll(alpha, shift, axis))
        new = (known == 0) & (count > 0)
        new[[0, -1]] = new[:, [0, -1]] = False
        if not new.any():
            break
        rgb[new], alpha[new] = total[new] / count[new][:, None], most[new]
    return rgb[1:-1, 1:-1], alpha[1:-1, 1:-1]


def _densest(marked: Mask, longest: int) -> Window:
    """Return the window of sides up to `longest` that has the most marked pixels."""
    tables = np.pad(marked.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    height, width = (min(side, longest) for side in marked.shape)
    counts = (
        tables[height:, width:] - tables[:-height, width:] - tables[height:, :-width]
        + tables[:-height, :-width]
    )  # fmt: skip
    top, left = np.unravel_index(counts.argmax(), counts.shape)
    return slice(int(top), int(top) + height), slice(int(left), int(left) + width)


def _enlarged(mask: Mask) -> Labels:
    """Return a mask grown by `BORDER` pixels on each side, as labels 0 and 1."""
    marked = np.pad(mask, BORDER)
    for axis in (0, 1):
        windows = np.lib.stride_tricks.sliding_window_view(marked, 2 * BORDER + 1, axis=axis)
        marked = np.any(windows, axis=-1)
    return marked.astype(np.int64)
