"""The public function that makes training data."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_nst.augmentation import CHANGES, PRESET, VARIANTS, WEIGHTS
from napari_nst.augmentation.pairs import Pair, listed_styles, read_pairs
from napari_nst.augmentation.run import IMAGES, LABELS, Variants, former_rows, refuse_foreign
from napari_nst.augmentation.variants import (
    LARGEST_SEED,
    MOST,
    Plan,
    checked_count,
    checked_weights,
)
from napari_nst.batch.files import checked_folder, make_folder
from napari_nst.batch.run import FilesRun
from napari_nst.engine.api import checked_options
from napari_nst.engine.device import choose_device
from napari_nst.engine.job.build import (
    RecipeLike,
    checked_recipe,
    order_to_stylize,
    refuse_unknown,
)
from napari_nst.engine.job.input_image import ImageLike, read_styles

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from napari_nst.engine.steering import Steering
    from napari_nst.engine.vgg.weights import Progress

FilePath = str | os.PathLike[str]


def augment(
    images: ImageLike | Sequence[ImageLike],
    labels: ArrayLike | FilePath | Sequence[ArrayLike | FilePath],
    styles: ImageLike | Sequence[ImageLike],
    out: FilePath,
    recipe: RecipeLike | None = None,
    *,
    variants: int = VARIANTS,
    style_weights: float | tuple[float, float] | None = None,
    seed: int = 0,
    originals: bool = True,
    progress: Progress | None = None,
    steering: Steering | None = None,
    **fields: Any,
) -> FilesRun:
    """Make training data: variants of images in other styles, with the images' own labels.

    A network that is trained on one microscope, stain or camera fails on another. Variants with
    the look of other images can make it depend less on the look. Each has exactly the size, the
    type and the range of values of its image, and the labels are copied as they are.

    Parameters
    ----------
    images : array-like, path, or list of both
        A folder of image files, one image, or a list; images are as for `stylize`. Those of more
        than 8 bits are computed in their display range, or between their extremes.
    labels : array-like, path, or list of both
        (H, W) integer or bool labels of each image, in PNG or TIFF files, arrays or labels layers.
        Those of folders are found by the names of the images, apart from the endings.
    styles : array-like, path, or list of both
        A folder, one image or `StyleTarget`, or a list. They take turns, in another order for each
        image.
    out : path
        Folder for ``images/NAME_01.png`` and so on, ``labels/NAME_01.png``, and ``variants.csv``.
        TIFFs stay TIFFs, as do floats. Variants that are there already with the same images, styles
        and settings are not made again. Each picture holds the record of its run.
    recipe : Recipe or str, optional
        As for `stylize`; by default the ``draft`` preset, with relu2_2 as a second content layer,
        which keeps thin structures. A result whose size is not that of its image is resampled to
        it, which makes it less sharp if it is smaller; with ``size=0``, each image is computed at
        its own.
    variants : int
        Number for each image.
    style_weights : float or tuple of float, optional
        The smallest and the largest style weight, between which each variant's is drawn; by default
        1 and 4, or `style_weight` if that is given. More changes the look more, and moves edges.
    seed : int
        Of all that is drawn. An image keeps its variants when others are added.
    originals : bool
        Whether the images themselves are copied, too.
    progress, **fields
        As for `stylize`.
    steering : Steering, optional
        Stops the run; finished variants remain.

    Returns
    -------
    FilesRun
        An iterator of `FileStep`; `FilesRun.result` runs to the end and returns the rows of the
        table. There, ``overlap`` is the intersection over union of the bright phases of image
        and variant, and ``displacement`` how many pixels the image's edges are elsewhere, by
        optical flow. Leave out variants of which these are poor.

    Raises
    ------
    TypeError, ValueError
        If images and labels are no pairs of equal shape, a style or a setting cannot be used, files
        would have the same name, or files in `out` that are not in its table would be replaced.
    OSError
        If a file cannot be read or written.
    NstError
        While iterating, if weights cannot be downloaded, or the first two variants fail.

    Examples
    --------
    >>> run = nst.augment("images", "labels", "looks", "more", variants=8)  # doctest: +SKIP
    >>> rows = run.result()  # doctest: +SKIP
    """
    refuse_unknown(fields, augment, ())
    if style_weights is not None and "style_weight" in fields:
        raise ValueError(
            "`style_weights` and `style_weight` contradict each other. Leave out one of them."
        )
    if recipe is None:
        recipe, fields = PRESET, {**CHANGES, **fields}
    checked = checked_recipe(recipe, "transfer", fields)
    weights = style_weights if style_weights is not None else fields.get("style_weight", WEIGHTS)
    steering = checked_options(progress, steering)
    if steering.save_every:
        raise ValueError(
            "`steering` saves states of single runs, but variants are saved one by one. Leave out "
            "`save_every`."
        )
    named = [(name, _style(one, name, checked)) for name, one in listed_styles(styles)]
    plan = Plan(
        checked,
        named,
        checked_count("variants", variants, 1, MOST),
        checked_weights(weights),
        checked_count("seed", seed, 0, LARGEST_SEED),
    )
    pairs = read_pairs(images, labels)
    path = _checked_folder(out, pairs, plan, originals)
    if progress is not None and len(pairs) > 1:
        progress(f"Checking {len(pairs)} images.", 0, 0)
    # Whether a target fits depends on the image; whether an image does, on the recipe alone.
    tried = [style for _, style in named if style.target is not None] or [named[0][1]]
    former = former_rows(path)
    for pair in pairs:
        source = pair.checked()
        if path.is_dir():
            refuse_foreign(path, pair, source, plan, originals, former)
        for style in tried:
            order_to_stylize(source.content, style, checked)
    choose_device(checked.device)
    make_folder(path, IMAGES, LABELS)
    return Variants(pairs, plan, path, originals=originals, steering=steering, progress=progress)


def _style(style: Any, name: str, recipe: Any) -> Any:
    found = read_styles([style], "styles", recipe)[0]
    return replace(found, metadata={"name": name} | found.metadata)


def _checked_folder(out: FilePath, pairs: Sequence[Pair], plan: Plan, originals: bool) -> Path:
    """Return the folder of the results; raise if files would replace each other or the input."""
    path = checked_folder(out)
    read = {folder for pair in pairs for folder in pair.folders()}
    for folder in (path / IMAGES, path / LABELS):
        if folder.resolve() in read:
            raise ValueError(
                f"`out` is {path}, whose files would be mixed with those of {folder}. Choose "
                "another folder."
            )
    names = Counter(name for pair in pairs for name in plan.names(pair))
    names.update(pair.name for pair in pairs if originals)
    for name, count in names.items():
        if count > 1:
            raise ValueError(f"{count} pictures would have the name {name}. Rename the images.")
    return path
