"""The public functions that run a job, and return its iterations."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from napari_nst.engine.checkpoint.saved_runs import claim, read_about, read_state
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import (
    RecipeLike,
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.input_image import ImageLike, Images
from napari_nst.engine.job.job import Job
from napari_nst.engine.job.own_loss import OwnLoss
from napari_nst.engine.run_handle import RunHandle
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.weights import Progress


def stylize(
    content: ImageLike,
    style: Images,
    recipe: RecipeLike | None = None,
    *,
    init_image: ImageLike | None = None,
    pixel_sizes: Sequence[float] | None = None,
    guide: ArrayLike | None = None,
    style_guides: ArrayLike | Sequence[ArrayLike | None] | None = None,
    keep_unlabelled: bool = False,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | RunHandle | None = None,
    losses: Sequence[OwnLoss] = (),
    **fields: Any,
) -> RunHandle:
    """Paint the content in the style of another image (Gatys et al. 2016).

    Parameters
    ----------
    content : array-like
        (H, W, 3) RGB, (H, W, 4) RGBA or (H, W) grey; uint8, uint16 or float in [0, 1]. Transparent
        pixels are ignored. Grey content gives a grey result, unless the recipe says otherwise.
        It can also be a file, an image of Pillow, or an image layer of napari with a single slice.
        Files and Pillow's images are turned upright by their EXIF orientation; files of more than 8
        bits and layers are shown in their display range.
    style : array-like or StyleTarget, or list of them
        One image or several, like the content. `Recipe.style_blend` weighs several styles. In place
        of an image, a `StyleTarget` or its file.
    recipe : Recipe or str, optional
        All settings, the name of a preset, or the JSON file of a recipe; by default the ``default``
        preset.
    init_image : array-like, optional
        The image to start from, with ``init="image"``; otherwise it is not used.
    pixel_sizes : sequence of float, optional
        Side length of a pixel of the content, then of each style, in one unit. Used by recipes with
        ``style_sizing="physical"``; by default all pixels have the same size.
    guide : array-like, optional
        (H, W) integer or bool labels of the content's pixels. Each region with a label above 0
        takes the style of that label (Gatys et al. 2017); regions of label 0 take no style. It can
        also be a file, an image of Pillow, or a labels layer of napari.
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
    after : Iteration or RunHandle, optional
        An earlier run, or its last iteration. The run continues from its image for `Recipe.steps`
        more steps, at its size or at larger sizes of the recipe, and continues its step count.
    losses : sequence of OwnLoss, optional
        Losses of your own beside the recipe's.
    **fields
        Fields of `Recipe`, such as ``size=256``, which replace those of `recipe`.

    Returns
    -------
    RunHandle
        An iterator of `Iteration`, one for each step; `RunHandle.result` returns the last picture.
        Arguments are checked before this function returns; everything slow, the download of weights
        included, happens from the first `next` on.

    Raises
    ------
    TypeError, ValueError
        If an image, its labels or a field of the recipe cannot be used, there is no such preset,
        argument or field, or the device does not exist.
    OSError
        If a file cannot be read.
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
        content,
        style,
        recipe,
        init_image,
        pixel_sizes,
        guide,
        style_guides,
        keep_unlabelled,
        losses,
        **fields,
    )
    return start(job, progress, steering, after, init_image)


def synthesize(
    exemplar: Images | None = None,
    recipe: RecipeLike | None = None,
    *,
    shape: tuple[int, int] | None = None,
    into: ImageLike | None = None,
    region: ArrayLike | None = None,
    exemplar_region: ArrayLike | None = None,
    init_image: ImageLike | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | RunHandle | None = None,
    losses: Sequence[OwnLoss] = (),
    **fields: Any,
) -> RunHandle:
    """Make a new image with the texture of an exemplar, or fill a region of an image with it.

    The texture is that of Gatys et al. 2015. A filled region continues the pixels around it
    without a visible border.

    Parameters
    ----------
    exemplar : array-like or StyleTarget, or list of them
        One image or several to blend, as for `stylize`. If it is left out and `into` is given, the
        pixels around the region are the exemplar.
    recipe : Recipe or str, optional
        As for `stylize`; by default the ``texture`` preset. Its content loss is not used, its
        `size` is that of the exemplar, and ``padding="circular"`` makes the texture seamless. When
        a region is filled, image and exemplars keep their own sizes.
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
    progress, steering, after, losses, **fields
        As for `stylize`; so are the returned run, errors and warnings.
    """
    job = order_to_synthesize(
        exemplar, recipe, shape, init_image, into, region, exemplar_region, losses, **fields
    )
    return start(job, progress, steering, after, init_image)


def reconstruct(
    image: ImageLike,
    recipe: RecipeLike | None = None,
    *,
    init_image: ImageLike | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | RunHandle | None = None,
    losses: Sequence[OwnLoss] = (),
    **fields: Any,
) -> RunHandle:
    """Show what a layer represents of an image: find another image with the same features.

    This is feature inversion as in Mahendran & Vedaldi 2015 and Gatys et al. 2016, figure 1.

    Parameters
    ----------
    image : array-like
        As the content of `stylize`.
    recipe : Recipe or str, optional
        As for `stylize`; by default the ``reconstruction`` preset. Its style loss is not used.
    init_image : array-like, optional
        The image to start from, for a recipe with ``init="image"``.
    progress, steering, after, losses, **fields
        As for `stylize`; so are the returned run and errors.
    """
    job = order_to_reconstruct(image, recipe, init_image, losses, **fields)
    return start(job, progress, steering, after, init_image)


def resume(
    path: str | os.PathLike[str],
    progress: Progress | None = None,
    steering: Steering | None = None,
) -> RunHandle:
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
    RunHandle
        An iterator of `Iteration`: the saved step again, then the remaining steps.
        `Iteration.record` says where the run was resumed.

    Raises
    ------
    TypeError, ValueError
        If the file is damaged or no state of a run, if the run still goes on, or if another process
        has resumed it.
    NstError
        As for `stylize`.
    """
    path = Path(path).expanduser()
    steering = checked_options(progress, steering)
    steering.check_usable()
    state = read_state(path)

    from napari_nst.engine.device import choose_device
    from napari_nst.engine.run.run import resume as resume_run

    choose_device(state.job.recipe.device)
    if not steering.about:
        steering.about = read_about(path)
    name, owned = state.job.name, claim(path)
    return RunHandle(
        name, lambda tell: resume_run(state, owned, tell, steering), steering, progress
    )


def start(
    job: Job,
    progress: Progress | None = None,
    steering: Steering | None = None,
    after: Iteration | RunHandle | None = None,
    init_image: ImageLike | None = None,
) -> RunHandle:
    """Return the run of a job; refuse a missing device, and tell of doubtful input.

    torch is imported here, and not before: it takes seconds, and wrong input is refused at once.
    """
    steering = checked_options(progress, steering)
    before = after.last if isinstance(after, RunHandle) else after
    if not isinstance(before, Iteration) and after is not None:
        raise TypeError(
            "`after` must be the last iteration of a run, or a run that has made a step; it is "
            f"{type(after).__name__}."
        )

    from napari_nst.engine.device import choose_device
    from napari_nst.engine.run.run import run

    choose_device(job.recipe.device)
    if steering.save_every and job.own_losses:
        raise ValueError(
            "`steering` saves states, which cannot hold functions such as those of `losses`. Leave "
            "out `save_every`, or `losses`."
        )
    unused = init_image is not None and job.start is None
    notes = [f"`init_image` is not used, because `init={job.recipe.init!r}` is set."]
    for sentence in [*(notes if unused else ()), *job.notes()]:
        steering.tell(sentence)
    return RunHandle(job.name, lambda tell: run(job, tell, steering, before), steering, progress)


def checked_options(progress: Progress | None, steering: Steering | None) -> Steering:
    """Return the steering of a run, or a new one; raise TypeError for other objects."""
    if progress is not None and not callable(progress):
        raise TypeError(
            "`progress` must be a function of (message, done, total). Leave it out; result() shows "
            "a progress bar by itself."
        )
    if not isinstance(steering, Steering | None):
        raise TypeError(f"`steering` must be an nst.Steering; it is {type(steering).__name__}.")
    return steering or Steering()
