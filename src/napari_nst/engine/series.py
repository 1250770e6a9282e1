"""Several pictures made in turn, side by side in one result: layers compared, channels stylized."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.jobs import Images, reconstruct, stylize, synthesize
from napari_nst.engine.optimize import Iteration
from napari_nst.engine.weights import Progress
from napari_nst.recipe import DEFAULT_PRESETS, Recipe, preset
from napari_nst.recipe.layer_names import canonical_layer

COMPARED_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""What a comparison shows where nobody says: the first convolution of each block."""


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
) -> Iterator[Iteration]:
    """Reconstruct an image from one layer after another (Gatys et al. 2016, fig. 1).

    Parameters
    ----------
    image, recipe, progress
        As for `reconstruct`; the recipe's content layers are left aside.
    layers : sequence of str
        One picture for each.

    Returns
    -------
    iterator of Iteration
        Of all pictures in turn: `Iteration.panel` says which of `Iteration.panels` it belongs to.

    Raises
    ------
    TypeError, ValueError, NstError
        As `reconstruct`.
    """
    recipe = recipe or preset(DEFAULT_PRESETS["reconstruction"])
    panels = []
    for layer in _checked(layers):
        of_layer = recipe.replace(content_layers={layer: 1.0})
        iterations = reconstruct(image, of_layer, progress=progress)
        panels.append(Panel(layer, recipe.steps, iterations))
    return in_turn(panels)


def compare_textures(
    exemplar: Images,
    recipe: Recipe | None = None,
    *,
    layers: Sequence[str] = COMPARED_LAYERS,
    cumulative: bool = False,
    shape: tuple[int, int] | None = None,
    progress: Progress | None = None,
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

    Returns
    -------
    iterator of Iteration
        As from `compare_reconstructions`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `synthesize`.
    """
    recipe = recipe or preset(DEFAULT_PRESETS["texture"])
    names = _checked(layers)
    panels = []
    for index, layer in enumerate(names):
        taken = names[: index + 1] if cumulative else [layer]
        of_layers = recipe.replace(style_layers=dict.fromkeys(taken, 1 / len(taken)))
        iterations = synthesize(exemplar, of_layers, shape=shape, progress=progress)
        label = f"to {layer}" if cumulative and index else layer
        panels.append(Panel(label, recipe.steps, iterations))
    return in_turn(panels)


def stylize_channels(
    contents: Sequence[ArrayLike],
    styles: Sequence[ArrayLike],
    recipe: Recipe | None = None,
    *,
    labels: Sequence[str] = (),
    pixel_sizes: Sequence[float] | None = None,
    progress: Progress | None = None,
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

    Returns
    -------
    iterator of Iteration
        As from `compare_reconstructions`.

    Raises
    ------
    TypeError, ValueError, NstError
        As `stylize`; also if shapes or counts differ.
    """
    recipe = (recipe or preset(DEFAULT_PRESETS["transfer"])).replace(channels="grey")
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
    each = list(styles) * len(contents) if len(styles) == 1 else list(styles)
    panels = []
    for name, content, style in zip(names, contents, each, strict=True):
        iterations = stylize(content, style, recipe, pixel_sizes=pixel_sizes, progress=progress)
        panels.append(Panel(name, recipe.steps, iterations))
    return in_turn(panels)


def in_turn(panels: Sequence[Panel]) -> Iterator[Iteration]:
    """Make one picture after another, as one run.

    Yields
    ------
    Iteration
        With steps, seconds and estimate of the whole, `panel` and `panels`.
    """
    labels = tuple(panel.label for panel in panels)
    steps = sum(panel.steps for panel in panels)
    done, before = 0, 0.0
    for index, panel in enumerate(panels):
        seconds, to_come = before, len(panels) - index - 1
        for step in panel.iterations:
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
            )
        done, before = done + panel.steps, seconds


def _checked(layers: Sequence[str]) -> list[str]:
    names = [canonical_layer(layer) for layer in layers]
    if not names:
        raise ValueError("layers is empty; name at least one, such as relu4_2.")
    if len(set(names)) < len(names):
        raise ValueError(f"layers names one of {', '.join(names)} twice; give each once.")
    return names
