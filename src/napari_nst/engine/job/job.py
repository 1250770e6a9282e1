"""A checked job: everything that a run has to know, its images included."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from napari_nst.engine.job.change import Change
from napari_nst.engine.job.checks import check_style, read_styles, relative_pixels
from napari_nst.engine.job.guides import Guides, KeepOutside, kept_by, read_guides
from napari_nst.engine.job.inpainting import Inpainting
from napari_nst.engine.job.input_image import InputImage
from napari_nst.engine.job.layers import least_side, shares_of
from napari_nst.engine.job.region_size import too_small
from napari_nst.engine.job.schedule import Scale
from napari_nst.engine.job.style_size import Fit, style_fit
from napari_nst.recipe import Recipe
from napari_nst.recipe.likeness import MOMENT_LOSSES

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


@dataclass(frozen=True, eq=False)
class Job:
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
    guides : Guides or None
        Which region of the content takes which region of the styles.
    kept : Kept or None
        What the run leaves as it is.
    hole : Hole or None
        What the run fills; `styles`, `guides` and `kept` are then its own.
    """

    job: str
    recipe: Recipe
    scales: Sequence[Scale]
    content: InputImage | None
    styles: Sequence[InputImage]
    start: InputImage | None
    relative_pixels: Sequence[float] | None
    arguments: Mapping[str, Any]
    guides: Guides | None = None
    kept: KeepOutside | None = None
    hole: Inpainting | None = None

    @property
    def pattern(self) -> InputImage:
        """The image whose channels the picture has: the content's, or the exemplar's."""
        return self.content or self.styles[0]

    @property
    def images(self) -> dict[str, InputImage]:
        """Role → image."""
        content, style = ROLES[self.job]
        many = len(self.styles) > 1
        named = {
            f"{style} {i}" if many else style: image
            for i, image in enumerate(self.styles, start=1)
            if image.facts  # a part of another is none that was handed in
        }
        if self.content:
            named = {content: self.content, **named}
        return named | ({"start": self.start} if self.start else {})

    @property
    def compares_sums(self) -> bool:
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

    def changed(self, change: Change) -> Job:
        """Return the same order with what a caller wants otherwise.

        Raises
        ------
        TypeError, ValueError
            If that is not possible.
        """
        recipe = self.recipe.replace(**{**change.fields, **LEFT_ASIDE[self.job]})
        styles, ratios, kept = self.styles, self.relative_pixels, self.kept
        if change.styles is not None:
            name = ROLES[self.job][1]
            styles = read_styles(list(change.styles()), name, recipe)
            for one in styles:
                check_style(one, least_side(recipe), name)
            ratios = relative_pixels(change.pixel_sizes, len(styles))
        elif self.styles:
            shares_of(recipe, len(styles))
        guides = self.guides if change.guides is None else change.guides()
        if self.job == "stylize":
            guides, kept = self._guided_by(guides, styles)
        elif change.guides is not None:
            raise ValueError(f"{self.job} has no guides to change; stylize has.")
        changed = replace(
            self, recipe=recipe, styles=styles, relative_pixels=ratios, guides=guides, kept=kept
        )
        if self.hole is not None:
            changed = changed._filling(self.hole.changed(change, styles if change.styles else None))
        elif change.region is not None:
            raise ValueError(
                "region is for a run that fills one; give synthesize into and a region from the "
                "start."
            )
        too_small(changed)  # raises where a region is too small for all layers
        return changed

    def differences(self, other: Job) -> dict[str, Any]:
        """Return what another order of the same job has otherwise, as a record says it."""
        own, its = self.recipe.to_dict(), other.recipe.to_dict()
        found = {name: value for name, value in its.items() if value != own[name]}
        if [one.facts for one in self.styles] != [one.facts for one in other.styles]:
            found["styles"] = True
        if self.hole is not None and other.hole is not None:
            found |= self.hole.differences(other.hole)
        elif self.guides is not other.guides and not (
            self.guides and other.guides and self.guides.is_like(other.guides)
        ):
            found["guides"] = True
        return found

    def _filling(self, hole: Inpainting) -> Job:
        return replace(
            self, hole=hole, styles=hole.styles, guides=hole.guides, kept=hole.kept,
            arguments=hole.facts,
        )  # fmt: skip

    def _guided_by(
        self, guides: Guides | None, styles: Sequence[InputImage]
    ) -> tuple[Guides | None, KeepOutside | None]:
        assert self.content is not None
        keeps = guides is not None and guides.keep_unlabelled
        if keeps != (self.kept is not None):
            raise ValueError("keep_unlabelled cannot change while a run goes on; start another.")
        if guides is None:
            return None, None
        shapes = [style.shape for style in styles]
        guides = read_guides(guides.content, guides.styles, self.content.shape, shapes, keeps)
        return guides, kept_by(guides, self.content)
