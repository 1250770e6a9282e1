"""The public functions that run a job, and return its iterations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from numpy.typing import ArrayLike

from napari_nst.engine.checkpoint.saved_runs import claim, read_about, read_state
from napari_nst.engine.device import choose_device
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import order_to_reconstruct, order_to_stylize, order_to_synthesize
from napari_nst.engine.job.input_image import ImageLike, Images
from napari_nst.engine.job.job import Job
from napari_nst.engine.run.run import resume as resume_run
from napari_nst.engine.run.run import run
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.weights import Progress
from napari_nst.recipe import Recipe


def stylize(
    content: ImageLike,
    style: Images,
    recipe: Recipe | None = None,
    *,
    init_image: ImageLike | None = None,
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
        pixels are ignored. Grey content gives a grey result, unless the recipe says otherwise. An
        image of Pillow is converted, and turned upright by its EXIF orientation.
    style : array-like, or list of array-like
        One image or several, like the content. `Recipe.style_blend` weighs several styles.
    recipe : Recipe, optional
        All settings; by default the ``default`` preset.
    init_image : array-like, optional
        The image to start from, for a recipe with ``init="image"``.
    pixel_sizes : sequence of float, optional
        Side length of a pixel of the content, then of each style, in one unit. Used by recipes with
        ``style_sizing="physical"``; by default all pixels have the same size.
    guide : array-like, optional
        (H, W) integer or bool labels of the content's pixels. Each region with a label above 0
        takes the style of that label (Gatys et al. 2017); regions of label 0 take no style.
    style_guides : array-like, or sequence of array-like or None, optional
        The same for each style. A style without labels is used whole: for every label if it is the
        only style, else the i-th style for label i, counted from 1.
    keep_unlabelled : bool
        Keep the content's pixels of label 0 exactly as they are. The run then works at the
        content's own size, whatever `Recipe.size` is.
    progress : callable, optional
        Called as ``progress(message, done, total)`` while the network's weights are downloaded,
        and before the first step with the estimate of time and memory, where both numbers are 0.
    steering : Steering, optional
        Changes or stops the run while it goes on.
    after : Iteration, optional
        The last iteration of an earlier run. The run continues from its image for `Recipe.steps`
        more steps, at its size or at larger sizes of the recipe, and continues its step count.

    Returns
    -------
    iterator of Iteration
        One for each step. Arguments are checked before this function returns; everything slow, the
        download of weights included, happens from the first `next` on.

    Raises
    ------
    TypeError, ValueError
        If an image, its labels or a field of the recipe cannot be used, or the device does not
        exist.
    NstError
        While iterating, if weights cannot be downloaded or memory runs out.

    Warns
    -----
    UserWarning
        If a region is too small at a layer, which then leaves it out, a 16-bit image is nearly
        black, the size must be larger for a narrow image, or a guide has very many labels;
        `steering` gets the sentence if it has a `tell` of its own.
    """
    job = order_to_stylize(
        content, style, recipe, init_image, pixel_sizes, guide, style_guides, keep_unlabelled
    )
    return start(job, progress, steering, after)


def synthesize(
    exemplar: Images | None = None,
    recipe: Recipe | None = None,
    *,
    shape: tuple[int, int] | None = None,
    into: ImageLike | None = None,
    region: ArrayLike | None = None,
    exemplar_region: ArrayLike | None = None,
    init_image: ImageLike | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Iterator[Iteration]:
    """Make a new image with the texture of an exemplar, or fill a region of an image with it.

    The texture is that of Gatys et al. 2015. A filled region continues the pixels around it
    without a visible border.

    Parameters
    ----------
    exemplar : array-like, or list of array-like
        One image or several to blend, as for `stylize`. If it is left out and `into` is given, the
        pixels around the region are the exemplar.
    recipe : Recipe, optional
        All settings; by default the ``texture`` preset. Its content loss is not used, its `size` is
        that of the exemplar, and ``padding="circular"`` makes the texture seamless. When a region
        is filled, image and exemplars keep their own sizes.
    shape : tuple of int, optional
        Height and width of the texture; by default those of the exemplar.
    into : array-like, optional
        The image to fill. Iterations show the whole image; pixels outside the region are unchanged.
    region : array-like, optional
        (H, W) integer or bool labels of the pixels of `into`; labels above 0 are filled.
    exemplar_region : array-like, optional
        The same for the exemplar: the pixels whose texture is used, instead of all.
    init_image : array-like, optional
        The image to start from, for a recipe with ``init="image"``; of the size of `into`, if that
        is given.
    progress, steering, after
        As for `stylize`; so are the returned iterator, errors and warnings.
    """
    job = order_to_synthesize(exemplar, recipe, shape, init_image, into, region, exemplar_region)
    return start(job, progress, steering, after)


def reconstruct(
    image: ImageLike,
    recipe: Recipe | None = None,
    *,
    init_image: ImageLike | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Iterator[Iteration]:
    """Show what a layer represents of an image: find another image with the same features.

    This is feature inversion as in Mahendran & Vedaldi 2015 and Gatys et al. 2016, figure 1.

    Parameters
    ----------
    image : array-like
        As the content of `stylize`.
    recipe : Recipe, optional
        All settings; by default the ``reconstruction`` preset. Its style loss is not used.
    init_image : array-like, optional
        The image to start from, for a recipe with ``init="image"``.
    progress, steering, after
        As for `stylize`; so are the returned iterator and errors.
    """
    return start(order_to_reconstruct(image, recipe, init_image), progress, steering, after)


def resume(
    path: str | os.PathLike[str],
    progress: Progress | None = None,
    steering: Steering | None = None,
) -> Iterator[Iteration]:
    """Continue an interrupted run from its saved state (see `Steering`).

    Needs neither the images nor the recipe of the run: the state has both, with the changes that
    were made while the run went on. On the CPU, the run ends with exactly the image that it would
    have had without the interruption.

    Parameters
    ----------
    path : str or path
        File of the state. ``napari-nst resume --list`` shows those of interrupted runs. From
        then on, no other process can resume the run. A copy of a state in another folder stays as
        it is.
    progress, steering
        As for `stylize`. Without `Steering.save_every`, the run saves no further state.

    Returns
    -------
    iterator of Iteration
        The saved step again, then the remaining steps. `Iteration.record` says where the run was
        resumed.

    Raises
    ------
    TypeError, ValueError
        If the file is damaged or no state of a run, if the run still goes on, or if another process
        has resumed it.
    NstError
        As for `stylize`.
    """
    path = Path(path)
    if steering is not None:
        steering.check_usable()
    state = read_state(path)
    choose_device(state.job.recipe.device)
    if steering is not None and not steering.about:
        steering.about = read_about(path)
    return resume_run(state, claim(path), progress, steering)


def start(
    job: Job,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | None = None,
) -> Iterator[Iteration]:
    """Return the iterations of a job; refuse a missing device, and tell of doubtful input."""
    choose_device(job.recipe.device)
    tell = (steering or Steering()).tell
    for sentence in job.notes():
        tell(sentence)
    return run(job, progress, steering, after)
