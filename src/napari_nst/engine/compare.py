"""Several pictures made in turn, side by side in one result: layers compared, channels stylized."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.api import reconstruct, stylize, synthesize
from napari_nst.engine.iteration import Iteration
from napari_nst.engine.job.checks import Images, checked_recipe
from napari_nst.engine.job.input_image import read_input
from napari_nst.engine.steering import Steering
from napari_nst.engine.vgg.weights import Progress
from napari_nst.recipe import Recipe
from napari_nst.recipe.layer_names import COMPARED_LAYERS, canonical_layer


@dataclass(frozen=True)
class Panel:
    """One of several pictures.

    Attributes
    ----------
    label : str
        What it is called.
    steps : int
        How many iterations it takes.
    iterations : iterator of Iteration
        Not begun yet.
    """

    label: str
    steps: int
    iterations: Iterator[Iteration]


def compare_reconstructions(
    image: ArrayLike,
    recipe: Recipe | None = None,
    *,
    layers: Sequence[str] = COMPARED_LAYERS,
    progress: Progress | None = None,
    steering: Steering | None = None,
) -> Iterator[Iteration]:
    """Reconstruct an image from one layer after another (Gatys et al. 2016, fig. 1).

    Parameters
    ----------
    image, recipe, progress
        As for `reconstruct`; the recipe's content layers are left aside.
    layers : sequence of str
        One picture for each.
    steering : Steering, optional
        Ends all of it within an iteration, is told what the runs have to say, and watches their
        tiles. What it changes is the picture in the making.

    Returns
    -------
    iterator of Iteration
        Of all pictures in turn: `Iteration.panel` says which of `Iteration.panels` it belongs to.

    Raises
    ------
    TypeError, ValueError, NstError
        As `reconstruct`.
    """
    recipe = checked_recipe(recipe, "reconstruction")
    names, panels = _checked(layers), []
    for layer in names:
        of_layer = recipe.replace(content_layers={layer: 1.0})
        iterations = reconstruct(image, of_layer, progress=progress, steering=steering)
        panels.append(Panel(layer, recipe.steps, iterations))
    compared = {"compare": "layers", "layers": names}
    return in_turn(panels, {"recipe": recipe.to_dict(), "arguments": compared})


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
    """Synthesize a texture from one layer after another (Gatys et al. 2015, fig. 2).

    Parameters
    ----------
    exemplar, recipe, shape, progress
        As for `synthesize`; the recipe's style layers are left aside.
    layers : sequence of str
        One picture for each.
    cumulative : bool
        Whether each picture takes the layers before its own too, all alike.
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
    names = _checked(layers)
    panels = []
    for index, layer in enumerate(names):
        taken = names[: index + 1] if cumulative else [layer]
        of_layers = recipe.replace(style_layers=dict.fromkeys(taken, 1 / len(taken)))
        iterations = synthesize(
            exemplar, of_layers, shape=shape, progress=progress, steering=steering
        )
        label = f"to {layer}" if cumulative and index else layer
        panels.append(Panel(label, recipe.steps, iterations))
    compared: dict[str, Any] = {
        "compare": "cumulative" if cumulative else "layers",
        "layers": names,
    }
    if shape is not None:
        compared["shape"] = list(shape)
    return in_turn(panels, {"recipe": recipe.to_dict(), "arguments": compared})


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
    """Stylize the channels of one image in turn, each in grey and with a style of its own.

    Parameters
    ----------
    contents : sequence of array-like
        (H, W) each, all of one shape: the channels.
    styles : sequence of array-like
        One for each channel, or one for all.
    recipe, progress, pixel_sizes
        As for `stylize`.
    labels : sequence of str, optional
        What the channels are called.
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
    shapes = {np.shape(channel) for channel in contents}
    if len(shapes) != 1:
        raise ValueError(
            f"contents must be channels of one shape; theirs are {sorted(shapes) or 'none'}."
        )
    if len(styles) not in (1, len(contents)):
        raise ValueError(
            f"styles must be one for all, or one for each of the {len(contents)} channels; "
            f"there are {len(styles)}."
        )
    names = list(labels) or [f"channel {index}" for index in range(len(contents))]
    if len(set(names)) != len(contents) or len(names) != len(contents):
        number = f"there {'is' if len(names) == 1 else 'are'} {len(names)}: {', '.join(names)}"
        raise ValueError(
            f"labels must be one for each of the {len(contents)} channels; {number}, and no two "
            "may be the same."
        )
    each = list(styles) * len(contents) if len(styles) == 1 else list(styles)
    panels = []
    for name, content, style in zip(names, contents, each, strict=True):
        iterations = stylize(
            content, style, recipe, pixel_sizes=pixel_sizes, progress=progress, steering=steering
        )
        panels.append(Panel(name, recipe.steps, iterations))
    roles = {f"content {name}": one for name, one in zip(names, contents, strict=True)}
    roles |= {f"style {index}": one for index, one in enumerate(styles, start=1)}
    inputs = {role: read_input(one, role).metadata for role, one in roles.items()}
    return in_turn(panels, {"inputs": inputs})


def in_turn(
    panels: Sequence[Panel], facts: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[Iteration]:
    """Make one picture after another, as one run, which ends where one of them does early.

    Parameters
    ----------
    panels : sequence of Panel
        The pictures.
    facts : mapping
        What is known of all of them, for the record, instead of what is of each alone.

    Yields
    ------
    Iteration
        With steps, seconds and estimate of the whole, `panel` and `panels`.
    """
    labels = tuple(panel.label for panel in panels)
    steps = sum(panel.steps for panel in panels)
    done, before = 0, 0.0
    for index, panel in enumerate(panels):
        seconds, to_come, is_whole = before, len(panels) - index - 1, False
        for step in panel.iterations:
            is_whole = step.step == step.steps
            seconds = before + step.seconds
            whole = step.seconds + step.seconds_left
            yield replace(
                step,
                step=done + step.step,
                steps=steps,
                seconds=seconds,
                seconds_left=step.seconds_left + to_come * whole,
                panel=index,
                panels=labels,
                facts={**step.facts, **facts},
            )
        if not is_whole:  # somebody has stopped it
            return
        done, before = done + panel.steps, seconds


def _checked(layers: Sequence[str]) -> list[str]:
    names = [canonical_layer(layer) for layer in layers]
    if not names:
        raise ValueError("layers is empty; name at least one, such as relu4_2.")
    if len(set(names)) < len(names):
        raise ValueError(f"layers names one of {', '.join(names)} twice; give each once.")
    return names
