"""The public functions: statistics of an image beside its exemplar, and copied squares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from statistics import median
from typing import Any

import numpy as np

from napari_nst.engine.job.build import RecipeLike, checked_recipe
from napari_nst.engine.job.input_image import ImageLike
from napari_nst.texture_statistics.copies import largest_copy, layout_correlation
from napari_nst.texture_statistics.curves import curves_of
from napari_nst.texture_statistics.gram import Progress, gram_distances_of_crops, held_out_layers
from napari_nst.texture_statistics.measure import (
    DISTANCES,
    REACH,
    Measured,
    distances,
    mean_of,
    measure,
)
from napari_nst.texture_statistics.reading import read
from napari_nst.texture_statistics.result import COPIED_SQUARE, LAYOUT, Row, TextureStatistics
from napari_nst.texture_statistics.sample import Sample, lightness_of, otsu, sample_of

SLICES = 4
"""Of a volume, along each axis, that are compared with an exemplar of two dimensions."""

PHASES = ("bright", "dark")


def statistics(
    image: ImageLike,
    exemplar: ImageLike | None = None,
    *,
    mask: Any = None,
    exemplar_mask: Any = None,
    scale: float | Sequence[float] | None = None,
    unit: str = "µm",
    threshold: str | float = "otsu",
    phase: str = "bright",
    gram: bool = True,
    copies: bool = False,
    recipe: RecipeLike | None = None,
    progress: Progress | None = None,
) -> TextureStatistics:
    """Measure the texture of an image, and how far it is from the texture of its exemplar.

    Parameters
    ----------
    image, exemplar : array-like
        Images (H, W), (H, W, 3) or (H, W, 4), or volumes (D, H, W) or (D, H, W, 3), of bool, uint8,
        uint16 or float in [0, 1]; also a file, such as a TIFF of several pages for a volume, an
        image of Pillow, or an image layer. At least two sides have 32 pixels. Of a volume, slices
        along each axis are compared with an exemplar of two dimensions. Without exemplar, the image
        is measured alone, and the crops are its own.
    mask, exemplar_mask : array-like, optional
        Bool, or labels that count where they are above 0, of the shape of `image` and `exemplar`;
        also a file or a layer. Pixels with an alpha below a half do not count either.
    scale : float or sequence of float, optional
        The side of a pixel, or its sides along each axis; by default those of the file or the
        layer, in micrometres, else 1 pixel. Image and exemplar must have pixels of one size.
    unit : str
        The unit of `scale`.
    threshold : {"otsu", "half"} or float
        Lightness in [0, 1] from which a pixel belongs to the bright phase. ``otsu`` finds that of
        the exemplar by Otsu's method; ``half`` takes the brighter half of the pixels of each image,
        so that only structures are compared.
    phase : {"bright", "dark"}
        The phase that S2, lineal path, chords, volume fraction and boundaries are those of.
    gram : bool
        Whether to compare Gram matrices at layers that `recipe` does not optimise. This alone needs
        torch and the pretrained network.
    copies : bool
        Whether to find the largest square that was copied from the exemplar (see `copy_score`), and
        whether coarse structures are at the same places; in images of two dimensions. It takes
        seconds for 256 pixels, minutes for 512.
    recipe : Recipe, optional
        What the image was made with; by default the preset ``texture``.
    progress : callable, optional
        As for `stylize`, for the download of the network.

    Returns
    -------
    TextureStatistics
        Its `rows` are a table, its `curves` can be drawn, and `to_csv` writes the table.

    Raises
    ------
    TypeError, ValueError
        If an argument cannot be used.
    NstError
        If the network cannot be had or memory runs out.

    Notes
    -----
    The yardstick of each distance is that between crops of the exemplar, with half of its sides.
    Sources: Torquato 2002, "Random Heterogeneous Materials", for S2, lineal path and chords; Ohser
    & Schladitz 2009, "3D Images of Materials Structures", for Minkowski functionals.
    """
    checked = checked_recipe(recipe, "texture") if gram else None
    whole, reference = _samples(image, exemplar, mask, exemplar_mask, scale, unit, threshold, phase)
    if copies and (reference is None or whole.ndim != 2):
        raise ValueError(
            "`copies` finds squares that an image took from its exemplar; give an `exemplar`, both "
            "of two dimensions, or leave `copies` out."
        )
    compared = reference or whole
    images = [whole] if whole.ndim == compared.ndim else list(whole.slices(SLICES))
    shapes = np.array([one.shape for one in (*images, compared)]).min(axis=0)
    reach = [max(1, int(side) // REACH) for side in shapes]
    crop = tuple(
        int(min(side, max(1, own // 2))) for side, own in zip(shapes, compared.shape, strict=True)
    )
    own_crops, crops = _crops(images, crop), compared.corners(crop)
    of_image = mean_of([measure(one, reach) for one in images])
    of_exemplar = measure(reference, reach) if reference else None
    reach = [max(1, side // REACH) for side in crop]
    of_crops = [measure(one, reach) for one in crops]
    of_own = [measure(one, reach) for one in own_crops] if reference else []
    rows = [*_rows(of_image, of_exemplar, of_crops), *_curve_rows(of_own, of_crops, compared.unit)]
    if reference is not None and checked is not None:
        layers = held_out_layers(checked, crop)
        if layers and crops and own_crops:
            found = gram_distances_of_crops(own_crops, crops, checked, layers, progress)
            rows += [_distance_row(f"Gram {layer}", "", *found[layer]) for layer in found]
    if copies and reference is not None:
        rows += _copy_rows(whole, reference, crops)
    return TextureStatistics(
        tuple(rows),
        curves_of(of_image, of_exemplar, of_crops, compared.unit),
        crop,
        compared.threshold,
        reference is not None,
    )


def _copy_rows(whole: Sample, reference: Sample, crops: Sequence[Sample]) -> list[Row]:
    """Return the largest copied square and the likeness of the layout."""
    pairs = [(one.lightness, other.lightness) for one, other in combinations(crops, 2)]
    images = whole.lightness, reference.lightness
    squares, layouts = (
        (float(of(*images)), _median([abs(of(*pair)) for pair in pairs]))
        for of in (largest_copy, layout_correlation)
    )
    return [
        Row(COPIED_SQUARE, "pixel", squares[0], np.nan, np.nan, squares[1]),
        Row(LAYOUT, "", layouts[0], np.nan, np.nan, layouts[1]),
    ]


def copy_score(image: ImageLike, exemplar: ImageLike) -> int:
    """Return the side of the largest square patch that an image took over from its exemplar.

    A patch was taken over if its correlation with some place of the exemplar is 0.9 or more,
    whatever its brightness, contrast and shading. Patches of 8 to 256 pixels are compared, at every
    quarter of their side, at least 4 pixels apart. Nearly flat patches, which are similar anywhere,
    do not count. Different photographs of one material have scores of 8 to 16 pixels.

    Parameters
    ----------
    image, exemplar : array-like
        Images as for `statistics`.

    Returns
    -------
    int
        Pixels; 0 if not even a patch of 8 pixels was taken over.

    Raises
    ------
    TypeError, ValueError
        If they are no images.
    """
    found = []
    for one, name in ((image, "image"), (exemplar, "exemplar")):
        pixels = read(one, name)
        if len(pixels.shape) != 2:
            raise ValueError(f"`{name}` is a volume; give a slice of it.")
        found.append(lightness_of(pixels.pixels))
    return largest_copy(*found)


def _samples(
    image: Any,
    exemplar: Any,
    mask: Any,
    exemplar_mask: Any,
    scale: Any,
    unit: str,
    threshold: str | float,
    phase: str,
) -> tuple[Sample, Sample | None]:
    """Check all arguments, and return the image and its exemplar in their phases."""
    _check_phases(threshold, phase)
    if exemplar is None and exemplar_mask is not None:
        raise ValueError("`exemplar_mask` is given, but `exemplar` is not; give both or neither.")
    whole = sample_of(image, "image", mask, "mask", scale, unit)
    reference = None
    if exemplar is not None:
        reference = sample_of(exemplar, "exemplar", exemplar_mask, "exemplar_mask", None, unit)
        whole, reference = _with_one_scale(whole, reference, scale is not None)
    if threshold == "half":
        least = None
    elif threshold == "otsu":
        least = otsu(reference or whole)
    else:
        least = float(threshold)
    whole, *others = [
        replace(one, threshold=least, is_dark=phase == "dark")
        for one in (whole, reference)
        if one is not None
    ]
    return whole, others[0] if others else None


def _check_phases(threshold: str | float, phase: str) -> None:
    if phase not in PHASES:
        raise ValueError(f"`phase` must be {' or '.join(PHASES)}; not {phase!r}.")
    if threshold in ("otsu", "half"):
        return
    if isinstance(threshold, str) or not 0 <= threshold <= 1:
        raise ValueError(
            f"`threshold` must be otsu, half, or a lightness in [0, 1]; not {threshold!r}."
        )


def _with_one_scale(whole: Sample, reference: Sample, is_given: bool) -> tuple[Sample, Sample]:
    """Return image and exemplar with one size of pixels, that of the one that has it."""
    if whole.ndim < reference.ndim:
        raise ValueError("`exemplar` is a volume and `image` is not; give a slice of the exemplar.")
    if whole.ndim > reference.ndim and not np.allclose(whole.scale, whole.scale[0], rtol=0.01):
        raise ValueError(
            f"`image` has voxels of {_by(whole.scale)} {whole.unit}, so that its slices along each "
            "axis differ; resample it to cubes, or give a slice of it."
        )
    if is_given or not reference.is_calibrated:
        sides = whole.scale[-reference.ndim :]
        return whole, replace(reference, scale=sides, unit=whole.unit)
    if not whole.is_calibrated:
        missing = whole.ndim - reference.ndim
        sides = (*reference.scale[:1] * missing, *reference.scale)
        return replace(whole, scale=sides, unit=reference.unit), reference
    sides = whole.scale[-reference.ndim :]
    if whole.unit != reference.unit or not np.allclose(sides, reference.scale, rtol=0.01):
        raise ValueError(
            f"The pixels of `image` are {_by(sides)} {whole.unit} and those of `exemplar` "
            f"{_by(reference.scale)} {reference.unit}; resample one, or give `scale` for both."
        )
    return whole, reference


def _by(sides: Sequence[float]) -> str:
    return " × ".join(f"{side:.4g}" for side in sides)


def _crops(images: Sequence[Sample], shape: Sequence[int]) -> list[Sample]:
    """Return the crops of an image at its corners; of slices, one crop each, at all corners."""
    if len(images) == 1:
        return images[0].corners(shape)
    found = [one.corners(shape) for one in images]
    return [crops[index % len(crops)] for index, crops in enumerate(found) if crops]


def _rows(image: Measured, exemplar: Measured | None, crops: Sequence[Measured]) -> list[Row]:
    """Return the statistics that are numbers."""
    rows = []
    for name, value in image.numbers.items():
        wanted = np.nan if exemplar is None else exemplar.numbers[name]
        of_crops = np.array([one.numbers[name] for one in crops])
        known = of_crops[np.isfinite(of_crops)]
        spread = float(known.std(ddof=1)) if len(known) > 1 else np.nan
        rows.append(Row(name, image.units[name], value, wanted, abs(value - wanted), spread))
    return rows


def _curve_rows(own: Sequence[Measured], crops: Sequence[Measured], unit: str) -> list[Row]:
    """Return the distances between curves."""
    if not own or not crops:
        return []
    apart = [distances(one, other) for one in own for other in crops]
    between = [distances(one, other) for one, other in combinations(crops, 2)]
    units = {"chord lengths": unit}
    return [
        _distance_row(
            name, units.get(name, ""),
            _median([one[name] for one in apart]), _median([one[name] for one in between]),
        )
        for name in DISTANCES
    ]  # fmt: skip


def _distance_row(name: str, unit: str, distance: float, between: float) -> Row:
    return Row(name, unit, np.nan, np.nan, distance, between)


def _median(values: Sequence[float]) -> float:
    known = [one for one in values if np.isfinite(one)]
    return float(median(known)) if known else np.nan
