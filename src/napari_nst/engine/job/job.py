"""A checked job: everything that a run has to know, its images included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from napari_nst.engine.job.change import Change
from napari_nst.engine.job.checks import check_style, read_styles, relative_pixels
from napari_nst.engine.job.guides import Guides, KeepOutside, kept_by, labels_in, read_guides
from napari_nst.engine.job.inpainting import Inpainting
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.job.layers import least_side, shares_of
from napari_nst.engine.job.region_size import left_out, refuse_unseen, vanishing
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.job.style_size import Fit, style_fit
from napari_nst.recipe import Recipe
from napari_nst.recipe.sections import MOMENT_LOSSES

LEFT_ASIDE: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "stylize": {},
        # There is no other's colour to keep.
        "synthesize": {"content_weight": 0.0, "color": "style"},
        # Shown in the image's own colours, it would seem to know what the layer does not keep.
        "reconstruct": {"style_weight": 0.0, "color": "style"},
    }
)
"""Job → what its recipe's other fields are set to, whatever they were."""

ROLES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "stylize": ("content", "style"),
        "synthesize": ("into", "exemplar"),
        "reconstruct": ("image", "style"),
    }
)
"""Job → what its content and its styles are called."""


_LABEL_ARGUMENTS = {
    "stylize": ("guide", "style_guides"),
    "synthesize": ("region", "exemplar_region"),
}
"""Function → its arguments for labels of the content and of the styles."""


@dataclass(frozen=True, eq=False)
class Job:
    """A checked job, ready to run.

    Attributes
    ----------
    name : str
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
    guides : Guides or None
        Which region of the content takes which region of the styles.
    keep_outside : KeepOutside or None
        What the run leaves as it is.
    inpainting : Inpainting or None
        What the run fills; `styles`, `guides` and `kept` are then its own.
    """

    name: str
    recipe: Recipe
    scales: Sequence[Scale]
    content: InputImage | None
    styles: Sequence[InputImage]
    start: InputImage | None
    relative_pixels: Sequence[float] | None
    arguments: Mapping[str, Any]
    guides: Guides | None = None
    keep_outside: KeepOutside | None = None
    inpainting: Inpainting | None = None

    @property
    def main_image(self) -> InputImage:
        """The image whose channels the picture has: the content's, or the exemplar's."""
        return self.content or self.styles[0]

    @property
    def images(self) -> dict[str, InputImage]:
        """Role → image."""
        content, style = ROLES[self.name]
        many = len(self.styles) > 1
        named = {
            f"{style} {i}" if many else style: image
            for i, image in enumerate(self.styles, start=1)
            if image.metadata  # a part of another is none that was handed in
        }
        if self.content:
            named = {content: self.content, **named}
        return named | ({"start": self.start} if self.start else {})

    @property
    def needs_only_moments(self) -> bool:
        """Whether all that is compared of a style is what its features add up to, once."""
        # Each guide's sums would be a pass of their own; of features all are taken at once.
        return self.recipe.style_loss in MOMENT_LOSSES and self.guides is None

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

    def small_regions(self) -> list[str]:
        """Say which regions are too small for which layers, at the finest scale.

        Returns one sentence for the content and one for the styles, where there is something to
        say. Raises a ValueError if a region is too small for every style layer.
        """
        guides, content = self.guides, self.content
        if guides is None or content is None or not self.recipe.style_weight:
            return []
        of_content, of_styles = _LABEL_ARGUMENTS[self.name]
        scale = self.scales[-1]
        whole = (slice(None), slice(None))
        labels = guides.content
        if content.alpha is not None:  # a label on transparent pixels alone needs no style
            labels = labels * (content.alpha > 0.5)
        labelled = [(labels, content, Fit(whole, scale.shape), of_content)]
        for own, style, fit in zip(guides.styles, self.styles, self.fits(scale), strict=True):
            if own is not None:
                used = np.where(np.isin(own, labels_in(labels)), own, 0)
                labelled.append((used, style, fit, of_styles))
        missing: dict[str, list[tuple[int, str]]] = {}
        for labels, image, fit, name in labelled:
            found = vanishing(labels, fit, self.recipe, image.alpha)
            refuse_unseen(found, name, self.recipe)
            missing.setdefault(name, []).extend(found)
        return [left_out(found, name) for name, found in missing.items() if found]

    def changed(self, change: Change) -> Job:
        """Return the same order with what a caller wants otherwise.

        Raises
        ------
        TypeError, ValueError
            If that is not possible.
        """
        recipe = self.recipe.replace(**{**change.fields, **LEFT_ASIDE[self.name]})
        styles, ratios, kept = self.styles, self.relative_pixels, self.keep_outside
        if change.styles is not None:
            name = ROLES[self.name][1]
            styles = read_styles(list(change.styles()), name, recipe)
            for one in styles:
                check_style(one, least_side(recipe), name)
            ratios = relative_pixels(change.pixel_sizes, len(styles))
        elif self.styles:
            shares_of(recipe, len(styles))
        guides = self.guides if change.guides is None else change.guides()
        if self.name == "stylize":
            guides, kept = self._guided_by(guides, styles)
        elif change.guides is not None:
            raise ValueError(f"{self.name} has no guides to change; stylize has.")
        changed = replace(
            self,
            recipe=recipe,
            styles=styles,
            relative_pixels=ratios,
            guides=guides,
            keep_outside=kept,
        )
        if self.inpainting is not None:
            changed = changed._filling(
                self.inpainting.changed(change, styles if change.styles else None)
            )
        elif change.region is not None:
            raise ValueError(
                "region is for a run that fills one; give synthesize into and a region from the "
                "start."
            )
        changed.small_regions()  # raises where a region is too small for all layers
        return changed

    def differences(self, other: Job) -> dict[str, Any]:
        """Return what another order of the same job has otherwise, as a record says it."""
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

    def _filling(self, hole: Inpainting) -> Job:
        return replace(
            self,
            inpainting=hole,
            styles=hole.styles,
            guides=hole.guides,
            keep_outside=hole.keep_outside,
            arguments=hole.metadata,
        )

    def _guided_by(
        self, guides: Guides | None, styles: Sequence[InputImage]
    ) -> tuple[Guides | None, KeepOutside | None]:
        assert self.content is not None
        keeps = guides is not None and guides.keep_unlabelled
        if keeps != (self.keep_outside is not None):
            raise ValueError("keep_unlabelled cannot change while a run goes on; start another.")
        if guides is None:
            return None, None
        shapes = [style.shape for style in styles]
        guides = read_guides(guides.content, guides.styles, self.content.shape, shapes, keeps)
        return guides, kept_by(guides, self.content)
