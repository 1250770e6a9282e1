"""A checked job, which has everything that a run needs to know, and changes of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from napari_nst.engine.job.guides import (
    Guides,
    KeepOutside,
    Mask,
    describe_small_regions,
    keep_outside,
    labels_in,
    read_guides,
    small_regions,
)
from napari_nst.engine.job.inpainting import Inpainting, read_region
from napari_nst.engine.job.input_image import (
    RGB,
    InputImage,
    StyleLike,
    read_styles,
    relative_pixels,
)
from napari_nst.engine.job.layers import (
    has_style_of_image,
    layer_weights,
    least_side,
    least_size,
    network_layers,
    shares_of,
)
from napari_nst.engine.job.own_loss import OwnLoss, layers_of_own
from napari_nst.engine.job.schedule import Fit, Scale, style_fit
from napari_nst.engine.job.target_fit import LEFT_OUT, refuse_unfit
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import IMAGE_LOSSES, TILED_LOSSES

FIXED_FIELDS: Mapping[str, Mapping[str, Any]] = {
    "stylize": {},
    # There are no other colours to keep.
    "synthesize": {"content_weight": 0.0, "color": "style", "final_color": "none"},
    # In the colours of the image, the result would seem to know what the layer does not hold.
    "reconstruct": {"style_weight": 0.0, "color": "style", "final_color": "none"},
}
"""Function → the recipe's fields that it sets, whatever they were."""

ROLES = {
    "stylize": ("content", "style"),
    "synthesize": ("into", "exemplar"),
    "reconstruct": ("image", "style"),
}
"""Function → what its content and its styles are called."""

_LABEL_ARGUMENTS = {
    "stylize": ("guide", "style_guides"),
    "synthesize": ("region", "exemplar_region"),
}
"""Function → its arguments for labels of the content and of the styles."""


@dataclass(frozen=True, eq=False)
class Strokes:
    """Pixels that a user has painted over a picture."""

    picture: RGB  # (H, W, 3)
    where: Mask  # the painted pixels

    def __post_init__(self) -> None:
        size = self.picture.shape[:2]
        if self.where.shape != size:
            raise ValueError(f"where must be of the picture's size {size}; not {self.where.shape}.")


@dataclass(frozen=True, eq=False)
class Change:
    """Changes of a job since the run last asked; callables read slow images in its thread."""

    fields: Mapping[str, Any] = field(default_factory=dict)  # of the recipe
    styles: Callable[[], Sequence[StyleLike]] | None = None
    pixel_sizes: Sequence[float] | None = None  # of the content and of these styles
    guides: Callable[[], Guides | None] | None = None  # returns None to remove the guides
    region: Callable[[], ArrayLike] | None = None  # the pixels to fill
    exemplar_region: Callable[[], ArrayLike | None] | None = None  # used with `region` only
    strokes: tuple[Strokes, ...] = ()  # in the order in which they were painted


@dataclass(frozen=True, eq=False)
class Job:
    """What one of the public functions was asked for, checked and ready to run."""

    name: str  # of the function: stylize, synthesize or reconstruct
    recipe: Recipe
    scales: Sequence[Scale]
    content: InputImage | None = None  # None for a texture
    styles: Sequence[InputImage] = ()  # none for a reconstruction
    start: InputImage | None = None  # the image that init="image" starts from
    relative_pixels: Sequence[float] | None = None  # each style's pixel size over the content's
    arguments: Mapping[str, Any] = field(default_factory=dict)  # the caller's others
    guides: Guides | None = None
    keep_outside: KeepOutside | None = None
    inpainting: Inpainting | None = None  # where `styles`, `guides` and `keep_outside` come from
    own_losses: Sequence[OwnLoss] = ()  # of the caller, in all phases

    def __post_init__(self) -> None:
        if self.guides is not None and self.recipe.final_color != "none":
            raise ValueError(
                f"`final_color={self.recipe.final_color!r}` gives all regions the same colours. "
                "Set `final_color='none'`, or leave out `guide`."
            )
        phases = [self.recipe.phase(index) for index in range(len(self.recipe.phases) + 1)]
        if self.has_regions and (own := next(filter(has_style_of_image, phases), None)):
            raise ValueError(
                f"`style_loss={own.style_loss!r}` compares the whole image, but this run has "
                "regions or transparent pixels. Leave them out, or choose another `style_loss`, "
                "such as 'autocorrelation'."
            )
        of_image = [t for one in phases for t in one.with_terms() if has_style_of_image(t)]
        if of_image and not all(network_layers(phase) for phase in phases):
            loss = of_image[0].style_loss
            raise ValueError(
                f"`style_loss={loss!r}` compares pixels alone, and a run needs a loss of features "
                f"beside it. Choose another `style_loss`, and add {loss!r} to `terms`."
            )
        self._check_own_losses()
        if not self._is_of_one_phase:
            refuse_unfit(self)

    def _check_own_losses(self) -> None:
        least = least_size(layers_of_own(self.own_losses), self.recipe.padding)
        smallest = min((min(scale.shape) for scale in self.scales), default=least)
        if smallest < least:
            raise ValueError(
                f"The run works on images of {smallest} pixels, and a layer of `losses` needs "
                f"{least}. Choose a larger `size` or `min_size`, or another layer."
            )
        if self.recipe.tile and layers_of_own(self.own_losses):
            raise ValueError(
                "`losses` of layers are not computed in tiles. Set `tile=0`, or leave them out."
            )

    @property
    def has_regions(self) -> bool:
        """Whether losses compare parts of the image, so that none can be of the whole image."""
        is_transparent = self.content is not None and self.content.alpha is not None
        return bool(self.guides or self.keep_outside or is_transparent)

    @property
    def has_targets(self) -> bool:
        """Whether a style is a style target."""
        return any(style.target is not None for style in self.styles)

    @property
    def left_out(self) -> Sequence[str]:
        """The style losses of whole images that terms cannot have in this job."""
        return IMAGE_LOSSES if self.has_regions else LEFT_OUT if self.has_targets else ()

    @property
    def main_image(self) -> InputImage:
        """The image that the result gets its channels from: the content or the first exemplar."""
        return self.content or self.styles[0]

    @property
    def shows_grey(self) -> bool:
        """Whether the result has a single channel."""
        channels = self.recipe.channels
        return channels == "grey" or (channels == "auto" and self.main_image.is_grey)

    @property
    def full_shape(self) -> tuple[int, int]:
        """Height and width of the result."""
        return self.keep_outside.picture.shape if self.keep_outside else self.scales[-1].shape

    @property
    def covered_shape(self) -> tuple[int, int]:
        """Height and width of the area that the result covers, in pixels of the content."""
        is_resized = self.content is not None and self.keep_outside is None
        return self.main_image.shape if is_resized else self.full_shape

    @property
    def works_in_grey(self) -> bool:
        """Whether the run works on one channel, to which luminance transfer adds colours."""
        return self.shows_grey or self.recipe.color == "luminance"

    @property
    def images(self) -> dict[str, InputImage]:
        """Role → image that the caller handed in."""
        content, style = ROLES[self.name]
        many = len(self.styles) > 1
        named = {
            f"{style} {i}" if many else style: image
            for i, image in enumerate(self.styles, start=1)
            if image.metadata  # else it is a part of another image
        }
        if self.content:
            named = {content: self.content, **named}
        return named | ({"start": self.start} if self.start else {})

    @property
    def network_layers(self) -> list[str]:
        """The layers that the recipe's losses and the caller's read; terms are included."""
        return [*network_layers(self.recipe), *layers_of_own(self.own_losses)]

    @property
    def needs_no_style_features(self) -> bool:
        """Whether the style losses need only sums or samples of features, taken in one pass."""
        # With guides, the sums of each label would take a pass of their own.
        terms = [term for term in self.recipe.with_terms() if layer_weights(term, "style")]
        return self.guides is None and all(one.style_loss in TILED_LOSSES for one in terms)

    def in_phase(self, scale: Scale) -> Job:
        """Return this job with the recipe of a scale's phase alone, as it is computed."""
        recipe = self._computed(scale.phase)
        return self if recipe is self.recipe else replace(self, recipe=recipe)

    @property
    def _is_of_one_phase(self) -> bool:
        """Whether this is the job of a single phase of another, whose scales it has all."""
        return not self.recipe.phases and any(scale.phase for scale in self.scales)

    def _computed(self, phase: int) -> Recipe:
        """Return the recipe of a phase, without terms of whole images that it cannot have."""
        recipe = self.recipe.phase(phase) if self.recipe.phases else self.recipe
        kept = tuple(t for t in recipe.terms if t.get("style_loss") not in self.left_out)
        if kept == recipe.terms:
            return recipe
        return recipe.replace(terms=kept)

    def fits(self, scale: Scale) -> list[Fit]:
        """Return how each style is fitted to a scale."""
        least = least_side(self.recipe)
        pixels: Sequence[float | None] = [None] * len(self.styles)
        if self.recipe.style_sizing == "physical" and self.content is not None:
            own = self.relative_pixels or [1.0] * len(self.styles)
            pixels = [one * scale.longest / max(self.content.shape) for one in own]
        return [
            style_fit(style.shape, scale, self.recipe, least, pixel)
            for style, pixel in zip(self.styles, pixels, strict=True)
        ]

    def notes(self) -> list[str]:
        """Return sentences to tell before a run; refuse a region that is too small for all."""
        notes = [
            f"`{role}` is nearly black: its largest value is {image.rgb.max() * 65535:.0f} of "
            "65535. Rescale it to its own range (in the terminal: --limits auto)."
            for role, image in self.images.items()
            if image.is_nearly_black
        ]
        size, finest = self.recipe.size, self.scales[-1].longest
        if 0 < size < finest:
            notes.append(
                f"The image is so narrow that the recipe's layers need a `size` of {finest} "
                f"pixels. This run uses it instead of {size}."
            )
        own = self.recipe
        asked = [t for i in range(len(own.phases) + 1) for t in own.phase(i).with_terms()]
        if len({*own.style_blend} - {0.0}) > 1 and any(
            term.has_style and term.style_loss == "nn" for term in asked
        ):
            notes.append(
                "`style_loss='nn'` finds the nearest neighbours in all styles alike, whatever "
                "their share in `style_blend`. A share of 0 leaves a style out."
            )
        return notes + self.notes_on_regions()

    def notes_on_regions(self) -> list[str]:
        """Return sentences on what regions leave out; refuse a region too small for all layers."""
        phases = sorted({scale.phase for scale in self.scales})
        asked = [term for index in phases for term in self.recipe.phase(index).with_terms()]
        left_out = {term.style_loss for term in asked if has_style_of_image(term)}
        why = "regions or transparent pixels" if self.has_regions else "a style target"
        sentences = [
            f"The term with `style_loss={loss!r}` is left out: it compares the whole image, but "
            f"this run has {why}."
            for loss in sorted(left_out & {*self.left_out})
        ]
        if self.has_regions and self.own_losses:
            names = ", ".join(repr(one.name) for one in self.own_losses)
            sentences.append(f"Your loss {names} compares the whole image, not region by region.")
        guides, content = self.guides, self.content
        if guides is None or content is None or not self.recipe.style_weight:
            return sentences
        of_content, of_styles = _LABEL_ARGUMENTS[self.name]
        scale = self.scales[-1]
        visible = guides.content
        if content.alpha is not None:  # a label on transparent pixels alone takes no style
            visible = visible * (content.alpha > 0)
        whole = Fit((slice(None), slice(None)), scale.shape)
        labelled = [(visible, content, whole, of_content)]
        for own, style, fit in zip(guides.styles, self.styles, self.fits(scale), strict=True):
            if own is not None:
                used = np.where(np.isin(own, labels_in(visible)), own, 0)
                labelled.append((used, style, fit, of_styles))
        sentences += guides.notes
        for recipe in [term for index in phases for term in self._computed(index).with_terms()]:
            for labels, image, fit, argument in labelled:
                if found := small_regions(labels, fit, recipe, image.weights):
                    sentences.append(describe_small_regions(found, argument, recipe))
        return list(dict.fromkeys(sentences))

    def changed(self, change: Change) -> Job:
        """Return this job with a change, or raise TypeError or ValueError if it is not possible."""
        recipe = self.recipe.replace(**{**change.fields, **FIXED_FIELDS[self.name]})
        if _schedule_of(recipe) != _schedule_of(self.recipe):
            raise ValueError(
                "The steps, sizes and number of `phases` cannot change during a run. Start another "
                "run."
            )
        styles, ratios = self.styles, self.relative_pixels
        if change.styles is not None:
            styles = read_styles(list(change.styles()), ROLES[self.name][1], recipe)
            ratios = relative_pixels(change.pixel_sizes, len(styles))
        elif self.styles:
            shares_of(recipe, len(styles))  # checks their number
        changed = replace(self, recipe=recipe, styles=styles, relative_pixels=ratios)
        if self.name == "stylize":
            changed = changed._guided_by(change.guides() if change.guides else self.guides)
        elif change.guides is not None:
            raise ValueError(f"A run of {self.name} has no guides. Use those of stylize.")
        if self.inpainting is not None:
            exemplars = None if change.styles is None else styles
            changed = changed._filling(self.inpainting, change, exemplars)
        elif change.region is not None:
            raise ValueError(
                "`region` is for a run that fills one. Start it with `into` and `region`."
            )
        changed.notes_on_regions()  # raises if a region is too small for all layers
        return changed

    def differences(self, other: Job) -> dict[str, Any]:
        """Return what differs in another job of the same function, for the record."""
        own, its = self.recipe.to_dict(), other.recipe.to_dict()
        found = {name: value for name, value in its.items() if value != own[name]}
        if [one.metadata for one in self.styles] != [one.metadata for one in other.styles]:
            found["styles"] = True
        if self.inpainting is not None and other.inpainting is not None:
            found |= self.inpainting.differences(other.inpainting)
        elif self.guides is not other.guides and not (
            self.guides and other.guides and self.guides.equals(other.guides)
        ):
            found["guides"] = True
        return found

    def _filling(
        self, inpainting: Inpainting, change: Change, exemplars: Sequence[InputImage] | None
    ) -> Job:
        if change.region is not None:
            mask = read_region(change.region(), inpainting.picture)
            exemplar_region = change.exemplar_region() if change.exemplar_region else None
            inpainting = inpainting.changed(mask, exemplar_region, exemplars)
        elif exemplars is not None:
            kept = inpainting.mask, inpainting.exemplar_mask
            inpainting = inpainting.changed(*kept, exemplars)
        return replace(
            self,
            inpainting=inpainting,
            styles=inpainting.styles,
            guides=inpainting.guides,
            keep_outside=inpainting.keep_outside,
            arguments=inpainting.metadata,
        )

    def _guided_by(self, guides: Guides | None) -> Job:
        assert self.content is not None
        keeps = guides is not None and guides.keep_unlabelled
        if keeps != (self.keep_outside is not None):
            raise ValueError("`keep_unlabelled` cannot change during a run. Start another run.")
        if guides is None:
            return replace(self, guides=None)
        shapes = [style.shape for style in self.styles]
        read = read_guides(guides.content, guides.styles, self.content.shape, shapes, keeps)
        guides = replace(read, notes=guides.notes or read.notes)
        return replace(self, guides=guides, keep_outside=keep_outside(guides, self.content))


def _schedule_of(recipe: Recipe) -> list[tuple[Any, Any]]:
    return [(phase.get("steps"), phase.get("sizes")) for phase in recipe.phases]
