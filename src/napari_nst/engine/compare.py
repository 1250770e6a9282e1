"""Several images made in turn as one run: layers compared, channels stylized."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.api import start
from napari_nst.engine.device import choose_device
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.build import (
    checked_recipe,
    order_to_reconstruct,
    order_to_stylize,
    order_to_synthesize,
)
from napari_nst.engine.job.input_image import Images, read_input
from napari_nst.engine.steering import Steering
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
    image: ArrayLike,
    recipe: Recipe | None = None,
    *,
    layers: Sequence[str] = COMPARED_LAYERS,
    progress: Progress | None = None,
    steering: Steering | None = None,
) -> Iterator[Iteration]:
    """Reconstruct an image from one layer after another (Gatys et al. 2016, figure 1).

    Parameters
    ----------
    image, recipe, progress
        As for `reconstruct`; the recipe's content layers are not used.
    layers : sequence of str
        One image is made for each.
    steering : Steering, optional
        Stops all images; its changes apply to the image under way.

    Returns
    -------
    iterator of Iteration
        Of all images in turn; `Iteration.panel` is the index of an image in `Iteration.panels`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `reconstruct`.
    """
    recipe = checked_recipe(recipe, "reconstruction")
    choose_device(recipe.device)
    names, panels, pixels = _checked(layers), [], read_input(image, "image")
    for layer in names:
        job = order_to_reconstruct(pixels, recipe.replace(content_layers={layer: 1.0}))
        panels.append(Panel(layer, recipe.steps, partial(start, job, progress, steering)))
    arguments = {"compare": "layers", "layers": names}
    return in_turn(panels, {"recipe": recipe.to_dict()}, arguments)


def compare_textures(
    exemplar: Images,
    recipe: Recipe | None = None,
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
        As for `synthesize`; the recipe's style layers are not used.
    layers : sequence of str
        One image is made for each.
    cumulative : bool
        Whether each image also uses the layers before its own, with equal weights.
    steering : Steering, optional
        As for `compare_reconstructions`.

    Returns
    -------
    iterator of Iteration
        As from `compare_reconstructions`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `synthesize`.
    """
    recipe = checked_recipe(recipe, "texture")
    choose_device(recipe.device)
    names, panels = _checked(layers), []
    several: Sequence[Any] = exemplar if isinstance(exemplar, (list, tuple)) else [exemplar]
    exemplars = [read_input(one, "exemplar") for one in several]
    for index, layer in enumerate(names):
        used = names[: index + 1] if cumulative else [layer]
        own = recipe.replace(style_layers=dict.fromkeys(used, 1 / len(used)))
        job = order_to_synthesize(exemplars, own, shape)
        label = f"to {layer}" if cumulative and index else layer
        panels.append(Panel(label, recipe.steps, partial(start, job, progress, steering)))
    arguments = {"compare": "cumulative" if cumulative else "layers", "layers": names}
    return in_turn(panels, {"recipe": recipe.to_dict()}, arguments)


def stylize_channels(
    contents: Sequence[ArrayLike],
    styles: Sequence[ArrayLike],
    recipe: Recipe | None = None,
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
        As for `compare_reconstructions`.

    Returns
    -------
    iterator of Iteration
        As from `compare_reconstructions`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `stylize`; also if shapes or counts differ.
    """
    recipe = checked_recipe(recipe, "transfer").replace(channels="grey")
    choose_device(recipe.device)
    count = len(contents)
    shapes = {np.shape(channel) for channel in contents}
    if len(shapes) != 1:
        raise ValueError(
            f"contents must be channels of one shape; theirs are {sorted(shapes) or 'none'}."
        )
    if len(styles) not in (1, count):
        raise ValueError(
            f"styles must be one for all, or one for each of the {count} channels; "
            f"there are {len(styles)}."
        )
    names = list(labels) or [f"channel {index}" for index in range(count)]
    if len(set(names)) != count or len(names) != count:
        raise ValueError(
            f"labels must be one for each of the {count} channels, all different; they are "
            f"{', '.join(names)}."
        )
    images = {f"content {name}": one for name, one in zip(names, contents, strict=True)}
    images |= {f"style {index}": one for index, one in enumerate(styles, start=1)}
    inputs = {role: read_input(one, role) for role, one in images.items()}
    panels = []
    for index, name in enumerate(names):
        style = inputs[f"style {1 if len(styles) == 1 else index + 1}"]
        job = order_to_stylize(inputs[f"content {name}"], style, recipe, pixel_sizes=pixel_sizes)
        panels.append(Panel(name, recipe.steps, partial(start, job, progress, steering)))
    return in_turn(panels, {"inputs": {role: one.metadata for role, one in inputs.items()}})


def in_turn(
    panels: Sequence[Panel],
    metadata: Mapping[str, Any] = MappingProxyType({}),
    arguments: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Iteration]:
    """Yield the iterations of one panel after another, counted and timed as one run.

    Metadata and arguments are added to those of each panel. The run ends if a panel ends early.
    """
    labels = tuple(panel.label for panel in panels)
    steps = sum(panel.steps for panel in panels)
    done, before = 0, 0.0
    for index, panel in enumerate(panels):
        seconds, later, is_whole = before, len(panels) - index - 1, False
        for step in panel.begin():
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
                facts={**step.facts, **metadata, "arguments": called_with},
            )
        if not is_whole:  # the user stopped it
            return
        done, before = done + panel.steps, seconds


def _checked(layers: Sequence[str]) -> list[str]:
    names = [canonical_layer(layer) for layer in layers]
    if not names:
        raise ValueError("layers is empty; name at least one, such as relu4_2.")
    if len(set(names)) < len(names):
        raise ValueError(f"layers names one of {', '.join(names)} twice; give each once.")
    return names
