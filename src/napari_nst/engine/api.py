"""The jobs: what a caller asks for by name. Each checks its input, then returns a generator."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

from numpy.typing import ArrayLike

from napari_nst.engine.device import choose_device
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import (
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.checks import Images
from napari_nst.engine.job.job import Job
from napari_nst.engine.run.run import run
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.weights import Progress
from napari_nst.recipe import Recipe


def stylize(
    content: ArrayLike,
    style: Images,
    recipe: Recipe | None = None,
    *,
    init_image: ArrayLike | None = None,
    pixel_sizes: Sequence[float] | None = None,
    guide: ArrayLike | None = None,
    style_guides: ArrayLike | Sequence[ArrayLike | None] | None = None,
    keep_unlabelled: bool = False,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Iterator[Iteration]:
    """Paint the content in the style of another image (Gatys et al. 2016).

    Parameters
    ----------
    content : array-like
        (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey; uint8, uint16 or float in [0, 1]. Transparent
        pixels do not count; of grey content the result is grey, unless the recipe says otherwise.
    style : array-like, or list of them
        The same. Statistics of several styles are blended as the recipe's `style_blend` says.
    recipe : Recipe, optional
        What to do; the ``default`` preset where left out.
    init_image : array-like, optional
        What a recipe with ``init="image"`` starts from.
    pixel_sizes : sequence of float, optional
        Length of a pixel's side in the content, then in each style, all in one unit; for recipes
        with ``style_sizing="physical"``, which takes pixels to be alike where they are left out.
    guide : array-like, optional
        (H, W) labels of the content's pixels, whole numbers or bool: each region above 0 takes the
        style of its label (Gatys et al. 2017), and 0 takes none.
    style_guides : array-like, or sequence of array-like or None, optional
        The same for each style, where labels say which of its pixels are whose. A style without
        one serves as a whole: every label where it is the only style, and of several styles the
        i-th label i, from 1.
    keep_unlabelled : bool
        Leave the content's pixels of label 0 exactly as they are. The run then works at the
        content's own size, whatever the recipe's `size`, and every picture has that size.
    progress : callable, optional
        Called as ``progress(message, done, total)`` while the pretrained network arrives.
    steering : Steering, optional
        What the caller changes while the run goes on.
    after : Iteration, optional
        An earlier run's last: go on from its picture for the recipe's `steps` more, at its size or
        at the recipe's larger ones, and count on from there.

    Returns
    -------
    iterator of Iteration
        One per step. The input is checked before this returns; everything slow, the network's
        download included, happens from the first `next` on.

    Raises
    ------
    TypeError, ValueError
        If an image, its labels or a field of the recipe cannot be used.
    NstError
        While iterating, if weights cannot be had or memory runs out.

    Warns
    -----
    UserWarning
        If a region is too small to be seen at a layer; the layer leaves it out.
    """
    order = order_to_stylize(
        content, style, recipe, init_image, pixel_sizes, guide, style_guides, keep_unlabelled
    )
    return _start(order, progress, steering, after)


def synthesize(
    exemplar: Images | None = None,
    recipe: Recipe | None = None,
    *,
    shape: tuple[int, int] | None = None,
    into: ArrayLike | None = None,
    region: ArrayLike | None = None,
    exemplar_region: ArrayLike | None = None,
    init_image: ArrayLike | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Iterator[Iteration]:
    """Make more of a texture: a new image with an exemplar's statistics (Gatys et al. 2015).

    Or fill a region of a picture with it, seamlessly into what is around.

    Parameters
    ----------
    exemplar : array-like, or list of them
        Images as `stylize` takes them; several are blended. Left out beside `into`, what is around
        the region is the exemplar.
    recipe : Recipe, optional
        What to do; the ``texture`` preset where left out. Its content part is left aside, its
        `size` is that of the exemplar, and ``padding="circular"`` makes the texture tile. What is
        filled keeps its size, and so do its exemplars.
    shape : tuple of int, optional
        Height and width of the texture, of any size; the exemplar's where left out.
    into : array-like, optional
        The image to fill. Iterations show all of it, and what is outside the region is exactly as
        it came.
    region : array-like, optional
        (H, W) labels of its pixels, whole numbers or bool; those above 0 are filled.
    exemplar_region : array-like, optional
        The same of the exemplar: the pixels whose texture is taken, instead of all.
    init_image : array-like, optional
        What a recipe with ``init="image"`` starts from; as large as `into`, where there is one.
    progress : callable, optional
        As for `stylize`.
    steering, after
        As for `stylize`.

    Returns
    -------
    iterator of Iteration
        One per step, as for `stylize`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `stylize`.
    """
    order = order_to_synthesize(exemplar, recipe, shape, init_image, into, region, exemplar_region)
    return _start(order, progress, steering, after)


def reconstruct(
    image: ArrayLike,
    recipe: Recipe | None = None,
    *,
    init_image: ArrayLike | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Iterator[Iteration]:
    """Show what a layer keeps of an image: find another with the same features.

    Feature inversion as in Mahendran & Vedaldi 2015 and Gatys et al. 2016, fig. 1.

    Parameters
    ----------
    image : array-like
        As `stylize` takes it.
    recipe : Recipe, optional
        What to do; the ``reconstruction`` preset where left out. Its style part is left aside.
    init_image : array-like, optional
        What a recipe with ``init="image"`` starts from.
    progress : callable, optional
        As for `stylize`.
    steering, after
        As for `stylize`.

    Returns
    -------
    iterator of Iteration
        One per step, as for `stylize`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `stylize`.
    """
    order = order_to_reconstruct(image, recipe, init_image)
    return _start(order, progress, steering, after)


def _start(
    order: Job, progress: Progress | None, steering: Steering | None, after: Iteration | None
) -> Iterator[Iteration]:
    """Refuse a device that is not there, warn of regions that are too small, and run the job."""
    choose_device(order.recipe.device)
    for sentence in order.small_regions():
        warnings.warn(sentence, UserWarning, stacklevel=3)
    return run(order, progress, steering, after)
