"""Recipe + images, put together: the network, the targets of each scale, the start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from napari_nst.engine import color
from napari_nst.engine.canvas import Canvas
from napari_nst.engine.device import choose_device, choose_precision
from napari_nst.engine.explained import explained_errors
from napari_nst.engine.images import resize
from napari_nst.engine.objective import (
    Objective,
    content_losses,
    image_losses,
    least_side,
    network_layers,
    style_losses,
)
from napari_nst.engine.optimize import Iteration, optimize
from napari_nst.engine.pixels import InputImage
from napari_nst.engine.record import facts_of_run
from napari_nst.engine.scales import Scale
from napari_nst.engine.start import initial_image
from napari_nst.engine.steppers import STEPPERS
from napari_nst.engine.subjects import Subject, style_at
from napari_nst.engine.vgg import VGG19
from napari_nst.engine.weights import Progress, load
from napari_nst.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Order:
    """A checked job, ready to run.

    Attributes
    ----------
    job : str
        Name of the function that was called.
    recipe : Recipe
        What to do.
    scales : sequence of Scale
        Sizes and steps.
    content : InputImage or None
        What gives content and colours; a texture has none.
    styles : sequence of InputImage
        What gives the style; a reconstruction has none.
    start : InputImage or None
        What ``init="image"`` starts from.
    relative_pixels : sequence of float or None
        Each style's pixel size over the content's, where both are known.
    arguments : mapping
        What else the caller said, for the record.
    """

    job: str
    recipe: Recipe
    scales: Sequence[Scale]
    content: InputImage | None
    styles: Sequence[InputImage]
    start: InputImage | None
    relative_pixels: Sequence[float] | None
    arguments: Mapping[str, Any]

    @property
    def pattern(self) -> InputImage:
        """The image whose channels the picture has: the content's, or the exemplar's."""
        return self.content or self.styles[0]

    @property
    def images(self) -> dict[str, InputImage]:
        """Role → image."""
        one = "style" if self.content else "exemplar"
        many = len(self.styles) > 1
        named = {f"{one} {i}" if many else one: s for i, s in enumerate(self.styles, start=1)}
        if self.content:
            named = {"image" if self.job == "reconstruct" else "content": self.content, **named}
        return named | ({"start": self.start} if self.start else {})

    def run(self, progress: Progress | None = None) -> Iterator[Iteration]:
        """Do everything slow, and yield an iteration per step."""
        recipe, scales = self.recipe, self.scales
        with explained_errors(recipe, scales):
            device = choose_device(recipe.device)
            dtype = choose_precision(recipe.precision, device)
            pretrained = load(recipe.weights, progress)
            network = VGG19(
                network_layers(recipe),
                weights=pretrained,
                pooling=recipe.pooling,
                padding=recipe.padding,
                dtype=dtype,
                rescale_pooling=recipe.rescale_pooling,
                network_input=recipe.network_input,
            ).to(device)
            assembly = Assembly(self, network, device)
            facts = facts_of_run(
                self.job, recipe, self.images, pretrained, device, dtype, **self.arguments
            )
            stepper = STEPPERS[recipe.optimizer](recipe, assembly.canvas)
            start = assembly.first_image(scales[0].shape)
            periodic = recipe.padding == "circular"
            for step in optimize(start, scales, assembly.objective_at, stepper, periodic=periodic):
                yield replace(
                    step,
                    pixels=assembly.shown(step.pixels),
                    alpha=assembly.alpha,
                    is_grey=assembly.shows_grey,
                    facts=facts,
                )


class Assembly:
    """The parts of a run on its device.

    Parameters
    ----------
    order : Order
        What to do.
    network : VGG19
        Returns the layers of the recipe, padded as it says.
    device : torch.device
        Where the images go.

    Attributes
    ----------
    canvas : Canvas
        What the optimiser may change.
    shows_grey : bool
        Whether the picture has a single channel.
    alpha : Tensor or None
        The content's, (1, 1, H, W), at the scale that the run is at.
    """

    def __init__(self, order: Order, network: VGG19, device: torch.device) -> None:
        self.recipe = recipe = order.recipe
        self.network = network
        # What is given has borders; only the picture to come shall tile.
        periodic = recipe.padding == "circular"
        self.target_network = network.with_padding("replicate") if periodic else network
        self.least = least_side(recipe)
        self.relative_pixels = order.relative_pixels
        self.content = Subject.of(order.content, device) if order.content else None
        self.styles = [Subject.of(style, device) for style in order.styles]
        self.start = Subject.of(order.start, device) if order.start else None
        wants_grey = order.pattern.is_grey if recipe.channels == "auto" else False
        self.shows_grey = wants_grey or recipe.channels == "grey"
        self.alpha: Tensor | None = None
        self.colours: Tensor | None = None
        self._take_colours()
        self.canvas = Canvas(
            recipe.image_range, grey=self.shows_grey or recipe.color == "luminance"
        )

    def _take_colours(self) -> None:
        """Give all images the colours that the recipe wants them compared in (Gatys 2017)."""
        recipe, content = self.recipe, self.content
        if self.shows_grey or recipe.color == "luminance":
            if content is not None:
                self.colours = None if self.shows_grey else content.image
                self.content = content = _grey(content)
            self.styles = [_grey(style) for style in self.styles]
        if content is None or recipe.color == "style":
            return
        if recipe.color == "luminance" or self.shows_grey:
            self.styles = [_with_luminance_like(style, content) for style in self.styles]
        else:
            self.styles = [_coloured_like(style, content, recipe.color) for style in self.styles]

    def objective_at(self, scale: Scale) -> Objective:
        """Compute the targets of a scale, and what its pictures are shown with."""
        recipe = self.recipe
        content = None if self.content is None else self.content.resized(scale.shape)
        # Resampling leaves [0, 1] by a rounding error, and whoever saves it would hear of it.
        self.alpha = None if content is None or content.mask is None else content.mask.clamp(0, 1)
        if self.colours is not None:
            self._colours_here = resize(self.colours, scale.shape)
        styles = [
            style_at(style, scale, recipe, self.least, self._relative_pixel(index, scale))
            for index, style in enumerate(self.styles)
        ]
        mask = content.mask if content else None
        with torch.no_grad():
            of_content = self.target_network(content.image) if content else {}
            of_styles = [self.target_network(style.image) for style in styles]
        losses = content_losses(recipe, of_content, mask) if content else {}
        if styles:
            losses |= style_losses(recipe, of_styles, [style.mask for style in styles], mask)
        return Objective(self.network, losses, image_losses(recipe))

    def first_image(self, shape: tuple[int, int]) -> Tensor:
        """Return what the run starts from."""
        return initial_image(
            self.recipe, shape, self.content, self.styles, self.start, grey=self.canvas.grey
        )

    def shown(self, image: Tensor) -> Tensor:
        """Return the picture to show for an image of the run, with the content's colours if so."""
        if self.colours is None:
            return image
        return color.with_luminance(self._colours_here, image[:, :1])

    def _relative_pixel(self, index: int, scale: Scale) -> float | None:
        if self.recipe.style_sizing != "physical" or self.content is None:
            return None
        own = self.relative_pixels[index] if self.relative_pixels else 1.0
        return own * scale.longest / max(self.content.shape)


def _grey(subject: Subject) -> Subject:
    return Subject(color.luminance(subject.image).expand(-1, 3, -1, -1), subject.mask)


def _with_luminance_like(style: Subject, content: Subject) -> Subject:
    matched = color.match_luminance(
        style.image[:, :1], content.image[:, :1], mask=style.mask, reference_mask=content.mask
    )
    return Subject(matched.expand(-1, 3, -1, -1), style.mask)


def _coloured_like(style: Subject, content: Subject, method: str) -> Subject:
    matched = color.match_colors(
        style.image, content.image, method, mask=style.mask, reference_mask=content.mask
    )
    return Subject(matched, style.mask)
