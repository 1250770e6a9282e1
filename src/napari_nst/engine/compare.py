"""Several images made in turn as one run: layers compared, channels stylized."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.api import start
from napari_nst.engine.device import choose_device
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import (
    RecipeLike,
    checked_recipe,
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.input_image import ImageLike, Images, read_input
from napari_nst.engine.job.job import Job
from napari_nst.engine.steering import Steering, StoppedEarlier
from napari_nst.engine.vgg.weights import Progress
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import COMPARED_LAYERS, canonical_layer


@dataclass(frozen=True)
class Panel:
    """One of several images that are made in turn."""

    label: str
    steps: int
    begin: Callable[[], Iterator[Iteration]]


def compare_reconstructions(
    image: ImageLike,
    recipe: RecipeLike | None = None,
    *,
    layers: Sequence[str] = COMPARED_LAYERS,
    progress: Progress | None = None,
    steering: Steering | None = None,
) -> Iterator[Iteration]:
    """Reconstruct an image from one layer after another (Gatys et al. 2016, figure 1).

    Parameters
    ----------
    image, recipe, progress
        As for `reconstruct`, and so are errors; the recipe's content layers, terms and later phases
        are not used.
    layers : sequence of str
        One image is made for each.
    steering : Steering, optional
        Stops all images; its changes apply to the image under way.

    Returns
    -------
    iterator of Iteration
        Of all images in turn; `Iteration.panel` is the index of an image in `Iteration.panels`.
    """
    recipe = checked_recipe(recipe, "reconstruction")
    names, pixels = checked_layers(layers), read_input(image, "image")
    jobs = {
        layer: order_to_reconstruct(pixels, alone_at(recipe, content_layers={layer: 1.0}))
        for layer in names
    }
    facts = {"recipe": recipe.to_dict()}
    arguments = {"compare": "layers", "layers": names}
    return in_turn(panels_of(jobs, progress, steering), facts, arguments)


def compare_textures(
    exemplar: Images,
    recipe: RecipeLike | None = None,
    *,
    layers: Sequence[str] = COMPARED_LAYERS,
    cumulative: bool = False,
    shape: tuple[int, int] | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
) -> Iterator[Iteration]:
    """Synthesize a texture from one layer after another (Gatys et al. 2015, figure 2).

    Parameters
    ----------
    exemplar, recipe, shape, progress
        As for `synthesize`; the recipe's style layers, terms and later phases are not used.
    layers : sequence of str
        One image is made for each.
    cumulative : bool
        Whether each image also uses the layers before its own, with equal weights.
    steering : Steering, optional
        As for `compare_reconstructions`; so is the returned iterator. Errors are `synthesize`'s.
    """
    recipe = checked_recipe(recipe, "texture")
    names, jobs = checked_layers(layers), {}
    several: Sequence[Any] = exemplar if isinstance(exemplar, (list, tuple)) else [exemplar]
    exemplars = [read_input(one, "exemplar") for one in several]
    for index, layer in enumerate(names):
        used = names[: index + 1] if cumulative else [layer]
        own = alone_at(recipe, style_layers=dict.fromkeys(used, 1 / len(used)))
        label = f"to {layer}" if cumulative and index else layer
        jobs[label] = order_to_synthesize(exemplars, own, shape)
    facts = {"recipe": recipe.to_dict()}
    arguments = {"compare": "cumulative" if cumulative else "layers", "layers": names}
    return in_turn(panels_of(jobs, progress, steering), facts, arguments)


def stylize_channels(
    contents: Sequence[ArrayLike],
    styles: Sequence[ImageLike],
    recipe: RecipeLike | None = None,
    *,
    labels: Sequence[str] = (),
    pixel_sizes: Sequence[float] | None = None,
    progress: Progress | None = None,
    steering: Steering | None = None,
) -> Iterator[Iteration]:
    """Stylize the channels of an image in turn, each in grey.

    Parameters
    ----------
    contents : sequence of array-like
        The channels, (H, W) each, all of one shape.
    styles : sequence of array-like
        One for each channel, or one for all.
    recipe, progress, pixel_sizes
        As for `stylize`.
    labels : sequence of str, optional
        Names of the channels.
    steering : Steering, optional
        As for `compare_reconstructions`; so is the returned iterator. Errors are `stylize`'s.
    """
    recipe = checked_recipe(recipe, "transfer").replace(channels="grey")
    count = len(contents)
    shapes = {np.shape(channel) for channel in contents}
    if len(shapes) != 1:
        raise ValueError(f"`contents` must be channels of one shape; theirs are {sorted(shapes)}.")
    if len(styles) not in (1, count):
        raise ValueError(
            f"`styles` must be one for all, or one for each of the {count} channels; "
            f"there are {len(styles)}."
        )
    names = list(labels) or [f"channel {index}" for index in range(count)]
    if len(set(names)) != count or len(names) != count:
        raise ValueError(
            f"`labels` must be one for each of the {count} channels, all different; they are "
            f"{', '.join(names)}."
        )
    images: dict[str, ImageLike] = {
        f"content {name}": one for name, one in zip(names, contents, strict=True)
    }
    images |= {f"style {index}": one for index, one in enumerate(styles, start=1)}
    inputs = {role: read_input(one, role) for role, one in images.items()}
    jobs = {}
    for index, name in enumerate(names):
        style = inputs[f"style {1 if len(styles) == 1 else index + 1}"]
        content = inputs[f"content {name}"]
        jobs[name] = order_to_stylize(content, style, recipe, pixel_sizes=pixel_sizes)
    facts = {"inputs": {role: one.metadata for role, one in inputs.items()}}
    return in_turn(panels_of(jobs, progress, steering), facts, {})


def alone_at(recipe: Recipe, **layers: Any) -> Recipe:
    """Return a recipe with other layers, and without terms and phases, which have their own."""
    return recipe.replace(**layers, terms=(), phases=())


def panels_of(
    jobs: Mapping[str, Job], progress: Progress | None, steering: Steering | None
) -> list[Panel]:
    """Return a panel for each label and its job; refuse a missing device before the first."""
    for job in jobs.values():
        choose_device(job.recipe.device)
    return [
        Panel(label, job.recipe.steps, partial(start, job, progress, steering))
        for label, job in jobs.items()
    ]


def in_turn(
    panels: Sequence[Panel], facts: Mapping[str, Any], arguments: Mapping[str, Any]
) -> Iterator[Iteration]:
    """Yield the iterations of one panel after another as one run, with more facts and arguments."""
    labels = tuple(panel.label for panel in panels)
    steps = sum(panel.steps for panel in panels)
    done, before = 0, 0.0
    for index, panel in enumerate(panels):
        seconds, later, is_whole = before, len(panels) - index - 1, False
        try:
            iterations = panel.begin()
        except StoppedEarlier:
            if index:  # the user stopped it between two images
                return
            raise
        for step in iterations:
            is_whole = step.step == step.steps
            seconds = before + step.seconds
            of_panel = step.seconds + step.seconds_left
            called_with = {**step.facts.get("arguments", {}), **arguments}
            yield replace(
                step,
                step=done + step.step,
                steps=steps,
                seconds=seconds,
                seconds_left=step.seconds_left + later * of_panel,
                panel=index,
                panels=labels,
                facts={**step.facts, **facts, "arguments": called_with},
            )
        if not is_whole:  # the user stopped it
            return
        done, before = done + panel.steps, seconds


def checked_layers(layers: Sequence[str]) -> list[str]:
    """Return the names of layers, each once, as the recipe has them."""
    names = [canonical_layer(layer) for layer in layers]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"`layers` must name each once, and at least one; not {list(layers)}.")
    return names
